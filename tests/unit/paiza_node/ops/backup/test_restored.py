"""The largest checkpoints of our own logs that others show to a node that is restored."""

from dataclasses import replace
from datetime import timedelta
from itertools import permutations

from paiza_node.ops.backup.restored import Shown
from paiza_register import LogKey
from paiza_wire.identity import keys
from paiza_wire.tlog import checkpoint
from paiza_wire.tlog.checkpoint import Checkpoint
from paiza_wire.tlog.notes import SignerKey
from tests.unit.paiza_register.ceremony.world import NOW, World


def test_an_abandoned_key_does_not_outdo_the_key_in_use() -> None:
    """The largest note by a key in use counts, in any order; where there is none, the largest of all."""
    world = World("kaz", "tjk", "uzb")
    own = world.held.register.members["kaz"]
    old = SignerKey.from_ed25519(own.origin, world.members["kaz"].log)
    new = SignerKey.from_ed25519(own.origin, keys.generate_ed25519())
    later = LogKey(own.origin, new.verifier_key.to_vkey(), None, new.verifier_key)
    own = replace(own, log_keys=(replace(own.log_keys[0], until=NOW - timedelta(days=1)), later))

    def largest(*shown: tuple[int, SignerKey]) -> int:
        found = Shown(NOW)
        for size, key in shown:
            found.take(own, checkpoint.sign(Checkpoint(own.origin, size, bytes(32)), key), "tjk")
        return found.largest[own.origin][0].size

    for shown in permutations([(1_000_000, old), (5, new), (7, new), (3, old)]):
        assert largest(*shown) == 7
    assert largest((3, old), (4, old)) == 4
