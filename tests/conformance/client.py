"""A command as the conformance suite of TUF calls it (CLIENT-CLI.md there), over `paiza_register.tuf_workflow`.

The suite looks at what a client trusts after each part of the workflow. So each part is stored here as soon as it is
accepted, while the reader of the register accepts a set whole or not at all; and what is searched is searched here,
since the register needs no search: everything it delegates is named. The rest is the workflow's: signatures, versions,
hashes, lengths, the order of reading.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from http.client import HTTPConnection
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlsplit

from tuf.api.exceptions import ExpiredMetadataError
from tuf.api.metadata import Metadata, Root, Signed, Snapshot, TargetFile, Targets, Timestamp

from paiza_register.tuf_workflow import (
    METADATA_ERRORS,
    TIMESTAMP_PATH,
    FileMismatch,
    Repository,
    SignedVersion,
    State,
    Verified,
    refuse_older,
    verified,
)

FAILED: Final = 1
NOT_FOUND: Final = 404
TIMEOUT_SECONDS: Final = 10

_Kind = TypeVar("_Kind", bound=Signed)


class Client:
    """A client with its trusted metadata in a folder, one file a role, and a repository behind two URLs."""

    def __init__(self, folder: Path, metadata_url: str, target_url: str = "") -> None:
        self._folder = folder
        self._urls = {"metadata": metadata_url, "targets": target_url}
        self._now = datetime.now(UTC)
        self._fetched: dict[str, bytes] = {}

    def refresh(self) -> Repository:
        """Run the workflow of the specification (§5.3-5.6); return the repository as it is trusted then."""
        bootstrap = (self._folder / "root.json").read_bytes()
        known = self._known()
        repository = Repository(self._read, bootstrap, check_root=self._trust_root)
        root = repository.root
        self._refuse_expired(root)
        found = repository.timestamp
        new = State(
            root=root.version,
            timestamp=SignedVersion(found.signed.version, sha256(found.payload).digest(), found.signers),
            snapshot=SignedVersion(found.signed.snapshot_meta.version),
            timestamp_keys=frozenset(root.roles[Timestamp.type].keyids),
            snapshot_keys=frozenset(root.roles[Snapshot.type].keyids),
        )
        refuse_older(replace(known, named=MappingProxyType({})), new)
        if known.timestamp.signers & new.timestamp_keys and known.timestamp.version == new.timestamp.version:
            # Of one version the first one counts: the stored one, with the snapshot that it names.
            stored = self._stored("root")
            assert stored is not None, "it was trusted above"
            repository = Repository(self._read_stored, stored, newest_root=root.version)
            found = repository.timestamp
        self._trust(Timestamp.type, found)
        snapshot = repository.snapshot
        refuse_older(known, repository.state())
        self._trust(Snapshot.type, snapshot)
        self._trust(Targets.type, repository.targets)
        return repository

    def download(self, repository: Repository, name: str, folder: Path) -> None:
        """Search for a target (§5.6.7) and store its file; one that is there already is not read again."""
        found = (targets.targets.get(name) for targets in self._search(repository, name))
        info = next((each for each in found if each is not None), None)
        if info is None:
            raise FileMismatch(f"nobody vouches for {name}")
        file = folder / quote(name, "")
        with suppress(FileNotFoundError, *METADATA_ERRORS):
            info.verify_length_and_hashes(file.read_bytes())
            return
        path = _published(info) if repository.root.consistent_snapshot else name
        file.write_bytes(repository.target(f"targets/{path}", info))

    def _search(self, repository: Repository, name: str) -> Iterator[Targets]:
        """Yield the targets metadata that may name a target, depth first, each role once."""
        waiting: list[tuple[str, Root | Targets]] = [(Targets.type, repository.root)]
        visited: set[str] = set()
        while waiting:
            role, delegator = waiting.pop()
            if role in visited:
                continue
            visited.add(role)
            found = repository.delegated(role, delegator)
            self._trust(role, found)
            yield found.signed
            delegated: list[tuple[str, Root | Targets]] = []
            if found.signed.delegations is not None:
                for each, terminating in found.signed.delegations.get_roles_for_target(name):
                    delegated.append((each, found.signed))
                    if terminating:
                        waiting = []
                        break
            waiting += reversed(delegated)

    def _known(self) -> State:
        """Return what was trusted before; a part that does not verify under the stored root is forgotten."""
        state = State()
        root_file = self._stored("root")
        with suppress(*METADATA_ERRORS):
            root: Root = Metadata[Root].from_bytes(root_file or b"").signed
            state = replace(state, root=root.version)
            timestamp = self._stored_part(Timestamp, root)
            if timestamp is not None:
                state = replace(state, timestamp=_version(timestamp))
            snapshot = self._stored_part(Snapshot, root)
            if snapshot is not None:
                named = {name.removesuffix(".json"): meta.version for name, meta in snapshot.signed.meta.items()}
                state = replace(state, snapshot=_version(snapshot), named=MappingProxyType(named))
        return state

    def _stored_part(self, kind: type[_Kind], root: Root) -> Verified[_Kind] | None:
        data = self._stored(kind.type)
        with suppress(*METADATA_ERRORS):
            return None if data is None else verified(kind, data, root, kind.type)
        return None

    def _trust_root(self, root: Root, _signers: frozenset[str]) -> None:
        """Store a root once it is verified. The bootstrap root is stored already."""
        data = self._fetched.get(f"metadata/{root.version}.root.json")
        if data is not None:
            self._store(Root.type, data)

    def _trust(self, role: str, found: Verified[Any]) -> None:
        self._refuse_expired(found.signed)
        self._store(role, found.data)

    def _refuse_expired(self, signed: Signed) -> None:
        if signed.is_expired(self._now):
            raise ExpiredMetadataError(f"{signed.type} has expired")

    def _store(self, role: str, data: bytes) -> None:
        (self._folder / f"{quote(role, '')}.json").write_bytes(data)

    def _stored(self, role: str) -> bytes | None:
        path = self._folder / f"{quote(role, '')}.json"
        return path.read_bytes() if path.exists() else None

    def _read_stored(self, path: str, most: int, digest: bytes | None) -> bytes | None:
        """Read from the repository, but for the timestamp, which is the stored one."""
        return self._stored(Timestamp.type) if path == TIMESTAMP_PATH else self._read(path, most, digest)

    def _read(self, path: str, most: int, digest: bytes | None) -> bytes | None:
        """Return a file: one that is stored in the version that was named, or the repository's."""
        version, _, role = path.removeprefix("metadata/").removesuffix(".json").partition(".")
        stored = (self._folder / f"{role}.json") if role and role != Root.type else None
        if path.startswith("metadata/") and stored is not None and stored.exists():
            data = stored.read_bytes()
            with suppress(*METADATA_ERRORS):
                fits = digest is None or sha256(data).digest() == digest
                if fits and Metadata[Any].from_bytes(data).signed.version == int(version):
                    return data
        fetched = self._fetch(path, most)
        if fetched is not None:
            self._fetched[path] = fetched
        return fetched

    def _fetch(self, path: str, most: int) -> bytes | None:
        part, _, name = path.partition("/")
        url = urlsplit(self._urls[part])
        connection = HTTPConnection(url.netloc, timeout=TIMEOUT_SECONDS)
        try:
            connection.request("GET", f"{url.path}{name}")
            answer = connection.getresponse()
            return None if answer.status == NOT_FOUND else answer.read(most + 1)
        finally:
            connection.close()


