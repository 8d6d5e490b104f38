"""A verified set of the register with its metadata, as those need it who sign: publishers and custodians."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import quote

from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp

from paiza_register.model import Register
from paiza_register.tuf_workflow import TIMESTAMP_PATH, FileMismatch, Repository, root_path
from paiza_register.validity import when_accepted
from paiza_register.verified_set import check_root, verify
from paiza_wire.errors import Rejected


class Versions(NamedTuple):
    """The highest versions that were seen, validly signed; a new set goes above both."""

    timestamp: int
    snapshot: int


@dataclass(frozen=True)
class OpenSet:
    """A verified set, its metadata parsed. ``files`` are those that were verified, by published path, and no others.

    ``bootstrap_root`` are the bytes of the root that it was verified from.
    """

    bootstrap_root: bytes = field(repr=False)
    files: Mapping[str, bytes] = field(repr=False)
    register: Register
    root: Root
    targets: Targets
    snapshot: Snapshot
    timestamp: Timestamp

    @classmethod
    def verify(
        cls, files: Mapping[str, bytes], bootstrap_root: bytes, at: datetime | None, *, outdated: bool = False
    ) -> "OpenSet":
        """Verify a set as `load_set` does."""
        repository = Repository(lambda path, _most, _sha256: files.get(path), bootstrap_root, check_root=check_root)
        try:
            register = verify(repository)
        except FileMismatch as error:
            raise Rejected("register_invalid", str(error)) from error
        roots = {root_path(version): data for version, data in repository.roots.data.items()}
        return cls(
            bootstrap_root=bootstrap_root,
            files=MappingProxyType({**roots, **repository.files}),
            register=register if at is None else when_accepted(register, at, outdated=outdated),
            root=repository.root,
            targets=repository.targets.signed,
            snapshot=repository.snapshot.signed,
            timestamp=repository.timestamp.signed,
        )

    @property
    def versions(self) -> Versions:
        """Return the versions of timestamp and snapshot."""
        return Versions(self.timestamp.version, self.snapshot.version)

    @property
    def snapshot_bytes(self) -> bytes:
        """Return snapshot.json; its SHA-256 is the register version."""
        return self.files[role_path(Snapshot.type, self.timestamp.snapshot_meta.version)]

    def publishers(self) -> frozenset[str]:
        """Return the ids of the keys that signed the timestamp or the snapshot."""
        return signers(self.root, Timestamp.type, self.files[TIMESTAMP_PATH]) | signers(
            self.root, Snapshot.type, self.snapshot_bytes
        )

    def role(self, name: str) -> Targets:
        """Return the metadata of a delegated role, which must be in the set."""
        path = role_path(name, self.snapshot.meta[f"{name}.json"].version)
        targets: Targets = Metadata[Targets].from_bytes(self.files[path]).signed
        return targets


def load_set(
    files: Mapping[str, bytes], bootstrap_root: bytes, at: datetime | None, *, outdated: bool = False
) -> Register:
    """Verify and parse a whole set; the steps are in `verified_set`. ``files``: path as published -> bytes.

    With ``outdated`` the timestamp may have expired: the content counts, but a newer one may exist.
    """
    return OpenSet.verify(files, bootstrap_root, at, outdated=outdated).register


def signers(root: Root, role: str, data: bytes) -> frozenset[str]:
    """Return the ids of the keys of a top-level role that signed this metadata."""
    metadata: Metadata[Any] = Metadata.from_bytes(data)
    found = root.get_verification_result(role, metadata.signed_bytes, metadata.signatures)
    return frozenset(found.signed)


def role_path(role: str, version: int) -> str:
    """Return the published path of the metadata of a targets role."""
    return f"metadata/{version}.{quote(role, '')}.json"
