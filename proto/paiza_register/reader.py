"""The reader of the register: fetches it, verifies every set and archives the verified ones.

A new version of the register is accepted in these steps. python-tuf's `Updater` starts at the bootstrap root, follows
the roots, and refuses rollbacks against its cache. The fetched files form one set, which `load_set` verifies again as a
whole (the same function that verifies evidence). The set is compared with the accepted one, written to the archive and
only then accepted. If nothing newer can be fetched, the last set is used until its expiry and, marked ``late``, through
the grace period; after that there is no register.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import IO, Any, Final, TypeAlias

from tuf.api.exceptions import (
    BadVersionNumberError,
    DownloadError,
    DownloadHTTPError,
    DownloadLengthMismatchError,
    ExpiredMetadataError,
    RepositoryError,
)
from tuf.api.metadata import Metadata, Snapshot, Targets, Timestamp
from tuf.ngclient import FetcherInterface, Updater, UpdaterConfig
from typing_extensions import override

from paiza_register import roles
from paiza_register.archive import Archive
from paiza_register.model import Register
from paiza_register.verified_set import (
    MAX_METADATA_BYTES,
    MAX_ROOTS,
    MAX_SET_BYTES,
    MAX_SET_FILES,
    MAX_TARGET_BYTES,
    at_time,
    load_set,
    refuse_rollback,
    root_path,
    target_path,
)
from paiza_wire.errors import PaizaError, Rejected, Unavailable

Fetch: TypeAlias = Callable[[str, int], bytes]
"""Fetches ``metadata/…`` or ``targets/…``, at most so many bytes; raises `FetchMissing` or `Unavailable`."""

ARCHIVED_IN_MEMORY: Final = 16
"""Archived registers kept parsed: the versions that messages of one month name."""

_HTTP_NOT_FOUND: Final = 404


class FetchMissing(FileNotFoundError):  # noqa: N818 - it is an answer, not a failure: there is no such file
    """The source of the register has no file at this path."""


class RegisterReader:
    """The register of one program, kept in one folder that no other program writes.

    Synchronous and blocking; thread-safe. Disk errors (`OSError`) are not translated.
    """

    def __init__(self, folder: Path, bootstrap_root: bytes) -> None:
        self._bootstrap_root = bootstrap_root
        self._cache = folder / "updater"
        self._cache.mkdir(parents=True, exist_ok=True)
        self._archive = Archive(folder)
        self._refreshing = threading.Lock()  # held while fetching, which depends on remote answers
        self._lock = threading.Lock()  # held briefly, also while a fetch is under way
        self._accepted: tuple[Register, Mapping[str, bytes]] | None = None
        self._archived: OrderedDict[bytes, Register] = OrderedDict()
        self.last_error: PaizaError | None = None
        """Why the last refresh brought nothing new; None when it ended well."""

    def refresh(self, now: datetime, fetch: Fetch) -> Register:
        """Fetch and accept new versions; return the current register.

        If nothing can be fetched, or only an expired set, the last verified set is returned while it is valid (see
        `current`); `last_error` then holds the reason. A set that does not verify or is older than the known one is
        Rejected: try another source; `current` still returns the last set.
        """
        with self._refreshing:
            try:
                files = self._update(now, fetch)
                register = load_set(files, self._bootstrap_root, now)
                with self._lock:
                    self._accept(register, files)
            except Unavailable as error:
                self.last_error = error
                last = self.current(now)
                if last is None:
                    raise
                return last
            except Rejected as error:
                self.last_error = error
                raise
            self.last_error = None
            return register

    def current(self, now: datetime | None = None) -> Register | None:
        """Return the last verified set without fetching; None if there never was one.

        ``Unavailable("register_expired")`` if it expired longer ago than the grace period. ``now`` defaults to the
        clock.
        """
        with self._lock:
            return self._current(now or datetime.now(UTC))

    def archived(self, version: bytes) -> Register:
        """Return this version, verified at its own time; ``Unavailable("register_unknown")`` if it is not archived."""
        with self._lock:
            register = self._archived.get(version)
            if register is None:
                register = load_set(self._archived_files(version), self._bootstrap_root, None)
                if register.version != version:
                    raise Rejected("register_invalid", "the archived set is not of the version it is filed under")
                self._archived[version] = register
            self._archived.move_to_end(version)
            if len(self._archived) > ARCHIVED_IN_MEMORY:
                self._archived.popitem(last=False)
            return register

    def archived_files(self, version: bytes) -> Mapping[str, bytes]:
        """Return all files of a set, by published path, as evidence carries them and `load_set` reads them."""
        with self._lock:
            return self._archived_files(version)

    def import_set(self, version: bytes, files: Mapping[str, bytes]) -> None:
        """Archive a set from another source without accepting it as current.

        ``Rejected`` if it does not verify at its own time, or is another version.
        """
        read = ReadFiles(files)
        with self._lock:
            if load_set(read, self._bootstrap_root, None).version != version:
                raise Rejected("register_invalid", "the set handed over is not of the version asked for")
            if self._archive.files(version) is None:
                self._archive.store_other(version, read.read)

    def file(self, path: str) -> bytes:
        """Return a file of the current set, to be verified by the caller. `FetchMissing` if there is none."""
        believed = self._accepted
        if believed is None or path not in believed[1]:
            raise FetchMissing(path)
        return believed[1][path]

    def _archived_files(self, version: bytes) -> Mapping[str, bytes]:
        files = self._archive.files(version)
        if files is None:
            raise Unavailable("register_unknown", f"no set {version.hex()} in the archive")
        return files

    def _accept(self, register: Register, files: Mapping[str, bytes]) -> None:
        last = self._last()
        if last is not None:
            refuse_rollback(last, register)
        self._archive.store(register.version, files)
        self._accepted = (register, files)

    def _current(self, now: datetime) -> Register | None:
        last = self._last()
        return None if last is None else at_time(last, now)

    def _last(self) -> Register | None:
        """Return the last accepted set of any age, from memory or from the archive."""
        if self._accepted is None:
            version = self._archive.current()
            files = None if version is None else self._archive.files(version)
            if files is not None:
                self._accepted = (load_set(files, self._bootstrap_root, None), files)
        return None if self._accepted is None else self._accepted[0]

    def _update(self, now: datetime, fetch: Fetch) -> Mapping[str, bytes]:
        """Fetch new files into the cache and return the whole set; translate python-tuf's errors."""
        try:
            updater = Updater(
                metadata_dir=str(self._cache),
                metadata_base_url="metadata",
                target_base_url="targets",
                target_dir=str(self._cache / "targets"),
                fetcher=_Fetcher(fetch),
                config=UpdaterConfig(
                    max_root_rotations=MAX_ROOTS - 1,
                    root_max_length=MAX_METADATA_BYTES,
                    snapshot_max_length=MAX_METADATA_BYTES,
                    targets_max_length=MAX_METADATA_BYTES,
                ),
                bootstrap=self._bootstrap_root,
            )
            # python-tuf reads the clock itself and has no parameter for it; here the time is the caller's.
            updater._trusted_set.reference_time = now  # noqa: SLF001
            updater.refresh()
            return dict(self._collect(updater))
        except ExpiredMetadataError as error:
            raise Unavailable("register_expired", str(error)) from error
        except BadVersionNumberError as error:
            raise Rejected("register_rolled_back", str(error)) from error
        except (RepositoryError, DownloadLengthMismatchError) as error:
            raise Rejected("register_invalid", str(error)) from error
        except DownloadError as error:
            raise Unavailable("register_unavailable", str(error)) from error
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            # python-tuf parses most of what is malformed into its own errors, but promises no more than that.
            raise Rejected("register_invalid", f"the metadata cannot be read: {error}") from error

    def _collect(self, updater: Updater) -> Iterator[tuple[str, bytes]]:
        """Yield every file of the set that the updater has just verified, by published path."""
        root_history = self._cache / "root_history"
        bootstrap = Metadata.from_bytes(self._bootstrap_root).signed.version
        last_root = Metadata.from_file(str(self._cache / "root.json")).signed.version
        for version in range(bootstrap, last_root + 1):
            yield root_path(version), (root_history / f"{version}.root.json").read_bytes()
        yield "metadata/timestamp.json", (self._cache / f"{Timestamp.type}.json").read_bytes()
        yield self._cached(Snapshot.type)
        path, data = self._cached(Targets.type)
        yield path, data
        top: Targets = Metadata[Targets].from_bytes(data).signed
        yield from self._targets(updater, top)
        for role in top.delegations.roles if top.delegations and top.delegations.roles else ():
            # Asking for a file of the role makes the updater fetch and verify the role's metadata.
            updater.get_targetinfo(roles.example_of(role))
            path, data = self._cached(role)
            yield path, data
            yield from self._targets(updater, Metadata[Targets].from_bytes(data).signed)

    def _cached(self, role: str) -> tuple[str, bytes]:
        try:
            data = (self._cache / f"{role}.json").read_bytes()
        except FileNotFoundError as error:
            raise Rejected(
                "register_invalid", f"the register delegates nothing to {role} over its own files"
            ) from error
        return f"metadata/{Metadata.from_bytes(data).signed.version}.{role}.json", data

    def _targets(self, updater: Updater, targets: Targets) -> Iterator[tuple[str, bytes]]:
        if (
            len(targets.targets) > MAX_SET_FILES
            or sum(info.length for info in targets.targets.values()) > MAX_SET_BYTES
        ):
            raise Rejected("register_invalid", "a role lists too much")
        for path in targets.targets:
            info = updater.get_targetinfo(path)
            if info is None or info.length > MAX_TARGET_BYTES:
                raise Rejected("register_invalid", f"{path} is not that role's to list, or too large")
            published = target_path(info)
            cached = updater.find_cached_target(info) or updater.download_target(info)
            yield published, Path(cached).read_bytes()


