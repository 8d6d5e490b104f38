"""A member whose node and officers are hostile: its real keys, and whatever they can sign."""

import json
import random
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Final

from tuf.api.metadata import Metadata, MetaFile, TargetFile, Targets, Timestamp

from paiza_register import roles
from paiza_register.open_set import OpenSet, role_path
from paiza_register.publishing import composed, described_roles
from paiza_register.tuf_workflow import TIMESTAMP_PATH
from paiza_register.validity import highest_version
from paiza_register.verified_set import target_path
from paiza_wire.errors import PaizaError
from tests.simulation.register.nodes import Node

YEAR: Final = timedelta(days=365)


class Lie(Enum):
    """What a hostile member does."""

    NONE = "none"
    AWAY = "away"
    """It is away most of the time, and in the end."""
    GARBLE = "garble"
    """It serves files that are cut, changed or missing."""
    OMIT = "omit"
    """It publishes sets without the newest content, and serves old ones."""
    TWICE = "twice"
    """It publishes two sets of one version, and shows each to some."""
    BREAK = "break"
    """It breaks and mends its own files, drops a key, fills its part, lets its role expire, takes back."""
    LEAP = "leap"
    """Its versions leap, its timestamps live too long, it boasts of versions that it has not, and invents others'."""
    EVERYTHING = "everything"


