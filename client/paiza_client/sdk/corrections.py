"""Correcting a message of our own member: by a whole new message, or field by field. What was sent stays as it is.

    original = await corrections.open_original(session, "01a20a99", "wrong weight")
    prepared = corrections.in_words(original, {"quantity": "12.5 kg"}, because="weighed", explanation="weighed again")

By a whole new message: send `replacement` first, then `replaced`, which announces it to every holder.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from google.protobuf.message import Message

from paiza.content.v1.recall_pb2 import CorrectedField, Correction
from paiza.core.v1 import message_pb2
from paiza_client.compose.composer import raise_field_problems
from paiza_client.language import _
from paiza_client.sdk import drafts, fitting, messages, replies
from paiza_client.sdk.drafts import UNCHANGED, Overrides, Prepared
from paiza_client.sdk.model import MessageSummary
from paiza_client.sdk.session import Session
from paiza_client.sdk.wording import kind_of
from paiza_domain.drafts.drafts import Draft
from paiza_domain.kinds.correction import MAX_CHANGES
from paiza_domain.schema.diff import differences, value_text
from paiza_domain.schema.field_errors import FieldError
from paiza_domain.schema.scalars import ScalarError
from paiza_officer.errors import misused

_ANNEX: Final = message_pb2.PART_KIND_NOMINAL_ANNEX


@dataclass(frozen=True, slots=True)
class Original:
    """A message of our own member, opened to be corrected; ``holders`` are the ids of the members that have it."""

    message: MessageSummary
    content: Message
    annex: Message | None
    holders: list[str]

    def as_draft(self) -> Draft:
        """Return it as a draft to be corrected, its version counted on where it has one."""
        header = self.message.header
        content = type(self.content)()
        content.CopyFrom(self.content)
        _count_on(content)
        return Draft(
            kind=kind_of(header),
            content=content,
            annex=self.annex,
            recipients=tuple(message_pb2.Recipient(member=member) for member in self.holders),
            urgency=header.urgency,
            urgency_reason=header.urgency_reason,
            handling=header.handling,
            legal_bases=tuple(header.legal_bases),
            review_time=header.review_time.ToDatetime(tzinfo=UTC),
        )


async def open_original(session: Session, text: str, reason: str = "") -> Original:
    """Return the message that a text names, opened: the node logs OPENED with the reason.

    Its nominal annex is opened too where a reason is given. Refused("not_author") for another member's message;
    otherwise as `messages.find` and `Session.open_part`.
    """
    message = await messages.find_own(session, text, fitting.stands)
    content = messages.content(await session.open_part(message.digest, 0, reason))
    annex = None
    number = next((n for n, each in enumerate(message.header.parts) if each.kind == _ANNEX), None)
    if number is not None and kind_of(message.header).annex is not None and reason:
        annex = messages.content(await session.open_part(message.digest, number, reason))
    return Original(message, content, annex, await replies.holders(session, [message]))


def replacement(
    original: Original, draft: Draft, source: str, overrides: Overrides = UNCHANGED, now: datetime | None = None
) -> Prepared:
    """Return the message that takes the place of the original, addressed to its holders and to the draft's recipients.

    ``source`` is the draft's path. Misused for a draft of another kind.
    """
    header = original.message.header
    drafts.check_kind(draft, header.kind, source)
    recipients = tuple(dict.fromkeys([*original.holders, *(each.member for each in draft.recipients)]))
    prepared = drafts.prepare(draft, source, replace(overrides, recipients=recipients), now)
    # In the place of the old one: behind what that followed from, and behind itself.
    parents = [*header.parent_digests, original.message.digest]
    return drafts.in_thread(prepared, header.thread_id, parents, exercise=header.exercise)


def replaced(
    original: Original,
    content: Message,
    annex: Message | None,
    digest: bytes,
    *,
    because: str,
    explanation: str,
    overrides: Overrides = UNCHANGED,
) -> Prepared:
    """Return the correction that announces a replacement to every holder, with the fields that differ.

    ``content`` and ``annex`` are the replacement's and ``digest`` its digest; empty for a dry run, where it was not
    sent. ``because`` is a code ("slip", "laboratory", "weighed"). Misused for a replacement of another kind.
    """
    correction = announcement(original, content, annex, digest, because=because, explanation=explanation)
    return _announced(original, correction, [digest] if digest else [], overrides)


def announcement(
    original: Original, content: Message, annex: Message | None, digest: bytes, *, because: str, explanation: str
) -> Correction:
    """Return the content of the correction that `replaced` makes; errors as there."""
    correction = Correction(reason=because, explanation=explanation, replacement_digest=digest)
    correction.changes.extend(_changes(original, content, annex))
    return correction


def in_words(
    original: Original,
    fields: Mapping[str, str],
    *,
    because: str,
    explanation: str,
    overrides: Overrides = UNCHANGED,
) -> Prepared:
    """Return the correction of single fields: what each should say, as text by its path.

    Misused where the message has no such field; its detail names those it has. Refused("invalid_draft") for what is no
    value of its field.
    """
    correction = field_by_field(original, fields, because=because, explanation=explanation)
    return _announced(original, correction, [], overrides)


def texts(original: Original) -> dict[str, str]:
    """Return what each field of a message says, as text by its path, in the order of the form."""
    kind = kind_of(original.message.header)
    return {path: text for path, _nothing, text in differences(kind.shape, kind.content(), original.content)}


def field_by_field(original: Original, fields: Mapping[str, str], *, because: str, explanation: str) -> Correction:
    """Return the content of the correction that `in_words` makes; errors as there."""
    said, kind = texts(original), kind_of(original.message.header)
    correction = Correction(reason=because, explanation=explanation)
    wrong = []
    for path, text in fields.items():
        if path not in said:
            what = _("the message has no field {name}; it has: {names}")
            raise misused("--field", what.format(name=path, names=", ".join(said)))
        try:
            after = value_text(kind.shape, path, text)
        except ScalarError as error:
            wrong.append(FieldError(path, *error.problem))
        else:
            correction.changes.add(path=path, before=said[path], after=after)
    raise_field_problems("--field", wrong, kind)
    return correction


def as_draft(original: Original, correction: Correction) -> Draft:
    """Return a correction as a draft, to every holder, under the marks and legal bases of what it corrects."""
    header, digests = original.message.header, [original.message.digest, correction.replacement_digest]
    return Draft(
        kind=drafts.kind_of_content(correction),
        content=correction,
        recipients=tuple(message_pb2.Recipient(member=member) for member in original.holders),
        urgency=message_pb2.URGENCY_ROUTINE,
        handling=header.handling,
        legal_bases=tuple(header.legal_bases),
        parents=tuple(each.hex() for each in digests if each),
    )


def replacement_draft(original: Original) -> Draft:
    """Return the draft of the message that takes the place of the original: behind what that followed, and it."""
    header = original.message.header
    parents = [*header.parent_digests, original.message.digest]
    return replace(original.as_draft(), parents=tuple(each.hex() for each in parents))


async def sent_replacements(session: Session, message: MessageSummary) -> list[MessageSummary]:
    """Return the messages of our own that were sent in the place of another and are not announced, oldest first."""
    page = await session.list_messages(box="sent", thread_id=message.header.thread_id, kind=message.header.kind)
    return [
        each
        for each in reversed(page.messages)
        if message.digest in each.header.parent_digests and not each.recalled_by and each.digest != message.replaced_by
    ]


def _announced(
    original: Original, correction: Correction, replacements: Sequence[bytes], overrides: Overrides
) -> Prepared:
    parents = [original.message.digest, *replacements]
    return replies.prepare(correction, original.message.header, parents, original.holders, overrides)


def _count_on(content: Message) -> None:
    """Raise the version of a content by one and mark it a correction, where it has both."""
    known = content.DESCRIPTOR.fields_by_name
    for name in ("notice_version", "report_version", "operation_version"):
        if name in known:
            setattr(content, name, getattr(content, name) + 1)
            if "status" in known:
                setattr(content, "status", "correction")  # noqa: B010 - not every content has it


def _changes(original: Original, content: Message, annex: Message | None) -> list[CorrectedField]:
    kind = kind_of(original.message.header)
    if content.DESCRIPTOR is not original.content.DESCRIPTOR:
        raise misused("--replaced-by", _("a message is replaced by one of its kind"))
    changed = [
        CorrectedField(path=path, before=before, after=after)
        for path, before, after in differences(kind.shape, original.content, content)
    ]
    if kind.annex_shape is not None and (original.annex or annex) is not None:
        empty = kind.annex_shape.message()
        # Only where; what the annex says stays in the annex.
        differing = differences(kind.annex_shape, original.annex or empty, annex or empty)
        changed += [CorrectedField(path=f"annex.{path}") for path, _before, _after in differing]
    return changed[:MAX_CHANGES]
