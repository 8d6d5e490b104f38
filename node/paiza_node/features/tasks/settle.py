"""Tasks that leave the lists by themselves: what was answered, taken back, or decided asks nothing more of anybody.

A message is a task of its whole unit, so one answer settles it for every officer. Requests are settled in the
transaction that releases their answer. Steps of a workflow are settled after it, by the state of their thread: a crash
in between leaves them open until the thread is looked at again, at the next start.
"""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Final

from paiza.core.v1 import message_pb2
from paiza.officer.v1 import task_pb2
from paiza_domain import kinds
from paiza_domain.schema.kind import Kind
from paiza_domain.threads import asked, request_status, thread
from paiza_domain.threads.thread import ThreadMessage
from paiza_node.core.exchange.reactions import Reaction, ReceivedMessage, ReleasedMessage
from paiza_node.core.log.changes import MessagesChanged
from paiza_node.core.log.ledger import Ledger
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages import markings
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.decryption import DecryptionKeys, stored
from paiza_node.core.messages.model import MessageRow
from paiza_node.core.storage import ReadConnection, Store
from paiza_node.features.tasks import store as tasks_store
from paiza_node.features.tasks.assign import make_tasks, target
from paiza_node.features.tasks.model import TaskRow
from paiza_wire import log_entries
from paiza_wire import message as wire
from paiza_wire.errors import Rejected

MAX_ANSWERS: Final = 32  # answers of one member to one request that are read, the newest

_NEW: Final = int(task_pb2.TASK_STATE_NEW)
_ACKNOWLEDGED: Final = int(task_pb2.TASK_STATE_ACKNOWLEDGED)
_DONE: Final = int(task_pb2.TASK_STATE_DONE)


def task_reaction(node_id: str, decryption_keys: DecryptionKeys) -> Reaction:
    """The reaction of tasks: a received message is one, a released message may settle some, and so may a recall."""
    answers = _Answers(decryption_keys)

    def on_received(tx: LogTransaction, messages: Sequence[ReceivedMessage]) -> None:
        make_tasks(tx, messages)
        # What this batch erases too is left to the erasure: the order of the reactions must make no difference.
        erased = {digest for each in messages for digest in thread.to_be_erased(each.header)}
        for each in messages:
            over = _taken_back(tx.conn, each.header) | answers.overtaken(tx.conn, each)
            for task in _open(tx.conn, over - erased):
                _put(tx, node_id, replace(task, state=_DONE))

    return Reaction(on_received=on_received, on_released=answers.settle)


class SettleSteps:
    """Completes the tasks of steps that ask nothing more, by the state of their workflow."""

    def __init__(self, *, node_id: str, ledger: Ledger, store: Store) -> None:
        self._node_id = node_id
        self._ledger = ledger
        self._store = store

    async def __call__(self, settled: Collection[bytes]) -> None:
        """Complete those of these tasks that are open; the node logs DONE."""
        if not settled:
            return
        if await asyncio.to_thread(self._open, settled):
            await self._ledger.commit(lambda tx: self._complete(tx, settled))

    def _open(self, settled: Collection[bytes]) -> list[TaskRow]:
        with self._store.reads() as reads:
            return _open(reads, settled)

    def _complete(self, tx: LogTransaction, settled: Collection[bytes]) -> None:
        for task in _open(tx.conn, settled):
            _put(tx, self._node_id, replace(task, state=_DONE))