class Hostile:
    """What a hostile member does with its keys."""

    def __init__(self, lie: Lie, node: Node, rng: random.Random) -> None:
        self.node, self.rng, self.lie = node, rng, lie
        self.member = node.member
        self.count = 0
        self._acts: dict[Lie, list[Callable[[datetime, list[str]], None]]] = {
            Lie.AWAY: [self._leave],
            Lie.GARBLE: [self._garble],
            Lie.OMIT: [self._omit, self._show_old, self._stop_showing],
            Lie.TWICE: [self._twice],
            Lie.BREAK: [self._break, self._break, self._mend, self._part],
            Lie.LEAP: [self._leap, self._boast, self._far, self._invent],
        }
        self._acts[Lie.EVERYTHING] = [act for acts in self._acts.values() for act in acts]

    @property
    def held(self) -> OpenSet:
        """Return the set that the node holds."""
        return self.node.publisher.held

    @property
    def can_publish(self) -> bool:
        """Return whether the newest root knows the key."""
        return self.member in self.held.register.publishers

    def act(self, now: datetime, members: list[str]) -> None:
        """Do something hostile."""
        self.count += 1
        try:
            self.rng.choice(self._acts[self.lie])(now, members)
        except PaizaError:
            return  # nobody would believe it

    def _leave(self, _now: datetime, _members: list[str]) -> None:
        self.node.network.away.add(self.member)

    def _garble(self, _now: datetime, _members: list[str]) -> None:
        self.node.garble = self.rng.choice((0.0, 0.2, 0.7, 1.0))

    def _show(self, files: Mapping[str, bytes], members: list[str]) -> None:
        for member in members:
            if self.rng.random() < 0.6:
                self.node.shows[member] = files

    def _stop_showing(self, _now: datetime, _members: list[str]) -> None:
        self.node.shows = {}

    def _accept(self, made: OpenSet, now: datetime) -> None:
        """Publish a set as an honest node does."""
        self.node.reader.accept(made.files, now)
        self.node.shows = {}

    def _composed(self, meta: Mapping[str, MetaFile], files: Mapping[str, bytes], now: datetime) -> OpenSet:
        held = self.held
        return composed(
            {**held.files, **files}, meta, held.bootstrap_root, self.node.party.publisher, now, held.versions
        )

    def _omit(self, now: datetime, members: list[str]) -> None:
        """Publish a set with an older version of a role, under higher versions of snapshot and timestamp."""
        old = self._old()
        if old is None:
            return
        role = self.rng.choice(sorted(old.snapshot.meta))
        meta = {**self.held.snapshot.meta, role: old.snapshot.meta[role]}
        self._show(self._composed(meta, old.files, now).files, members)

    def _old(self) -> OpenSet | None:
        reader = self.node.reader
        versions = sorted(reader._archive.versions())
        version = self.rng.choice(versions)
        return OpenSet.verify(reader.archived_files(version), self.held.bootstrap_root, None)

    def _show_old(self, _now: datetime, members: list[str]) -> None:
        old = self._old()
        if old is not None:
            self._show(old.files, members)

    def _twice(self, now: datetime, members: list[str]) -> None:
        """Make two sets of one version, and show each to some."""
        made = [self._composed(self.held.snapshot.meta, {}, now - timedelta(seconds=at)) for at in range(2)]
        self.node.shows = {}
        for member in members:
            self.node.shows[member] = self.rng.choice(made).files

    def _own(self, edit: Callable[[Targets], dict[str, bytes]], now: datetime, role: str = "") -> dict[str, bytes]:
        """Return a change of the own role."""
        name = role or self.member
        targets = self.held.role(name)
        targets.version += 1
        targets.expires = (now + YEAR).replace(microsecond=0)
        files = edit(targets)
        for path, data in files.items():
            targets.targets[path] = TargetFile.from_data(path, data, ["sha256"])
        metadata: Metadata[Any] = Metadata(targets)
        pairs = self.node.party.pairs
        metadata.sign(pairs["revocations" if role else "member"])
        published = {target_path(targets.targets[path]): data for path, data in files.items()}
        return {**published, role_path(name, targets.version): metadata.to_bytes()}

    def _publish(self, change: Mapping[str, bytes], now: datetime, members: list[str]) -> None:
        meta = {**self.held.snapshot.meta}
        meta |= {f"{role}.json": described for role, described in described_roles(change).items()}
        made = self._composed(meta, change, now)
        if self.rng.random() < 0.7:
            self._accept(made, now)
        else:
            self._show(made.files, members)

    def _break(self, now: datetime, members: list[str]) -> None:
        """Publish something with its own key that no reader can use."""
        member = self.member

        def expire(targets: Targets) -> dict[str, bytes]:
            targets.expires = (now - YEAR).replace(microsecond=0)
            return {}

        def far(targets: Targets) -> dict[str, bytes]:
            targets.expires = (now + 3 * YEAR).replace(microsecond=0)
            return {}

        def fill(_targets: Targets) -> dict[str, bytes]:
            return {f"members/{member}/{at}.json": b"{}" for at in range(20)}

        def other(_targets: Targets) -> dict[str, bytes]:
            return {"reference-x.json": b"{}"}

        def drop(_targets: Targets) -> dict[str, bytes]:
            document = self.document()
            document["log_keys"] = document["log_keys"][1:]
            return {f"members/{member}/member.json": json.dumps(document).encode()}

        def unpinned(_targets: Targets) -> dict[str, bytes]:
            document = self.document()
            first = document["log_keys"][0]
            document["log_keys"].append({"origin": first["origin"][:-1] + "9", "vkey": first["vkey"]})
            return {f"members/{member}/member.json": json.dumps(document).encode()}

        def garbage(_targets: Targets) -> dict[str, bytes]:
            return {f"members/{member}/member.json": b"{"}

        def large(_targets: Targets) -> dict[str, bytes]:
            return {f"members/{member}/profile.json": b"x" * (3 << 20)}

        edits = [expire, far, fill, other, drop, unpinned, garbage, large]
        if self.rng.random() < 0.3:
            path = f"members/{member}/revoked.json"
            broken = self.rng.choice((b"[]", b'{"format": 1, "certificates": []}'))
            self._publish(self._own(lambda _: {path: broken}, now, roles.node_role_of(member)), now, members)
            return
        self._publish(self._own(self.rng.choice(edits), now), now, members)

    def document(self) -> dict[str, Any]:
        """Return the member's good member.json."""
        document: dict[str, Any] = json.loads(json.dumps(self.node.party.document))
        return document

    def _mend(self, now: datetime, members: list[str]) -> None:
        """Publish what is good, so that all can use it again."""
        member = self.member
        document = self.document()
        document["names"]["en"] = f"{member} mended {self.count}"

        def mend(targets: Targets) -> dict[str, bytes]:
            targets.targets = {}
            return {f"members/{member}/member.json": json.dumps(document).encode()}

        self._publish(self._own(mend, now), now, members)

    def _part(self, now: datetime, members: list[str]) -> None:
        """Publish a part of a complete proposal without the rest."""
        complete = [each for _, each in sorted(self.node.proposals.items()) if each.is_complete]
        if complete:
            files = self.rng.choice(complete).files()
            left_out = self.rng.choice(sorted(path for path in files if path.startswith("metadata/")))
            self._publish({path: data for path, data in files.items() if path != left_out}, now, members)

    def _leap(self, now: datetime, members: list[str]) -> None:
        """Publish under versions that leap."""
        held = self.held
        highest = highest_version(now) - 1  # the set goes above it
        version = self.rng.choice((held.timestamp.version + 1000, highest // 2, highest, highest + 10, 1 << 53))
        above = held.versions._replace(**{self.rng.choice(("timestamp", "snapshot")): version})
        signer = self.node.party.publisher
        made = composed(held.files, held.snapshot.meta, held.bootstrap_root, signer, now, above)
        if self.rng.random() < 0.5:
            self._accept(made, now)
        else:
            self._show(made.files, members)

    def _boast(self, _now: datetime, _members: list[str]) -> None:
        self.node.boast = self.rng.choice((0, 1, 1 << 40, (1 << 64) - 1))

    def _invent(self, now: datetime, members: list[str]) -> None:
        """Name a version that nobody signed, of a removed member's role if there is one."""
        held = self.held
        names = sorted(held.snapshot.meta)
        removed = [name for name in names if name.removesuffix(".json") not in held.register.role_expiries]
        name = self.rng.choice(removed or names)
        last = held.snapshot.meta[name]
        version = self.rng.choice((last.version, last.version + 1, highest_version(now) - 1))
        invented = MetaFile(version, None, {"sha256": "0" * 64})
        made = self._composed({**held.snapshot.meta, name: invented}, {}, now)
        if self.rng.random() < 0.5:
            self._accept(made, now)
        else:
            self._show(made.files, members)

    def _far(self, now: datetime, members: list[str]) -> None:
        """Sign a timestamp or a snapshot that lives too long."""
        held, signer = self.held, self.node.party.publisher
        expires = (now + self.rng.choice((1, 2, 30)) * held.register.life).replace(microsecond=0)
        timestamp = Timestamp(held.timestamp.version + 1, expires=expires, snapshot_meta=held.timestamp.snapshot_meta)
        metadata: Metadata[Any] = Metadata(timestamp)
        metadata.sign(signer)
        self._show({**held.files, TIMESTAMP_PATH: metadata.to_bytes()}, members)
