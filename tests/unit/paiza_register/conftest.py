"""A real register, made by the `dev` ceremony, that tests can change in one place and have signed again."""

import json
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from securesystemslib.signer import CryptoSigner, Signer
from tuf.api.metadata import Metadata, MetaFile, Root, Signed, Snapshot, TargetFile, Targets, Timestamp

from paiza_register import FetchMissing, Register, load_set, roles
from paiza_register.tuf_workflow import root_path
from paiza_register.verified_set import FEDERATION, target_path
from paiza_trust import dev
from paiza_trust.key_folder import KeyFolder
from paiza_wire.errors import Rejected
from paiza_wire.identity.private_keys import MLDSA44
from tests.registers import newest
from tests.two_verifiers import second_verifier

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
MEMBERS = ("kaz", "tjk", "centre")


class Holder:
    """Holder of every key of a register, as in an attack or a careless ceremony, who signs any content.

    The metadata objects are public and may be changed; `files` signs them anew, with hashes that fit, so that only what
    the test changed is wrong.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        register = newest(folder)
        self.bootstrap = register.first_root

        def read(name: str) -> Any:
            return Metadata.from_bytes(register.files[f"metadata/{name}"]).signed

        self.root: Root = read(f"{register.newest}.root.json")
        self.timestamp: Timestamp = read("timestamp.json")
        self.snapshot: Snapshot = read(f"{self.timestamp.snapshot_meta.version}.snapshot.json")
        named = {
            name.removesuffix(".json"): read(f"{each.version}.{name}") for name, each in self.snapshot.meta.items()
        }
        self.top: Targets = named.pop(Targets.type)
        self.roles: dict[str, Targets] = named
        self.old_roots: dict[str, bytes] = {
            root_path(version): register.files[root_path(version)] for version in range(1, register.newest + 1)
        }
        self.documents: dict[str, bytes] = {}
        for role in (self.top, *self.roles.values()):
            for path, info in role.targets.items():
                self.documents[path] = register.files[target_path(info)]
        federation = json.loads(self.documents[FEDERATION])
        publishers = [each["member"] for each in federation["publishers"]]
        members = [*publishers, *sorted(set(federation["members"]) - set(publishers))]
        own = {member: KeyFolder(folder / "trust" / member) for member in members}
        node = {member: KeyFolder(folder / "nodes" / member / "keys", {"sealed": False}) for member in members}
        publisher = CryptoSigner(node[publishers[0]].key("publisher.key", MLDSA44))
        custodians = [own[each["member"]].pair(f"custodian-{each['member']}") for each in federation["custodians"]]
        self.signers: dict[str, Sequence[Signer]] = {
            "root": custodians,
            "targets": custodians,
            "snapshot": [publisher],
            "timestamp": [publisher],
            roles.REFERENCE: [own[members[0]].pair(f"reference-{members[0]}")],
            **{member: [own[member].pair(f"member-{member}")] for member in members},
            **{roles.node_role_of(member): [node[member].pair("revocations")] for member in members},
        }

    def copy(self) -> "Holder":
        """Return an independent holder of the same keys."""
        signers = self.signers
        self.signers = {}
        other = deepcopy(self)
        self.signers, other.signers = signers, dict(signers)
        return other

    def put(self, path: str, data: bytes, *, role: str | None = None) -> None:
        """Publish a file, vouched for by its own role or by another."""
        owner = role or roles.role_of(path) or path.split("/")[1]
        targets = self.top if owner == "targets" else self.roles[owner]
        targets.targets[path] = TargetFile.from_data(path, data, ["sha256"])
        self.documents[path] = data

    def drop(self, path: str) -> None:
        """Publish a file no longer."""
        for role in (self.top, *self.roles.values()):
            role.targets.pop(path, None)
        del self.documents[path]

    def edit(self, path: str, change: Callable[[dict[str, Any]], object]) -> None:
        """Change a document and publish it."""
        document = json.loads(self.documents[path])
        change(document)
        self.put(path, json.dumps(document).encode())

    def live_long(self) -> "Holder":
        """Return the holder with a timestamp of 30 days, the longest life."""
        self.edit("federation.json", lambda document: document.update(timestamp_life_hours=720))
        self.timestamp.expires = NOW + timedelta(days=30)
        return self

    def advance(self, days: float = 0) -> "Holder":
        """Return everything but the root the next version, and new expiries so many days later."""
        for part in (self.timestamp, self.snapshot, self.top, *self.roles.values()):
            part.version += 1
            part.expires += timedelta(days=days)
        return self

    def sign(self, role: str, payload: Signed) -> bytes:
        """Sign metadata with the keys of a role."""
        metadata: Metadata[Any] = Metadata(payload)
        for signer in self.signers[role]:
            metadata.sign(signer, append=True)
        return metadata.to_bytes()

    def rotate_root(
        self, change: Callable[[Root], object] = lambda _: None, signers: Sequence[Signer] | None = None
    ) -> None:
        """Publish the next root."""
        self.root = deepcopy(self.root)
        self.root.version += 1
        change(self.root)
        kept = self.signers["root"]
        self.signers["root"] = kept if signers is None else signers
        self.old_roots[f"metadata/{self.root.version}.root.json"] = self.sign("root", self.root)
        self.signers["root"] = kept

    def files(self) -> dict[str, bytes]:
        """Sign everything and give the whole set."""
        files = dict(self.old_roots)

        def add(role: str, payload: Targets | Snapshot) -> MetaFile:
            data = self.sign(role, payload)
            files[f"metadata/{payload.version}.{role}.json"] = data
            return MetaFile(payload.version, len(data), {"sha256": sha256(data).hexdigest()})

        for role, targets in {"targets": self.top, **self.roles}.items():
            meta = add(role, targets)
            if f"{role}.json" in self.snapshot.meta:
                self.snapshot.meta[f"{role}.json"] = meta
            for path, info in targets.targets.items():
                head, slash, name = path.rpartition("/")
                files[f"targets/{head}{slash}{info.hashes['sha256']}.{name}"] = self.documents[path]
        self.timestamp.snapshot_meta = add("snapshot", self.snapshot)
        files["metadata/timestamp.json"] = self.sign("timestamp", self.timestamp)
        return files

    def load(self, at: datetime | None = NOW) -> Register:
        """Sign everything and verify it."""
        return load_set(self.files(), self.bootstrap, at)


SECOND = second_verifier()


def refused_by_both(holder: Holder) -> str:
    """Demand that ours and the second verifier refuse what a holder signs; return why ours does."""
    files = holder.files()
    try:
        SECOND.Register(files, holder.bootstrap)
    except Exception:  # noqa: BLE001 - whatever it raises, it has refused
        with pytest.raises(Rejected) as caught:
            load_set(files, holder.bootstrap, NOW)
        assert caught.value.reason == "register_invalid"
        return caught.value.detail
    pytest.fail("the second verifier takes it")


def unusable_for_both(holder: Holder, member: str) -> str:
    """Demand that both verifiers find one member at fault and go on with all others; return why ours does."""
    files = holder.files()
    register = load_set(files, holder.bootstrap, NOW)
    theirs = SECOND.Register(files, holder.bootstrap)
    assert set(register.unusable) == {member}
    assert set(register.members) == set(theirs.cas) == set(MEMBERS) - {member}
    assert register.active_ids == theirs.active
    return register.unusable[member]


class Source:
    """Serves a set of files; a test exchanges the set or makes the source fail."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = files
        self.failure: Exception | None = None
        self.asked: list[str] = []

    def __call__(self, path: str, max_bytes: int) -> bytes:
        """Answer as a peer would."""
        self.asked.append(path)
        if self.failure is not None:
            raise self.failure
        if path not in self.files:
            raise FetchMissing(path)
        return self.files[path][: max_bytes + 1]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Holder:
    """Make one federation for all tests; never changed."""
    folder = tmp_path_factory.mktemp("register") / "federation"
    dev.create(folder, MEMBERS, now=NOW, agreements={"base": "// forbids nothing\n"})
    return Holder(folder)


@pytest.fixture
def holder(made: Holder) -> Holder:
    """Return a holder that the test may change."""
    return made.copy()
