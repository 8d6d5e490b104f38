"""From a draft to a message ready to be sent: content and envelope, thread, recipients, marks, second officer.

    draft = drafts.read(path, session.profile)           what is wrong is named line by line
    prepared = drafts.prepare(draft, str(path))          everything that needs no node
    sent = await sending.send(session, prepared)         `resolve`, then seal, sign and submit

Nothing here is sent. The node logs only that a request is opened to be compared with its answer (`check_asked`).
"""

import codecs
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Final

from google.protobuf.message import Message

from paiza.core.v1 import message_pb2
from paiza_client.compose import addressing, faults
from paiza_client.compose.addressing import members_told
from paiza_client.compose.composer import Envelope, Written, raise_field_problems
from paiza_client.files import attaching
from paiza_client.language import _, language
from paiza_client.local import reference_data
from paiza_client.sdk import fitting, messages
from paiza_client.sdk.model import MessageSummary
from paiza_client.sdk.session import Session
from paiza_domain import handling as marks
from paiza_domain import kinds, reference
from paiza_domain.codes import lookup
from paiza_domain.drafts import drafts as written
from paiza_domain.drafts.content import Position, position
from paiza_domain.drafts.drafts import Draft, DraftError, Examined
from paiza_domain.schema.field_errors import FieldError
from paiza_domain.schema.kind import Kind
from paiza_domain.threads import asked
from paiza_officer.errors import FieldProblem, NotProven, Refused, misused
from paiza_officer.profiles import Profile, write_private
from paiza_register import Register
from paiza_wire.errors import Rejected

_BESIDE: Final = {"urgency_reason": "urgency"}  # what a field that is not there is missed beside
MAX_DRAFT_BYTES: Final = 4 * 1024 * 1024  # a content and an annex of at most 1 MiB each, with room for comments
_USUAL: Final = message_pb2.Handling(tlp="AMBER", code="H2", classification=1)  # where the kind has no usual marks


@dataclass(frozen=True, slots=True)
class Overrides:
    """The caller's additions and overrides of a draft; empty fields leave the draft unchanged.

    ``recipients`` are ids of members; ``urgency`` is "flash", "urgent", "priority", "routine" or "information", and
    ``reason_code`` says why it is one of the first two. ``parents`` name the messages that are answered, as
    `messages.find` takes them. ``second`` is the officer who must sign as well, by id or name. ``attach`` are files;
    ``strip_location`` takes out of pictures among them where they were taken. ``exercise`` marks the message as one.
    """

    recipients: tuple[str, ...] = ()
    urgency: str = ""
    reason_code: str = ""
    parents: tuple[str, ...] = ()
    second: str = ""
    attach: tuple[str | Path, ...] = ()
    strip_location: bool = False
    exercise: bool = False


UNCHANGED: Final = Overrides()
"""Options that leave the draft unchanged."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A message with everything that can be decided without the node.

    ``parents`` and ``second`` are still as written; `resolve` puts what they name into the envelope. ``source`` is the
    draft's file or another name for it, used in errors.
    """

    source: str
    kind: Kind
    content: Message
    annex: Message | None
    envelope: Envelope
    parents: tuple[str, ...] = field(default=())
    second: str = ""
    places: Mapping[str, Position] = field(default_factory=dict, repr=False)
    """Line and column of the fields in the draft's text, by path."""

    def written(self) -> Written:
        """Return where the message was read from, for errors."""
        return Written(self.source, self.places)


def find_kind(wanted: str) -> Kind:
    """Return the newest version of the kind with this name or title, or a unique beginning of its name.

    Misused names the kinds that come nearest.
    """
    found = kinds.named(wanted)
    if len(found) == 1:
        return kinds.all_kinds()[found[0]]
    raise misused("paiza send", kinds.unknown(wanted, language()).message(language()))


def kind_of_content(content: Message) -> Kind:
    """Return the newest version of the kind whose content this is; Misused where it is the content of none."""
    for kind in kinds.all_kinds().values():
        if kind.content is type(content):
            return kind
    return find_kind(content.DESCRIPTOR.name)


def read(
    path: str | Path,
    profile: Profile,
    *,
    now: datetime | None = None,
    given: Mapping[str, str] = MappingProxyType({}),
    overrides: "Overrides | None" = None,
) -> Draft:
    """Return the draft in a YAML file.

    ``given`` are single fields of the content, as text by key, for where the draft leaves them out; ``now`` is the time
    of writing. With ``overrides``, the faults of the finished header are told with those of the fields (`examine`).
    National names of classification levels are those of the profile's member.

    Refused("invalid_draft") names every line that is wrong, Refused("file_unreadable") or ("too_large") the file.
    """
    return parse(read_bytes(path), str(path), profile, now=now, given=given, overrides=overrides)


