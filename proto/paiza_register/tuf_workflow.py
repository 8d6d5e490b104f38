"""The client workflow of the TUF specification (§5) over the files of one repository. Nothing here is Paiza's.

`Repository` reads each part from a source when it is first asked for, and verifies it before anything is read that it
names. python-tuf parses the formats and checks the signatures. `refuse_older` compares two states. What Paiza demands
beyond the specification is in `verified_set`, which also judges expiry: a `Repository` has no clock.

TUF's own conformance suite runs against this module: `make conformance`, by the client of `tests/conformance`.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from types import MappingProxyType
from typing import Any, Final, Generic, TypeAlias, TypeVar
from urllib.parse import quote

from tuf.api.exceptions import (
    BadVersionNumberError,
    LengthOrHashMismatchError,
    RepositoryError,
    UnsignedMetadataError,
)
from tuf.api.metadata import Metadata, MetaFile, Root, Signed, Snapshot, TargetFile, Targets, Timestamp

MAX_METADATA_BYTES: Final = 1 << 20
"""Bytes of one metadata file; a root or targets file of eight members has about 90 kB."""

MAX_ROOTS: Final = 10_000
"""Roots from the bootstrap root on: three a day for nine years. python-tuf follows 256 unless told otherwise."""

TIMESTAMP_PATH: Final = "metadata/timestamp.json"

METADATA_ERRORS: Final = (RepositoryError, ValueError, KeyError, TypeError, AttributeError, RecursionError)
"""Errors that python-tuf and its JSON parser raise for malformed metadata."""

Read: TypeAlias = Callable[[str, int, bytes | None], bytes | None]
"""Returns a file by its published path, or None if the source has none.

The second argument is the most bytes that are wanted: of a longer file more than these are returned. The third is the
SHA-256 that the file must have, if it was named: a source that holds such bytes need not ask for them.
"""

_Kind = TypeVar("_Kind", bound=Signed)


class FileMismatch(Exception):  # noqa: N818 - of a source, not of the repository: another source may have the file
    """A source lacks a file that was named, or serves another one."""


@dataclass(frozen=True)
class Verified(Generic[_Kind]):
    """Metadata that enough keys signed. ``signers`` are the ids of the keys of the role that did."""

    signed: _Kind
    data: bytes
    payload: bytes = field(repr=False)
    """What the signatures are over: two files of one payload say the same."""
    signers: frozenset[str]


@dataclass(frozen=True)
class Roots:
    """The chain of roots from the bootstrap root to the newest, with the SHA-256 of each."""

    newest: Root
    payload_sha256: bytes
    """Of what the newest root's signatures are over: two files of it with other signatures are one root."""
    digests: tuple[bytes, ...]
    data: Mapping[int, bytes] = field(repr=False)
    """Those that were read, by version."""


@dataclass(frozen=True, slots=True)
class SignedVersion:
    """The version of a timestamp or snapshot: SHA-256 of what was signed, and the ids of the keys that signed it."""

    version: int = 1
    sha256: bytes = b""
    signers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class State:
    """What the workflow remembers of a repository. ``named`` are the versions of the roles that the snapshot names."""

    root: int = 1
    timestamp: SignedVersion = SignedVersion()
    snapshot: SignedVersion = SignedVersion()
    named: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    timestamp_keys: frozenset[str] = frozenset()
    snapshot_keys: frozenset[str] = frozenset()


