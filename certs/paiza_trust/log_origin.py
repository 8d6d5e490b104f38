"""A new log for a member that lost part of its own: the members admit it by their threshold, the member names its key.

Three steps in three hands. A proposal is the next `federation.json` with one log origin more, and the targets metadata
that names it, unsigned; each custodian looks at it and signs; with the threshold reached, the member's own role and the
holders of snapshot and timestamp publish. What is signed says nothing but this one origin: signing refuses a proposal
that changes anything else.
"""

import json
from base64 import b64decode, b64encode
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from tuf.api.exceptions import UnsignedMetadataError
from tuf.api.metadata import Metadata, Root, Snapshot, TargetFile, Targets, Timestamp

from paiza_register import Register
from paiza_register.verified_set import target_path
from paiza_trust import repository
from paiza_trust.errors import EXIT_UNAVAILABLE, TrustError
from paiza_trust.files import replace_private, write_private
from paiza_trust.member import to_json
from paiza_trust.show import read_register
from paiza_wire.errors import Rejected
from paiza_wire.tlog.notes import VerifierKey

FORMAT: Final = 1
FEDERATION: Final = "federation.json"


@dataclass
class Proposal:
    """What is signed: the member, the verifier key of its next log, and the targets metadata that admits the origin."""

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
            what = error.strerror or "The file cannot be read"
            remedy = "Name the file that `paiza-trust log prepare` wrote."
            raise TrustError("file_unreadable", what, str(path), remedy, EXIT_UNAVAILABLE) from error
        except Exception as error:  # python-tuf promises no one error for what is malformed
            what, remedy = f"This is no proposal ({error})", "Name the file that `paiza-trust log prepare` wrote."
            raise TrustError("malformed", what, str(path), remedy) from error


def prepare(folder: Path, member: str, vkey: str, now: datetime) -> Proposal:
    """Propose to admit the next log of a member, under this key; nothing is signed yet."""
    register = read_register(folder, now)
    if member not in register.members:
        raise TrustError("unknown_member", "The register has no such member", member, "Name a member of it.")
    try:
        origin = VerifierKey.from_vkey(vkey).name
    except Rejected as error:
        raise TrustError(
            "bad_key", "This is no verifier key", vkey, "Take the one `paiza-node restore` shows."
        ) from error
    if origin != next_origin(register, member):
        what = f"The key is of {origin}; the next log is {next_origin(register, member)}"
        raise TrustError("unknown_log", what, vkey, "Make the key under the next number.")
    current = _Current(folder)
    document = json.loads(current.document(FEDERATION))
    document["members"][member]["log_origins"].append({"origin": origin})
    data = to_json(document)
    targets = current.targets
    targets.version = current.next_version
    targets.expires = repository.expiry(now, repository.ROOT_LIFE)
    targets.targets[FEDERATION] = TargetFile.from_data(FEDERATION, data, ["sha256"])
    return Proposal(member, vkey, data, Metadata(targets))


def sign(folder: Path, proposal: Proposal, key: Path) -> int:
    """Sign with one custodian's key, after seeing that nothing else is changed; return how many have signed.

    ``key`` is the name of its two files, without what tells the halves apart.
    """
    current = _Current(folder)
    _check_says_no_more(current, proposal)
    signer = repository.load_pair(key, current.root.roles[Targets.type].keyids, current.root.keys)
    proposal.targets.sign(signer, append=True)
    return len(proposal.targets.signatures)