def read_bytes(path: str | Path) -> bytes:
    """Return the bytes of a file, one more than `MAX_DRAFT_BYTES` at most; Refused("file_unreadable")."""
    try:
        with Path(path).open("rb") as file:
            return file.read(MAX_DRAFT_BYTES + 1)
    except OSError as error:
        raise Refused("file_unreadable", str(path), error.strerror or "") from error


def decoded(data: bytes, source: str) -> str:
    """Return the text of a draft; Refused("too_large"), or ("invalid_draft") where it is not UTF-8."""
    if len(data) > MAX_DRAFT_BYTES:
        raise Refused("too_large", source, f"over {MAX_DRAFT_BYTES} bytes")
    if b"\0" in data and not data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        what = _("This is no text. Pictures and documents go with --attach; paiza send KIND --template prints a draft.")
        raise Refused("invalid_draft", source, "not a text", [FieldProblem(source, what, "encoding")])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        what = _("The file is not in UTF-8: open it in an editor and save it as UTF-8.")
        raise Refused("invalid_draft", source, "not UTF-8", [FieldProblem(source, what, "encoding")]) from error


def parse(
    data: bytes,
    source: str,
    profile: Profile,
    *,
    now: datetime | None = None,
    given: Mapping[str, str] = MappingProxyType({}),
    overrides: "Overrides | None" = None,
) -> Draft:
    """Return the draft in the bytes of a YAML text; ``source`` names it in errors. Otherwise as `read`."""
    beside = Path(source).parent
    found = examine(decoded(data, source), profile, now=now, given=given, overrides=overrides, beside=beside)
    raise_field_problems(source, found.errors, found.draft.kind if found.draft else None)
    assert found.draft is not None, "a draft without a kind has an error"
    return found.draft


def examine(
    text: str,
    profile: Profile,
    *,
    now: datetime | None = None,
    given: Mapping[str, str] = MappingProxyType({}),
    overrides: "Overrides | None" = None,
    beside: Path | None = None,
) -> Examined:
    """Return the draft in a YAML text with everything that is wrong with it, as far as this machine knows.

    Each error has path, code, line and a sentence (`FieldError.message`), in line order. With ``overrides``, what the
    caller sets against the draft, the errors of the finished header are among them: recipients, ceilings, legal bases
    and a missing second officer, by the register verified last; what the caller replaces is not judged. With
    ``beside``, the folder of the draft, files to attach that are not there are among them too. Nothing is asked of the
    node.
    """
    now = now or writing_time()
    found = written.examine(
        text,
        language(),
        now=now,
        given=given,
        levels=lambda: _levels(profile),
        members=reference_data.members(profile),
    )
    if overrides is not None:
        found = _without_replaced(found, overrides)
    register = reference_data.last_register(profile)
    if found.draft is not None and register is not None:
        bases = tuple(_basis(register, each) for each in found.draft.legal_bases)
        found = replace(found, draft=replace(found.draft, legal_bases=bases))
    if found.draft is not None and beside is not None:
        found = replace(found, errors=written.in_order([*found.errors, *_missing_files(found.draft, beside)]))
        absent = [each for each in (overrides.attach if overrides else ()) if not Path(each).is_file()]
        errors = [*found.errors, *(FieldError("attachments", "file_missing", {"value": each}) for each in absent)]
        found = replace(found, errors=written.in_order(errors))
    if overrides is None or found.draft is None:
        return found
    kind, content = found.draft.kind, found.draft.content
    header = _header(found.draft, profile, overrides, now)
    if register is not None and not header.recipients:
        told = members_told(register, profile.member, kind, content)
        header.recipients.extend(message_pb2.Recipient(member=each) for each in told)
    of_header = faults.of_header(header, kind, register)
    if register is not None:
        members = tuple(each.member for each in header.recipients)
        of_header += addressing.errors(register, profile.member, kind, content, members, now)
    # An answer without recipients goes to the author of what it answers; others may go to those the register names.
    if overrides.parents or found.draft.parents or (register is None and any(kind.states_told(content))):
        of_header = [each for each in of_header if each.code != "recipients_missing"]
    places = found.draft.places
    located = [each.at(*position(_BESIDE.get(each.path, each.path), places)) for each in of_header]
    return replace(found, errors=written.in_order(faults.merged(found.errors, located)))


