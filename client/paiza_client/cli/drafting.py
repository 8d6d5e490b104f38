"""From what the officer gives (a file, answers at prompts, options) to content and envelope, ready to be composed."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from google.protobuf.message import Message

from paiza.core.v1 import message_pb2
from paiza_client.cli import classification
from paiza_client.cli.terminal import lang
from paiza_client.compose.composer import Envelope, raise_field_problems
from paiza_client.errors import FieldProblem, Refused, misused
from paiza_client.files import attaching
from paiza_client.language import _
from paiza_client.sdk import messages
from paiza_client.sdk.model import MessageSummary
from paiza_domain import handling as marks
from paiza_domain import kinds
from paiza_domain.drafts import drafts
from paiza_domain.drafts.drafts import Draft, DraftError
from paiza_domain.schema.kind import Kind
from paiza_wire.errors import Rejected

if TYPE_CHECKING:
    from paiza_client.sdk import Session

MAX_DRAFT_BYTES: Final = 4 * 1024 * 1024  # a content and an annex of at most 1 MiB each, with room for comments
STDIN: Final = "-"


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the command line adds to a draft or sets against it."""

    recipients: tuple[str, ...] = ()
    urgency: str = ""
    reason_code: str = ""
    parents: tuple[str, ...] = ()
    second: str = ""
    attach: tuple[str, ...] = ()
    strip_location: bool = False


@dataclass(frozen=True, slots=True)
class Prepared:
    """A draft with everything that can be decided without the node; ``parents`` are still as written."""

    source: str
    kind: Kind
    content: Message
    annex: Message | None
    envelope: Envelope
    parents: tuple[str, ...] = field(default=())
    second: str = ""


def find_kind(wanted: str) -> Kind:
    """Find a kind by its name or a unique beginning of it ("seizure")."""
    known = kinds.all_kinds()
    found = [wanted] if wanted in known else [name for name in known if name.startswith(wanted)]
    if len(found) != 1:
        names = ", ".join(known)
        what = _("There is no kind “{wanted}”; there are: {names}").format(wanted=wanted, names=names)
        raise misused(wanted, what)
    return known[found[0]]


def read(path: str, now: datetime, given: Mapping[str, str] = MappingProxyType({})) -> Draft:
    """Read a draft file ("-" is standard input); Refused names every line that is wrong.

    ``given`` are single fields of the content, for where the draft leaves them out.
    """
    try:
        if path == STDIN:
            data = sys.stdin.buffer.read(MAX_DRAFT_BYTES + 1)
        else:
            with Path(path).open("rb") as file:
                data = file.read(MAX_DRAFT_BYTES + 1)
    except OSError as error:
        raise Refused("file_unreadable", path, error.strerror or "") from error
    if len(data) > MAX_DRAFT_BYTES:
        raise Refused("too_large", path, f"over {MAX_DRAFT_BYTES} bytes")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refused(
            "invalid_draft", path, "not UTF-8", [FieldProblem(path, _("The file is not in UTF-8."), "encoding")]
        ) from error
    try:
        return drafts.read(text, lang(), now=now, given=given, levels=classification.levels)
    except DraftError as error:
        raise_field_problems(path, error.errors)
        raise AssertionError("a draft error names at least one field") from error


def filled(kind: Kind, given: Mapping[str, str], opening: message_pb2.Header, now: datetime) -> Draft:
    """Make a draft of a few fields; marks and legal bases are those of the message that opened the thread."""
    text = f"kind: {kind.name}\ncontent: {{}}\n"
    try:
        draft = drafts.read(text, lang(), now=now, given=given)
    except DraftError as error:
        raise_field_problems(
            kind.name, [each.at(0, 0) for each in error.errors]
        )  # there is no file whose lines could be told
        raise AssertionError("a draft error names at least one field") from error
    return replace(draft, handling=opening.handling, legal_bases=tuple(opening.legal_bases))


def prepare(draft: Draft, source: str, overrides: Overrides, now: datetime) -> Prepared:
    """Put draft and command line together; the command line wins."""
    recipients = draft.recipients
    if overrides.recipients:
        attention = {each.member: each.attention for each in draft.recipients}
        recipients = tuple(
            message_pb2.Recipient(member=member, attention=attention.get(member, "")) for member in overrides.recipients
        )
    urgency = draft.urgency
    if overrides.urgency:
        urgency = message_pb2.Urgency.Value(f"URGENCY_{overrides.urgency.upper()}")
    verified = marks.is_verified(draft.handling)
    default = marks.review_time(now, nominal=draft.annex is not None, verified=verified)
    beside = Path(source).parent  # paths in a draft begin where the draft is
    wanted = [(beside / file, note) for file, note in draft.attachments] + [
        (Path(file), "") for file in overrides.attach
    ]
    envelope = Envelope(
        attachments=attaching.look_at_all(wanted, strip_location=overrides.strip_location),
        recipients=recipients,
        urgency=urgency,
        urgency_reason=overrides.reason_code
        or ("" if overrides.urgency and urgency != draft.urgency else draft.urgency_reason),
        handling=draft.handling,
        legal_bases=draft.legal_bases,
        review_time=draft.review_time or default,
    )
    parents = (*overrides.parents, *draft.parents)
    return Prepared(source, draft.kind, draft.content, draft.annex, envelope, parents, overrides.second)


async def follow(session: "Session", prepared: Prepared) -> Prepared:
    """Find the messages this one follows from and take their thread; without recipients, answer the first author.

    And find the second officer, where one is named.
    """
    if prepared.second:
        second = await session.approvals.second(prepared.second, prepared.kind)
        prepared = replace(prepared, envelope=replace(prepared.envelope, second=second), second="")
    if not prepared.parents:
        return prepared
    found: list[MessageSummary] = [await messages.find(session, each) for each in dict.fromkeys(prepared.parents)]
    threads = {each.header.thread_id for each in found}
    if len(threads) > 1:
        what = _("The messages answered are of different threads.")
        raise Refused("invalid_draft", prepared.source, problems=[FieldProblem("in_reply_to", what, "threads_differ")])
    recipients = prepared.envelope.recipients or _answered(found[0], session.profile.member)
    envelope = replace(
        prepared.envelope,
        recipients=recipients,
        handling=_raised(prepared, found),
        thread_id=threads.pop(),
        parent_digests=tuple(dict.fromkeys(each.digest for each in found)),
    )
    return replace(prepared, envelope=envelope, parents=())


def _raised(prepared: Prepared, found: Sequence[MessageSummary]) -> message_pb2.Handling:
    """Raise the marks to those of the messages this one follows from: what is derived never carries a lower mark."""
    parts = [marks.of_message(each.header).handling() for each in found]
    try:
        return marks.raised(prepared.envelope.handling, parts)
    except Rejected as error:
        raise Refused(error.reason, prepared.source, error.detail) from error


def in_thread(prepared: Prepared, thread_id: bytes, parents: Sequence[bytes]) -> Prepared:
    """Put a message into a thread, behind these messages."""
    envelope = replace(prepared.envelope, thread_id=thread_id, parent_digests=tuple(dict.fromkeys(parents)))
    return replace(prepared, envelope=envelope, parents=())


def now() -> datetime:
    """Return the time a message is written: milliseconds, as its id has them."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _answered(message: MessageSummary, own: str) -> tuple[message_pb2.Recipient, ...]:
    """Address an answer: to the author; to the recipients where the author is our own member."""
    if message.header.author != own:
        return (message_pb2.Recipient(member=message.header.author),)
    return tuple(message_pb2.Recipient(member=each.member) for each in message.header.recipients)
