"""The nodes of a federation publish its register: renewals, revocations, two at one time, after days without any."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, Timestamp

from paiza_cli.exit_codes import ExitCode
from paiza_register import RegisterReader
from paiza_register.archive import Archive
from paiza_register.open_set import OpenSet
from paiza_register.publishing import published
from paiza_register.register_file import RegisterFile
from paiza_register.tuf_workflow import TIMESTAMP_PATH
from paiza_trust.key_folder import KeyFolder
from paiza_wire.identity.private_keys import MLDSA44
from tests.federation import Federation

MEMBERS: Final = ("kaz", "tjk", "uzb")
MINUTE_SECONDS: Final = 60
POLL_SECONDS: Final = 0.1


@pytest.fixture
def federation(tmp_path: Path) -> Iterator[Federation]:
    """Make a federation."""
    with Federation.create(tmp_path / "federation", MEMBERS) as made:
        yield made


def held(federation: Federation, member: str) -> OpenSet:
    """Return the set that a node has stored as the one in force."""
    archive = Archive(federation.node(member).data / "register")
    version = archive.current()
    assert version is not None
    files = archive.files(version)
    assert files is not None
    return OpenSet.verify(dict(files), (federation.folder / "root.json").read_bytes(), None)


def operate(federation: Federation, member: str, *arguments: str) -> dict[str, Any]:
    """Run `paiza-node register …` at a member's node; return the JSON that it prints."""
    config = federation.node(member).config
    command = [sys.executable, "-m", "paiza_node", "register", *arguments, "--json", "--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def until(federation: Federation, holds: Callable[[list[OpenSet]], bool], *members: str) -> float:
    """Wait, at most a minute, until the sets of these nodes are so; return the seconds it took."""
    begun = time.monotonic()
    while time.monotonic() < begun + MINUTE_SECONDS:
        if holds([held(federation, member) for member in members or MEMBERS]):
            return time.monotonic() - begun
        time.sleep(POLL_SECONDS)
    pytest.fail("a minute was not enough:\n" + "\n".join(federation.node(each).log_tail() for each in MEMBERS))


def same(sets: list[OpenSet]) -> bool:
    """Return whether all are of one register version."""
    return len({each.register.version for each in sets}) == 1


def test_revocation_is_everywhere_within_a_minute(federation: Federation) -> None:
    """The last in order revokes an officer's certificate: all have it, and nothing else changed."""
    federation.start()
    before = held(federation, "kaz").register
    certificate = federation.home / "uzb-duty/signing.crt"
    done = operate(federation, "uzb", "revoke", "--yes", str(certificate))
    seconds = until(
        federation, lambda sets: {each.register.version.hex() for each in sets} == {done["register_version"]}
    )
    assert seconds < MINUTE_SECONDS
    after = held(federation, "kaz").register
    assert len(after.revocations["uzb"]) == len(before.revocations["uzb"]) + 2
    assert after.root_version == before.root_version
    assert operate(federation, "uzb", "revoke", "--yes", str(certificate))["revoked_before"]
    shown = operate(federation, "tjk", "show")
    assert shown["register_version"] == done["register_version"]
    assert (shown["publishers"], shown["place"], shown["runs"]) == (list(MEMBERS), 2, True)
    assert set(shown["announced"]) == {"kaz", "uzb"}


def test_two_that_publish_at_one_time_are_merged(federation: Federation) -> None:
    """Two nodes each published another change at one time: in the end all hold one register with both."""
    sets = {}
    for member in ("kaz", "tjk"):

        def rename(document: dict[str, Any], of: str = member) -> None:
            document["names"]["en"] = f"new name of {of}"

        changed = federation.edit(member, "member", rename).files
        before = held(federation, "kaz")
        change = {path: data for path, data in changed.items() if is_of_members(path) and path not in before.files}
        made = published(before, change, publisher(federation, member), datetime.now(UTC), before.versions)
        sets[member] = RegisterFile(made.files)
    for member, register in sets.items():
        federation.join(register, member)
    federation.start()
    until(federation, same)
    assert {held(federation, "kaz").register.members[each].names["en"] for each in ("kaz", "tjk")} == {
        "new name of kaz",
        "new name of tjk",
    }


def test_all_find_together_after_ten_days(federation: Federation) -> None:
    """No node ran for ten days, and the register is in force no more: they start, and renew it among themselves."""
    at = datetime.now(UTC) - timedelta(days=10)
    age(federation, at)
    assert operate(federation, "kaz", "show")["expired"]
    federation.start()
    until(federation, lambda sets: all(each.register.issued_time > at + timedelta(days=9) for each in sets))
    assert not operate(federation, "kaz", "show")["expired"]
    seconds = until(federation, same)
    assert seconds < MINUTE_SECONDS


def test_next_in_order_renews(federation: Federation) -> None:
    """The first is away, and the timestamp of two hours ago is overdue: the next one renews it, for all that are there.

    A node that reaches nobody renews nothing.
    """
    at = datetime.now(UTC) - timedelta(hours=2)
    age(federation, at)
    version = held(federation, "kaz").timestamp.version
    federation.start("tjk")
    time.sleep(5)
    assert held(federation, "tjk").timestamp.version == version
    federation.start("uzb")
    until(federation, lambda sets: all(each.timestamp.version > version for each in sets), "tjk", "uzb")
    assert held(federation, "tjk").publishers() & {held(federation, "tjk").register.publishers["tjk"]}
    federation.start("kaz")
    until(federation, lambda sets: all(each.timestamp.version > version for each in sets))


def age(federation: Federation, at: datetime) -> None:
    """Renew the register of all nodes, none of which runs, as the first would have at that time."""
    before = held(federation, "kaz")
    expires = (at + before.register.life).replace(microsecond=0)
    timestamp = Timestamp(before.timestamp.version + 1, expires=expires, snapshot_meta=before.timestamp.snapshot_meta)
    files = {**before.files, TIMESTAMP_PATH: signed(timestamp, publisher(federation, "kaz"))}
    for member in MEMBERS:
        reader = RegisterReader(federation.node(member).data / "register", before.bootstrap_root)
        reader.accept(files, datetime.now(UTC), outdated=True)


def signed(timestamp: Timestamp, signer: CryptoSigner) -> bytes:
    """Return a timestamp that a publisher signs."""
    metadata: Metadata[Timestamp] = Metadata(timestamp)
    metadata.sign(signer)
    return metadata.to_bytes()


def publisher(federation: Federation, member: str) -> CryptoSigner:
    """Return the key with which a member's node publishes."""
    keys = KeyFolder(federation.node(member).folder / "keys", {"sealed": False})
    return CryptoSigner(keys.key("publisher.key", MLDSA44))


def is_of_members(path: str) -> bool:
    """Return whether a published path is of what members sign, and not of what publishers do."""
    return not path.endswith((".snapshot.json", "timestamp.json"))


def test_join_needs_a_stopped_node(federation: Federation, tmp_path: Path) -> None:
    """A running node writes the same files. A file whose timestamp has run out is accepted, and said to be old."""
    at = datetime.now(UTC) - timedelta(days=10)
    age(federation, at)
    file = tmp_path / "old.register"
    file.write_bytes(RegisterFile(held(federation, "kaz").files).to_bytes())
    shutil.rmtree(federation.node("kaz").data)
    done = _join(federation, "kaz", file)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["outdated"]
    federation.start("kaz", "tjk")
    refused = _join(federation, "kaz", file)
    assert refused.returncode == ExitCode.REFUSED
    assert "paiza-node register refresh" in refused.stderr
    found = operate(federation, "kaz", "refresh")
    assert found["unanswered"] == {"uzb": "peer_unreachable"}


def _join(federation: Federation, member: str, file: Path) -> "subprocess.CompletedProcess[str]":
    config = federation.node(member).config
    command = [sys.executable, "-m", "paiza_node", "join", "--yes", "--json", "--config", str(config), str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("lang", "words"), [("en", "publishes as"), ("ru", "публикует по счёту")])
def test_register_is_shown_to_a_person(federation: Federation, lang: str, words: str) -> None:
    """Also without a running node, and when the register has expired."""
    age(federation, datetime.now(UTC) - timedelta(days=10))
    config = federation.node("kaz").config
    command = [sys.executable, "-m", "paiza_node", "register", "show", "--lang", lang, "--config", str(config)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert words in shown
    assert "paiza-node join" in shown
    assert shown.count("`paiza-trust propose resign`") == 2  # root and targets, months before they expire
    assert all(member in shown for member in MEMBERS)
