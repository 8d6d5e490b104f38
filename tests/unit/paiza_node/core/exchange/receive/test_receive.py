"""What a delivery of a peer costs it in the turns of the ledger."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from paiza.peer.v1 import exchange_pb2
from paiza_node.core.exchange.receive.receive import Receive
from paiza_node.core.storage import open_store
from paiza_wire.errors import Rejected


class Ledger:
    """Notes what a caller is charged."""

    def __init__(self) -> None:
        self.charged = 0

    async def commit_parts(self, _work: Any, items: int, *, extra: int, **_rest: Any) -> Any:
        """Commit nothing, and refuse each message."""
        self.charged += items + extra
        refused = [Rejected("malformed", "exercise")] * items
        return [SimpleNamespace(result=refused, checkpoint=SimpleNamespace(size=0))]


@pytest.mark.parametrize(("messages", "answers"), [(0, 512), (3, 2), (256, 0)])
async def test_answers_that_a_delivery_carries_are_charged(tmp_path: Path, messages: int, answers: int) -> None:
    """They are looked up in the transaction like messages: a peer that sends hundreds of them waits its turn."""

    async def refused(*_arguments: Any, **_rest: Any) -> list[Any]:
        return [Rejected("malformed", "exercise")] * messages

    ledger, nothing, store = Ledger(), SimpleNamespace(), open_store(f"sqlite:///{tmp_path / 'paiza.db'}")
    core: Any = SimpleNamespace(
        member="kaz",
        register_cache=nothing,
        ledger=ledger,
        logs=SimpleNamespace(to_store=lambda *_: None),
        store=store,
        decryption_keys=nothing,
        clock=None,
        executors=SimpleNamespace(receive=SimpleNamespace(run_in_slices=refused), workers=nothing, way=nothing),
    )
    unused: Any = nothing
    receive = Receive(core, suspect=unused, arrivals=unused, piggybacks=(), check_grant=unused)
    dispatches, proven = [exchange_pb2.Dispatch()] * messages, [nothing] * (answers // 2)
    member: Any = SimpleNamespace(id="tjk")
    await receive.take(member, dispatches, unused, answers=[(unused, proven), (unused, proven)])  # type: ignore[list-item]
    store.close()
    assert ledger.charged == messages + answers
