"""Answering a message: in its thread, to its author, under its marks and legal bases."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from google.protobuf.message import Message

from paiza.content.v1.acknowledgement_pb2 import Acknowledgement
from paiza.content.v1.feedback_pb2 import Feedback
from paiza.core.v1 import message_pb2
from paiza_client.files.attaching import Progress
from paiza_client.language import _
from paiza_client.sdk import drafts, sending
from paiza_client.sdk.drafts import UNCHANGED, Overrides, Prepared
from paiza_client.sdk.model import MessageSummary
from paiza_client.sdk.sending import Sent
from paiza_client.sdk.session import Session
from paiza_domain import kinds
from paiza_domain.drafts.drafts import Draft
from paiza_domain.schema.kind import Kind
from paiza_officer.errors import FieldProblem, Refused


async def reply(
    session: Session,
    message: MessageSummary,
    content: Message,
    *,
    annex: Message | None = None,
    attachments: Sequence[str | Path] = (),
    recipients: Sequence[str] = (),
    urgency: str = "routine",
    reason_code: str = "",
    second: str = "",
    on_sealing: Progress | None = None,
    on_upload: Progress | None = None,
) -> Sent:
    """Send an answer to a message; return what the node's log proves about it.

    ``content`` is a record of `paiza.content.v1` (`fields.describe`) and decides the kind; its ``reference``, where it
    has one, is our own agency's, not that of the request. The answer goes to the author of the message, or to its
    recipients where our own member is the author, unless ``recipients`` are named. Marks and legal bases are those of
    the message. Files are sealed as attachments. Logs, callbacks and errors are those of `sending.send`.

    Nothing prevents a second answer, of this officer or another: of several answers to a question the latest counts.
    `threads.unanswered` yields the requests without one.
    """
    overrides = Overrides(tuple(recipients), urgency, reason_code, second=second, attach=tuple(attachments))
    to = [message.header.author]
    if message.header.author == session.profile.member:
        to = [each.member for each in message.header.recipients]
    prepared = prepare(content, message.header, [message.digest], to, overrides, annex)
    await drafts.check_asked(session, prepared, [message])
    prepared = drafts.raise_marks(prepared, [message])
    return await sending.send(session, prepared, on_sealing=on_sealing, on_upload=on_upload)


def usual_kind(message: MessageSummary) -> Kind:
    """Return the kind that usually answers a message; a free message where there is none."""
    answered = kinds.all_kinds().get(message.header.kind)
    return drafts.find_kind(answered.answered_by[0] if answered and answered.answered_by else "free-message")


def prepare(
    content: Message,
    about: message_pb2.Header,
    parents: Sequence[bytes],
    recipients: Sequence[str],
    overrides: Overrides,
    annex: Message | None = None,
) -> Prepared:
    """Return a message in the thread of ``about``, under its marks and legal bases, following from ``parents``.

    ``parents`` are digests, 32 bytes each; ``recipients`` are ids of members; ``overrides`` wins. Nothing is sent.
    """
    kind = drafts.kind_of_content(content)
    draft = Draft(
        kind=kind,
        content=content,
        annex=annex,
        recipients=tuple(message_pb2.Recipient(member=member) for member in recipients),
        handling=about.handling,
        legal_bases=tuple(about.legal_bases),
    )
    prepared = drafts.prepare(draft, kind.name, overrides)
    return drafts.in_thread(prepared, about.thread_id, parents, exercise=about.exercise)


async def holders(session: Session, concerned: Sequence[MessageSummary]) -> list[str]:
    """Return the ids of all active members but our own who hold any of these messages, as far as our node was told."""
    named: dict[str, None] = {}
    for message in concerned:
        named.update(dict.fromkeys(each.member for each in await session.forwarding.holders(message.digest)))
    active = {each.id for each in session.register().active_members()} - {session.profile.member}
    return [member for member in named if member in active]


def acknowledgement(
    session: Session, message: MessageSummary, note: str = "", overrides: Overrides = UNCHANGED
) -> Prepared:
    """Return the acknowledgement that a message of another member, a recall above all, was taken note of.

    It goes to the author, as INFORMATION unless ``overrides`` says otherwise. Refused("not_addressed") for a message of
    our own member.
    """
    return _to_author(session, message, Acknowledgement(message_digest=message.digest, note=note), overrides)


def feedback(
    session: Session, message: MessageSummary, content: Feedback, overrides: Overrides = UNCHANGED
) -> Prepared:
    """Return the feedback on what a message of another member was worth; address, urgency and errors as above."""
    return _to_author(session, message, content, overrides)


def check_foreign(session: Session, message: MessageSummary, why: str) -> None:
    """Raise Refused("not_addressed") with the detail ``why`` for a message of our own member."""
    if message.header.author == session.profile.member:
        what = _("It is a message of your own member.")
        raise Refused("not_addressed", message.id, why, [FieldProblem("", what, "own")])


def _to_author(session: Session, message: MessageSummary, content: Message, overrides: Overrides) -> Prepared:
    check_foreign(session, message, "your own member wrote it")
    chosen = replace(overrides, urgency=overrides.urgency or "information")
    return prepare(content, message.header, [message.digest], [message.header.author], chosen)
