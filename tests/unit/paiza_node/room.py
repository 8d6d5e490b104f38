"""A node's room for workflows without a network: a real store and ledger, one clock, and deliveries put in by hand."""

import secrets
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import Any, Final, TypeVar, cast

from google.protobuf.message import Message
from typing_extensions import override

from paiza.core.v1 import log_pb2
from paiza.core.v1 import message_pb2 as pb
from paiza.officer.v1 import notice_pb2
from paiza_domain.handling import MAX_CLASSIFICATION
from paiza_node.core.dependencies import Core
from paiza_node.core.exchange import store as exchange_store
from paiza_node.core.exchange.model import ForeignProof, ProofKind
from paiza_node.core.log import store as log_store
from paiza_node.core.log.changes import WorkflowsMoved
from paiza_node.core.log.ledger import Committed, Ledger, Work
from paiza_node.core.log.notifier import Notifier, Subscription
from paiza_node.core.log.signer import LogSigner
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.decryption import DecryptionKeys
from paiza_node.core.messages.model import MessageRow, MessageState
from paiza_node.core.peers.log_views import PeerLogViews
from paiza_node.core.policy import Policy
from paiza_node.core.storage import open_store
from paiza_node.features.tasks.settle import SettleSteps
from paiza_node.features.workflows.deadlines import WorkflowDeadlines
from paiza_node.features.workflows.legality import WorkflowState, WorkflowStates
from paiza_node.features.workflows.steps import Steps
from paiza_wire import log_entries
from paiza_wire import message as wire
from paiza_wire.identity import keys
from paiza_wire.message import VerifiedMessage, key_wrapping
from paiza_wire.tlog.notes import SignerKey
from tests import delivery
from tests.log_entries import entry_of
from tests.officer import subject_of

T = TypeVar("T")

MEMBER: Final = "kaz"
BEGIN: Final = datetime(2026, 5, 4, 12, tzinfo=UTC)
MEMBERS: Final = ("kaz", "tjk", "uzb")
ROLES: Final = {True: ["liaison", "authoriser"], False: ["liaison"]}


class NoFile:
    """A checkpoint file that remembers nothing."""

    def load(self) -> bytes | None:
        """Return nothing."""

    def save(self, note: bytes) -> None:
        """Forget it."""


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = BEGIN

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now


class Overtaken:
    """A ledger in which something else is committed just before the holder's next commit."""

    def __init__(self, ledger: Ledger, before: Work[object]) -> None:
        self._ledger = ledger
        self._before: Work[object] | None = before

    async def commit(self, work: Work[T], *, counts_messages: bool = False) -> Committed[T]:
        """Commit the other thing, and then the work."""
        before, self._before = self._before, None
        if before is not None:
            await self._ledger.commit(before)
        return await self._ledger.commit(work, counts_messages=counts_messages)

    def __getattr__(self, name: str) -> Any:
        """Be the ledger otherwise."""
        return getattr(self._ledger, name)


