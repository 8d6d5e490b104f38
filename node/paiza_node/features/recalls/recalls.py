"""Recalls and corrections. Every node recognises them by their headers alone.

Only the author recalls or corrects its own messages: another member's attempt is refused at its own node, and has no
effect at any other. A recall or correction goes to every holder of the message; each holder's log records RECALLED when
both are there, in either order. A recalled message stays stored, and is opened only with a reason.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from paiza.core.v1 import message_pb2
from paiza_domain.threads import thread
from paiza_node.core.access.model import Officer
from paiza_node.core.access.open_rules import Opening
from paiza_node.core.errors import as_result
from paiza_node.core.exchange.holders import holders
from paiza_node.core.exchange.reactions import Reaction, ReceivedMessage, ReleasedMessage
from paiza_node.core.exchange.stages import Moment, ReleaseSession, ReleaseStage, Submission
from paiza_node.core.log.changes import MessagesChanged
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages import markings
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageRow, MessageState
from paiza_node.core.storage import ReadConnection
from paiza_wire import log_entries
from paiza_wire.errors import Rejected


def recall_stage(member: str, active: Callable[[], Collection[str]]) -> ReleaseStage:
    """The stage of recalls and corrections in a release; ``active`` returns the active members."""

    def begin(at: Moment, _officer: Officer, _batch: Sequence[Submission]) -> ReleaseSession:
        def judge(item: Submission, _before: Sequence[MessageRow]) -> Rejected | None:
            header = item.message.header
            if not thread.affected_digests(header):
                return None
            return refusal(at.conn, header, member, active().__contains__)

        return ReleaseSession(judge=judge)

    return ReleaseStage("recalls", begin)


def refusal(
    reads: ReadConnection, header: message_pb2.Header, member: str, is_active: Callable[[str], bool]
) -> Rejected | None:
    """Return why a recall or correction may not be released; None if it may, and for every other kind."""
    try:
        _check(reads, header, member, is_active)
    except Rejected as error:
        return as_result(error)
    return None


def _check(reads: ReadConnection, header: message_pb2.Header, member: str, is_active: Callable[[str], bool]) -> None:
    """Check a recall or correction.

    1. Its message is here, is our own, is no recall (nor, for a recall, a step of a workflow), and is in the thread
       that the header names.
    2. The replacement of a corrected message is one message of our own, of the same kind.
    3. It is addressed to every active member that holds its message.
    """
    concerned = thread.affected_digests(header)
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
    """Return a message of our own that is to be recalled; Rejected if it is not here, or not ours."""
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
    """Raise Rejected("holder_missing") unless every active member that holds the message is an addressee."""
    named = {recipient.member for recipient in header.recipients}
    owed = {holder for digest in concerned for holder in holders(reads, digest)} - {header.author}
    if missing := sorted(holder for holder in owed - named if is_active(holder)):
        raise Rejected("holder_missing", f"recipients: {', '.join(missing)} hold the message too")


def recall_reaction(node_id: str) -> Reaction:
    """The reaction of recalls: log RECALLED for messages and recalls that are both here."""
    return Reaction(lambda tx, messages: note_received(tx, node_id, messages), note_released)


def note_released(tx: LogTransaction, messages: Sequence[ReleasedMessage]) -> None:
    """Log the effects of our own recalls among the written messages."""
    _announce(tx, messages)
    for each in messages:
        if each.row.kind == thread.RECALL:
            for digest in thread.affected_digests(each.header):
                _append(tx, each.actor, "", digest, each.row.digest)


def note_received(tx: LogTransaction, node_id: str, messages: Sequence[ReceivedMessage]) -> None:
    """Log the effects of recalls on and among the written messages. A recall may come before its message."""
    _announce(tx, messages)
    known = markings.marks(tx.conn, [each.row for each in messages])
    found = {(each.row.author, each.row.digest, recall) for each in messages for recall in _recalls(known, each.row)}
    for each in messages:
        if each.row.kind == thread.RECALL:
            found |= {(each.row.author, digest, each.row.digest) for digest in _recalled_here(tx.conn, each.header)}
    for author, digest, recall in sorted(found):
        _append(tx, node_id, author, digest, recall)


def _recalls(known: Mapping[bytes, thread.Amendments], row: MessageRow) -> tuple[bytes, ...]:
    return known.get(row.digest, thread.UNAMENDED).recalled_by


def _announce(tx: LogTransaction, messages: Sequence[ReceivedMessage] | Sequence[ReleasedMessage]) -> None:
    """Announce the messages concerned by recalls and corrections: their data in lists has changed."""
    if concerned := {digest for each in messages for digest in thread.affected_digests(each.header)}:
        tx.announce(MessagesChanged(tuple(concerned)))


def _recalled_here(reads: ReadConnection, header: message_pb2.Header) -> list[bytes]:
    rows = [messages_store.message(reads, digest) for digest in thread.affected_digests(header)]
    return [
        row.digest
        for row in rows
        if row is not None and row.state is MessageState.RECEIVED and thread.takes_effect(header, row.author, row.kind)
    ]


def _append(tx: LogTransaction, actor: str, counterpart: str, digest: bytes, recall: bytes) -> None:
    tx.append(log_entries.recalled(actor=actor, author=counterpart, digest=digest, recall_digest=recall))


def open_rule(reads: ReadConnection, opening: Opening) -> Rejected | None:
    """Raise Rejected("recalled") for a recalled message unless a reason is stated."""
    if opening.reason.strip() or not _recalls(markings.marks(reads, [opening.row]), opening.row):
        return None
    return Rejected("recalled", "its author recalled this message: it is opened only with a stated reason")
