"""A member's application: the public part of all its keys, what it publishes about itself, and that it holds the keys.

One file, made by `apply` and carried to those who found a federation, admit the member or give it another key. A member
that belonged to the federation before continues: its metadata have the next versions, and all keys of its logs and
witnesses ever admitted and all its revocations are there. It is accepted in these steps:

1. It is of bounded size and in its one form (`carried`), with exactly the fields that it has.
2. Its keys are of their kinds, and no key, nor half of a pair, stands twice.
3. The member's metadata are signed with its own pair and with that of its node, name exactly the files that came with
   them, and expire a year after the application.
4. These files are well formed, as every reader of a register will demand.
5. Each key that signs has signed the digest of all this: the sender holds every one of these keys, and the file is as
   it was sent.

Every failure is ``Rejected``. Whether it continues what a register knows is judged by the change that uses it. Whether
the keys are really that member's, only its officers know: they compare `fingerprint` by telephone.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.signer import KEY_TYPE_MLDSA, Key, Signature, Signer, SSlibKey
from tuf.api.metadata import Metadata, Targets

from paiza_register import Member, carried, roles
from paiza_register.ceremony.base import Base
from paiza_register.ceremony.federation_file import federation_file
from paiza_register.ceremony.metadata import described
from paiza_register.ceremony.times import CA_KEPT, ROOT_LIFE, expiry, read_time, time_text
from paiza_register.documents import MAX_LIST, Federation, parse_member, parse_revoked, vkey_digest
from paiza_register.pair_key import PairKey, key_id
from paiza_wire.errors import PaizaError, Rejected
from paiza_wire.identity import FEDERATION_NAME, MEMBER_ID, keys, load_certificate
from paiza_wire.identity.certificate_profiles import p256_key
from paiza_wire.identity.pair import PairPublicKey

KIND: Final = "application"

MAX_BYTES: Final = 4 << 20
"""A first application has about 70 kB, most of it signatures; decades of revocations may stand in it."""

LABEL: Final = b"paiza/v1/application\n"
"""Stands before what proves the possession of a key, so that it is never taken for a signature over anything else."""

PAIRS: Final = ("custodian", "member", "reference", "revocations")
PROOFS: Final = (*PAIRS, "publisher", "node_ca", "officer_ca", "log", "witness")
"""The keys that sign an application; the encryption key can only open."""

_DATED: Final = {
    "encryption_keys": ("not_before", "not_after"),
    "node_cas": ("from", "until"),
    "officer_cas": ("from", "until"),
}
"""What a member announces with dates, and the names of these."""

_KEPT: Final = {"encryption_keys": timedelta(0), "node_cas": CA_KEPT, "officer_cas": CA_KEPT}
"""How long each stays after its end."""

_STATEMENT: Final = ("federation", "member", "time", "keys", "roles", "files")
_HEX: Final = re.compile(r"(?:[0-9a-f]{2})+")


@dataclass(frozen=True)
class Application:
    """A verified application. ``data`` are the bytes as carried, ``own`` is what its member.json says.

    ``roles`` are the member's metadata by role, ``files`` what they name, by target path.
    """

    data: bytes
    fingerprint: bytes
    federation: str
    member: str
    time: datetime
    custodian: PairKey
    key: PairKey
    reference: PairKey
    revocations: PairKey
    publisher: Key
    roles: Mapping[str, bytes]
    files: Mapping[str, bytes]
    own: Member

    @property
    def document(self) -> Any:
        """Return member.json as values."""
        return json.loads(self.files[f"members/{self.member}/member.json"])

    @property
    def pins(self) -> frozenset[tuple[str, bytes]]:
        """Return name and SHA-256 of the vkey of every key of a log or witness in it."""
        named = [(key.origin, key.vkey) for key in self.own.log_keys]
        named += [(key.name, key.vkey) for key in self.own.witness_keys]
        return frozenset((name, vkey_digest(vkey)) for name, vkey in named)

    @property
    def versions(self) -> Mapping[str, int]:
        """Return the versions of the member's metadata by role."""
        return {role: Metadata[Targets].from_bytes(data).signed.version for role, data in self.roles.items()}

    @classmethod
    def read(cls, data: bytes) -> "Application":
        """Verify an application; see the steps above."""
        # 1.
        values = carried.read(KIND, data, {"statement", "proofs"}, MAX_BYTES)
        statement = carried.only(values["statement"], _STATEMENT)
        proofs = carried.only(values["proofs"], PROOFS)
        federation, member = carried.text(statement, "federation"), carried.text(statement, "member")
        if not FEDERATION_NAME.fullmatch(federation) or not MEMBER_ID.fullmatch(member):
            raise Rejected("malformed", "the name of the federation or of the member is not well formed")
        time = read_time(carried.text(statement, "time"))
        # 2.
        listed = carried.only(statement["keys"], {*PAIRS, "publisher"})
        pairs = {name: pair_key(carried.text(listed, name)) for name in PAIRS}
        publisher = publisher_key(carried.text(listed, "publisher"))
        try:
            roles.refuse_shared_keys([*pairs.values(), publisher])
        except Rejected as error:
            raise Rejected("bad_key", error.detail) from error
        # 3.
        files = {path: text.encode() for path, text in carried.texts(statement, "files").items()}
        own = {name: text.encode() for name, text in carried.texts(statement, "roles").items()}
        signers = {member: pairs["member"], roles.node_role_of(member): pairs["revocations"]}
        required, optional = (
            {f"members/{member}/{name}.json" for name in names}
            for names in (("member", "revoked"), ("profile", "liaison"))
        )
        if set(own) != set(signers) or not required <= set(files) <= required | optional:
            raise Rejected("malformed", "the member's metadata, or what they name, are not all here or too many")
        for role, key in signers.items():
            _check_own(own[role], role, key, files, time)
        # 4.
        parsed = _member(federation, member, files, {**pairs, "publisher": publisher})
        # 5.
        fingerprint = carried.digest(statement)
        _check_proofs(proofs, fingerprint, {**pairs, "publisher": publisher}, parsed)
        return cls(
            data=data,
            fingerprint=fingerprint,
            federation=federation,
            member=member,
            time=time,
            custodian=pairs["custodian"],
            key=pairs["member"],
            reference=pairs["reference"],
            revocations=pairs["revocations"],
            publisher=publisher,
            roles=own,
            files=files,
            own=parsed,
        )


