"""All services of one member's node in this process, called as the server calls them, without a network.

with WholeNode(federation, "kaz", tmp_path / "data", duty_unit="duty-desk") as node:
    answer = await node.call("/paiza.officer.v1.OfficerService/GetSession", node.officer("liaison"), request)
"""

import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractContextManager, aclosing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from google.protobuf.message import Message
from typing_extensions import override

from paiza.core.v1 import log_pb2, message_pb2
from paiza_node.app.services import Dependencies
from paiza_node.app.wiring import build_services
from paiza_node.core.access.model import Officer
from paiza_node.core.access.need_to_know import UnitDirectory
from paiza_node.core.access.principals import principal_of
from paiza_node.core.api import services
from paiza_node.core.api.authentication import Caller
from paiza_node.core.api.connections import Connections
from paiza_node.core.dependencies import Core
from paiza_node.core.exchange import reactions
from paiza_node.core.exchange.reactions import ReceivedMessage
from paiza_node.core.executors.executors import Executors
from paiza_node.core.log import store as log_store
from paiza_node.core.log.ledger import Ledger
from paiza_node.core.log.notifier import Notifier
from paiza_node.core.log.signer import LogSigner
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.decryption import DecryptionKeys
from paiza_node.core.messages.model import MessageRow, MessageState
from paiza_node.core.peers.log_views import PeerLogViews
from paiza_node.core.peers.tls_identity import TlsIdentity
from paiza_node.core.register.sync import RegisterCache
from paiza_node.core.storage import open_store
from paiza_node.features.search.index import Index, TokenKey
from paiza_node.features.search.saved import store_matches
from paiza_node.features.search.service import SearchService
from paiza_node.features.workflows.service import WorkflowService
from paiza_node.ops import config as node_config
from paiza_node.ops.data_folder import open_reader
from paiza_node.ops.keys import load_keys
from paiza_wire import message as wire
from paiza_wire.errors import PaizaError
from paiza_wire.identity import SpiffeId
from tests.unit.paiza_node.fixed_officers import listed_officers
from tests.unit.paiza_node.room import NoFile

STEP: Final = timedelta(seconds=61)  # by which the clock goes on between calls: shares of a minute are whole again


