"""The drill: a backup, more messages both ways, the node lost, restored, recovered from the others."""

import shutil
import time
from hashlib import sha256
from pathlib import Path

import grpc
import pytest

from paiza.core.v1 import delivery_pb2, log_pb2
from paiza.officer.v1 import officer_pb2
from paiza_node.core.exchange import store as exchange_store
from paiza_node.core.log import store as log_store
from paiza_node.core.peers import store as peers_store
from paiza_node.core.storage import scanning
from paiza_node.core.storage.scanning import open_scan
from paiza_node.ops.backup import container
from paiza_node.ops.backup.store.copying import copy_in
from paiza_node.ops.config import load
from tests.integration.node.conftest import SECONDS
from tests.system.recovery.conftest import Drill
from tests.two_verifiers import agreed, second_verifier

ON_SQLITE = pytest.mark.parametrize("drill", ["sqlite"], indirect=True)  # what does not depend on the database
DELIVERED = {delivery_pb2.DELIVERY_STATE_DELIVERED}


def test_node_is_lost_and_recovered(drill: Drill, tmp_path: Path) -> None:
    """Messages return from the others with proofs, under an admitted log; no second history is signed."""
    file = tmp_path / "kaz.backup"
    before = drill.exchange("kaz", ["tjk", "uzb"], 3)
    drill.exchange("tjk", ["kaz"], 2)
    code, made = drill.kaz("backup", file)
    assert code == 0, made
    lost = drill.exchange("kaz", ["tjk", "uzb"], 3)
    drill.exchange("kaz", ["uzb"], 2)
    lost_received = drill.exchange("tjk", ["kaz"], 2)
    drill.exchange("uzb", ["kaz", "tjk"], 3)
    drill.lose()
    # The members hold more than the backup: nothing is put in place before the new log is admitted.
    code, told = drill.kaz("restore", file)
    assert (code, told["reason"]) == (3, "log_continues")
    assert not (drill.federation.node("kaz").data / "paiza.db").exists()
    drill.admit(told["remedy"].split("with the key ")[1].split()[0])
    code, told = drill.kaz("restore", file)
    assert code == 0, told
    assert (told["entries"], told["messages"]) == (made["entries"], made["messages"])
    assert told["origin"].endswith("/log/2")
    assert [each["origin"][-1] for each in told["lost"]] == ["1"]
    assert told["lost"][0]["entries"] >= 3 * 2 + 2 + 2 + 3
    code, told = drill.kaz("verify")
    assert code == 0, told
    (drill.federation.node("kaz").folder / "officers.json").unlink()  # else the start admits them anew
    drill.federation.start("kaz")
    _confirmed_as_listed(drill)
    drill.recovered()
    sent = drill.listed("kaz", officer_pb2.BOX_SENT)
    assert set(sent) == set(drill.sent["kaz"])
    received = drill.listed("kaz", officer_pb2.BOX_INBOX)
    assert set(received) == {*drill.sent["tjk"], *drill.sent["uzb"]}
    # New messages go both ways, and whatever was still on its way is settled.
    drill.exchange("kaz", ["tjk", "uzb"], 1)
    drill.exchange("uzb", ["kaz"], 1)
    for message in drill.listed("kaz", officer_pb2.BOX_SENT).values():
        assert {each.state for each in message.deliveries} == DELIVERED
    drill.verify_all()
    _one_history(drill, 2)
    # A court is shown what was before the backup, and what came back after it, at either end; two programs agree on it.
    root, verifier = (drill.federation.folder / "root.json").read_bytes(), second_verifier()
    for profile, digest in (
        ("kaz-auditor", before[0]),
        ("kaz-auditor", lost[0]),
        ("kaz-auditor", lost_received[0]),
        ("tjk-auditor", before[0]),
        ("tjk-auditor", lost[0]),
    ):
        assert agreed(verifier, drill.evidence(profile, digest), root) is not None
    for digest in (lost[0], lost_received[0]):
        assert "recovered" in drill.trail("kaz-auditor", digest).lower()
    # The first entry says what it goes on from, and everything that was given back stands in the log.
    with open_scan(load(Path(drill.config)).database) as scan:
        (former,) = log_store.former_logs(scan)
        entries = [
            log_pb2.LogEntry.FromString(row[1])
            for rows in log_store.entry_rows(scan, 0, log_store.head(scan).size)
            for row in rows
        ]
    assert entries[0].event == log_pb2.LOG_EVENT_LOG_CONTINUED
    assert entries[0].log_continued.note_sha256 == sha256(former.largest_note).digest()
    given_back = [entry for entry in entries if entry.event == log_pb2.LOG_EVENT_RECOVERED]
    assert len(given_back) == 3 * 2 + 2 + 2 + 3
    # A backup of the log that goes on is one like every other.
    code, told = drill.kaz("backup", tmp_path / "next.backup")
    assert code == 0, told


