"""A proposal: an act and the signatures collected for it, in a file that is carried between those who sign.

The file holds what is to be done (an `Act`) and never the metadata that do it: every program that reads it makes them
anew (`Draft`). So what a custodian is shown and what the custodian signs come of the same few values, and nothing else
can be slipped in. Signatures are over these metadata; a file with a signature that does not hold is refused.

The act names the register that it builds on (`BaseName`). That register stands beside the act, in a file that is
carried by hand; between nodes, which have it in their archives, the field is empty. The fingerprint is over the act
alone, so that all copies are of one proposal.

Every signature and every refusal has a record (`Record`), signed with the same key.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any, Final

from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.signer import Signature

from paiza_register import Register, carried, register_file
from paiza_register.ceremony import change, founding, publication
from paiza_register.ceremony.base import Base, BaseName
from paiza_register.ceremony.draft import Act, Draft
from paiza_register.ceremony.metadata import metadata_with, signed_bytes
from paiza_register.ceremony.record import DECISIONS, REFUSED, SIGNED, Circumstances, Record, message
from paiza_register.contradictions import REFUSAL_LABEL
from paiza_register.pair_key import PairKey, PairSigner
from paiza_register.register_file import RegisterFile
from paiza_wire.errors import Rejected

KIND: Final = "proposal"

MAX_BYTES: Final = register_file.MAX_BYTES + (16 << 20)
"""A file holds the register that its act builds on, with all roots since the first, and applications or files."""

ACTS: Final[Mapping[str, Callable[[dict[str, Any], Base], Act]]] = {
    change.KIND: change.Change.read,
    publication.KIND: publication.Publication.read,
}
"""What can be proposed to a register, by kind."""

BaseSource = Callable[[BaseName], Base]
"""Returns the verified register of this name; ``Unavailable("register_unknown")`` if it is not at hand."""


@dataclass(frozen=True)
class Proposal:
    """An act with signatures, role -> key id -> signature, and refusals, key id -> signature, each of which holds.

    ``records`` are by decision, `SIGNED` or `REFUSED`, and key id.
    """

    act: Act
    signatures: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    refusals: Mapping[str, str] = field(default_factory=dict)
    records: Mapping[str, Mapping[str, Record]] = field(default_factory=dict)

    @property
    def draft(self) -> Draft:
        """Return the metadata that do what is proposed."""
        return self.act.draft

    @property
    def fingerprint(self) -> bytes:
        """Return the digest of what is proposed; signatures do not change it."""
        return carried.digest(self.act.values())

    def digest(self, role: str) -> bytes:
        """Return SHA-256 of the bytes that are signed in a role."""
        return sha256(signed_bytes(self.draft.roles[role])).digest()

    @classmethod
    def read(cls, data: bytes, base_source: BaseSource | None = None) -> "Proposal":
        """Read a proposal and verify every signature in it, each of which must have its record.

        With a source the register comes from there, and the one in the file is not looked at; without one it comes from
        the file. Either must be the one that the act names, and neither may be of a later time than the act.
        """
        values = carried.read(KIND, data, {"act", "register", "signatures", "refusals", "records"}, MAX_BYTES)
        proposal = cls(_act(values["act"], carried.text(values, "register"), base_source))
        signatures = values["signatures"]
        if not isinstance(signatures, dict) or not set(signatures) <= set(proposal.draft.roles):
            raise Rejected("malformed", "the proposal has signatures of roles that it does not change")
        for role in signatures:
            for keyid, made in carried.texts(signatures, role).items():
                proposal = proposal.with_signature(role, keyid, made)
        for keyid, made in carried.texts(values, "refusals").items():
            proposal = proposal.with_refusal(keyid, made)
        for decision, records in carried.only(values["records"], DECISIONS).items():
            if not isinstance(records, dict) or set(records) != proposal.keys(decision):
                raise Rejected("malformed", "every signature and every refusal has a record, and nothing else")
            for keyid, stated in records.items():
                proposal = proposal.with_record(decision, keyid, Record.read(stated))
        return proposal

    def to_bytes(self, *, with_register: bool = True) -> bytes:
        """Return the file; between nodes, it is sent without the register."""
        register = "" if self.act.base is None or not with_register else self.act.base.file.to_bytes().decode()
        signatures = {role: dict(made) for role, made in self.signatures.items()}
        refusals = dict(self.refusals)
        records = {
            decision: {keyid: record.values() for keyid, record in self.records.get(decision, {}).items()}
            for decision in DECISIONS
        }
        parts = {"register": register, "signatures": signatures, "refusals": refusals, "records": records}
        return carried.write(KIND, {"act": self.act.values(), **parts})

    def with_signature(self, role: str, keyid: str, made: str) -> "Proposal":
        """Add a signature; ``Rejected("bad_signature")`` if it does not hold or its key may not sign this."""
        key, _member = self.draft.signers[role].get(keyid, (None, ""))
        try:
            if key is None:
                raise Rejected("bad_signature", f"a key signed {role} that may not")
            key.verify_signature(Signature(keyid, made), signed_bytes(self.draft.roles[role]))
        except UnverifiedSignatureError as error:
            raise Rejected("bad_signature", f"a signature of {role} does not hold") from error
        signatures = {**self.signatures, role: {**self.signatures.get(role, {}), keyid: made}}
        return replace(self, signatures=signatures)

    def with_refusal(self, keyid: str, made: str) -> "Proposal":
        """Add a refusal; ``Rejected("bad_signature")`` if it does not hold or its key decides nothing."""
        key, _member = self.draft.deciders.get(keyid, (None, ""))
        try:
            if key is None:
                raise Rejected("bad_signature", "a key refused the proposal that may not")
            key.verify_signature(Signature(keyid, made), self.refusal_message)
        except UnverifiedSignatureError as error:
            raise Rejected("bad_signature", "a refusal does not hold") from error
        return replace(self, refusals={**self.refusals, keyid: made})

    def with_record(self, decision: str, keyid: str, record: Record) -> "Proposal":
        """Add the record of a signature or refusal; ``Rejected("bad_signature")`` if its key did not sign it."""
        key, _member = self._holder(keyid)
        try:
            key.verify_signature(
                Signature(keyid, record.signature), message(self.stated(decision, keyid), record.circumstances)
            )
        except UnverifiedSignatureError as error:
            raise Rejected("bad_signature", "the record of a signature is not signed by its key") from error
        records = {**self.records, decision: {**self.records.get(decision, {}), keyid: record}}
        return replace(self, records=records)

    def keys(self, decision: str) -> set[str]:
        """Return the ids of the keys that have signed any role, or that have refused."""
        if decision == REFUSED:
            return set(self.refusals)
        return {keyid for made in self.signatures.values() for keyid in made}

    def record_text(self, decision: str, keyid: str) -> str:
        """Return the record of a signature or refusal as a text that proves it: what it states, and its signature."""
        record = self.records[decision][keyid]
        return carried.canonical({**self.stated(decision, keyid), **record.values()}).decode().rstrip("\n")

    @property
    def refusal_message(self) -> bytes:
        """Return the bytes that a custodian signs who will never sign this proposal.

        They name what would be signed, and not the proposal: another one could come to the same root.
        """
        return REFUSAL_LABEL + self.digest(self.draft.main_role)

    @property
    def is_complete(self) -> bool:
        """Return whether enough have signed every role that the act changes."""
        return not any(
            quorum.missing(self.signatures.get(role, {}))
            for role, quorums in self.draft.quorums.items()
            for quorum in quorums
        )

    @property
    def missing(self) -> int:
        """Return how many of those who decide must still sign, at the least."""
        return max(quorum.missing(self._made()) for quorum in self.draft.quorums[self.draft.main_role])

    @property
    def is_dead(self) -> bool:
        """Return whether so many custodians who have not signed refuse it that it can never count."""
        refused = set(self.refusals) - set(self._made())
        return len(self.draft.deciders) - len(refused) < self.draft.needed

    def is_superseded_by(self, register: Register, signed: Callable[[str, int], bytes]) -> bool:
        """Return whether a register has other content in a role and version that this proposal makes, or all of it.

        ``signed`` returns SHA-256 of what is signed in a role and version of that register; empty if it has a later
        version. A publisher may have published a part of the proposal alone: the rest may follow.
        """
        versions = {role: payload.version for role, payload in self.draft.roles.items()}
        made = {role for role, version in versions.items() if register.role_versions.get(role, 0) >= version}
        return made == versions.keys() or any(signed(role, versions[role]) != self.digest(role) for role in made)

    def refused_by(self) -> list[str]:
        """Return the members whose custodians refuse it."""
        return [member for keyid, (_key, member) in self.draft.deciders.items() if keyid in self.refusals]

    def contradicting(self) -> list[str]:
        """Return the members whose custodians have both refused and signed it, whichever came first."""
        made = self._made()
        return [member for keyid, (_key, member) in self.draft.deciders.items() if keyid in made.keys() & self.refusals]

    def signed_by(self) -> list[str]:
        """Return the members whose keys have signed any role, sorted."""
        return self._members(made=True)

    def waits_for(self) -> list[str]:
        """Return the members whose keys may still sign a role that lacks signatures, sorted."""
        return self._members(made=False)

    def merged(self, other: "Proposal") -> "Proposal":
        """Add the signatures and refusals of another copy; ``Rejected("conflict")`` if it is of another proposal."""
        if other.fingerprint != self.fingerprint:
            raise Rejected("conflict", "the files are of different proposals")
        roles = {*self.signatures, *other.signatures}
        merged = {role: {**other.signatures.get(role, {}), **self.signatures.get(role, {})} for role in roles}
        records = {each: {**other.records.get(each, {}), **self.records.get(each, {})} for each in DECISIONS}
        return replace(self, signatures=merged, refusals={**other.refusals, **self.refusals}, records=records)

    def signed_with(self, signer: PairSigner, circumstances: Circumstances) -> "Proposal":
        """Sign every role that this key may sign, and record it; unchanged if there is none."""
        proposal, keyid = self, signer.public_key.keyid
        for role in self.roles_of(keyid):
            made = signer.sign(signed_bytes(self.draft.roles[role]))
            proposal = proposal.with_signature(role, made.keyid, made.signature)
        return _recorded(proposal, SIGNED, signer, circumstances) if self.roles_of(keyid) else self

    def refused_with(self, signer: PairSigner, circumstances: Circumstances) -> "Proposal":
        """Sign that this key will never sign the proposal, and record it; ``Rejected`` if it decides nothing."""
        made = signer.sign(self.refusal_message)
        return _recorded(self.with_refusal(made.keyid, made.signature), REFUSED, signer, circumstances)

    def roles_of(self, keyid: str) -> list[str]:
        """Return the roles that a key may sign."""
        return [role for role, signers in self.draft.signers.items() if keyid in signers]

    def custodians(self, *, signed: bool) -> list[str]:
        """Return the members whose keys have signed the main role, or have not: custodians, or who publishes alone."""
        keys = self.draft.signers[self.draft.main_role]
        return [member for keyid, (_key, member) in keys.items() if (keyid in self._made()) is signed]

    def files(self) -> Mapping[str, bytes]:
        """Return all that the act adds to its base, by published path: files, and metadata with their signatures.

        The signatures are in the order of the key ids, so that every copy of a proposal makes the same bytes of them.
        """
        metadata = {
            f"metadata/{payload.version}.{role}.json": metadata_with(
                payload, dict(sorted(self.signatures.get(role, {}).items()))
            ).to_bytes()
            for role, payload in self.draft.roles.items()
        }
        return {**self.draft.files, **metadata}

    def stated(self, decision: str, keyid: str) -> dict[str, Any]:
        """Return what a record states of the proposal: the decision, and SHA-256 of what is signed, or not, by role."""
        decided = self.roles_of(keyid) if decision == SIGNED else [self.draft.main_role]
        return {
            "decision": decision,
            "federation": self.act.federation,
            "key": keyid,
            "member": self._holder(keyid)[1],
            "proposal": self.fingerprint.hex(),
            "sha256": {role: self.digest(role).hex() for role in decided},
        }

    def _holder(self, keyid: str) -> tuple[PairKey, str]:
        """Return a key that may sign or refuse, and its member."""
        for keys in (*self.draft.signers.values(), self.draft.deciders):
            if keyid in keys:
                return keys[keyid]
        raise Rejected("bad_signature", "a record is of a key that decides nothing")

    def _made(self) -> Mapping[str, str]:
        return self.signatures.get(self.draft.main_role, {})

    def _members(self, *, made: bool) -> list[str]:
        found = set()
        for role, signers in self.draft.signers.items():
            signed = self.signatures.get(role, {})
            for quorum in self.draft.quorums[role]:
                if made or quorum.missing(signed):
                    found |= {signers[keyid][1] for keyid in quorum.keys if (keyid in signed) is made}
        return sorted(found)


def _recorded(proposal: Proposal, decision: str, signer: PairSigner, circumstances: Circumstances) -> Proposal:
    """Add the record of what a key has just decided."""
    made = signer.sign(message(proposal.stated(decision, signer.public_key.keyid), circumstances))
    return proposal.with_record(decision, made.keyid, Record(circumstances, made.signature))


def _act(values: object, register: str, base_source: BaseSource | None) -> Act:
    """Read an act on the register that it names."""
    if not isinstance(values, dict) or not isinstance(values.get("kind"), str):
        raise Rejected("malformed", "the proposal holds no act")
    kind = values["kind"]
    if kind == founding.KIND:
        if register:
            raise Rejected("malformed", "a founding builds on no register")
        return founding.Founding.read(values)
    if kind not in ACTS or "base" not in values:
        raise Rejected("malformed", "the proposal is of an act that this version does not know")
    name = BaseName.read(values["base"])
    if base_source is not None:
        base = base_source(name)
    elif register:
        base = Base.verify(RegisterFile.read(register.encode()), None)
    else:
        raise Rejected("malformed", "the register that the proposal builds on is not in the file")
    if base.name != name:
        raise Rejected("conflict", "the register is another than the one that the proposal builds on")
    return ACTS[kind](values, base)
