"""Signs and publishes the register as a TUF repository.

Root and targets are signed by M of N custodians, one of each member, each with a pair; M is more than half of N.
Snapshot and timestamp have one P-256 key each, and each member has one for what it says about itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from securesystemslib.signer import CryptoSigner, Signer
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

from paiza_register.pair_key import URI_SCHEME, PairSigner, key_files
from paiza_trust.errors import EXIT_UNAVAILABLE, TrustError
from paiza_trust.files import replace_private, write_private
from paiza_wire.identity.pair import PairPrivateKey

ROOT_LIFE: Final = timedelta(days=365)
"""Root, targets and what members say about themselves: signed by hand, once a year at the least."""

TIMESTAMP_LIFE: Final = timedelta(days=30)
"""Snapshot and timestamp. How long a frozen register can go unnoticed, so a running federation wants days."""


@dataclass(frozen=True)
class Signers:
    """Every key that signs the register. In a real federation no one person ever holds all of them."""

    custodians: Mapping[str, PairSigner]
    snapshot: CryptoSigner
    timestamp: CryptoSigner
    members: Mapping[str, CryptoSigner]

    @property
    def threshold(self) -> int:
        """Return how many custodians must sign: more than half of them."""
        return len(self.custodians) // 2 + 1


def generate_signers(members: Sequence[str], folder: Path) -> Signers:
    """Make every key of a development register, one custodian per member, and write them to a folder."""
    signers = Signers(
        custodians={member: PairSigner(PairPrivateKey.generate()) for member in members},
        snapshot=CryptoSigner.generate_ecdsa(),
        timestamp=CryptoSigner.generate_ecdsa(),
        members={member: CryptoSigner.generate_ecdsa() for member in members},
    )
    for member, custodian in signers.custodians.items():
        _write_pair(folder / f"custodian-{member}", custodian)
    write_private(folder / "snapshot.pem", signers.snapshot.private_bytes)
    write_private(folder / "timestamp.pem", signers.timestamp.private_bytes)
    for member, signer in signers.members.items():
        write_private(folder / f"member-{member}.pem", signer.private_bytes)
    return signers


def load_signers(folder: Path, root: Root, top: Targets) -> Signers:
    """Read back the keys that `generate_signers` wrote, each as the published key that it belongs to."""
    assert top.delegations is not None
    assert top.delegations.roles is not None

    def shared(name: str, role: str) -> CryptoSigner:
        return load_signer(folder, name, root.roles[role].keyids, root.keys)

    roles, member_keys = top.delegations.roles, top.delegations.keys
    custodians = root.roles[Root.type].keyids
    return Signers(
        custodians={member: load_pair(folder / f"custodian-{member}", custodians, root.keys) for member in roles},
        snapshot=shared("snapshot", Snapshot.type),
        timestamp=shared("timestamp", Timestamp.type),
        members={
            member: load_signer(folder, f"member-{member}", role.keyids, member_keys) for member, role in roles.items()
        },
    )


def load_signer(folder: Path, name: str, keyids: Sequence[str], published: Mapping[str, Key]) -> CryptoSigner:
    """Read back one key, as the published key that it belongs to."""
    path = folder / f"{name}.pem"
    for keyid in keyids:
        try:
            return CryptoSigner.from_priv_key_uri(f"{CryptoSigner.SCHEME}:{path.absolute()}", published[keyid])
        except FileNotFoundError:
            break
        except ValueError:  # another key than this one
            continue
    raise TrustError(
        "file_unreadable",
        "The key of the register is not here",
        str(path),
        "Publish where the keys are; only a development federation has all of them in one folder.",
        EXIT_UNAVAILABLE,
    )


def load_pair(name: Path, keyids: Sequence[str], published: Mapping[str, Key]) -> PairSigner:
    """Read back a pair from its two files (`pair_key.key_files`), as the published key that it belongs to.

    ``TrustError`` with the reason ``file_unreadable`` if there are no such files, ``bad_key`` if it is none of them.
    """
    for keyid in keyids:
        try:
            return PairSigner.from_priv_key_uri(f"{URI_SCHEME}:{name.absolute()}", published[keyid])
        except FileNotFoundError as error:
            what, remedy = "There is no such key", "Name it as its files are, without -p256.pem and -mldsa44.pem."
            raise TrustError("file_unreadable", what, str(name), remedy, EXIT_UNAVAILABLE) from error
        except ValueError:  # another key than this one
            continue
    raise TrustError(
        "bad_key", "The key is none that may sign this", str(name), "Sign with a key that the register names."
    )


def _write_pair(name: Path, signer: PairSigner) -> None:
    for path, data in zip(key_files(name), signer.private_bytes(), strict=True):
        write_private(path, data)


def publish_root(register: Path, signers: Signers, now: datetime) -> bytes:
    """Sign and write the first root; gives its bytes, which every program starts from."""
    root = Root(version=1, expires=expiry(now, ROOT_LIFE), consistent_snapshot=True)
    for role in (Root.type, Targets.type):
        for signer in signers.custodians.values():
            root.add_key(signer.public_key, role)
        root.roles[role].threshold = signers.threshold
    root.add_key(signers.snapshot.public_key, Snapshot.type)
    root.add_key(signers.timestamp.public_key, Timestamp.type)
    return publish_metadata(register, "1.root.json", signed(root, list(signers.custodians.values())))


def publish(register: Path, signers: Signers, documents: Mapping[str, bytes], *, version: int, now: datetime) -> None:
    """Sign and write a whole set of this version number: every role, the snapshot, and last the timestamp.

    ``documents``: target path -> bytes. What stands below ``members/<id>/`` is signed by that member alone,
    everything else by the custodians.
    """
    shared = {path: data for path, data in documents.items() if not path.startswith("members/")}
    top = Targets(version=version, expires=expiry(now, ROOT_LIFE), targets=_targets(register, shared))
    top.delegations = Delegations(keys={}, roles={})
    named: dict[str, MetaFile] = {}
    for member, signer in signers.members.items():
        top.delegations.keys[signer.public_key.keyid] = signer.public_key
        assert top.delegations.roles is not None
        top.delegations.roles[member] = DelegatedRole(
            name=member, keyids=[signer.public_key.keyid], threshold=1, terminating=True, paths=[f"members/{member}/*"]
        )
        own = {path: data for path, data in documents.items() if path.startswith(f"members/{member}/")}
        role = Targets(version=version, expires=expiry(now, ROOT_LIFE), targets=_targets(register, own))
        data = publish_metadata(register, f"{version}.{member}.json", signed(role, [signer]))
        named[f"{member}.json"] = meta_file(version, data)
    data = publish_metadata(register, f"{version}.targets.json", signed(top, list(signers.custodians.values())))
    named["targets.json"] = meta_file(version, data)
    publish_snapshot(register, signers.snapshot, signers.timestamp, named, version=version, now=now)


def publish_snapshot(
    register: Path,
    snapshot_signer: CryptoSigner,
    timestamp_signer: CryptoSigner,
    meta: Mapping[str, MetaFile],
    *,
    version: int,
    now: datetime,
) -> None:
    """Sign and write which versions belong together, and last the timestamp: until then every reader finds the old."""
    snapshot = Snapshot(version=version, expires=expiry(now, TIMESTAMP_LIFE), meta=dict(meta))
    data = publish_metadata(register, f"{version}.snapshot.json", signed(snapshot, [snapshot_signer]))
    timestamp = Timestamp(version=version, expires=expiry(now, TIMESTAMP_LIFE), snapshot_meta=meta_file(version, data))
    replace_private(register / "metadata/timestamp.json", signed(timestamp, [timestamp_signer]))


def _targets(register: Path, documents: Mapping[str, bytes]) -> dict[str, TargetFile]:
    """Write files under their published names and give their entries."""
    targets: dict[str, TargetFile] = {}
    for path, data in documents.items():
        folder, slash, name = path.rpartition("/")
        write_private(register / "targets" / f"{folder}{slash}{sha256(data).hexdigest()}.{name}", data)
        targets[path] = TargetFile.from_data(path, data, ["sha256"])
    return targets


def signed(payload: Signed, signers: Sequence[Signer]) -> bytes:
    """Sign metadata with these keys; gives its bytes as published."""
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


def expiry(now: datetime, life: timedelta) -> datetime:
    """Return when something that is signed now expires."""
    return (now.astimezone(UTC) + life).replace(microsecond=0)
