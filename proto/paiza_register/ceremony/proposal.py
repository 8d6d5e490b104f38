"""A proposal: an act of the custodians, and the signatures collected for it, in a file that is carried between them.

The file holds what is to be done (an `Act`) and never the metadata that do it: every program that reads it makes them
anew (`Draft`). So what a custodian is shown and what the custodian signs come of the same few values, and nothing else
can be slipped in. Signatures are over these metadata; a file with a signature that does not hold is refused.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any, Final

from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.signer import Signature
from tuf.api.metadata import Root

from paiza_register import carried
from paiza_register.ceremony import change, founding
from paiza_register.ceremony.draft import Act, Draft, metadata_with, signed_bytes
from paiza_register.pair_key import PairSigner
from paiza_wire.errors import Rejected

KIND: Final = "proposal"

MAX_BYTES: Final = 48 << 20
"""An act holds whole applications, reference data or the register it is based on."""

REFUSAL_LABEL: Final = b"paiza/v1/refusal\n"
"""Stands before the digest of a root that is refused, so that it is taken for no other signature."""

ACTS: Final[Mapping[str, Callable[[dict[str, Any]], Act]]] = {
    founding.KIND: founding.Founding.read,
    change.KIND: change.Change.read,
}
"""What custodians can propose, by kind."""


@dataclass(frozen=True)
class Proposal:
    """An act with signatures, role -> key id -> signature, and refusals, key id -> signature, each of which holds."""

    act: Act
    signatures: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    refusals: Mapping[str, str] = field(default_factory=dict)

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
    def read(cls, data: bytes) -> "Proposal":
        """Read a proposal and verify every signature in it."""
        values = carried.read(KIND, data, {"act", "signatures", "refusals"}, MAX_BYTES)
        act = values["act"]
        kind = act.get("kind") if isinstance(act, dict) else None
        if not isinstance(kind, str) or kind not in ACTS:
            raise Rejected("malformed", "the proposal is of an act that this version does not know")
        proposal = cls(ACTS[kind](act))
        signatures = values["signatures"]
        if not isinstance(signatures, dict) or not set(signatures) <= set(proposal.draft.roles):
            raise Rejected("malformed", "the proposal has signatures of roles that it does not change")
        for role in signatures:
            for keyid, made in carried.texts(signatures, role).items():
                proposal = proposal.with_signature(role, keyid, made)
        for keyid, made in carried.texts(values, "refusals").items():
            proposal = proposal.with_refusal(keyid, made)
        return proposal

    def to_bytes(self) -> bytes:
        """Return the file."""
        signatures = {role: dict(made) for role, made in self.signatures.items()}
        return carried.write(
            KIND, {"act": self.act.values(), "signatures": signatures, "refusals": dict(self.refusals)}
        )

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

    @property
    def refusal_message(self) -> bytes:
        """Return the bytes that a custodian signs who will never sign this proposal.

        They name what would be signed, and not the proposal: another one could come to the same root.
        """
        return REFUSAL_LABEL + self.digest(self.custodial_role)

    @property
    def is_dead(self) -> bool:
        """Return whether so many custodians who have not signed refuse it that it can never count."""
        refused = set(self.refusals) - set(self._made())
        return len(self.draft.deciders) - len(refused) < self.draft.needed

    def refused_by(self) -> list[str]:
        """Return the members whose custodians refuse it."""
        return [member for keyid, (_key, member) in self.draft.deciders.items() if keyid in self.refusals]

    def merged(self, other: "Proposal") -> "Proposal":
        """Add the signatures and refusals of another copy; ``Rejected("conflict")`` if it is of another proposal."""
        if other.fingerprint != self.fingerprint:
            raise Rejected("conflict", "the files are of different proposals")
        roles = {*self.signatures, *other.signatures}
        merged = {role: {**other.signatures.get(role, {}), **self.signatures.get(role, {})} for role in roles}
        return replace(self, signatures=merged, refusals={**other.refusals, **self.refusals})

    def signed_with(self, signer: PairSigner) -> "Proposal":
        """Sign every role that this key may sign."""
        proposal = self
        for role in self.roles_of(signer.public_key.keyid):
            made = signer.sign(signed_bytes(self.draft.roles[role]))
            proposal = proposal.with_signature(role, made.keyid, made.signature)
        return proposal

    def roles_of(self, keyid: str) -> list[str]:
        """Return the roles that a key may sign."""
        return [role for role, signers in self.draft.signers.items() if keyid in signers]

    def custodians(self, *, signed: bool) -> list[str]:
        """Return the members whose custodians have signed, or have not."""
        keys = self.draft.signers[self.custodial_role]
        return [member for keyid, (_key, member) in keys.items() if (keyid in self._made()) is signed]

    @property
    def custodial_role(self) -> str:
        """Return a role that all custodians who count sign: root if it changes, else targets."""
        return Root.type if Root.type in self.draft.roles else "targets"

    def metadata(self) -> Mapping[str, bytes]:
        """Return the metadata with their signatures, by file name."""
        return {
            f"{payload.version}.{role}.json": metadata_with(payload, self.signatures.get(role, {})).to_bytes()
            for role, payload in self.draft.roles.items()
        }

    def _made(self) -> Mapping[str, str]:
        return self.signatures.get(self.custodial_role, {})