def _confirmed_as_listed(drill: Drill) -> None:
    """Officers of an older copy may not act until an operator has confirmed them."""
    with pytest.raises(grpc.RpcError) as refused:
        drill.listed("kaz", officer_pb2.BOX_SENT)
    assert "is not confirmed" in str(refused.value)
    code, told = drill.kaz("officer", "list")
    assert code == 0
    assert {(each["state"], each["on_hold"]) for each in told["officers"]} == {("unconfirmed", True)}
    code, confirmed = drill.kaz("officer", "confirm", "--all", "--yes")
    assert (code, confirmed["refused"]) == (0, [])
    assert [each["id"] for each in confirmed["officers"]] == [each["id"] for each in told["officers"]]
    assert drill.kaz("officer", "confirm", "--all", "--yes") == (0, {"officers": [], "refused": []})


def _one_history(drill: Drill, origins: int) -> None:
    """All signed notes of one size of kaz's logs have the same root."""
    roots: dict[tuple[bytes, bytes], set[bytes]] = {}
    for member in ("tjk", "uzb"):
        with open_scan(load(drill.federation.node(member).config).database) as scan:
            notes = [row.note for rows in scanning.rows(scan, exchange_store.note_table) for row in rows]
            notes += [
                known.note
                for known in (*peers_store.former_known_logs(scan, "kaz"), *peers_store.known_logs(scan).values())
            ]
        for note in notes:
            origin, size, root = note.split(b"\n")[:3]
            if origin.startswith(b"kaz."):
                roots.setdefault((origin, size), set()).add(root)
    assert len({origin for origin, _ in roots}) == origins
    assert all(len(found) == 1 for found in roots.values())


def test_machine_put_back_finds_out(drill: Drill, tmp_path: Path) -> None:
    """A whole data folder put back, checkpoint file and all, stops before anything is signed for who saw more."""
    drill.exchange("kaz", ["tjk"], 1)
    drill.federation.node("kaz").stop()
    node = drill.federation.node("kaz")
    snapshot = tmp_path / "snapshot"
    shutil.copytree(node.data, snapshot, ignore=shutil.ignore_patterns("*.sock"))
    file = tmp_path / "database.backup"
    assert drill.kaz("backup", file)[0] == 0
    node.start()
    drill.exchange("kaz", ["tjk"], 2)
    drill.exchange("uzb", ["kaz"], 1)
    node.stop()
    # The machine's snapshot comes back.
    shutil.rmtree(node.data)
    shutil.copytree(snapshot, node.data)
    if drill.postgresql is not None:
        node.configure(database=drill.postgresql.create_database("putback"))
        (node.data / "checkpoint").unlink()
        container.extract(file, tmp_path / "out")
        copy_in(tmp_path / "out" / container.DATABASE, load(Path(drill.config)).database)
    node.start(wait=False)
    deadline = time.monotonic() + SECONDS
    while node.running and time.monotonic() < deadline:
        time.sleep(0.1)  # the process ends by itself
    assert node.stop() == 3
    assert "log_rolled_back" in node.log_tail()
    assert "paiza-node restore" in node.log_tail()
    _one_history(drill, 1)


