"""The end of audit retention: entries and headers become hashes, and the tree, the node and its proofs go on."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
import pytest_asyncio
from sqlalchemy import select

from paiza.content.v1.erasure_pb2 import ErasureRequest
from paiza.core.v1 import log_pb2
from paiza.core.v1 import message_pb2 as pb
from paiza_node.core.dependencies import Core
from paiza_node.core.log import store as log_store
from paiza_node.core.log.checkpoint_file import CheckpointSlots
from paiza_node.core.log.ledger import Ledger
from paiza_node.core.log.notifier import Notifier
from paiza_node.core.log.signer import LogSigner
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.decryption import DecryptionKeys
from paiza_node.core.peers.log_views import PeerLogViews
from paiza_node.core.storage import open_store
from paiza_node.core.storage.scanning import open_scan
from paiza_node.features.retention import log_retention
from paiza_node.ops.config import Config, load
from paiza_node.ops.keys import load_keys
from paiza_node.ops.tables import LIFECYCLES
from paiza_register import Register
from paiza_wire.tlog.merkle import leaf_hash
from tests.federation import Federation
from tests.integration.exchange.desk import Desk, digest_of
from tests.registers import read_register

pytestmark = pytest.mark.asyncio(loop_scope="module")

YEARS: Final = timedelta(days=11 * 366)
REQUEST: Final = ErasureRequest(reason="review", explanation="Exercise").SerializeToString()


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """Two real nodes."""
    with Federation.create(tmp_path_factory.mktemp("retiring") / "federation", ["kaz", "tjk"]) as federation:
        federation.start()
        yield federation


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def kaz(federation: Federation) -> AsyncIterator[Desk]:
    """The desk of the author."""
    desk = Desk(federation.folder, "kaz")
    async with desk.channel:
        yield desk


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tjk(federation: Federation) -> AsyncIterator[Desk]:
    """The desk of the holder."""
    desk = Desk(federation.folder, "tjk")
    async with desk.channel:
        yield desk


async def sent(kaz: Desk, tjk: Desk) -> bytes:
    """Send a message from kaz and wait until it is at tjk."""
    signed = kaz.officer.compose(["tjk"])
    assert await kaz.send(signed) == ""
    await tjk.wait_for(digest_of(signed))
    return signed


async def erased(kaz: Desk, signed: bytes) -> bytes:
    """Erase a message at both nodes; return the digest of the request."""
    header = pb.Header.FromString(pb.SignedMessage.FromString(signed).header)
    request = kaz.write("erasure-request", REQUEST, [header], [digest_of(signed)], ["tjk"])
    assert await kaz.send(request) == ""
    for _ in range(600):
        events = await kaz.events(digest_of(signed))
        if "ERASED" in events and "ERASURE_ANSWERED" in events:
            return digest_of(request)
        await asyncio.sleep(0.1)
    raise AssertionError("not erased in time")


@contextmanager
def stopped_node(config: Config, register: Register) -> Iterator[Core]:
    """Open the ledger of a node that does not run, with a clock for its verbs that is years ahead."""
    store = open_store(config.database)
    keys = load_keys(config, register.member(config.member))
    slots = CheckpointSlots(config.data / "checkpoint")
    ledger = Ledger(store, LogSigner(keys.log), slots, lambda: register.version)
    later = datetime.now(UTC) + YEARS
    try:
        yield Core(
            member=config.member,
            node_id=f"spiffe://{config.member}.paiza.example/node",
            register_cache=None,  # type: ignore[arg-type]  # nothing here asks the register
            ledger=ledger,
            store=store,
            logs=PeerLogViews({}, lambda: later),
            notifier=Notifier(),
            executors=None,  # type: ignore[arg-type]  # nothing here comes in batches
            decryption_keys=DecryptionKeys(config.member, {}),
            clock=lambda: later,
        )
    finally:
        ledger.close()
        slots.close()
        store.close()


def verified(federation: Federation, member: str) -> object:
    """Run `paiza-node verify`; gives what it finds, or True."""
    command = [sys.executable, "-m", "paiza_node", "verify", "--json", "--config", str(federation.node(member).config)]
    answer = json.loads(subprocess.run(command, capture_output=True, check=False, text=True).stdout)
    return answer["passed"] or answer


async def test_entries_and_headers_become_hashes(
    federation: Federation, kaz: Desk, tjk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Entries of erased messages go, those of kept ones stay; verify passes, and the exchange goes on."""
    monkeypatch.setattr(log_retention, "PAUSE_SECONDS", 0.0)
    gone, kept = await sent(kaz, tjk), await sent(kaz, tjk)
    request = await erased(kaz, gone)
    digests = [digest_of(gone), request]
    for member in ("kaz", "tjk"):
        federation.node(member).stop()
        config = load(federation.node(member).config, {})
        with open_scan(config.database) as scan:
            before = {
                row[0]: row[1] for rows in log_store.entry_rows(scan, 0, log_store.head(scan).size) for row in rows
            }
        with stopped_node(config, read_register(federation.folder)) as core:
            assert await log_retention.LogRetention(core, LIFECYCLES, timedelta(days=4000)).once() > 0
            assert await log_retention.LogRetention(core, LIFECYCLES, timedelta(days=4000)).once() == 0
        with open_scan(config.database) as scan:
            after = [row for rows in log_store.entry_rows(scan, 0, log_store.head(scan).size) for row in rows]
            for digest in digests:
                assert messages_store.message(scan, digest) is None
                assert log_store.entries_of(scan, digest) == []
            assert messages_store.retired_messages(scan, [*digests, digest_of(kept)]) == set(digests)
            assert log_store.entries_of(scan, digest_of(kept))
        hashed = {row[0]: row[2] for row in after if row[1] is None}
        assert hashed == {index: leaf_hash(before[index]) for index in hashed}
        assert log_pb2.LogEntry.FromString(after[-1][1]).event == log_pb2.LOG_EVENT_RETIRED
        assert verified(federation, member) is True
    federation.start()
    assert await kaz.open(digest_of(kept)) == ""
    assert "RELEASED" in await kaz.events(digest_of(kept))
    again = await sent(kaz, tjk)
    assert "RECEIVED" in await tjk.events(digest_of(again))


async def test_a_damaged_hash_is_found(federation: Federation) -> None:
    """A hash that retention left cannot be changed unseen: the tree is built of it."""
    node = federation.node("tjk")
    node.stop()
    config = load(node.config, {})
    store = open_store(config.database)
    with store.transaction() as conn:
        row = conn.execute(select(log_store.retired_table).limit(1)).one()
        conn.execute(
            log_store.retired_table.update().where(log_store.retired_table.c.index == row.index).values(leaf=bytes(32))
        )
    store.close()
    found = verified(federation, "tjk")
    assert isinstance(found, dict)
    assert found["passed"] is False
