"""FLASH messages and stops, and receipts for them, are announced as what officers who watch are shown at once."""

from collections.abc import Collection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from paiza.core.v1 import message_pb2 as pb
from paiza_node.core.exchange.receive.arrivals import Arrival
from paiza_node.core.exchange.receive.receive import Receive
from paiza_node.core.exchange.send import results
from paiza_node.core.exchange.send.release import announce_released
from paiza_node.core.exchange.send.results import Outcome
from paiza_node.core.log.changes import Change, MessagesChanged
from paiza_node.core.log.model import StoredEntry
from paiza_node.core.storage import open_store

FLASH, STOP, ROUTINE = (name.encode() * 8 for name in ("flsh", "stop", "rout"))
HEADERS = {
    FLASH: pb.Header(kind="alert", urgency=pb.URGENCY_FLASH),
    STOP: pb.Header(kind="cd-stop", urgency=pb.URGENCY_FLASH),
    ROUTINE: pb.Header(kind="alert", urgency=pb.URGENCY_ROUTINE),
}
MESSAGES: Any = [SimpleNamespace(digest=digest, header=header) for digest, header in HEADERS.items()]


class Transaction:
    """A transaction that notes what is announced in it."""

    conn = now = None

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.announce = self.changes.append

    def ahead(self) -> Collection[bytes]:
        """Return what is shown first."""
        (change,) = [each for each in self.changes if isinstance(each, MessagesChanged)]
        assert set(change.digests) >= change.ahead
        return change.ahead


def test_what_is_released() -> None:
    """By the urgency in its header."""
    tx: Any = Transaction()
    announce_released(tx, MESSAGES)
    assert tx.ahead() == {FLASH, STOP}


@pytest.mark.parametrize(("ahead", "shown"), [(True, {FLASH, STOP}), (False, set[bytes]())])
async def test_what_arrives(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    ahead: bool,  # noqa: FBT001 - a parameter of the test
    shown: set[bytes],
) -> None:
    """By the urgency in its header, from a member that has not used up its share of what goes first."""
    unused: Any = SimpleNamespace()
    store = open_store(f"sqlite:///{tmp_path / 'paiza.db'}")
    tx: Any = Transaction()
    checked: list[Any] = [Arrival(each.digest, unused, b"", each) for each in MESSAGES]

    async def check(*_arguments: Any, **_rest: Any) -> list[Any]:
        return checked

    class Ledger:
        async def commit_parts(self, work: Any, items: int, **_rest: Any) -> Any:
            return [SimpleNamespace(result=work(tx, 0, items), checkpoint=None)]

    def stored(_tx: Any, _member: str, part: list[Any]) -> list[Any]:
        return [StoredEntry(0, b"")] * len(part)

    monkeypatch.setattr("paiza_node.core.peers.store.put_known_log", lambda *_: None)
    core: Any = SimpleNamespace(
        member="kaz",
        register_cache=unused,
        ledger=Ledger(),
        logs=SimpleNamespace(to_store=lambda *_: None),
        store=store,
        decryption_keys=unused,
        clock=None,
        executors=SimpleNamespace(receive=SimpleNamespace(run_in_slices=check), workers=unused, way=unused),
    )
    arrivals: Any = stored
    receive = Receive(core, suspect=unused, arrivals=arrivals, piggybacks=(), check_grant=unused)
    await receive.take(SimpleNamespace(id="tjk"), [], unused, ahead=ahead)  # type: ignore[arg-type]
    store.close()
    assert tx.ahead() == shown


@pytest.mark.parametrize("ahead", [True, False])
def test_what_is_answered(
    monkeypatch: pytest.MonkeyPatch,
    ahead: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """By the slot in which it was sent."""
    for name in ("peers_store.put_known_log", "exchange_store.add_proofs", "deliveries_store.postpone"):
        monkeypatch.setattr(f"paiza_node.core.exchange.send.results.{name}", lambda *_: None)
    monkeypatch.setattr("paiza_node.core.exchange.send.results.deliveries_store.settle", lambda *_: [])
    outgoing: Any = SimpleNamespace(digest=FLASH)
    tx: Any = Transaction()
    known: Any = None
    settlement: Any = SimpleNamespace(id=1)
    results._write("node", "tjk", [Outcome(outgoing, settlement)], known, tx, ahead=ahead)
    assert tx.ahead() == ({FLASH} if ahead else set())