class Repository:
    """The files of one repository, each verified when it is first asked for.

    Errors: one of `METADATA_ERRORS` for what does not verify, `FileMismatch` for what the source lacks.
    """

    def __init__(
        self,
        read: Read,
        bootstrap_root: bytes,
        known_roots: Sequence[bytes] = (),
        check_root: Callable[[Root, frozenset[str]], None] = lambda _root, _signers: None,
        newest_root: int | None = None,
    ) -> None:
        """Begin with a bootstrap root.

        ``known_roots`` are the SHA-256 of roots that were verified before, from the bootstrap root on: the chain goes
        on from the last of them. ``check_root`` is called for each root with the ids of its own keys that signed it.
        Roots above ``newest_root`` are not asked for.
        """
        self._read = read
        self._bootstrap_root = bootstrap_root
        self._known_roots = tuple(known_roots)
        self._check_root = check_root
        self._newest_root = newest_root
        self.files: dict[str, bytes] = {}
        """Every file that was verified but the roots, by published path."""

    @cached_property
    def roots(self) -> Roots:
        """Follow the roots (§5.3): each is signed by enough keys of the one before, and of its own."""
        metadata = parse(Root, self._bootstrap_root)
        digests = [sha256(self._bootstrap_root).digest()]
        first, found = metadata.signed.version, {metadata.signed.version: self._bootstrap_root}
        if self._known_roots[:1] == tuple(digests) and len(self._known_roots) > 1:
            digests = list(self._known_roots)
            path = root_path(first + len(digests) - 1)
            data = self._read(path, MAX_METADATA_BYTES, digests[-1])
            if data is None or sha256(data).digest() != digests[-1]:
                raise FileMismatch(f"{path} is not the root that was verified before")
            metadata = parse(Root, data)
            root = metadata.signed
            found[root.version] = data
        else:
            root = metadata.signed
            self._check_root(root, _signers(root, Root.type, metadata))
        while self._newest_root is None or root.version < self._newest_root:
            data = self._read(root_path(root.version + 1), MAX_METADATA_BYTES, None)
            if data is None:
                break
            if len(digests) == MAX_ROOTS or len(data) > MAX_METADATA_BYTES:
                raise RepositoryError("there are too many roots, or one that is too large")
            metadata = self._next_root(root, data)
            root = metadata.signed
            digests.append(sha256(data).digest())
            found[root.version] = data
        return Roots(root, sha256(metadata.signed_bytes).digest(), tuple(digests), MappingProxyType(found))

    @property
    def root(self) -> Root:
        """Return the newest root."""
        return self.roots.newest

    @cached_property
    def timestamp(self) -> Verified[Timestamp]:
        """Read the timestamp (§5.4)."""
        root = self.root
        data = self._get(TIMESTAMP_PATH, MAX_METADATA_BYTES, None)
        return self._keep(TIMESTAMP_PATH, verified(Timestamp, data, root, Timestamp.type))

    @cached_property
    def snapshot(self) -> Verified[Snapshot]:
        """Read the snapshot that the timestamp names (§5.5)."""
        return self._named(Snapshot, self.root, Snapshot.type, self.timestamp.signed.snapshot_meta)

    @cached_property
    def targets(self) -> Verified[Targets]:
        """Read the top-level targets (§5.6)."""
        return self.delegated(Targets.type, self.root)

    def delegated(self, role: str, delegator: Root | Targets) -> Verified[Targets]:
        """Read the targets of a role, signed as its delegator demands."""
        named = self.snapshot.signed.meta.get(f"{role}.json")
        if named is None:
            raise RepositoryError(f"the snapshot does not name {role}")
        return self._named(Targets, delegator, role, named)

    def target(self, path: str, info: TargetFile) -> bytes:
        """Read a file that targets metadata describes, from its published path (§5.7)."""
        data = self._get(path, info.length, _digest(info.hashes))
        _match(path, info, data)
        self.files[path] = data
        return data

    def state(self) -> State:
        """Return what to remember."""
        return State(
            root=self.root.version,
            timestamp=_version(self.timestamp),
            snapshot=_version(self.snapshot),
            named=MappingProxyType(
                {name.removesuffix(".json"): meta.version for name, meta in self.snapshot.signed.meta.items()}
            ),
            timestamp_keys=frozenset(self.root.roles[Timestamp.type].keyids),
            snapshot_keys=frozenset(self.root.roles[Snapshot.type].keyids),
        )

    def _next_root(self, root: Root, data: bytes) -> Metadata[Any]:
        metadata, _before, own = successor_of(root, data)
        self._check_root(metadata.signed, own)
        return metadata

    def _named(self, kind: type[_Kind], delegator: Root | Targets, role: str, named: MetaFile) -> Verified[_Kind]:
        prefix = f"{named.version}." if self.root.consistent_snapshot else ""
        path = f"metadata/{prefix}{quote(role, '')}.json"
        most = MAX_METADATA_BYTES if named.length is None else named.length
        if most > MAX_METADATA_BYTES:
            raise RepositoryError(f"{role} is too large")
        data = self._get(path, most, _digest(named.hashes))
        _match(path, named, data)
        found = verified(kind, data, delegator, role)
        if found.signed.version != named.version:
            raise BadVersionNumberError(f"{role} is not of the version that is named")
        return self._keep(path, found)

    def _get(self, path: str, most: int, digest: bytes | None) -> bytes:
        data = self._read(path, most, digest)
        if data is None:
            raise FileMismatch(f"{path} is missing from the set")
        if len(data) > most:
            raise FileMismatch(f"{path} is longer than {most} bytes")
        return data

    def _keep(self, path: str, found: Verified[_Kind]) -> Verified[_Kind]:
        self.files[path] = found.data
        return found