def folder_fetch(folder: Path) -> Fetch:
    """Fetch from a plain folder that holds a repository (``metadata/`` and ``targets/``)."""
    root = folder.resolve()

    def fetch(path: str, max_bytes: int) -> bytes:
        file = (root / path).resolve()
        if not file.is_relative_to(root) or not file.is_file():
            raise FetchMissing(path)
        try:
            with file.open("rb") as stream:
                return stream.read(max_bytes + 1)
        except OSError as error:
            raise Unavailable("register_unavailable", f"cannot read {file}: {error.strerror}") from error

    return fetch


class ReadFiles(dict[str, bytes]):
    """A mapping of files that records its reads: only the signed files of a set, without additional ones.

    Unsigned names must not become file names.
    """

    def __init__(self, files: Mapping[str, bytes]) -> None:
        super().__init__(files)
        self.read: dict[str, bytes] = {}

    @override
    def get(self, path: str, default: Any = None) -> Any:
        """Return a file and record the read."""
        found = super().get(path, default)
        if found is not None:
            self.read[path] = found
        return found


class _Fetcher(FetcherInterface):
    """An adapter from python-tuf's fetcher to our fetch function; `Unavailable` passes through unchanged."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch_file = fetch

    @override
    def _fetch(self, url: str) -> Iterator[bytes]:
        raise NotImplementedError("the length limit is part of our fetch: see download_file")

    @contextmanager
    @override
    def download_file(self, url: str, max_length: int) -> Iterator[IO[bytes]]:
        """Fetch one file within its limit."""
        try:
            data = self._fetch_file(url, max_length)
        except FetchMissing as error:
            raise DownloadHTTPError(f"{url} is not served", _HTTP_NOT_FOUND) from error
        if len(data) > max_length:
            raise DownloadLengthMismatchError(f"{url} is longer than {max_length} bytes")
        yield BytesIO(data)