def _without_replaced(found: Examined, overrides: Overrides) -> Examined:
    """Return a draft without errors and places of the fields that the caller replaces.

    An error of the caller's own value must name no line of the draft.
    """
    by_key = {
        "to": overrides.recipients,
        "urgency": overrides.urgency,
        "urgency_reason": overrides.reason_code,
    }
    replaced = {key for key, value in by_key.items() if value}

    def stays(path: str) -> bool:
        return path.partition("[")[0] not in replaced

    errors = tuple(each for each in found.errors if stays(each.path))
    if found.draft is None:
        return Examined(None, errors)
    places = {path: at for path, at in found.draft.places.items() if stays(path)}
    return Examined(replace(found.draft, places=places), errors)


def _missing_files(draft: Draft, beside: Path) -> list[FieldError]:
    """Return an error for each file to attach that is not there."""
    return [
        FieldError(path, "file_missing", {"value": file}).at(*position(path, draft.places))
        for path, (file, _note) in ((f"attachments[{at}]", each) for at, each in enumerate(draft.attachments, 1))
        if not (beside / file).is_file()
    ]


def _basis(register: Register, text: str) -> str:
    """Return the code of the legal basis that a text names by its title; the text itself if it names none."""
    wanted = lookup.name_key(text)
    named = [code for code, titles in register.legal_bases.items() if wanted in map(lookup.name_key, titles.values())]
    return named[0] if len(named) == 1 else text


def _header(draft: Draft, profile: Profile, overrides: "Overrides", now: datetime) -> message_pb2.Header:
    """Return the header that a draft will have, without what only the node knows."""
    envelope = _envelope(draft, "", overrides, now)
    header = message_pb2.Header(
        kind=draft.kind.name,
        kind_version=draft.kind.version,
        author=profile.member,
        recipients=envelope.recipients,
        urgency=envelope.urgency,
        urgency_reason=envelope.urgency_reason,
        handling=envelope.handling,
        legal_bases=envelope.legal_bases,
        parent_digests=[bytes(32) for _each in (*overrides.parents, *draft.parents)],
        required_signers=[message_pb2.RequiredSigner()] * (2 if overrides.second else 1),
    )
    header.parts.add(kind=message_pb2.PART_KIND_MAIN)
    if draft.annex is not None:
        header.parts.add(kind=message_pb2.PART_KIND_NOMINAL_ANNEX)
    header.author_time.FromDatetime(now)
    header.review_time.FromDatetime(envelope.review_time)
    return header


def of_fields(kind: Kind, given: Mapping[str, str], opening: message_pb2.Header, now: datetime | None = None) -> Draft:
    """Return a draft of a few fields, as text by key; marks and legal bases are those of the header ``opening``.

    Refused("invalid_draft") names every field that is wrong or missing.
    """
    text = f"kind: {kind.name}\ncontent: {{}}\n"
    try:
        draft = written.read(text, language(), now=now or writing_time(), given=given)
    except DraftError as error:
        # There is no file whose lines could be told.
        raise_field_problems(kind.name, [each.at(0, 0) for each in error.errors], kind)
        raise AssertionError("a draft error names at least one field") from error
    return replace(draft, handling=opening.handling, legal_bases=tuple(opening.legal_bases))


def check_kind(draft: "Draft | Prepared", wanted: str, source: str) -> None:
    """Raise Misused where a draft, or a message prepared from one, is not of the wanted kind."""
    if draft.kind.name != wanted:
        what = _("the draft is of kind {found}, not {wanted}").format(found=draft.kind.name, wanted=wanted)
        raise misused(source, what)


def usual_handling(kind: Kind, content: Message) -> message_pb2.Handling:
    """Return the marks that a message of this kind usually carries: a suggestion, where its draft names none."""
    return kind.handling_for(content) if kind.handling_for else _USUAL


def prepare(draft: Draft, source: str, overrides: Overrides = UNCHANGED, now: datetime | None = None) -> Prepared:
    """Return a draft with what the caller sets against it; the caller wins.

    ``source`` is the draft's path: files that it attaches are looked for beside it. Without a review date of its own a
    message has the usual one of its marks, from ``now`` on. Refused says which file cannot be attached, and why, or
    that there is no such urgency.
    """
    envelope = _envelope(draft, source, overrides, now or writing_time())
    beside = Path(source).parent  # paths in a draft begin where the draft is
    wanted = [(beside / file, note) for file, note in draft.attachments]
    wanted += [(Path(file), "") for file in overrides.attach]
    attachments = attaching.look_at_all(wanted, strip_location=overrides.strip_location)
    parents = (*overrides.parents, *draft.parents)
    return Prepared(
        source,
        draft.kind,
        draft.content,
        draft.annex,
        replace(envelope, attachments=attachments),
        parents,
        overrides.second,
        draft.places,
    )