def refuse_older(known: State, new: State) -> None:
    """Refuse a repository that is older than the known one (§5.4.3, §5.5.5); ``BadVersionNumberError``.

    The known timestamp or snapshot is forgotten if none of its signers may sign any more (§5.3.11): otherwise a key
    that was stolen and replaced could have signed a version that nobody can exceed.
    """
    if new.root < known.root:
        raise BadVersionNumberError("root is older than the one known")
    if known.timestamp.signers & new.timestamp_keys and new.timestamp.version < known.timestamp.version:
        raise BadVersionNumberError("timestamp is older than the one known")
    if known.snapshot.signers & new.snapshot_keys:
        if new.snapshot.version < known.snapshot.version:
            raise BadVersionNumberError("snapshot is older than the one known")
        refuse_older_roles(known, new, known.named)


def refuse_older_roles(known: State, new: State, names: Collection[str]) -> None:
    """Refuse a snapshot that names an older version of one of these roles, or none; ``BadVersionNumberError``."""
    for role in names:
        if new.named.get(role, 0) < known.named[role]:
            raise BadVersionNumberError(f"{role} is older than the one known")


def verified(kind: type[_Kind], data: bytes, delegator: Root | Targets, role: str) -> Verified[_Kind]:
    """Parse metadata of one kind, signed as its delegator demands."""
    metadata = parse(kind, data)
    payload = metadata.signed_bytes
    return Verified(metadata.signed, data, payload, _signers(delegator, role, metadata, payload))


def successor_of(root: Root, data: bytes) -> tuple[Metadata[Any], frozenset[str], frozenset[str]]:
    """Parse a root that follows another: signed by enough of that one's keys, and of its own; return whose they are."""
    metadata = parse(Root, data)
    payload = metadata.signed_bytes
    before = _signers(root, Root.type, metadata, payload)
    if metadata.signed.version != root.version + 1:
        raise BadVersionNumberError("a root is not of the version that its name says")
    return metadata, before, _signers(metadata.signed, Root.type, metadata, payload)


def root_path(version: int) -> str:
    """Return the published path of a root of this version."""
    return f"metadata/{version}.root.json"


def parse(kind: type[_Kind], data: bytes) -> Metadata[Any]:
    """Parse metadata of one kind; nothing is verified."""
    metadata: Metadata[Any] = Metadata.from_bytes(data)
    if not isinstance(metadata.signed, kind):
        raise RepositoryError(f"metadata of {kind.type} is of another type")
    return metadata


def _signers(
    delegator: Root | Targets, role: str, metadata: Metadata[Any], payload: bytes | None = None
) -> frozenset[str]:
    result = delegator.get_verification_result(role, payload or metadata.signed_bytes, metadata.signatures)
    if not result.verified:
        raise UnsignedMetadataError(f"{role} was signed by {len(result.signed)}/{result.threshold} keys")
    return frozenset(result.signed)


def _match(path: str, named: MetaFile | TargetFile, data: bytes) -> None:
    try:
        named.verify_length_and_hashes(data)
    except LengthOrHashMismatchError as error:
        raise FileMismatch(f"{path} is not the file that is named: {error}") from error


def _digest(hashes: Mapping[str, str] | None) -> bytes | None:
    named = (hashes or {}).get("sha256")
    return None if named is None else bytes.fromhex(named)


def _version(found: Verified[Any]) -> SignedVersion:
    return SignedVersion(found.signed.version, sha256(found.payload).digest(), found.signers)
