"""A node that shows two histories to two others is found by both, and trusted again after an administrator decides."""

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from paiza.core.v1 import log_pb2
from paiza_node.core.log import store as log_store
from paiza_node.core.messages import store as messages_store
from paiza_node.core.peers import store as peers_store
from paiza_node.core.peers.model import Finding, FindingKind, FindingState
from paiza_node.features.witness import store as witness_store
from paiza_register import Register
from paiza_wire.tlog import fork_proofs
from paiza_wire.tlog.notes import VerifierKey
from tests.federation import Federation, NodeProcess
from tests.integration.witness.conftest import Command
from tests.integration.witness.looking import eventually, look, send
from tests.officer import Officer
from tests.registers import read_register

LIAR = "tjk"


@pytest.fixture
def federation(tmp_path: Path) -> Iterator[Federation]:
    """Run three nodes: each log has two witnesses."""
    with Federation.create(tmp_path / "f", ["kaz", LIAR, "uzb"]) as made:
        made.start()
        yield made


def known_size(node: NodeProcess, member: str) -> int:
    """Return the size of a member's log that a node knows."""
    known = look(node, lambda reads: peers_store.known_logs(reads).get(member))
    return 0 if known is None else known.size


def found(node: NodeProcess, member: str) -> list[Finding]:
    """Return what a node found against a member's log."""
    return look(node, lambda reads: peers_store.findings(reads, member))


def received(node: NodeProcess, digest: bytes) -> bool:
    """Return whether a node holds a message."""
    return look(node, lambda reads: messages_store.message(reads, digest)) is not None


def tell(liar: Officer, other: NodeProcess, count: int) -> None:
    """Extend the lying node's log, and show it to another node."""
    digests = [send(liar, [other.member]) for _ in range(count)]
    eventually(lambda: all(received(other, digest) for digest in digests))


def lie(federation: Federation, liar: Officer) -> None:
    """Show kaz one history and uzb a longer other one, each while the other is away."""
    node, kaz, uzb = (federation.node(member) for member in (LIAR, "kaz", "uzb"))
    node.stop()
    node.program = (sys.executable, str(Path(__file__).with_name("lying_node.py")))
    uzb.stop()
    shutil.copytree(node.data, node.folder / "before")
    node.start()
    tell(liar, kaz, 1)
    node.stop()
    kaz.stop()
    shutil.move(node.data, node.folder / "one")
    shutil.move(node.folder / "before", node.data)
    federation.start(LIAR, "uzb")
    tell(liar, uzb, 4)
    assert known_size(uzb, LIAR) > known_size(kaz, LIAR)


def test_two_histories_are_found_and_trust_can_be_restored(federation: Federation, command: Command) -> None:
    """Both honest nodes keep two signatures within seconds of meeting; that log is not taken from until they decide."""
    register = read_register(federation.folder)
    kaz, uzb = federation.node("kaz"), federation.node("uzb")
    liar = Officer(federation.folder, f"{LIAR}-liaison", register)
    tell(liar, kaz, 1)
    eventually(lambda: known_size(uzb, LIAR) > 0)
    lie(federation, liar)

    kaz.start()
    for node in (kaz, uzb):
        (finding,) = eventually(lambda node=node: found(node, LIAR), 60.0)  # type: ignore[misc]
        check_finding(node, finding, register)
        check_shown(node, finding, command, federation.folder / f"{node.member}.json")
    assert not found(kaz, "uzb")
    assert not found(uzb, "kaz")

    late = send(liar, ["kaz"])
    eventually(lambda: federation.node(LIAR).status().peers[0].last_error.startswith("log_forked"))
    assert not received(kaz, late)
    kaz.stop()
    kaz.start()  # a finding outlives a restart
    assert [peer.misbehaviour for peer in kaz.status().peers if peer.member == LIAR] == [["log_forked"]]
    for node in (kaz, uzb):
        restore_trust(node, command)
    eventually(lambda: received(kaz, late), 90.0)
    size = look(federation.node(LIAR), lambda reads: log_store.head(reads).size)
    eventually(lambda: look(federation.node(LIAR), lambda reads: witness_store.witnessed_after(reads, size)), 60.0)
    assert [peer.misbehaviour for peer in kaz.status().peers] == [[], []]
    for node in (kaz, uzb):
        node.stop()
        assert command("verify", "--config", str(node.config))[0] == 0
    check_told(kaz)
    check_altered(kaz, command)