@ON_SQLITE
def test_backup_that_nobody_saw_more_of(drill: Drill, tmp_path: Path) -> None:
    """The old log continues, without a ceremony, if the others hold no more than the backup."""
    file = tmp_path / "kaz.backup"
    drill.exchange("kaz", ["tjk", "uzb"], 2)
    drill.exchange("tjk", ["kaz"], 1)
    drill.federation.node("kaz").stop()
    assert drill.kaz("backup", file)[0] == 0
    drill.lose()
    code, told = drill.kaz("restore", file)
    assert (code, told["lost"]) == (0, [])
    assert told["origin"].endswith("/log/1")
    drill.federation.start("kaz")
    drill.recovered()
    drill.exchange("kaz", ["tjk", "uzb"], 1)
    drill.exchange("uzb", ["kaz"], 1)
    drill.verify_all()


@ON_SQLITE
def test_newest_backup_of_an_idle_node_costs_nothing(drill: Drill, tmp_path: Path) -> None:
    """A backup of a running node, restored before anything else happens: no new log, no lost entry, no alarm."""
    file = tmp_path / "kaz.backup"
    drill.exchange("kaz", ["tjk", "uzb"], 2)
    drill.exchange("tjk", ["kaz"], 1)
    _idle(drill)
    code, told = drill.kaz("backup", file)
    assert (code, told["logged"], told["witnessed"]) == (0, True, True)
    entries = told["entries"]
    time.sleep(2)  # two rounds: an idle node signs nothing more
    assert _size(drill) == entries
    drill.lose()
    code, told = drill.kaz("restore", file)
    assert (code, told["lost"], told["entries"]) == (0, [], entries)
    assert told["origin"].endswith("/log/1")
    drill.federation.start("kaz")
    drill.recovered()
    assert _size(drill) == entries
    assert {each["state"] for each in drill.kaz("officer", "list")[1]["officers"]} == {"active"}
    drill.exchange("kaz", ["tjk", "uzb"], 1)
    drill.exchange("uzb", ["kaz"], 1)
    drill.verify_all()
    _one_history(drill, 1)
    for member in ("kaz", "tjk", "uzb"):
        code, told = drill.command("misbehaviour", "list", "--config", drill.federation.node(member).config)
        assert (code, told["misbehaviour"]) == (0, [])


def _size(drill: Drill) -> int:
    return int(drill.federation.node("kaz").status().checkpoint.split(b"\n")[1])


def _idle(drill: Drill) -> None:
    """Return when the log of kaz has not grown for a second."""
    size, since, deadline = -1, time.monotonic(), time.monotonic() + SECONDS
    while time.monotonic() - since < 1:
        assert time.monotonic() < deadline
        if (now := _size(drill)) != size:
            size, since = now, time.monotonic()
        time.sleep(0.1)


@ON_SQLITE
def test_member_that_is_away(drill: Drill, tmp_path: Path) -> None:
    """A restore waits for every member, unless the operator leaves one out by name; a full place is left alone."""
    file = tmp_path / "kaz.backup"
    drill.exchange("kaz", ["tjk"], 1)
    assert drill.kaz("backup", file)[0] == 0
    drill.federation.node("kaz").stop()
    code, told = drill.kaz("restore", file)
    assert (code, told["reason"]) == (3, "folder_not_empty")
    drill.lose()
    drill.federation.node("uzb").stop()
    code, told = drill.kaz("restore", file)
    assert (code, told["reason"]) == (4, "members_unheard")
    assert "uzb" in told["where"]
    code, told = drill.kaz("restore", file, "--without", "uzb")
    assert code in (0, 3), told
    if code == 3:  # the exchange was not over when the backup was made
        assert told["reason"] == "log_continues"