class Room(AbstractContextManager["Room"]):
    """The node of kaz, as far as workflows go."""

    def __init__(self, url: str) -> None:
        self.clock = Clock()
        self._threads = 0
        self.store = open_store(url)
        signer = SignerKey.from_ed25519("kaz.paiza.example/log/1", keys.generate_ed25519())
        self.ledger = Ledger(self.store, LogSigner([signer]), NoFile(), lambda: bytes(32), self.clock)
        self.key = key_wrapping.private_key_from_seed(secrets.token_bytes(key_wrapping.SEED_BYTES))
        self.notifier = Notifier()
        self.asked: list[tuple[str, tuple[bytes, ...]]] = []
        self.shared: list[tuple[tuple[bytes, ...], str, str]] = []
        self.restart()

    def restart(self) -> None:
        """Forget what is kept in memory only."""
        decryption_keys = DecryptionKeys(MEMBER, {self.key.public_key.key_id: self.key})
        self.core = Core(
            member=MEMBER,
            node_id=f"spiffe://{MEMBER}.paiza.example/node",
            register_cache=None,  # type: ignore[arg-type]  # nothing here asks the register
            ledger=self.ledger,
            store=self.store,
            logs=PeerLogViews({}, self.clock),
            notifier=self.notifier,
            executors=None,  # type: ignore[arg-type]  # nothing here comes in batches
            decryption_keys=decryption_keys,
            clock=self.clock,
        )
        self.steps = Steps(decryption_keys)
        self.workflow_states = WorkflowStates(self.steps)
        self.deadlines = WorkflowDeadlines(
            member=MEMBER,
            store=self.store,
            steps=self.steps,
            workflow_states=self.workflow_states,
            notifier=self.notifier,
            clock=self.clock,
            ask=self._note_asked,
            share=self._note_shared,
            settle=SettleSteps(node_id=self.core.node_id, ledger=self.ledger, store=self.store),
        )

    async def _note_asked(self, member: str, digests: Sequence[bytes]) -> None:
        self.asked.append((member, tuple(digests)))

    async def _note_shared(self, digests: Sequence[bytes], recipient: str, actor: str) -> None:
        self.shared.append((tuple(digests), recipient, actor))

    @override
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ledger.close()
        self.store.close()

    def message(
        self,
        author: str,
        kind: str,
        content: Message,
        *,
        thread: bytes = b"",
        parents: Sequence[bytes] = (),
        members: Sequence[str] = MEMBERS,
        two: bool = False,
        purposes: Sequence[str] = (),
        exercise: bool = False,
    ) -> VerifiedMessage:
        """Make a step as `verify` would give it."""
        message_id = wire.new_message_id(self.clock.now)
        header = pb.Header(
            suite=pb.SUITE_1,
            message_id=message_id,
            thread_id=thread or message_id,
            parent_digests=parents,
            kind=kind,
            kind_version=1,
            author=author,
            required_signers=[
                pb.RequiredSigner(id=f"spiffe://{author}.paiza.example/officer/{role}", role=role)
                for role in ROLES[two]
            ],
            recipients=[pb.Recipient(member=member) for member in members if member != author],
            urgency=pb.URGENCY_ROUTINE,
            handling=pb.Handling(code="H0", tlp="AMBER", purposes=purposes),
            register_version=bytes(32),
            exercise=exercise,
        )
        header.author_time.FromDatetime(self.clock.now)
        header.review_time.FromDatetime(self.clock.now + timedelta(days=365))
        sealed = wire.seal(
            header,
            [wire.PlainPart(pb.PART_KIND_MAIN, content.SerializeToString())],
            [wire.RecipientKey(member, self.key.public_key) for member in {*members, author, MEMBER}],
            subject=subject_of(header, content.SerializeToString()),
        )
        signed = pb.SignedMessage(header=sealed.header, subject=sealed.subject, wraps=sealed.wraps, parts=sealed.parts)
        return VerifiedMessage(wire.message_digest(sealed.header), wire.parse_header(sealed.header), signed, ())

    def put(self, message: VerifiedMessage) -> bytes:
        """Store a message that was released, or received from its author, now; gives its digest."""
        self.ledger.commit_now(lambda tx: self.write(tx, message))
        self.moved(message)
        return message.digest

    def moved(self, message: VerifiedMessage) -> None:
        """Notify the watch over workflows that the thread of a message changed."""
        self.deadlines.notify([WorkflowsMoved(frozenset({message.header.thread_id}))])

    def row(self, tx: LogTransaction, message: VerifiedMessage, unit: str | None = None) -> MessageRow:
        """Return the row of a message."""
        header = message.header
        opens = header.thread_id == header.message_id
        return MessageRow(
            seq=tx.next_message_seq(),
            digest=message.digest,
            author=header.author,
            message_id=header.message_id,
            thread_id=header.thread_id,
            thread_name=f"{header.author.upper()}-2026-{self._number():05d}" if opens else "",
            kind=header.kind,
            urgency=header.urgency,
            state=MessageState.RELEASED if header.author == MEMBER else MessageState.RECEIVED,
            header=message.signed.header,
            stored_time=tx.now,
            signed=message.signed.SerializeToString(),
            parents=tuple(header.parent_digests),
            unit=unit,
        )

    def write(self, tx: LogTransaction, message: VerifiedMessage, unit: str | None = None) -> None:
        """Store a message inside a transaction; of another's with the proof of its release."""
        self.write_row(tx, message, self.row(tx, message, unit))

    def write_row(self, tx: LogTransaction, message: VerifiedMessage, row: MessageRow) -> None:
        """Store a message as this row."""
        author = row.author
        messages_store.add_messages(tx.conn, [row])
        if author != MEMBER:
            entry = entry_of(log_pb2.LOG_EVENT_RELEASED, message_digest=message.digest)
            entry.entry_time.FromDatetime(self.clock.now)
            raw, note = entry.SerializeToString(), f"note of {author}".encode()
            exchange_store.add_proofs(
                tx.conn, [ForeignProof(message.digest, author, ProofKind.RELEASED, raw, 0, b"", note, bytes(32))]
            )

    def _number(self) -> int:
        self._threads += 1
        return self._threads

    def overtaken_by(self, before: Work[object]) -> Core:
        """Return a context with the rules that ship with the node, in which the next commit comes too late."""
        member = SimpleNamespace(classification_ceiling=MAX_CLASSIFICATION)
        register = SimpleNamespace(member=lambda _id: member, active_member=lambda _id: member)
        register_cache = SimpleNamespace(current=register, policy=Policy())
        ledger = Overtaken(self.ledger, before)
        return replace(self.core, register_cache=cast("Any", register_cache), ledger=cast("Any", ledger))

    def events(self, digest: bytes) -> list[str]:
        """Name the events of the log about a message, each with its reason where it has one."""
        with self.store.reads() as reads:
            entries = [log_pb2.LogEntry.FromString(each.entry) for each in log_store.entries_about(reads, digest)]
        names = [log_pb2.LogEvent.Name(each.event).removeprefix("LOG_EVENT_") for each in entries]
        return [f"{name} {log_entries.reason(each)}".strip() for name, each in zip(names, entries, strict=True)]

    def begin(self, author: str = MEMBER, members: Sequence[str] = MEMBERS, **changes: object) -> VerifiedMessage:
        """Put in a request; gives it."""
        request = delivery.request(members, self.clock.now, **changes)  # type: ignore[arg-type]
        message = self.message(author, "cd-request", request, members=members)
        self.put(message)
        return message

    def workflow_state(self, thread: bytes) -> WorkflowState:
        """Return where a thread stands."""
        with self.store.reads() as reads:
            found = self.workflow_states.of(reads, thread)
        assert found is not None
        return found

    async def told(self, watch: Subscription) -> list[notice_pb2.Notice]:
        """Return the notices that a watch was told so far, and end it."""
        watch.end()
        found = []
        while items := await watch.take():
            found += [item for item in items if isinstance(item, notice_pb2.Notice)]
        self.notifier.unsubscribe(watch)
        return found


def open_room(folder: Path) -> Room:
    """Open a room on an empty database."""
    return Room(f"sqlite:///{folder / 'paiza.db'}")