def check_finding(node: NodeProcess, finding: Finding, register: Register) -> None:
    """See that a finding holds by the log's public key alone, and stands in the finder's own log."""
    assert (finding.kind, finding.state) == (FindingKind.FORK, FindingState.OPEN)
    key = VerifierKey.from_vkey(register.member(LIAR).log_keys[-1].vkey)
    fork = fork_proofs.verify(finding.proof, key)
    (entry,) = look(node, lambda reads: log_store.entries_at(reads, [finding.index]))
    logged = log_pb2.LogEntry.FromString(entry.entry)
    assert (logged.event, logged.counterpart) == (log_pb2.LOG_EVENT_FORK_FOUND, LIAR)
    assert logged.fork_found.notes_sha256 == fork.digest


def check_shown(node: NodeProcess, finding: Finding, command: Command, file: Path) -> None:
    """See that the operator is shown it everywhere, and can hand out the proof."""
    config = ("--config", str(node.config))
    code, listed = command("misbehaviour", "list", *config)
    assert code == 0
    assert [(each["member"], each["reason"], each["number"]) for each in listed["misbehaviour"]] == [
        (LIAR, "log_forked", finding.index)
    ]
    assert command("misbehaviour", "show", str(finding.index), "-o", str(file), *config)[0] == 0
    fork, _key = fork_proofs.verify_file(file.read_bytes())
    assert fork.proof == finding.proof
    code, examined = command("doctor", *config)
    assert code == 11
    assert "fail" in {each["level"] for each in examined["checks"] if each["check"] == "misbehaviour"}


def check_altered(node: NodeProcess, command: Command) -> None:
    """See that `verify` finds it where what is kept of a fork shows it no more, or is gone."""
    (finding,) = found(node, LIAR)
    proof = bytearray(finding.proof)
    proof[len(proof) // 2] ^= 1
    with closing(sqlite3.connect(node.data / "paiza.db")) as database:
        for change, values in (("UPDATE finding SET proof = ?", (bytes(proof),)), ("DELETE FROM finding", ())):
            database.execute(change, values)
            database.commit()
            code, verified = command("verify", "--config", str(node.config))
            assert code == 5
            assert [part["part"] for part in verified["parts"] if not part["passed"]] == ["misbehaviour"]


def check_told(node: NodeProcess) -> None:
    """See that it is told in words, in both languages, where the node does not run."""
    (finding,) = found(node, LIAR)
    for language, word in (("en", "forked"), ("ru", "раздвоен")):
        for arguments in (["list"], ["show", str(finding.index)]):
            command = [sys.executable, "-m", "paiza_node", "--lang", language, "misbehaviour", *arguments]
            done = subprocess.run([*command, "--config", str(node.config)], capture_output=True, check=True, timeout=60)
            told = done.stdout.decode()
            assert word in told
            assert "An old machine was put back." in told


def restore_trust(node: NodeProcess, command: Command) -> None:
    """Be the administrator who found out what happened."""
    config = ("--config", str(node.config))
    (finding,) = found(node, LIAR)
    assert command("misbehaviour", "restore-trust", str(finding.index), "--reason", " ", *config)[0] == 3
    assert command("misbehaviour", "restore-trust", str(finding.index + 1), "--reason", "x", *config)[0] == 3
    code, decided = command(
        "misbehaviour", "restore-trust", str(finding.index), "--reason", "An old machine was put back.", *config
    )
    assert code == 0
    assert decided["ended_time"]
    assert decided["reason_text"] == "An old machine was put back."
    assert command("misbehaviour", "restore-trust", str(finding.index), "--reason", "Again.", *config)[0] == 3
