"""Readers that saw every version, some of them, or the last one alone come to the same register."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paiza_register import RegisterReader, files_fetch, load_set
from paiza_register.ceremony.federation_file import pin
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.identity import keys
from paiza_wire.tlog import notes
from tests.unit.paiza_register.conftest import MEMBERS, NOW, SECOND, Holder

MEMBER = "members/kaz/member.json"
REVOKED = "members/kaz/revoked.json"
LOG = "kaz.paiza.example/log/2"
VKEY = notes.SignerKey.from_ed25519(LOG, keys.generate_ed25519()).verifier_key.to_vkey()


class World(Holder):
    """A holder of all keys who changes one thing after the other. The good documents are kept, to mend what broke."""

    member: dict[str, Any]
    revoked: dict[str, Any]

    def publish_own(self) -> None:
        """Publish what kaz should say."""
        self.put(MEMBER, json.dumps(self.member).encode())
        self.put(REVOKED, json.dumps(self.revoked).encode())

    def revoke(self) -> None:
        """Revoke one certificate more."""
        entries = self.revoked["certificates"]
        number = 2 * len(entries) + 1
        entries.append({"certificate_sha256": f"{number:064x}", "key_sha256": f"{number + 1:064x}"})
        self.put(REVOKED, json.dumps(self.revoked).encode())

    def admit(self) -> None:
        """Admit a log of kaz, which does not name it yet."""

        def change(document: dict[str, Any]) -> None:
            if all(each["origin"] != LOG for each in document["log_keys"]):
                document["log_keys"].append(pin("origin", VKEY))

        self.edit("federation.json", change)

    def name_log(self) -> None:
        """Have kaz name that log, admitted or not."""
        if len(self.member["log_keys"]) == 1:
            self.member["log_keys"].append({"origin": LOG, "vkey": VKEY})
        self.put(MEMBER, json.dumps(self.member).encode())

    def status(self, status: str) -> None:
        """Suspend kaz, or lift that."""
        self.edit("federation.json", lambda document: document["members"]["kaz"].update(status=status))

    def expire(self, role: str) -> None:
        """Have a role of kaz expire long ago."""
        self.roles[role].expires = NOW - timedelta(days=30)

    def renew(self) -> None:
        """Sign both roles of kaz for a year."""
        for role in ("kaz", "kaz.node"):
            self.roles[role].expires = NOW + timedelta(days=365)

    def fill(self) -> None:
        """List more files than a member may."""
        for at in range(20):
            self.put(f"members/kaz/{at}.json", b"{}")

    def empty(self) -> None:
        """List no more than is needed."""
        targets = self.roles["kaz"].targets
        self.roles["kaz"].targets = {path: info for path, info in targets.items() if not path[12:13].isdigit()}

    def drop_pin(self) -> None:
        """Remove the pin of the log."""

        def change(document: dict[str, Any]) -> None:
            document["log_keys"] = [each for each in document["log_keys"] if each["origin"] != LOG]

        self.edit("federation.json", change)

    def take_back(self) -> None:
        """Withdraw the first revocation, and go on without it."""
        del self.revoked["certificates"][:1]
        self.put(REVOKED, json.dumps(self.revoked).encode())


STEPS: dict[str, Callable[[World], object]] = {
    "break member.json": lambda world: world.put(MEMBER, b"{"),
    "break revoked.json": lambda world: world.put(REVOKED, b"[]"),
    "drop the keys of logs": lambda world: world.put(MEMBER, json.dumps({**world.member, "log_keys": []}).encode()),
    "mend": World.publish_own,
    "revoke": World.revoke,
    "admit a log": World.admit,
    "name a log": World.name_log,
    "suspend": lambda world: world.status("suspended"),
    "reinstate": lambda world: world.status("active"),
    "expire": lambda world: world.expire("kaz"),
    "expire revocations": lambda world: world.expire("kaz.node"),
    "renew": World.renew,
    "fill": World.fill,
    "empty": World.empty,
    "drop a pin": World.drop_pin,
    "take back": World.take_back,
    "lose a version": lambda world: world.roles["kaz"].__setattr__("version", 1),
    "new root": lambda world: world.rotate_root(),
}


def copied(made: Holder) -> World:
    """Return a world that a test may change."""
    world = made.copy()
    world.__class__ = World
    assert isinstance(world, World)
    world.member, world.revoked = json.loads(world.documents[MEMBER]), json.loads(world.documents[REVOKED])
    return world


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.sampled_from(sorted(STEPS)), st.booleans()), min_size=1, max_size=12))
def test_all_readers_agree(
    made: Holder, tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, bool]]
) -> None:
    """An honest publisher publishes what its own reader accepts: everyone else then has the same register."""
    folder = Path(tmp_path_factory.mktemp("readers"))
    world = copied(made)
    publisher, sleeper = (RegisterReader(folder / name, made.bootstrap) for name in ("publisher", "sleeper"))
    published = world.files()
    publisher.accept(published, NOW)
    for step, awake in steps:
        before = world.copy()
        assert isinstance(before, World)
        STEPS[step](world)
        for part in (world.timestamp, world.snapshot, world.top, *world.roles.values()):
            part.version += step != "lose a version" or part is not world.roles["kaz"]
        files = world.files()
        try:
            register = publisher.accept(files, NOW)
        except (Rejected, Unavailable):
            world = before  # what rolls back is not published
            continue
        published = files
        assert register.active_ids | {"kaz"} == set(MEMBERS)
        if awake:
            assert sleeper.refresh(NOW, files_fetch(published)) == register
    fresh = RegisterReader(folder / "fresh", made.bootstrap).refresh(NOW, files_fetch(published))
    assert publisher.current(NOW) == fresh == sleeper.refresh(NOW, files_fetch(published))
    assert RegisterReader(folder / "publisher", made.bootstrap).current(NOW) == fresh
    assert publisher.archived(fresh.version).state == fresh.state
    judged, theirs = load_set(published, made.bootstrap, None), SECOND.Register(published, made.bootstrap)
    assert (set(judged.members), judged.active_ids) == (set(theirs.cas), theirs.active)
