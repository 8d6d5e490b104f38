"""A new log for a member that lost part of its own: the members admit its key by their threshold, then it is named.

Three steps in three hands. A proposal is the next `federation.json` with one log key more, and the targets metadata
that names it, unsigned; each custodian looks at it and signs; with the threshold reached, the member's own role and the
first publisher publish. What is signed says nothing but this one origin: signing refuses a proposal
that changes anything else.
"""

import json
from base64 import b64decode, b64encode
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from tuf.api.exceptions import UnsignedMetadataError
from tuf.api.metadata import Metadata, TargetFile, Targets

from paiza_cli.exit_codes import ExitCode
from paiza_register import Register
from paiza_register.ceremony.federation_file import pin, to_json
from paiza_register.ceremony.times import ROOT_LIFE, expiry
from paiza_register.verified_set import FEDERATION, target_path
from paiza_trust import repository
from paiza_trust.current import Current
from paiza_trust.errors import TrustError
from paiza_trust.files import replace_private, write_private
from paiza_trust.language import N_
from paiza_trust.show import read_register
from paiza_wire.errors import Rejected
from paiza_wire.tlog.notes import VerifierKey

FORMAT: Final = 1


@dataclass
class Proposal:
    """The content to sign: the member, the verifier key of its next log, and the targets metadata that admits it."""

    member: str
    vkey: str
    federation: bytes
    targets: Metadata[Targets]

    @property
    def origin(self) -> str:
        """Return the name of the log that is admitted."""
        return VerifierKey.from_vkey(self.vkey).name

    def to_json(self) -> bytes:
        """Write it down."""
        return to_json(
            {
                "format": FORMAT,
                "member": self.member,
                "vkey": self.vkey,
                "federation": b64encode(self.federation).decode(),
                "targets": b64encode(self.targets.to_bytes()).decode(),
            }
        )

    @classmethod
    def read(cls, path: Path) -> "Proposal":
        """Read one; a file that is none is refused."""
        try:
            values = json.loads(path.read_bytes())
            assert values["format"] == FORMAT, "another format"
            return cls(
                str(values["member"]),
                str(values["vkey"]),
                b64decode(values["federation"], validate=True),
                Metadata[Targets].from_bytes(b64decode(values["targets"], validate=True)),
            )
        except OSError as error:
            what, remedy = (
                N_("The file cannot be read: {error}"),
                N_("Name the file that `paiza-trust log prepare` wrote."),
            )
            values = {"error": error.strerror or ""}
            raise TrustError("file_unreadable", what, str(path), remedy, ExitCode.UNAVAILABLE, values) from error
        except Exception as error:  # python-tuf promises no one error for what is malformed
            what, remedy = N_("This is no proposal: {error}"), N_("Name the file that `paiza-trust log prepare` wrote.")
            raise TrustError("malformed", what, str(path), remedy, values={"error": str(error)}) from error


def prepare(folder: Path, member: str, vkey: str, now: datetime) -> Proposal:
    """Propose to admit the next log of a member, under this key; nothing is signed yet."""
    register = read_register(folder, now)
    if member not in register.members:
        raise TrustError("unknown_member", N_("The register has no such member"), member, N_("Name a member of it."))
    try:
        origin = VerifierKey.from_vkey(vkey).name
    except Rejected as error:
        raise TrustError(
            "bad_key", N_("This is no verifier key"), vkey, N_("Copy the key that `paiza-node restore` shows.")
        ) from error
    if origin != next_origin(register, member):
        what, remedy = N_("The key is of {origin}; the next log is {wanted}"), N_("Make the key under the next number.")
        values = {"origin": origin, "wanted": next_origin(register, member)}
        raise TrustError("unknown_log", what, vkey, remedy, values=values)
    current = Current(folder)
    document = json.loads(current.document(FEDERATION))
    document["log_keys"].append(pin("origin", vkey))
    data = to_json(document)
    targets = current.targets
    targets.version = current.next_version
    targets.expires = expiry(now, ROOT_LIFE)
    targets.targets[FEDERATION] = TargetFile.from_data(FEDERATION, data, ["sha256"])
    return Proposal(member, vkey, data, Metadata(targets))


