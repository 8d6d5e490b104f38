"""Signs and publishes the register as a TUF repository.

Root and targets are signed by M of N custodians, one of each member, each with a pair; M is more than half of N. What
is delegated is signed with pairs too: what a member says about itself, what its node revokes, the reference data.
Snapshot and timestamp are signed by one of the publishers, the nodes of the members, with ML-DSA-44.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from securesystemslib.signer import CryptoSigner, Signer, SSlibKey
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Key,
    Metadata,
    MetaFile,
    Root,
    Signed,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)

from paiza_register import roles
from paiza_register.ceremony.times import ROOT_LIFE, TIMESTAMP_LIFE, expiry
from paiza_register.documents import Federation
from paiza_register.pair_key import PairSigner, key_files
from paiza_trust.errors import TrustError
from paiza_trust.files import replace_private, write_private
from paiza_trust.key_folder import SETTINGS, UNSEALED, KeyFolder
from paiza_trust.language import N_
from paiza_wire.identity.pair import PairPrivateKey
from paiza_wire.identity.private_keys import MLDSA44


@dataclass(frozen=True)
class Signers:
    """Every key that signs the register, by member. In a real federation no one person ever holds all of them.

    ``publishers`` are in the order in which they publish.
    """

    custodians: Mapping[str, PairSigner]
    members: Mapping[str, PairSigner]
    revocations: Mapping[str, PairSigner]
    reference: Mapping[str, PairSigner]
    publishers: Mapping[str, CryptoSigner]

    @property
    def threshold(self) -> int:
        """Return how many custodians must sign: more than half of them."""
        return len(self.custodians) // 2 + 1

    @property
    def publisher(self) -> CryptoSigner:
        """Return the first of the publishers."""
        return next(iter(self.publishers.values()))

    def delegated(self) -> Mapping[str, Mapping[str, PairSigner]]:
        """Return who signs each delegated role, in the order of the roles: role -> member -> key."""
        delegated: dict[str, Mapping[str, PairSigner]] = {roles.REFERENCE: self.reference}
        for member, signer in self.members.items():
            delegated[roles.revocations_of(member)] = {member: self.revocations[member]}
            delegated[member] = {member: signer}
        return delegated


def generate_signers(members: Sequence[str], folder: Path) -> Signers:
    """Make every key of a development register and write them to a folder.

    Each member has a custodian and a publisher; the first member publishes the reference data.
    """
    signers = Signers(
        custodians=_generate(members, folder, "custodian"),
        members=_generate(members, folder, "member"),
        revocations=_generate(members, folder, "revocations"),
        reference=_generate(members[:1], folder, "reference"),
        publishers={member: CryptoSigner.generate_mldsa(scheme=roles.PUBLISHER_SCHEME) for member in members},
    )
    for member, publisher in signers.publishers.items():
        write_private(folder / f"publisher-{member}.pem", publisher.private_bytes)
    write_private(folder / SETTINGS, UNSEALED.encode())
    return signers


def load_signers(folder: Path, root: Root, top: Targets, federation: Federation) -> Signers:
    """Read back the keys that `generate_signers` wrote, each as the published key that it belongs to."""
    members = tuple(federation.members)
    custodians = root.roles[Root.type].keyids
    return Signers(
        custodians={
            member: load_pair(folder / f"custodian-{member}", custodians, root.keys) for member in federation.custodians
        },
        members={member: load_delegated(folder, top, member, member) for member in members},
        revocations={member: load_delegated(folder, top, roles.revocations_of(member), member) for member in members},
        reference={member: load_delegated(folder, top, roles.REFERENCE, member) for member in federation.reference},
        publishers={member: load_publisher(folder, root, member) for member in federation.publishers},
    )


def load_delegated(folder: Path, top: Targets, role: str, member: str) -> PairSigner:
    """Read back a member's key of a delegated role; errors as of `load_pair`."""
    assert top.delegations is not None
    assert top.delegations.roles is not None
    purpose = "reference" if role == roles.REFERENCE else "member" if role == member else "revocations"
    return load_pair(folder / f"{purpose}-{member}", top.delegations.roles[role].keyids, top.delegations.keys)


def load_publisher(folder: Path, root: Root, member: str) -> CryptoSigner:
    """Read back a member's key as publisher, as the published key that it belongs to."""
    name = f"publisher-{member}.pem"
    private_key = KeyFolder(folder).key(name, MLDSA44)
    for keyid in root.roles[Timestamp.type].keyids:
        published = root.keys[keyid]
        assert isinstance(published, SSlibKey), "the set's reader refuses publishers of another kind"
        with suppress(ValueError):  # another key than this one
            return CryptoSigner(private_key, published)
    what = N_("The key is no publisher's of this register")
    raise TrustError("bad_key", what, str(folder / name), N_("Publish with another key."))


