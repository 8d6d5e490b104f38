"""Erasure requests: the right to release one, and its effects at the releasing or receiving node.

Only the author requests the erasure of its own messages, by two of its officers, at every holder. Every node acts on
the header alone. A step of a workflow is not erased while others depend on it: its holders erase it when its review
date comes. A message that arrives after the request that names it is erased as well, whatever the order of arrival.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Final

from paiza.core.v1 import message_pb2
from paiza_domain.threads import thread
from paiza_node.core.access.model import Officer
from paiza_node.core.errors import as_result
from paiza_node.core.exchange.reactions import Reaction, ReceivedMessage, ReleasedMessage
from paiza_node.core.exchange.stages import Moment, ReleaseSession, ReleaseStage, Submission
from paiza_node.core.log.changes import ErasuresPlanned
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageRow, MessageState
from paiza_node.core.storage import ReadConnection
from paiza_node.features.recalls import recalls
from paiza_node.features.retention import store as retention_store
from paiza_node.features.retention.model import ErasureRow, ErasureStep
from paiza_wire import log_entries
from paiza_wire.errors import Rejected

_ANSWERS: Final = {
    ErasureStep.ERASED: log_entries.erased,
    ErasureStep.NOT_HELD: log_entries.never_held,
    ErasureStep.HELD: log_entries.erasure_denied,
}


def erasure_stage(member: str, active: Callable[[], Collection[str]]) -> ReleaseStage:
    """The stage of requests to erase in a release; ``active`` returns the active members."""

    def begin(at: Moment, _officer: Officer, _batch: Sequence[Submission]) -> ReleaseSession:
        def judge(item: Submission, _before: Sequence[MessageRow]) -> Rejected | None:
            header = item.message.header
            return refusal(at.conn, header, member, active().__contains__) if header.kind == thread.ERASURE else None

        return ReleaseSession(judge=judge)

    return ReleaseStage("erasure requests", begin)


def refusal(
    reads: ReadConnection, header: message_pb2.Header, member: str, is_active: Callable[[str], bool]
) -> Rejected | None:
    """Return why a request to erase may not be released; None if it may, and for every other kind."""
    try:
        _check(reads, header, member, is_active)
    except Rejected as error:
        return as_result(error)
    return None


def _check(reads: ReadConnection, header: message_pb2.Header, member: str, is_active: Callable[[str], bool]) -> None:
    """Check a request.

    1. Each message it names is here, is our own, is no request to erase and no step of a workflow.
    2. It is in the thread of those messages.
    3. It is addressed to every active member that holds any of them.
    """
    # 1.
    digests = thread.to_be_erased(header)
    targets = [recalls.own_message(reads, digest, member) for digest in digests]
    if any(thread.is_step(target.kind) for target in targets):
        raise Rejected("workflow_breach", "a step of a workflow is erased when it is reviewed, by each who holds it")
    if any(not thread.erases(header.author, target.author, target.kind) for target in targets):
        raise Rejected("invalid_header", "parent_digests: a request to erase is itself not erased")
    # 2.
    if any(target.thread_id != header.thread_id for target in targets):
        raise Rejected("invalid_header", "thread_id: it stands in the thread of what it names")
    # 3.
    recalls.check_holders(reads, header, digests, is_active)


def erasure_reaction(member: str, node_id: str) -> Reaction:
    """The reaction of requests to erase: erasures are planned, or answered at once."""
    return Reaction(
        lambda tx, messages: note_received(tx, member, node_id, messages),
        lambda tx, messages: note_released(tx, member, node_id, messages),
    )


def note_released(tx: LogTransaction, member: str, node_id: str, messages: Sequence[ReleasedMessage]) -> None:
    """Plan the erasures that our own requests among the written messages ask of ourselves.

    Earlier requests can name only those messages that were lost and are recovered.
    """
    for each in messages:
        if each.row.kind == thread.ERASURE:
            for digest in thread.to_be_erased(each.header):
                _plan(tx, member, node_id, ErasureRow(digest, each.row.digest, member, ErasureStep.ASKED, tx.now))
    if back := [each.row for each in messages if each.recovered]:
        _plan_earlier(tx, member, node_id, back)


def note_received(tx: LogTransaction, member: str, node_id: str, messages: Sequence[ReceivedMessage]) -> None:
    """Plan the erasures that written requests ask, and those that earlier requests ask of the written messages."""
    for message in messages:
        row, header = message.row, message.header
        if row.kind == thread.ERASURE:
            for digest in thread.to_be_erased(header):
                target = messages_store.message(tx.conn, digest)
                if target is None or thread.erases(row.author, target.author, target.kind):
                    _plan(tx, member, node_id, ErasureRow(digest, row.digest, row.author, ErasureStep.ASKED, tx.now))
    _plan_earlier(tx, member, node_id, [message.row for message in messages])


def _plan_earlier(tx: LogTransaction, member: str, node_id: str, rows: Sequence[MessageRow]) -> None:
    """Plan the erasures that requests received before these messages ask."""
    earlier = retention_store.erasures_of(tx.conn, [row.digest for row in rows])
    for row in rows:
        for erasure in earlier.get(row.digest, ()):
            if erasure.step is ErasureStep.NOT_HELD and thread.erases(erasure.requester, row.author, row.kind):
                _plan(tx, member, node_id, erasure)


def plan_again(tx: LogTransaction, member: str, node_id: str, digest: bytes) -> None:
    """Plan again erasures that were prevented by a hold; runs when the hold was lifted."""
    for erasure in retention_store.erasures_of(tx.conn, [digest]).get(digest, ()):
        if erasure.step is ErasureStep.HELD:
            _plan(tx, member, node_id, erasure)


def _plan(tx: LogTransaction, member: str, node_id: str, erasure: ErasureRow) -> None:
    """Decide on one message: erased soon (`erase`), or answered at once because it is held, or not here."""
    row = messages_store.message(tx.conn, erasure.digest)
    if row is None or row.state is MessageState.REFUSED:
        settle(tx, member, node_id, erasure, ErasureStep.NOT_HELD)
    elif retention_store.holds(tx.conn, [erasure.digest]):
        settle(tx, member, node_id, erasure, ErasureStep.HELD)
    else:
        planned = ErasureRow(erasure.digest, erasure.request, erasure.requester, ErasureStep.ASKED, erasure.asked_time)
        retention_store.put_erasures(tx.conn, [planned])
        tx.announce(ErasuresPlanned())


def settle(tx: LogTransaction, member: str, node_id: str, erasure: ErasureRow, step: ErasureStep) -> None:
    """Log the result of an erasure, and plan to inform the requester: ERASED, or DENIED under legal hold."""
    foreign = erasure.requester != member
    index = tx.append(
        _ANSWERS[step](
            actor=node_id,
            requester=erasure.requester if foreign else "",
            digest=erasure.digest,
            request_digest=erasure.request,
        )
    ).index
    retention_store.put_erasures(
        tx.conn,
        [
            ErasureRow(
                erasure.digest,
                erasure.request,
                erasure.requester,
                step,
                erasure.asked_time,
                index,
                tx.now if foreign else None,
            )
        ],
    )
    tx.announce(ErasuresPlanned())