def publish(folder: Path, proposal: Proposal, now: datetime) -> int:
    """Publish a proposal that the threshold signed, with the key in the member's own file; gives the version.

    A crash before the timestamp leaves files that no reader is told of.
    """
    current = _Current(folder)
    _check_says_no_more(current, proposal)
    try:
        current.root.verify_delegate(Targets.type, proposal.targets.signed_bytes, proposal.targets.signatures)
    except UnsignedMetadataError as error:
        threshold = current.root.roles[Targets.type].threshold
        what = f"The proposal lacks signatures: {threshold} custodians must have signed it"
        raise TrustError("bad_signature", what, proposal.origin, "Let the others sign it, then publish.") from error
    version = proposal.targets.signed.version
    top = proposal.targets.signed
    role, document = current.role(proposal.member), f"members/{proposal.member}/member.json"
    values = json.loads(current.document(document))
    values["log_keys"].append({"origin": proposal.origin, "vkey": proposal.vkey})
    role.version, role.expires = version, repository.expiry(now, repository.ROOT_LIFE)
    role.targets[document] = TargetFile.from_data(document, to_json(values), ["sha256"])
    register = folder / "register"
    keys, root = folder / "register-keys", current.root
    assert top.delegations is not None
    assert top.delegations.roles is not None
    keyids = top.delegations.roles[proposal.member].keyids
    member_signer = repository.load_signer(keys, f"member-{proposal.member}", keyids, top.delegations.keys)
    snapshot, timestamp = (
        repository.load_signer(keys, name, root.roles[name].keyids, root.keys)
        for name in (Snapshot.type, Timestamp.type)
    )
    write_private(register / target_path(top.targets[FEDERATION]), proposal.federation)
    write_private(register / target_path(role.targets[document]), to_json(values))
    meta = current.snapshot.meta
    data = repository.publish_metadata(register, f"{version}.targets.json", proposal.targets.to_bytes())
    meta["targets.json"] = repository.meta_file(version, data)
    data = repository.signed(role, [member_signer])
    repository.publish_metadata(register, f"{version}.{proposal.member}.json", data)
    meta[f"{proposal.member}.json"] = repository.meta_file(version, data)
    repository.publish_snapshot(register, snapshot, timestamp, meta, version=version, now=now)
    read_register(folder, now)
    return version


def next_origin(register: Register, member: str) -> str:
    """Return the name of the log that follows a member's newest one."""
    name, _, number = register.member(member).log_keys[-1].origin.rpartition("/")
    return f"{name}/{int(number) + 1}"


class _Current:
    """The metadata in force of a register in a folder."""

    def __init__(self, folder: Path) -> None:
        self._register = folder / "register"
        metadata = self._register / "metadata"
        timestamp: Timestamp = self._signed("timestamp.json")
        self.snapshot: Snapshot = self._signed(f"{timestamp.snapshot_meta.version}.snapshot.json")
        self.targets: Targets = self._role("targets")
        self.root: Root = self._signed(max(metadata.glob("*.root.json"), key=_version).name)
        # If an attempt broke off before its timestamp, its files lie here under a version that nobody was told of.
        found = [path for path in metadata.glob("*.*.json") if not path.name.endswith(".root.json")]
        self.next_version = 1 + max(map(_version, found))

    def role(self, member: str) -> Targets:
        """Return what a member says of itself."""
        return self._role(member)

    def document(self, path: str) -> bytes:
        """Return a file the register vouches for."""
        owner = self._role(path.split("/")[1]) if path.startswith("members/") else self._role("targets")
        return (self._register / target_path(owner.targets[path])).read_bytes()

    def _role(self, name: str) -> Targets:
        signed: Targets = self._signed(f"{self.snapshot.meta[f'{name}.json'].version}.{name}.json")
        return signed

    def _signed(self, name: str) -> Any:
        return Metadata.from_file(str(self._register / "metadata" / name)).signed


def _check_says_no_more(current: _Current, proposal: Proposal) -> None:
    """Refuse a proposal that is not exactly: what is in force, and one origin more for that member."""
    proposed, before = proposal.targets.signed, current.targets
    described = TargetFile.from_data(FEDERATION, proposal.federation, ["sha256"])
    others = {path: info for path, info in proposed.targets.items() if path != FEDERATION}
    wanted = json.loads(current.document(FEDERATION))
    if proposal.member not in wanted["members"]:
        raise TrustError("unknown_member", "The register has no such member", proposal.member, "Prepare it anew.")
    wanted["members"][proposal.member]["log_origins"].append({"origin": proposal.origin})
    if (
        proposed.targets.get(FEDERATION) != described
        or json.loads(proposal.federation) != wanted
        or others != {path: info for path, info in before.targets.items() if path != FEDERATION}
        or proposed.delegations != before.delegations
        or proposed.version <= before.version
    ):
        what = "The proposal says more, or other, than that this log is admitted"
        raise TrustError(
            "malformed", what, proposal.origin, "Do not sign it; prepare one anew from the register in force."
        )


def save(proposal: Proposal, path: Path) -> None:
    """Write a proposal in place of the one that stands there."""
    path.absolute().parent.mkdir(parents=True, exist_ok=True)
    replace_private(path.absolute(), proposal.to_json())


def _version(path: Path) -> int:
    return int(path.name.partition(".")[0])