def sign(folder: Path, proposal: Proposal, key: Path) -> int:
    """Sign with one custodian's key, after seeing that nothing else is changed; return how many have signed.

    ``key`` is the name of its two files, without what tells the halves apart.
    """
    current = Current(folder)
    _check_says_no_more(current, proposal)
    signer = repository.load_pair(key, current.root.roles[Targets.type].keyids, current.root.keys)
    proposal.targets.sign(signer, append=True)
    return len(proposal.targets.signatures)


def publish(folder: Path, proposal: Proposal, now: datetime) -> int:
    """Publish a proposal that the threshold signed, with the key in the member's own file; gives the version.

    A crash before the timestamp leaves files that no reader is told of.
    """
    current = Current(folder)
    _check_says_no_more(current, proposal)
    try:
        current.root.verify_delegate(Targets.type, proposal.targets.signed_bytes, proposal.targets.signatures)
    except UnsignedMetadataError as error:
        threshold = current.root.roles[Targets.type].threshold
        what = N_("The proposal lacks signatures: {count} custodians must have signed it")
        remedy, values = N_("Let the others sign it, then publish."), {"count": str(threshold)}
        raise TrustError("bad_signature", what, proposal.origin, remedy, values=values) from error
    version = proposal.targets.signed.version
    top = proposal.targets.signed
    role, document = current.role(proposal.member), f"members/{proposal.member}/member.json"
    values = json.loads(current.document(document))
    values["log_keys"].append({"origin": proposal.origin, "vkey": proposal.vkey})
    role.version, role.expires = version, expiry(now, ROOT_LIFE)
    role.targets[document] = TargetFile.from_data(document, to_json(values), ["sha256"])
    register = folder / "register"
    member, publisher = current.delegated(proposal.member), current.publisher()
    write_private(register / target_path(top.targets[FEDERATION]), proposal.federation)
    write_private(register / target_path(role.targets[document]), to_json(values))
    meta = current.snapshot.meta
    data = repository.publish_metadata(register, f"{version}.targets.json", proposal.targets.to_bytes())
    meta["targets.json"] = repository.meta_file(version, data)
    data = repository.publish_metadata(register, f"{version}.{proposal.member}.json", repository.signed(role, [member]))
    meta[f"{proposal.member}.json"] = repository.meta_file(version, data)
    repository.publish_snapshot(register, publisher, meta, version=version, now=now)
    read_register(folder, now)
    return version


def next_origin(register: Register, member: str) -> str:
    """Return the name of the log that follows a member's newest one."""
    name, _, number = register.member(member).log_keys[-1].origin.rpartition("/")
    return f"{name}/{int(number) + 1}"


def _check_says_no_more(current: Current, proposal: Proposal) -> None:
    """Refuse a proposal that is not exactly: what is in force, and one log more of that member."""
    proposed, before = proposal.targets.signed, current.targets
    described = TargetFile.from_data(FEDERATION, proposal.federation, ["sha256"])
    others = {path: info for path, info in proposed.targets.items() if path != FEDERATION}
    wanted = json.loads(current.document(FEDERATION))
    if proposal.member not in wanted["members"]:
        raise TrustError(
            "unknown_member", N_("The register has no such member"), proposal.member, N_("Prepare it anew.")
        )
    known = {each["origin"] for each in wanted["log_keys"]}
    wanted["log_keys"].append(pin("origin", proposal.vkey))
    if (
        not proposal.origin.startswith(f"{proposal.member}.")
        or proposal.origin in known
        or proposed.targets.get(FEDERATION) != described
        or json.loads(proposal.federation) != wanted
        or others != {path: info for path, info in before.targets.items() if path != FEDERATION}
        or proposed.delegations != before.delegations
        or proposed.version <= before.version
    ):
        what = N_("The proposal says more, or other, than that this log is admitted")
        raise TrustError(
            "malformed", what, proposal.origin, N_("Do not sign it; prepare one anew from the register in force.")
        )


def save(proposal: Proposal, path: Path) -> None:
    """Write a proposal in place of the one that stands there."""
    path.absolute().parent.mkdir(parents=True, exist_ok=True)
    replace_private(path.absolute(), proposal.to_json())