def apply(
    federation: str,
    member: str,
    time: datetime,
    files: Mapping[str, bytes],
    signers: Mapping[str, Signer],
    provers: Mapping[str, Callable[[bytes], bytes]],
    known: "Known | None" = None,
) -> Application:
    """Make an application of these files, by target path.

    ``signers`` are those of the four `PAIRS` and the publisher, ``provers`` sign with the CAs, the log and the witness.
    ``known`` is what a register knew of the member; None if it never belonged to the federation.
    """
    of_roles = {member: signers["member"], roles.node_role_of(member): signers["revocations"]}
    own: dict[str, Metadata[Targets]] = {}
    for role, signer in of_roles.items():
        version = 1 if known is None else known.versions[role] + 1
        own[role] = Metadata(own_metadata(role, version, files, time))
        own[role].sign(signer)
    statement = {
        "federation": federation,
        "member": member,
        "time": time_text(time),
        "keys": {name: signers[name].public_key.keyval["public"] for name in (*PAIRS, "publisher")},
        "roles": {role: metadata.to_bytes().decode() for role, metadata in own.items()},
        "files": {path: data.decode() for path, data in files.items()},
    }
    fingerprint = carried.digest(statement)
    proofs = {
        **{name: signer.sign(proof_message(name, fingerprint)).signature for name, signer in signers.items()},
        **{name: prove(proof_message(name, fingerprint)).hex() for name, prove in provers.items()},
    }
    return Application.read(carried.write(KIND, {"statement": statement, "proofs": proofs}))


@dataclass(frozen=True)
class Known:
    """What a register knew of a member when it last belonged to the federation: an application continues it.

    ``document`` is member.json as values, ``files`` are the other files of its two roles, by target path, ``versions``
    are by role.
    """

    versions: Mapping[str, int]
    document: Mapping[str, Any]
    files: Mapping[str, bytes]

    @classmethod
    def of(cls, member: str, base: Base) -> "Known":
        """Read it from a register that has the member; ``Rejected("unknown_member")`` if it has none of it."""
        role, path = roles.node_role_of(member), f"members/{member}/revoked.json"
        if role not in base.delegations:
            raise Rejected("unknown_member", "the register has no such member")
        document = base.document(member)
        found = {name: base.target(each, name) for each in (member, role) for name in base.role(each).targets}
        files = {name: data for name, data in found.items() if data is not None and name != _member_path(member)}
        if path not in files:
            raise Rejected("member_unusable", "the member's own files are not in the register")
        return cls(
            versions={role: base.version_of(role) for role in (member, role)},
            document=document,
            files=files,
        )

    def joined(self, document: Mapping[str, Any], time: datetime) -> dict[str, Any]:
        """Return a new member.json as values, with what must not be lost of the known one; a node's part has no CAs.

        Keys of logs and witnesses come in their order. A signed application may be published for what it says alone:
        so the known endpoints stay, behind the new ones, and the encryption keys and CAs that have not ended, CAs for
        `CA_KEPT` afterwards. Of those only later ones are added: an earlier one was replaced, or it was stolen.
        """
        known = {name: list(self.document[name]) for name in ("log_keys", "witness_keys")}
        dated = {
            name: _followed(self.document[name], document.get(name, ()), begins, ends, time - _KEPT[name])
            for name, (begins, ends) in _DATED.items()
        }
        endpoints = document["endpoints"]
        endpoints = [*endpoints, *(each for each in self.document["endpoints"] if each not in endpoints)]
        lists = {
            name: [*kept, *(key for key in document[name] if _key(key) not in map(_key, kept))]
            for name, kept in known.items()
        }
        return {**document, **lists, **dated, "endpoints": endpoints[:MAX_LIST]}