def _envelope(draft: Draft, source: str, overrides: "Overrides", now: datetime) -> Envelope:
    """Return the header fields of a draft with what the caller sets against it, without attachments."""
    recipients = draft.recipients
    if overrides.recipients:
        recipients = _with_attention(overrides.recipients, draft.recipients)
    urgency = draft.urgency
    if overrides.urgency:
        name = f"URGENCY_{overrides.urgency.upper()}"
        if name not in message_pb2.Urgency.keys():  # noqa: SIM118 - an enum wrapper, no dictionary
            raise Refused("invalid_draft", source, f"urgency: {overrides.urgency}")
        urgency = message_pb2.Urgency.Value(name)
    verified = marks.is_verified(draft.handling)
    default = marks.review_time(now, nominal=draft.annex is not None, verified=verified)
    return Envelope(
        recipients=recipients,
        urgency=urgency,
        urgency_reason=overrides.reason_code
        or ("" if overrides.urgency and urgency != draft.urgency else draft.urgency_reason),
        handling=draft.handling,
        legal_bases=draft.legal_bases,
        review_time=draft.review_time or default,
        exercise=draft.exercise or overrides.exercise,
    )


async def resolve(session: Session, prepared: Prepared, unresolved: list[Refused] | None = None) -> Prepared:
    """Return a message in the thread of the messages it answers, with its second officer; `sending.send` does it too.

    It is `completed`. Without recipients it goes to the author of the first message answered, or to its recipients
    where our own member is the author. Its marks are raised to those of the messages answered.

    Refused("unknown_id") for a message answered, ("invalid_draft") where they are of different threads or did not ask
    what is answered, ("self_approval") or ("role_missing") for the second officer, Misused where there is no such
    officer. With ``unresolved``, what is refused is added to it instead, and the message returned has something in its
    place, so that its other faults can be found too; it must not be sent.
    """
    prepared = completed(session.register(), session.profile.member, prepared)
    if prepared.second:
        try:
            second = await session.approvals.second(prepared.second, prepared.kind)
        except Refused as wrong:
            second = _note(wrong, unresolved), prepared.kind.second_role
        prepared = replace(prepared, envelope=replace(prepared.envelope, second=second), second="")
    if not prepared.parents:
        return prepared
    try:
        found = await _answered_messages(session, prepared)
    except Refused as wrong:
        _note(wrong, unresolved)
        recipients = prepared.envelope.recipients or (message_pb2.Recipient(member=""),)
        envelope = replace(prepared.envelope, recipients=recipients, parent_digests=(bytes(32),))
        return replace(prepared, envelope=envelope, parents=())
    try:
        await check_asked(session, prepared, found)
    except Refused as wrong:
        if isinstance(wrong, NotProven):
            raise
        _note(wrong, unresolved)
    recipients = prepared.envelope.recipients or _answered(found[0], session.profile.member)
    envelope = replace(prepared.envelope, recipients=recipients)
    raised = raise_marks(replace(prepared, envelope=envelope), found)
    exercise = any(each.header.exercise for each in found)
    return in_thread(raised, found[0].header.thread_id, [each.digest for each in found], exercise=exercise)


def _note(refused: Refused, unresolved: list[Refused] | None) -> str:
    """Add a refusal to those that are gathered, or raise it."""
    if unresolved is None:
        raise refused
    unresolved.append(refused)
    return ""


async def _answered_messages(session: Session, prepared: Prepared) -> list[MessageSummary]:
    answered = fitting.answered_by(prepared.kind.name), fitting.received
    found = [await messages.find(session, each, *answered) for each in dict.fromkeys(prepared.parents)]
    if len({each.header.thread_id for each in found}) > 1:
        what = _("The messages answered are of different threads.")
        raise Refused("invalid_draft", prepared.source, problems=[FieldProblem("in_reply_to", what, "threads_differ")])
    return found


