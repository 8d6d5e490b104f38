"""The reader of the register: fetches it, verifies every set and archives the verified ones.

A new version of the register is accepted in these steps. The roots that follow the known one are fetched until one is
missing, then the timestamp, whose signature is verified before anything is fetched that it names. Unless it is newer
than the known one, nothing else is fetched. The snapshot, the metadata and the files follow as the verification asks
for them (`verified_set`: the same steps verify evidence); each is bounded by the length that was named, and one that is
archived under the named SHA-256 is not fetched. The set is then compared with the accepted one, archived and only then
accepted: a set is accepted whole, or nothing is changed on disk. So a source that lies or lags cannot spoil anything.

If nothing newer can be fetched, the last set is used until its expiry and, marked ``late``, through the grace period;
after that there is no register.

Two sets of one version number, of one publisher's key, disqualify that key here: sets that no other publisher signed
too are refused. Two publishers may publish one version number at one time: the set that came first stays. Two roots of
one version (`RegisterReader.note_fork`) freeze the membership at the root before, until people decide which of them
counts (`RegisterReader.settle_fork`), unless the custodians' refusals of one of them are known here.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from tuf.api.metadata import Metadata, Root, Snapshot, Timestamp

from paiza_register.archive import Archive, write_durably
from paiza_register.contradictions import broken_by, published_twice, refusing, root_fork, signed_version
from paiza_register.fetch import Fetch, FetchMissing, Source, files_fetch, known_there
from paiza_register.misbehaviour import ROOTS, Misbehaviour, RootFork
from paiza_register.model import Register
from paiza_register.revocation_times import unrevoked_until
from paiza_register.succession import refuse_rollback, signed_twice
from paiza_register.tuf_workflow import (
    MAX_METADATA_BYTES,
    TIMESTAMP_PATH,
    FileMismatch,
    Repository,
    Verified,
    parse,
    root_path,
)
from paiza_register.validity import at_time, highest_version, when_accepted
from paiza_register.verified_set import check_published, check_root, translated, verify
from paiza_wire.errors import PaizaError, Rejected, Unavailable

ARCHIVED_IN_MEMORY: Final = 16
"""Archived registers kept parsed: the versions that messages of one month name."""


class RegisterReader:
    """The register of one program, kept in one folder that no other program writes.

    Synchronous and blocking; thread-safe. Disk errors (`OSError`) are not translated.
    """

    def __init__(self, folder: Path, bootstrap_root: bytes) -> None:
        self._bootstrap_root = bootstrap_root
        self._archive = Archive(folder)
        self._misbehaviour = Misbehaviour(folder)
        self._highest_file = folder / "highest-seen"
        self._refreshing = threading.Lock()  # held while fetching, which depends on remote answers
        self._lock = threading.RLock()  # held briefly, also while a fetch is under way
        self._accepted: Register | None = None
        self._archived: OrderedDict[bytes, Register] = OrderedDict()
        self.last_error: PaizaError | None = None
        """Why the last refresh brought nothing new; None when it ended well."""

    @property
    def bootstrap_root(self) -> bytes:
        """Return the root that everything is verified from."""
        return self._bootstrap_root

    @property
    def disqualified(self) -> frozenset[str]:
        """Return the ids of the publishers' keys that signed two sets of one version: they are not believed here."""
        return self._misbehaviour.disqualified

    @property
    def proven(self) -> frozenset[str]:
        """Return what `proofs` has: the ids of disqualified keys, and `ROOTS` if there are two roots of one version."""
        return self.disqualified | ({ROOTS} if self.fork is not None else set())

    def proofs(self) -> Mapping[str, tuple[bytes, bytes]]:
        """Return the two files of one version that prove each misbehaviour, by what `proven` calls it."""
        with self._lock:
            return self._misbehaviour.proofs()

    def note_proof(self, first: bytes, second: bytes, now: datetime) -> None:
        """Keep the proof that these two are timestamps, snapshots or roots of one version, and draw the consequences.

        ``Rejected("register_invalid")`` if they prove nothing.
        """
        with self._lock:
            last = self._last()
            if last is None:
                return
            root: Root = translated(lambda: parse(Root, self._root(last.root_version))).signed
            for role, twice in published_twice(root, first, second).items():
                for keyid in sorted(twice):
                    self._misbehaviour.disqualify(keyid, role, first, second)
                return
            version = translated(lambda: parse(Root, first)).signed.version
            if self._first_root < version <= last.root_version + 1:
                ours = first if version > last.root_version else self._root(version)
                for theirs in (first, second):
                    if self.fork is None and self._note_two_roots(last, version, ours, theirs, now):
                        return
        raise Rejected("register_invalid", "these two files prove nothing")

    @property
    def fork(self) -> RootFork | None:
        """Return the two roots of one version that froze the membership here; None if there are none."""
        return self._misbehaviour.fork

    @property
    def highest_seen(self) -> int:
        """Return the highest timestamp version that a publisher signed and that was seen here; 0 if there was none.

        A publisher must go above it.
        """
        with self._lock:
            last = self._last()
            return max(self._highest(), 0 if last is None else last.timestamp_version)

    def refresh(self, now: datetime, fetch: Fetch) -> Register:
        """Fetch and accept new versions; return the current register.

        If nothing can be fetched, or only an expired set, the last verified set is returned while it is valid (see
        `current`); `last_error` then holds the reason. A set that does not verify or is older than the known one is
        Rejected: try another source; `current` still returns the last set. A source that lacks a file, or has another
        than was named, is Unavailable: it is behind, or it lies.
        """
        with self._refreshing:
            try:
                register = self._take(self._repository(fetch), now)
            except FileMismatch as error:
                return self._without_news(now, Unavailable("register_unavailable", str(error)))
            except Unavailable as error:
                return self._without_news(now, error)
            except Rejected as error:
                self.last_error = error
                raise
            self.last_error = None
            if register.late:
                self.last_error = Unavailable("register_expired", f"it expired at {register.expiry_time.isoformat()}")
            return register

    def accept(self, files: Mapping[str, bytes], now: datetime, *, outdated: bool = False) -> Register:
        """Accept a set that was made or carried here, under the checks of `refresh`; return the register in force.

        That is the set before if this one is not newer. With ``outdated`` the timestamp may have expired.
        """
        try:
            return self._take(self._repository(files_fetch(files)), now, outdated=outdated)
        except FileMismatch as error:
            raise Rejected("register_invalid", str(error)) from error

    def current(self, now: datetime | None = None) -> Register | None:
        """Return the last verified set without fetching; None if there never was one.

        ``Unavailable("register_expired")`` if it expired longer ago than the grace period, ``register_forked`` if there
        is no set from before two contradicting roots. ``now`` defaults to the clock.
        """
        with self._lock:
            last = self._last()
            if last is None and self.fork is not None:
                raise Unavailable("register_forked", f"no set of before root {self.fork.version} is archived")
            return None if last is None else at_time(last, now or datetime.now(UTC))

    @property
    def last(self) -> Register | None:
        """Return the last verified set of any age, taken at its own time; None if there never was one."""
        with self._lock:
            return self._last()

    def archived(self, version: bytes) -> Register:
        """Return this version, verified at its own time; ``Unavailable("register_unknown")`` if it is not archived."""
        with self._lock:
            register = self._archived.get(version)
            if register is None:
                self._archived[version] = register = self._load(version)
            self._archived.move_to_end(version)
            if len(self._archived) > ARCHIVED_IN_MEMORY:
                self._archived.popitem(last=False)
            return register

    def unrevoked_until(self, member: str, revoked: frozenset[bytes]) -> datetime | None:
        """Return a time until which the register revoked none of these certificates and keys of a member, if known."""
        return unrevoked_until(self._archive, self.archived, member, revoked)

    def archived_files(self, version: bytes) -> Mapping[str, bytes]:
        """Return all files of a set, by published path, as evidence carries them and `load_set` reads them."""
        with self._lock:
            files = self._archive.files(version)
            if files is None:
                raise Unavailable("register_unknown", f"no set {version.hex()} in the archive")
            try:
                return dict(files)
            except KeyError as error:
                raise Unavailable("register_unknown", f"the archived set lacks {error}") from error

    def import_set(self, version: bytes, fetch: Fetch) -> None:
        """Archive a set from another source without accepting it as current.

        ``Rejected`` if it does not verify at its own time, or is another version. ``Unavailable`` as from `refresh`.
        """
        repository = self._repository(fetch, archived=True)
        try:
            register = verify(repository)
        except FileMismatch as error:
            raise Unavailable("register_unavailable", str(error)) from error
        if register.version != version:
            raise Rejected("register_invalid", "the set handed over is not of the version asked for")
        with self._lock:
            try:
                self._load(version)
            except (Rejected, Unavailable):  # it is not archived, or the archive is damaged
                self._store(register, repository)

    def file(self, path: str, version: bytes = b"") -> bytes:
        """Return a file of the current set or of an archived one, to be verified by the caller.

        `FetchMissing` if there is none.
        """
        with self._lock:
            last = self._last()
            wanted = version or (b"" if last is None else last.version)
            files = self._archive.files(wanted) or {}
            if path not in files:
                raise FetchMissing(path)
            return files[path]

    def note_fork(self, root_file: bytes, now: datetime) -> RootFork | None:
        """Check another root of a version that was accepted here; return the fork if it proves one.

        The other root must follow the newest root that both have: of two chains of roots, hand over the first that
        differs. ``Rejected("register_invalid")`` if it does not. A proven fork is kept for ever; the membership freezes
        at the root before, and the newest archived set of that root or of an older one is in force, if there is one. If
        enough refusals of one of the two are known here (`note_refusals`), the other one counts, and nothing freezes.
        None if it is the same root, one that was not accepted here, or one of two between which people decided.
        """
        with self._lock:
            last = self._last()
            other: Root = translated(lambda: parse(Root, root_file)).signed
            if last is None or not self._first_root < other.version <= last.root_version:
                return None
            return self._note_two_roots(last, other.version, self._root(other.version), root_file, now)

    def note_refusals(self, version: int, root_sha256: bytes, refusals: Mapping[str, str]) -> None:
        """Keep the refusals of a root of this version, if there are so many that it can never count.

        ``root_sha256``: of what its signatures would be over. ``refusals``: key id -> signature, in hex.
        """
        with self._lock:
            last = self._last()
            if last is None or not self._first_root < version <= last.root_version + 1:
                return
            common: Root = translated(lambda: parse(Root, self._root(version - 1))).signed
            if refusing(common, root_sha256, refusals) and not self._misbehaviour.refusals(version, root_sha256):
                self._misbehaviour.keep_refusals(version, root_sha256, refusals)

    def settle_fork(self, root_file: bytes) -> None:
        """End the freeze, since people decided that of the two roots this one counts; the other is refused for ever.

        ``Rejected("register_invalid")`` if it is neither of them, or there is no fork.
        """
        with self._lock:
            chosen = translated(lambda: parse(Root, root_file)).signed_bytes
            two = [parse(Root, data).signed_bytes for data in self.proofs().get(ROOTS, ())]
            if chosen not in two:
                raise Rejected("register_invalid", "this is neither of the two roots that froze the membership")
            self._misbehaviour.settle(sha256(chosen).digest())
            self._archived.clear()
            self._accepted = None

    @property
    def ahead(self) -> bytes | None:
        """Return the version of the newest archived set whose root follows that of the last set; None if there is none.

        There is one after a fork was settled, if the set in force went on under the root before meanwhile.
        """
        with self._lock:
            last, found = self._last(), list[Register]()
            for version in self._archive.versions():
                listed = self._archive.set(version)
                if last is None or self.fork is not None or listed is None or listed.root <= last.root_version:
                    continue
                with suppress(Rejected, Unavailable):
                    found.append(self._load(version))
            newest = max(found, key=lambda register: register.timestamp_version, default=None)
            return None if newest is None else newest.version

    def _check_root(self, root: Root, signers: frozenset[str]) -> None:
        check_root(root, signers)
        chosen = self._misbehaviour.settled.get(root.version)
        if chosen is not None and sha256(Metadata(root).signed_bytes).digest() != chosen:
            raise Rejected("register_forked", f"another root {root.version} counts")

    def _note_two_roots(
        self, last: Register, version: int, ours: bytes, theirs: bytes, now: datetime
    ) -> RootFork | None:
        common: Root = translated(lambda: parse(Root, self._root(version - 1))).signed
        fork = root_fork(common, ours, theirs, last.custodians, now)
        if fork is None or version in self._misbehaviour.settled:
            return None  # one root, or two of which only one is accepted here
        broken = {data: broken_by(common, data, self._misbehaviour.refusals) for data in (ours, theirs)}
        if sum(map(bool, broken.values())) == 1:  # those who signed the other one were free to do so
            liars, counts = (broken[theirs], ours) if broken[theirs] else (broken[ours], theirs)
            fork = replace(
                fork, broke=tuple(sorted(member for member, key in last.custodians.items() if key.keyid in liars))
            )
            self._misbehaviour.settle_by(fork, sha256(parse(Root, counts).signed_bytes).digest(), ours, theirs)
            if counts == ours:
                return fork
        else:
            self._misbehaviour.keep_fork(fork, ours, theirs)
        self._archive.keep_roots(self._archive.verified_roots()[: fork.common - self._first_root + 1])
        self._archived.clear()
        self._accepted = None
        self._last()
        return fork

    def _without_news(self, now: datetime, error: Unavailable) -> Register:
        self.last_error = error
        last = self.current(now)
        if last is None:
            raise error
        return last

    def _repository(self, fetch: Fetch, *, archived: bool = False) -> Repository:
        """Return the repository of a source. Of the known roots an archived set may have only some."""
        with self._lock:
            last = self._last()
            known = () if last is None else self._archive.verified_roots()[: last.root_version - self._first_root + 1]
            newest = None if self.fork is None else self.fork.common
        if archived:
            known = known[: known_there(fetch, known, self._first_root)]
        elif newest is not None:
            with suppress(FetchMissing):
                fetch(root_path(newest + 1), MAX_METADATA_BYTES)
                raise Rejected("register_forked", f"the set has root {newest + 1}, of which there are two")
        return Repository(Source(fetch, self._archive), self._bootstrap_root, known, self._check_root, newest)

    def _take(self, repository: Repository, now: datetime, *, outdated: bool = False) -> Register:
        """Verify and accept a set if it is newer; return the register that is in force then."""
        parts: dict[str, Verified[Any]] = {}
        steps: dict[str, Callable[[], Verified[Any]]] = {
            Timestamp.type: lambda: repository.timestamp,
            Snapshot.type: lambda: repository.snapshot,
        }
        for role, step in steps.items():
            parts[role] = translated(step)
            check_published(parts[role])
            with self._lock:
                last = self._last()
                if not self._is_news(last, role, parts[role], repository.root, now):
                    assert last is not None, "without a set everything is new"
                    return at_time(last, now, outdated=outdated)
        register = verify(repository)
        judged = when_accepted(register, now, outdated=outdated)
        with self._lock:
            last = self._last()
            if last is not None:
                if not all(self._is_news(last, role, found, repository.root, now) for role, found in parts.items()):
                    return at_time(last, now, outdated=outdated)  # another set was accepted meanwhile
                refuse_rollback(last, register)
            if self.fork is not None and register.root_version > self.fork.common:
                raise Rejected("register_forked", f"there are two roots {self.fork.version}")
            self._store(register, repository)
            self._archive.make_current(register.version)
            self._accepted = register
        return judged

    def _is_news(self, last: Register | None, role: str, found: Verified[Any], root: Root, now: datetime) -> bool:
        """Return whether a timestamp or snapshot may be of a newer set than the last one. Under the lock.

        ``Rejected`` if it is older, or if only a key signed it that is not believed here. Two of one version by one key
        are kept as proof.
        """
        new = signed_version(found)
        if new.signers <= self.disqualified:
            raise Rejected("register_invalid", f"the one publisher of the {role} signed two sets of one version before")
        if new.version > highest_version(now):
            raise Rejected("register_invalid", f"the version of {role} is {new.version}, higher than it may be yet")
        if last is None or not self._remembered(last, role) & set(root.roles[role].keyids):
            self._note_highest(role, new.version)
            return True
        known = last.state.timestamp if role == Timestamp.type else last.state.snapshot
        if new.version < known.version:
            raise Rejected("register_rolled_back", f"{role} is older than the one known")
        self._note_highest(role, new.version)
        if twice := signed_twice(known, new):
            files = self._archive.files(last.version) or {}
            path = TIMESTAMP_PATH if role == Timestamp.type else f"metadata/{known.version}.snapshot.json"
            for keyid in sorted(twice):
                self._misbehaviour.disqualify(keyid, role, files[path], found.data)
            raise Rejected("register_invalid", f"a publisher signed two files of {role} {new.version}")
        if new.version > known.version or new.sha256 == known.sha256:
            return role != Timestamp.type or new.version > known.version or root.version > last.root_version
        return False  # two publishers at one time: the first that came stays until one of them goes above both

    def _note_highest(self, role: str, version: int) -> None:
        if role == Timestamp.type and version > self._highest():
            write_durably(self._highest_file, str(version).encode() + b"\n")

    def _highest(self) -> int:
        with suppress(FileNotFoundError, ValueError):
            return int(self._highest_file.read_bytes())
        return 0

    @staticmethod
    def _remembered(last: Register, role: str) -> frozenset[str]:
        return (last.state.timestamp if role == Timestamp.type else last.state.snapshot).signers

    def _store(self, register: Register, repository: Repository) -> None:
        roots = repository.roots
        self._archive.store(register.version, repository.files, roots.data, roots.digests)

    def _last(self) -> Register | None:
        """Return the last accepted set of any age, from memory or from the archive. Under the lock.

        In place of one that is damaged or follows a root of which there are two, the newest intact one counts.
        """
        if self._accepted is None and (version := self._archive.current()) is not None:
            with suppress(Rejected, Unavailable):
                found = self._load(version)
                if self.fork is None or found.root_version <= self.fork.common:
                    self._accepted = found
            if self._accepted is None:
                self._accepted = self._newest()
                self._archive.make_current(b"" if self._accepted is None else self._accepted.version)
        return self._accepted

    def _newest(self) -> Register | None:
        """Return the newest intact set of the archive; None if there is none."""
        return next(iter(self.newest_first()), None)

    def newest_first(self) -> Sequence[Register]:
        """Return all intact sets of the archive that may be in force, the newest first; each is verified for it."""
        found: list[Register] = []
        with self._lock:
            for version in self._archive.versions():
                with suppress(Rejected, Unavailable):
                    register = self._load(version)
                    if self.fork is None or register.root_version <= self.fork.common:
                        found.append(register)
        return sorted(found, key=lambda register: register.timestamp_version, reverse=True)

    def _load(self, version: bytes) -> Register:
        """Verify an archived set at its own time, from the newest of its roots that was verified before.

        ``Unavailable("register_unknown")`` if it is not archived, or damaged: another source may have it.
        """
        files, listed = self._archive.files(version), self._archive.set(version)
        if files is None or listed is None:
            raise Unavailable("register_unknown", f"no set {version.hex()} in the archive")
        known = self._archive.verified_roots()[: listed.root - listed.first_root + 1]
        repository = Repository(
            lambda path, _most, _sha256: files.get(path), self._bootstrap_root, known, self._check_root, listed.root
        )
        try:
            register = verify(repository)
        except FileMismatch as error:
            raise Unavailable("register_unknown", f"the archived set is damaged: {error}") from error
        if register.version != version:
            raise Rejected("register_invalid", "the archived set is not of the version it is filed under")
        return register

    def _root(self, version: int) -> bytes:
        data = self._archive.root(version)
        if data is None:
            raise Rejected("register_invalid", f"root {version} is missing from the archive")
        return data

    @cached_property
    def _first_root(self) -> int:
        first: Root = translated(lambda: parse(Root, self._bootstrap_root)).signed
        return first.version
