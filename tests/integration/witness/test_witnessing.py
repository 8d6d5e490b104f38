"""Logs of running nodes are cosigned by the others, within seconds and without holding up a delivery."""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from paiza_node.model import WitnessedNote
from paiza_register import Register
from paiza_wire import checkpoint as checkpoints
from paiza_wire.cosignatures import cosignatures
from paiza_wire.notes import VerifierKey
from tests.federation import Federation, NodeProcess
from tests.integration.witness.looking import eventually, look, send
from tests.officer import Officer, read_register

CLOCK = timedelta(seconds=30)  # one machine, one clock; the rest is how long a busy machine takes


@pytest.fixture(scope="module")
def register(federation: Federation) -> Register:
    """Give the register of the federation."""
    return read_register(federation.folder)


def witnessed(node: NodeProcess, size: int) -> WitnessedNote | None:
    """Give the first witnessed note of a node's log that holds so many entries, if there is one."""
    return look(node, lambda reads: reads.witnessed_after(size))


def log_size(node: NodeProcess) -> int:
    """Give the size of a node's log."""
    return look(node, lambda reads: reads.head().size)


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