class _Answers:
    """Settles the tasks that a released message answers."""

    def __init__(self, decryption_keys: DecryptionKeys) -> None:
        self._decryption_keys = decryption_keys

    def settle(self, tx: LogTransaction, messages: Sequence[ReleasedMessage]) -> None:
        """Settle the tasks of the messages that these follow from; the node logs it in the name of their officer.

        A recalled answer answers nothing: its request is a task again, logged as acknowledged.
        """
        for each in messages:
            if each.row.kind == thread.RECALL:
                for task in self._reopened(tx.conn, each.header):
                    _put(tx, each.actor, replace(task, state=_ACKNOWLEDGED))
            for task in _open(tx.conn, each.header.parent_digests):
                request = messages_store.message(tx.conn, task.digest)
                state = task.state if request is None else self._state(tx.conn, request, each)
                if state > task.state:
                    _put(tx, each.actor, replace(task, state=state))

    def overtaken(self, reads: ReadConnection, answer: ReceivedMessage) -> set[bytes]:
        """Return the interim answers that an answer of the same member makes needless to read."""
        found: set[bytes] = set()
        if not asked.is_answer(answer.row.kind):
            return found
        for digest in answer.header.parent_digests:
            request = messages_store.message(reads, digest)
            kind = None if request is None else _known(wire.parse_header(request.header))
            if request is None or request.received or kind is None or answer.row.kind not in kind.answered_by:
                continue
            answers = self._answers(reads, request, kind, answer.row.author)
            found |= request_status.overtaken(self._opened(reads, request, recalled=False), answers, answer.row.author)
        return found

    def _answers(self, reads: ReadConnection, request: MessageRow, kind: Kind, member: str) -> list[ThreadMessage]:
        """Return the newest answers of a member to a request, opened."""
        rows = [
            row
            for digest in messages_store.children(reads, [request.digest], kind.answered_by).get(request.digest, [])
            if (row := messages_store.message(reads, digest)) is not None and row.author == member
        ][-MAX_ANSWERS:]
        recalled = {digest for digest, each in markings.marks(reads, rows).items() if each.recalled_by}
        return [self._opened(reads, row, recalled=row.digest in recalled) for row in rows]

    def _state(self, reads: ReadConnection, request: MessageRow, reply: ReleasedMessage) -> int:
        """Return the state of a request's task once a reply was released.

        A message that expects no answer is settled by any reply. A request is settled by answers to all of its
        questions; any other reply acknowledges it. A step is settled by its workflow alone.
        """
        header = wire.parse_header(request.header)
        kind = _known(header)
        if kind is None or kind.workflow:
            return _NEW
        if not kind.answered_by:
            return _DONE
        if reply.row.kind not in kind.answered_by:
            return _ACKNOWLEDGED
        return _ACKNOWLEDGED if self._is_open(reads, request, kind, reply.row.author) else _DONE

    def _reopened(self, reads: ReadConnection, recall: message_pb2.Header) -> list[TaskRow]:
        """Return the completed tasks of requests that a recall of our own leaves without an answer."""
        recalled = [messages_store.message(reads, digest) for digest in thread.affected_digests(recall)]
        asked = {digest for row in recalled if row for digest in wire.parse_header(row.header).parent_digests}
        found = []
        for task in tasks_store.tasks_of(reads, asked).values():
            request = messages_store.message(reads, task.digest)
            kind = None if request is None else _known(wire.parse_header(request.header))
            if request is None or kind is None or not kind.answered_by or kind.workflow or task.state != _DONE:
                continue
            if self._is_open(reads, request, kind, recall.author):
                found.append(task)
        return found

    def _is_open(self, reads: ReadConnection, request: MessageRow, kind: Kind, member: str) -> bool:
        """Return whether a request still waits for an answer of our member to one of its questions."""
        status = request_status.of_request(
            self._opened(reads, request, recalled=False), self._answers(reads, request, kind, member), [member]
        )
        addressees = () if status is None else status.addressees
        return any(each.still_open for each in addressees if each.member == member)

    def _opened(self, reads: ReadConnection, row: MessageRow, *, recalled: bool) -> ThreadMessage:
        header = wire.parse_header(row.header)
        kind, body = _known(header), messages_store.body(reads, row.seq)
        content = None
        if kind is not None and body is not None:
            try:
                content = self._decryption_keys.content(stored(body), kind)
            except Rejected:  # a key is missing: it counts as an answer to the whole
                content = None
        return ThreadMessage(row.digest, header, row.stored_time, content, recalled)


def _taken_back(conn: ReadConnection, header: message_pb2.Header) -> set[bytes]:
    """Return the messages that a received recall takes back, or a correction replaces by another message."""
    if header.kind == thread.CORRECTION and len(header.parent_digests) == 1:
        return set()
    found = set()
    for digest in thread.affected_digests(header):
        row = messages_store.message(conn, digest)
        if row is not None and thread.takes_effect(header, row.author, row.kind):
            found.add(digest)
    return found


def _open(conn: ReadConnection, digests: Collection[bytes]) -> list[TaskRow]:
    found = tasks_store.tasks_of(conn, digests) if digests else {}
    return [task for task in found.values() if task.state != _DONE]


def _put(tx: LogTransaction, actor: str, task: TaskRow) -> None:
    task = replace(task, acknowledge_time=None)
    build = log_entries.done if task.state == _DONE else log_entries.acknowledged
    tx.append(build(actor=actor, digest=task.digest), text=target(task))
    tasks_store.put_task(tx.conn, task)
    tx.announce(MessagesChanged((task.digest,)))


def _known(header: message_pb2.Header) -> Kind | None:
    try:
        return kinds.get(header.kind, header.kind_version)
    except Rejected:
        return None
