"""Taking back: recalls and corrections. Every node knows them by their headers alone.

Only the author takes back or corrects its own messages: what another attempts is refused at its own node, and takes no
effect at any other. A recall or correction goes to everyone who holds what it concerns; each holder's log says RECALLED
when both are there, in whichever order they came. What was recalled stays stored, and is opened only with a reason.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final

from paiza.core.v1 import delivery_pb2, message_pb2
from paiza_domain.threads import thread
from paiza_node.core.access.model import Officer
from paiza_node.core.exchange import store as exchange_store
from paiza_node.core.exchange.send import store as deliveries_store
from paiza_node.core.exchange.stages import ReleaseSession, ReleaseStage, Submission
from paiza_node.core.log.ledger import LogTransaction
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageRow, MessageState
from paiza_node.core.storage import ReadConnection
from paiza_wire import log_entries
from paiza_wire.errors import Rejected

_NOT_HELD: Final = frozenset({delivery_pb2.DELIVERY_STATE_REFUSED, delivery_pb2.DELIVERY_STATE_REJECTED})


def holders(reads: ReadConnection, digest: bytes) -> tuple[str, ...]:
    """Name the members that hold a message of our own or may: those it was sent to, and those it was passed on to.

    Who proved that it refused the message is left out; who has not answered may hold it.
    """
    sent = [each.recipient for each in deliveries_store.deliveries_of(reads, digest) if each.state not in _NOT_HELD]
    forwarding = [
        recipient
        for recipient, _index, state in deliveries_store.forwarded_indices(reads, digest)
        if state not in _NOT_HELD
    ]
    told = [each.holder for each in exchange_store.forwardings_of_message(reads, digest) if not each.denied]
    return tuple(dict.fromkeys([*sent, *forwarding, *told]))


def recall_stage(member: str, active: Callable[[], Collection[str]]) -> ReleaseStage:
    """The part of recalls and corrections in a release; ``active`` returns the active members."""

    def begin(tx: LogTransaction, _officer: Officer, _batch: Sequence[Submission]) -> ReleaseSession:
        def judge(item: Submission, _before: Sequence[MessageRow]) -> Rejected | None:
            header = item.message.header
            if not thread.concerned(header):
                return None
            return refusal(tx.conn, header, member, active().__contains__)

        return ReleaseSession(judge=judge)

    return ReleaseStage("recalls", begin)


def refusal(
    reads: ReadConnection, header: message_pb2.Header, member: str, is_active: Callable[[str], bool]
) -> Rejected | None:
    """Say why a recall or correction is not released; None where it may be, and for every other kind."""
    try:
        _check(reads, header, member, is_active)
    except Rejected as error:
        return error
    return None


def _check(reads: ReadConnection, header: message_pb2.Header, member: str, is_active: Callable[[str], bool]) -> None:
    """Check a recall or correction.

    1. What it concerns is here, is our own, is no recall (nor, for a recall, a step of a workflow), and stands in the
       thread the header names.
    2. What replaces a corrected message is one message of our own, of the same kind.
    3. It is addressed to every member that holds what it concerns, as far as such a member is active.
    """
    concerned = thread.concerned(header)
    # 1.
    targets = [own_message(reads, digest, member) for digest in concerned]
    if any(target.kind == thread.RECALL for target in targets):
        raise Rejected("invalid_header", "parent_digests: a recall is final")
    if header.kind == thread.RECALL and any(thread.is_step(target.kind) for target in targets):
        raise Rejected("workflow_breach", "a step of a workflow is undone by another step of it, not recalled")
    if any(target.thread_id != header.thread_id for target in targets):
        raise Rejected("invalid_header", "thread_id: it stands in the thread of what it concerns")
    # 2.
    if header.kind == thread.CORRECTION:
        _check_replacement(reads, header, targets, member)
    # 3.
    check_holders(reads, header, concerned, is_active)


def own_message(reads: ReadConnection, digest: bytes, member: str) -> MessageRow:
    """Give a message of our own that is to be taken back; Rejected where it is not here, or not ours."""
    row = messages_store.message(reads, digest)
    if row is None:
        raise Rejected("unknown_id", "what is taken back or corrected is not here")
    if row.author != member or row.state is not MessageState.RELEASED:
        raise Rejected("not_author", f"the message is of {row.author}")
    return row


def _check_replacement(
    reads: ReadConnection, header: message_pb2.Header, targets: Collection[MessageRow], member: str
) -> None:
    others = header.parent_digests[1:]
    if len(others) > 1:
        raise Rejected("invalid_header", "parent_digests: one message replaces the corrected one")
    kinds = {own_message(reads, digest, member).kind for digest in others} | {target.kind for target in targets}
    if len(kinds) > 1:
        raise Rejected("invalid_header", "parent_digests: a message is replaced by one of its kind")


def check_holders(
    reads: ReadConnection, header: message_pb2.Header, concerned: Iterable[bytes], is_active: Callable[[str], bool]
) -> None:
    """Refuse ("holder_missing") what is not addressed to every active member that holds what it concerns."""
    named = {recipient.member for recipient in header.recipients}
    owed = {holder for digest in concerned for holder in holders(reads, digest)} - {header.author}
    if missing := sorted(holder for holder in owed - named if is_active(holder)):
        raise Rejected("holder_missing", f"recipients: {', '.join(missing)} hold the message too")


def note_released(tx: LogTransaction, actor: str, rows: Iterable[MessageRow]) -> None:
    """Log what our own recalls among ``rows`` take back; runs after the rows were written."""
    for row in rows:
        if row.kind == thread.RECALL:
            for digest in thread.concerned(message_pb2.Header.FromString(row.header)):
                _append(tx, actor, "", digest, row.digest)


def note_received(tx: LogTransaction, node_id: str, rows: Iterable[MessageRow]) -> None:
    """Log what was recalled by or among messages just taken; runs after the rows were written.

    A recall may come before what it takes back.
    """
    taken = [row for row in rows if row.state is MessageState.RECEIVED]
    known = messages_store.marks(tx.conn, taken)
    found = {(row.author, row.digest, recall) for row in taken for recall in _recalls(known, row)}
    for row in taken:
        if row.kind == thread.RECALL:
            found |= {(row.author, digest, row.digest) for digest in _taken_back_here(tx.conn, row)}
    for author, digest, recall in sorted(found):
        _append(tx, node_id, author, digest, recall)


def _recalls(known: Mapping[bytes, thread.Marks], row: MessageRow) -> tuple[bytes, ...]:
    return known.get(row.digest, thread.UNMARKED).recalled_by


def _taken_back_here(reads: ReadConnection, recall: MessageRow) -> list[bytes]:
    header = message_pb2.Header.FromString(recall.header)
    rows = [messages_store.message(reads, digest) for digest in thread.concerned(header)]
    return [
        row.digest
        for row in rows
        if row is not None and row.state is MessageState.RECEIVED and thread.takes_effect(header, row.author, row.kind)
    ]


def _append(tx: LogTransaction, actor: str, counterpart: str, digest: bytes, recall: bytes) -> None:
    tx.append(log_entries.recalled(actor=actor, author=counterpart, digest=digest, recall_digest=recall))


def is_recalled(reads: ReadConnection, row: MessageRow) -> bool:
    """Return whether its author took a message back, as far as this node knows."""
    return bool(_recalls(messages_store.marks(reads, [row]), row))