def load_pair(name: Path, keyids: Sequence[str], published: Mapping[str, Key]) -> PairSigner:
    """Open a pair (`key_folder`), as the published key that it belongs to.

    ``TrustError`` with the reason ``file_unreadable`` if there are no such files, ``bad_key`` if it is none of them.
    """
    signer = KeyFolder(name.parent).pair(name.name)
    if not any(published[keyid] == signer.public_key for keyid in keyids):
        what, remedy = N_("The key is none that may sign this"), N_("Sign with a key that the register names.")
        raise TrustError("bad_key", what, str(name), remedy)
    return signer


def _generate(members: Sequence[str], folder: Path, purpose: str) -> dict[str, PairSigner]:
    """Make a pair for each member and write its two files."""
    signers = {member: PairSigner(PairPrivateKey.generate()) for member in members}
    for member, signer in signers.items():
        for path, data in zip(key_files(folder / f"{purpose}-{member}"), signer.private_bytes(), strict=True):
            write_private(path, data)
    return signers


def publish_root(register: Path, signers: Signers, now: datetime) -> bytes:
    """Sign and write the first root; return its bytes, which every program starts from."""
    root = Root(version=1, expires=expiry(now, ROOT_LIFE), consistent_snapshot=True)
    for role in (Root.type, Targets.type):
        for custodian in signers.custodians.values():
            root.add_key(custodian.public_key, role)
        root.roles[role].threshold = signers.threshold
    for role in (Snapshot.type, Timestamp.type):
        for publisher in signers.publishers.values():
            root.add_key(publisher.public_key, role)
    return publish_metadata(register, "1.root.json", signed(root, signers.custodians.values()))


def publish(register: Path, signers: Signers, documents: Mapping[str, bytes], *, version: int, now: datetime) -> None:
    """Sign and write a whole set of this version number: every role, the snapshot, and last the timestamp.

    ``documents``: target path -> bytes. Each is signed under the role that it is delegated to (`roles.role_of`).
    """
    keys: dict[str, Key] = {}
    delegations: dict[str, DelegatedRole] = {}
    named: dict[str, MetaFile] = {}

    def targets(name: str) -> Targets:
        own = {path: data for path, data in documents.items() if roles.role_of(path) == name}
        return Targets(version=version, expires=expiry(now, ROOT_LIFE), targets=_targets(register, own))

    for name, holders in signers.delegated().items():
        keys |= {signer.public_key.keyid: signer.public_key for signer in holders.values()}
        keyids = [signer.public_key.keyid for signer in holders.values()]
        delegations[name] = DelegatedRole(name, keyids, 1, terminating=True, paths=[roles.paths_of(name)])
        data = publish_metadata(register, f"{version}.{name}.json", signed(targets(name), holders.values()))
        named[f"{name}.json"] = meta_file(version, data)
    top = targets(Targets.type)
    top.delegations = Delegations(keys, delegations)
    data = publish_metadata(register, f"{version}.targets.json", signed(top, signers.custodians.values()))
    named["targets.json"] = meta_file(version, data)
    publish_snapshot(register, signers.publisher, named, version=version, now=now)


def publish_snapshot(
    register: Path, publisher: CryptoSigner, meta: Mapping[str, MetaFile], *, version: int, now: datetime
) -> None:
    """Sign and write which versions belong together, and last the timestamp: until then every reader finds the old."""
    snapshot = Snapshot(version=version, expires=expiry(now, ROOT_LIFE), meta=dict(meta))
    data = publish_metadata(register, f"{version}.snapshot.json", signed(snapshot, [publisher]))
    timestamp = Timestamp(version=version, expires=expiry(now, TIMESTAMP_LIFE), snapshot_meta=meta_file(version, data))
    replace_private(register / "metadata/timestamp.json", signed(timestamp, [publisher]))


def _targets(register: Path, documents: Mapping[str, bytes]) -> dict[str, TargetFile]:
    """Write files under their published names and return their entries."""
    targets: dict[str, TargetFile] = {}
    for path, data in documents.items():
        folder, slash, name = path.rpartition("/")
        write_private(register / "targets" / f"{folder}{slash}{sha256(data).hexdigest()}.{name}", data)
        targets[path] = TargetFile.from_data(path, data, ["sha256"])
    return targets


def signed(payload: Signed, signers: Iterable[Signer]) -> bytes:
    """Sign metadata with these keys; return its bytes as published."""
    metadata: Metadata[Any] = Metadata(payload)
    for signer in signers:
        metadata.sign(signer, append=True)
    return metadata.to_bytes()


def publish_metadata(register: Path, name: str, data: bytes) -> bytes:
    """Write one metadata file; one that stands there must be the same."""
    write_private(register / "metadata" / name, data)
    return data


def meta_file(version: int, data: bytes) -> MetaFile:
    """Describe a metadata file as the snapshot does."""
    return MetaFile(version=version, length=len(data), hashes={"sha256": sha256(data).hexdigest()})