class WholeNode(AbstractContextManager["WholeNode"]):
    """The node of one member over an empty database."""

    def __init__(self, federation: Path, member: str, data: Path, *, duty_unit: str = "") -> None:
        """Build it with the keys and the register of a development federation; its data begin in ``data``."""
        folder = federation / "nodes" / member
        shutil.copytree(folder / "data", data)
        config = replace(
            node_config.load(folder / "node.toml", {}),
            data=data,
            database=f"sqlite:///{data / 'paiza.db'}",
            duty_unit=duty_unit,
        )
        self.ahead = timedelta()
        reader = open_reader(config)
        cache = RegisterCache(reader, lambda: datetime.now(UTC))
        own = cache.last.described_member(member)
        keys = load_keys(config, own)
        self.member = member
        self.store = open_store(config.database)
        self.ledger = Ledger(self.store, LogSigner(keys.log, own.log_keys), NoFile(), lambda: cache.version, self.clock)
        self.executors = Executors()
        self.officers = listed_officers(folder / "officers.json")
        self.officers.keep_deputies(self.store, self.clock)
        self.core = Core(
            member=member,
            node_id=str(SpiffeId(member, config.federation, "node")),
            register_cache=cache,
            ledger=self.ledger,
            store=self.store,
            logs=PeerLogViews({}, self.clock),
            notifier=Notifier(),
            executors=self.executors,
            decryption_keys=DecryptionKeys(member, keys.decryption),
            clock=self.clock,
        )
        self.unit_directory = UnitDirectory(member, duty_unit, self.officers.officers)
        token_key = TokenKey(keys.index)
        self._dependencies = Dependencies(
            config, self.core, self.officers, self.unit_directory, token_key, reader, keys.witness
        )
        built = build_services(self._dependencies, TlsIdentity(keys.tls), Connections([]))
        self._handlers = services.handlers_of(built.handlers, services.public())
        (search,) = [each for each in built.handlers if isinstance(each, SearchService)]
        self._index = Index(
            self.core,
            token_key=token_key,
            new_messages=self._dependencies.new_messages,
            compare=search._saved.compared,
            store_matches=store_matches,
        )
        (workflows,) = [each for each in built.handlers if isinstance(each, WorkflowService)]
        self._deadlines = workflows._deadlines
        self._policy = cache.policy

    @override
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ledger.close()
        self.executors.close()
        self.store.close()

    def clock(self) -> datetime:
        """Return the time at this node."""
        return datetime.now(UTC) + self.ahead

    def officer(self, name: str) -> Officer:
        """Return an officer by name."""
        found = self.unit_directory.officer(name)
        assert found is not None, name
        return found

    def appoint(self, name: str, *roles: str, unit: str | None = None) -> None:
        """Change an officer's roles and unit."""
        officer = self.officer(name)
        self.officers.replace(
            replace(officer, roles=frozenset(roles) or officer.roles, unit=officer.unit if unit is None else unit)
        )

    async def call(self, method: str, officer: Officer, request: Any, *, step: timedelta = STEP) -> list[Message]:
        """Call an RPC as an officer, a ``step`` after the call before; return its answers, of a stream all.

        PaizaError as the caller would be told.
        """
        self.ahead += step
        if action := services.accesses()[method].action:
            self._policy.check(principal_of(officer), action)
        answer = self._handlers[method](Caller(officer.id, officer=officer), request)
        if not hasattr(answer, "__aiter__"):
            return [await answer]
        async with aclosing(answer):
            return [each async for each in answer]

    def stream(self, method: str, officer: Officer, request: Any) -> AsyncIterator[Any]:
        """Open a stream of answers; the caller closes it."""
        answers: AsyncIterator[Any] = self._handlers[method](Caller(officer.id, officer=officer), request)
        return answers

    def receive(self, *signed: bytes) -> None:
        """Store messages of another member as if its node had delivered them."""

        def work(tx: LogTransaction) -> None:
            headers = {}
            rows = []
            for raw in signed:
                parsed = message_pb2.SignedMessage.FromString(raw)
                header = wire.parse_header(parsed.header)
                rows.append((self._row(tx, raw, parsed.header, header), header))
                headers[rows[-1][0].digest] = header
            placed = self.unit_directory.received(tx.conn, rows)
            messages_store.add_messages(tx.conn, [row for row, _assignee in placed])
            written = [ReceivedMessage(row, headers[row.digest], row.author, assignee) for row, assignee in placed]
            reactions.received(self._dependencies.reactions, tx, written)

        self.ledger.commit_now(work)

    async def index(self) -> None:
        """Do what background tasks do with new messages: index them, and follow workflows."""
        await self._index.index_stored()
        self._deadlines.catch_up()
        await self._deadlines.load()

    def entries(self, first: int = 0) -> list[log_pb2.LogEntry]:
        """Return the entries of the log from an index on."""
        with self.store.reads() as reads:
            found = log_store.entries(reads, first, 100_000)
        return [log_pb2.LogEntry.FromString(each.entry) for each in found]

    def _row(self, tx: LogTransaction, raw: bytes, data: bytes, header: message_pb2.Header) -> MessageRow:
        opens = header.thread_id == header.message_id
        names = messages_store.thread_names(tx.conn, [header.thread_id])
        seq = tx.next_message_seq()
        return MessageRow(
            seq=seq,
            digest=wire.message_digest(data),
            author=header.author,
            message_id=header.message_id,
            thread_id=header.thread_id,
            thread_name=f"{header.author.upper()}-2026-{seq:05}" if opens else names.get(header.thread_id, ""),
            kind=header.kind,
            urgency=header.urgency,
            state=MessageState.RECEIVED,
            header=data,
            stored_time=tx.now,
            signed=raw,
            parents=tuple(header.parent_digests),
        )


async def refusal_of(call: Any) -> PaizaError | Sequence[Message]:
    """Return the answers of a call, or the refusal."""
    try:
        found: Sequence[Message] = await call
    except PaizaError as error:
        return error
    return found