def completed(register: Register, own: str, prepared: Prepared) -> Prepared:
    """Return a message with what the register adds to it; ``own`` is the own member.

    The reference data have the numbers of the substances that it names by their id. Without recipients it goes to the
    members that its kind demands for the states it names, such as those of transit.
    """
    if not prepared.envelope.recipients and (told := members_told(register, own, prepared.kind, prepared.content)):
        prepared = address(prepared, told)
    if not reference.mentions_any(prepared.content):
        return prepared
    content = type(prepared.content)()
    content.CopyFrom(prepared.content)
    day = reference.day_of(content, writing_time())
    reference.fill_in(content, reference_data.of(register).reference, day)
    return replace(prepared, content=content)


async def check_asked(session: Session, prepared: Prepared, answered: Sequence[MessageSummary]) -> None:
    """Raise Refused("invalid_draft") where an answer follows from no request, or answers a question not asked in it.

    Requests are opened for it if the answer goes by question: the node logs OPENED. One that this officer may not open
    is left to the node, which compares the answer too.
    """
    if not asked.is_answer(prepared.kind.name):
        return
    by_question = bool(asked.numbers_answered(prepared.content))
    parents = [(each.header, await _content(session, each) if by_question else None) for each in answered]
    found = asked.errors(prepared.kind.name, session.profile.member, prepared.content, parents)
    raise_field_problems(prepared.source, found, prepared.kind, prepared.places)


async def _content(session: Session, message: MessageSummary) -> Message | None:
    try:
        return messages.content(await session.open_part(message.digest, 0, _("to answer it")))
    except NotProven:
        raise
    except Rejected:
        return None


def raise_marks(prepared: Prepared, sources: Sequence[MessageSummary]) -> Prepared:
    """Return a message with marks at least as strict as those of the messages it quotes, copies or follows from.

    The annexes of the sources count as well. Refused where the limits together are too long to be written.
    """
    parts = [marks.of_message(each.header).handling() for each in sources]
    try:
        handling = marks.raised(prepared.envelope.handling, parts)
    except Rejected as error:
        raise Refused(error.reason, prepared.source, error.detail) from error
    return replace(prepared, envelope=replace(prepared.envelope, handling=handling))


def in_thread(prepared: Prepared, thread_id: bytes, parents: Sequence[bytes], *, exercise: bool) -> Prepared:
    """Return a message in a thread (16 bytes), following from the messages with these digests (32 bytes each).

    It is an exercise if the thread is. Refused("exercise_differs") for an exercise that answers a message that is none.
    """
    if prepared.envelope.exercise and not exercise:
        raise Refused("exercise_differs", prepared.source)
    parent_digests = tuple(dict.fromkeys(parents))
    envelope = replace(prepared.envelope, thread_id=thread_id, parent_digests=parent_digests, exercise=exercise)
    return replace(prepared, envelope=envelope, parents=())


def address(prepared: Prepared, members: Sequence[str]) -> Prepared:
    """Return a message addressed to these members and no others; for whom it is at each stays as the draft says."""
    recipients = _with_attention(members, prepared.envelope.recipients)
    return replace(prepared, envelope=replace(prepared.envelope, recipients=recipients))


def write(draft: Draft) -> str:
    """Return a draft as YAML text, as `parse` reads it."""
    return written.write(draft, language())


def save(profile: Profile, draft: Draft, now: datetime | None = None) -> Path:
    """Save a draft below the profile, in plain text readable by its owner alone; return where it is."""
    path = profile.folder / "drafts" / f"{draft.kind.name}-{now or writing_time():%Y%m%dT%H%M%S}.yaml"
    path.parent.mkdir(mode=0o700, exist_ok=True)
    write_private(path, write(draft).encode())
    return path


def writing_time() -> datetime:
    """Return the time a message is written: now, aware, in milliseconds, as its id has them."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _with_attention(
    members: Sequence[str], named: Sequence[message_pb2.Recipient]
) -> tuple[message_pb2.Recipient, ...]:
    attention = {each.member: each.attention for each in named}
    return tuple(message_pb2.Recipient(member=member, attention=attention.get(member, "")) for member in members)


def _answered(message: MessageSummary, own: str) -> tuple[message_pb2.Recipient, ...]:
    if message.header.author != own:
        return (message_pb2.Recipient(member=message.header.author),)
    return tuple(message_pb2.Recipient(member=each.member) for each in message.header.recipients)


def _levels(profile: Profile) -> dict[str, int]:
    """Return the level of every national name of a classification, in each language."""
    return {name: level for level, names in reference_data.own_level_names(profile).items() for name in names.values()}
