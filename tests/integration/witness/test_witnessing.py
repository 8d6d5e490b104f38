"""Logs of running nodes are cosigned by the others, within seconds and without holding up a delivery."""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from paiza.core.v1 import log_pb2
from paiza.officer.v1 import audit_pb2, audit_pb2_grpc
from paiza_node.core.exchange import store as exchange_store
from paiza_node.core.exchange.model import ForeignProof
from paiza_node.core.log import store as log_store
from paiza_node.core.log.model import origin_of
from paiza_node.features.witness import store as witness_store
from paiza_node.features.witness.model import CosignedProof, WitnessedNote
from paiza_node.features.witness.verify_cosignatures import judge_note
from paiza_register import Register
from paiza_wire.tlog import checkpoint as checkpoints
from paiza_wire.tlog import merkle
from paiza_wire.tlog.cosignatures import cosignatures
from paiza_wire.tlog.notes import VerifierKey
from tests.federation import Federation, NodeProcess
from tests.integration.witness.conftest import Command
from tests.integration.witness.looking import eventually, look, send
from tests.officer import Officer
from tests.registers import read_register

CLOCK = timedelta(minutes=5)  # one machine, one clock; the rest is how long a busy machine takes


@pytest.fixture(scope="module")
def register(federation: Federation) -> Register:
    """Return the register of the federation."""
    return read_register(federation.folder)


def witnessed(node: NodeProcess, size: int) -> WitnessedNote | None:
    """Return the first witnessed note of a node's log that holds so many entries, if there is one."""
    return look(node, lambda reads: witness_store.witnessed_after(reads, size))


def log_size(node: NodeProcess) -> int:
    """Return the size of a node's log."""
    return look(node, lambda reads: log_store.head(reads).size)


def proofs_by(node: NodeProcess, digest: bytes, members: set[str]) -> list[ForeignProof]:
    """Return the proofs of other logs that a node keeps about a message, once it has one of each of these members."""
    found = look(node, lambda reads: exchange_store.proofs(reads, digest))
    return found if {each.member for each in found} == members else []


def cosigned(node: NodeProcess, kept: ForeignProof) -> CosignedProof | None:
    """Return the cosigned proof that a node keeps of the same entry."""
    origin = origin_of(kept.checkpoint)
    return look(node, lambda reads: witness_store.cosigned_proof(reads, kept.member, origin, kept.index, kept.digest))


def none_waits(node: NodeProcess) -> bool:
    """Return whether no proof that a node keeps waits for a cosigned one."""
    return not look(node, witness_store.uncosigned_counts)


def test_every_log_is_witnessed_by_all_others(federation: Federation, register: Register) -> None:
    """Within seconds of a message every log is cosigned by its three witnesses, and by its own witness key."""
    send(Officer(federation.folder, "kaz-liaison", register), ["tjk"])
    for member, node in federation.nodes.items():
        size = log_size(node)
        note = eventually(partial(witnessed, node, size))
        key = VerifierKey.from_vkey(register.member(member).log_keys[-1].vkey)
        assert checkpoints.verify(note.note, [key], key.name).size == note.size >= size
        assert set(note.witnesses) == set(federation.nodes) - {member}
        for each in federation.nodes:
            (said,) = cosignatures(note.note, [register.member(each).witness_keys[-1].key])
            assert abs(said.time - datetime.now(UTC)) < CLOCK


def test_receipts_become_cosigned_proofs(federation: Federation, register: Register) -> None:
    """A receipt, and the release at the recipient, are joined within seconds by proofs to cosigned checkpoints."""
    digest = send(Officer(federation.folder, "uzb-liaison", register), ["kaz", "kgz"])
    for member, others in (("uzb", {"kaz", "kgz"}), ("kaz", {"uzb"})):
        node = federation.node(member)
        for kept in eventually(partial(proofs_by, node, digest, others)):
            proof = eventually(partial(cosigned, node, kept))
            owner = register.member(kept.member)
            after = judge_note(proof.span.note, owner, register, datetime.now(UTC))
            before = judge_note(proof.span.before, owner, register, datetime.now(UTC))
            hashes = [proof.hashes[at : at + 32] for at in range(0, len(proof.hashes), 32)]
            leaf = merkle.leaf_hash(kept.entry)
            merkle.verify_inclusion(leaf, kept.index, after.checkpoint.size, hashes, after.checkpoint.root)
            assert before.checkpoint.size <= kept.index
            made = log_pb2.LogEntry.FromString(kept.entry).entry_time.ToDatetime(tzinfo=UTC)
            # Cosignatures say whole seconds.
            assert before.time - timedelta(seconds=1) <= made <= after.time + timedelta(seconds=1)
            assert register.member(kept.member).witness_keys[-1].name.encode() in proof.span.note
        eventually(partial(none_waits, node))


def test_the_operator_sees_who_cosigned(federation: Federation, command: Command) -> None:
    """Status, doctor and the peers' table say that the log is witnessed, and by whom."""
    node = federation.node("kgz")
    eventually(lambda: not node.status().HasField("unwitnessed_since_time"))
    config = str(node.config)
    code, status = command("status", "--config", config)
    assert (code, status["unwitnessed_since_time"]) == (0, None)
    assert status["witnessed_size"] >= status["log_entries"] > 0
    assert {peer["cosigned_size"] for peer in status["peers"]} == {status["log_entries"]}
    _code, doctor = command("doctor", "--config", config)
    assert [check["level"] for check in doctor["checks"] if check["check"] == "witnesses"] == ["ok"]


async def test_the_auditor_is_given_the_cosigned_note_itself(federation: Federation, register: Register) -> None:
    """The witness statements of GetLogStatus can be verified by any caller."""
    node = federation.node("kaz")
    size = eventually(lambda: node.status().witnessed_size)
    async with Officer(federation.folder, "kaz-auditor", register).channel() as channel:
        status = await audit_pb2_grpc.AuditServiceStub(channel).GetLogStatus(audit_pb2.GetLogStatusRequest())
    judged = judge_note(status.witnessed_checkpoint, register.member("kaz"), register, datetime.now(UTC))
    assert judged.checkpoint.size >= size
