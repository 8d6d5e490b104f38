"""What is known of a peer from its calls and ours."""

import pytest

from paiza_node.core.peers import health as module
from paiza_node.core.peers.health import PeerHealth
from paiza_wire.errors import Unavailable


def test_a_peer_that_calls_without_a_pause_is_not_tried_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may call as often as it likes and not let itself be reached: each try reads a batch, and dials."""
    now = 1000.0
    monkeypatch.setattr(module, "monotonic", lambda: now)
    health, tried = PeerHealth("tjk"), 0
    for _ in range(100):
        health.failed(Unavailable("peer_unreachable", "nobody listens"), 2)
        waiting = health.returned
        health.heard()
        tried += waiting.is_set()
        now += module.RETURN_SECONDS / 10
    assert tried == 10