def _followed(
    known: Sequence[Mapping[str, str]], new: Sequence[Mapping[str, str]], begins: str, ends: str, time: datetime
) -> list[Mapping[str, str]]:
    """Return the known entries that end at this time or later, and the new ones that begin later than all of them."""
    last = max((read_time(each[begins]) for each in known), default=datetime.min.replace(tzinfo=UTC))
    kept = [each for each in known if read_time(each[ends]) >= time]
    return [*kept, *(each for each in new if read_time(each[begins]) > last)]


def _key(listed: Mapping[str, Any]) -> str:
    """Return which key an entry of member.json is about; what else it says of the key may have changed."""
    return str(listed["vkey"])


def _member_path(member: str) -> str:
    return f"members/{member}/member.json"


def pair_key(public: str) -> PairKey:
    """Read the public key of a pair, in hex; ``Rejected("bad_key")`` if it is none."""
    try:
        encoded = bytes.fromhex(public)
    except ValueError as error:
        raise Rejected("bad_key", "a pair's key is not hex") from error
    if encoded.hex() != public:
        raise Rejected("bad_key", "a pair's key is not written in its one way")
    return PairKey.from_pair(PairPublicKey.from_bytes(encoded))


def publisher_key(public: str) -> SSlibKey:
    """Read the public key of a publisher, in PEM; ``Rejected("bad_key")`` if it is none."""
    keys.mldsa44_public_key_from_pem(public)
    described = {"keytype": KEY_TYPE_MLDSA, "scheme": roles.PUBLISHER_SCHEME, "keyval": {"public": public}}
    return SSlibKey(key_id(described), KEY_TYPE_MLDSA, roles.PUBLISHER_SCHEME, {"public": public})


def proof_message(name: str, fingerprint: bytes) -> bytes:
    """Return what the key of this name signs, to prove that the sender of an application holds it."""
    return LABEL + name.encode() + b"\n" + fingerprint


def own_metadata(role: str, version: int, files: Mapping[str, bytes], time: datetime) -> Targets:
    """Return metadata of one of a member's roles, which name those of the files that are its own."""
    own = {path: described(path, data) for path, data in files.items() if roles.role_of(path) == role}
    return Targets(version=version, expires=expiry(time, ROOT_LIFE), targets=own)


def _check_own(data: bytes, role: str, key: PairKey, files: Mapping[str, bytes], time: datetime) -> None:
    """Check a member's metadata in one role."""
    try:
        metadata = Metadata[Targets].from_bytes(data)
        signed = metadata.signed
        (signature,) = metadata.signatures.values()
        key.verify_signature(signature, metadata.signed_bytes)
    except UnverifiedSignatureError as error:
        raise Rejected("bad_signature", f"{role} is not signed with its own key") from error
    except Exception as error:  # python-tuf promises no one error for what is malformed
        raise Rejected("malformed", f"the metadata of {role} cannot be read") from error
    wanted = own_metadata(role, signed.version, files, time)
    if signed != wanted:
        raise Rejected("malformed", f"the metadata of {role} say more, or other, than that it publishes its files")


def _member(federation: str, member: str, files: Mapping[str, bytes], keys_: Mapping[str, Key]) -> Member:
    """Parse the member's files as readers of a register do."""
    path, revoked_path = f"members/{member}/member.json", f"members/{member}/revoked.json"
    try:
        document = json.loads(files[path])
        alone = federation_file(
            federation,
            {"ru": federation, "en": federation},
            [{**document, "id": member}],
            custodians={member: keys_["custodian"]},
            publishers={member: keys_["publisher"]},
            reference={member: keys_["reference"]},
            legal_bases={},
        )
        return parse_member(member, Federation(alone), files[path], parse_revoked(member, files[revoked_path]))
    except PaizaError as error:
        raise Rejected("malformed", error.detail) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Rejected("malformed", f"{path} is not well formed") from error


def _check_proofs(proofs: Mapping[str, Any], fingerprint: bytes, listed: Mapping[str, Key], member: Member) -> None:
    """Check that each key signed the digest of the application; of logs, witnesses and CAs the last one."""
    for name in PROOFS:
        proof = carried.text(proofs, name)
        if not _HEX.fullmatch(proof):
            raise Rejected("malformed", f"the proof of the key {name} is not hex")
        message = proof_message(name, fingerprint)
        try:
            if name in listed:
                listed[name].verify_signature(Signature(listed[name].keyid, proof), message)
            elif name == "log":
                member.log_keys[-1].key.verify(message, bytes.fromhex(proof))
            elif name == "witness":
                keys.verify_mldsa44(member.witness_keys[-1].key.handle, bytes.fromhex(proof), message)
            else:
                ca = (member.authority.node_cas if name == "node_ca" else member.authority.officer_cas)[-1]
                keys.verify(p256_key(load_certificate(ca.certificate)), bytes.fromhex(proof), message)
        except (UnverifiedSignatureError, Rejected, ValueError) as error:
            raise Rejected("bad_signature", f"nothing proves that the applicant holds the key {name}") from error