def _published(info: TargetFile) -> str:
    """Return the published path of a target, with the first of its hashes as prefix (§6.2)."""
    folder, slash, name = info.path.rpartition("/")
    return f"{folder}{slash}{next(iter(info.hashes.values()))}.{name}"


def _version(found: Verified[Any]) -> SignedVersion:
    return SignedVersion(found.signed.version, sha256(found.payload).digest(), found.signers)


def main(arguments: Sequence[str]) -> int:
    """Run one command of the suite; return its exit code."""
    parser = argparse.ArgumentParser()
    for option in ("--metadata-dir", "--metadata-url", "--target-dir", "--target-base-url"):
        parser.add_argument(option)
    parser.add_argument("--target-name", action="append", default=[])
    parser.add_argument("command", choices=["init", "refresh", "download"])
    parser.add_argument("root", nargs="?")
    given = parser.parse_args(arguments)
    folder = Path(given.metadata_dir)
    if given.command == "init":
        (folder / "root.json").write_bytes(Path(given.root).read_bytes())
        return 0
    client = Client(folder, given.metadata_url, given.target_base_url or "")
    try:
        repository = client.refresh()
        for name in given.target_name:
            client.download(repository, name, Path(given.target_dir))
    except (FileMismatch, *METADATA_ERRORS) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
