"""Joint operations: who gets what follows from the participants' limits, and the figures are computed.

joint = await operations.find(session, "TJK-2026-00007", counted=True)
sheet = operations.sheet(joint, final=True)
sent = await sending.send(session, operations.result_sheet(joint, sheet))
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from google.protobuf.message import Message

from paiza.content.v1.operation_pb2 import Operation, OperationResults, ResultSheet
from paiza.core.v1 import message_pb2
from paiza_client.language import _
from paiza_client.sdk import drafts, fitting, messages, replies, threads
from paiza_client.sdk.drafts import UNCHANGED, Overrides, Prepared
from paiza_client.sdk.model import MessageSummary
from paiza_client.sdk.session import Session
from paiza_domain.drafts.drafts import Draft
from paiza_domain.operations import operations
from paiza_domain.operations.figures import COUNTS
from paiza_domain.operations.operations import NOTICE, OPERATION, REPORT, SHEET, OperationResult
from paiza_domain.schema import quantity
from paiza_domain.threads.thread import ThreadMessage
from paiza_officer.errors import Refused, misused

_COUNTED: Final = frozenset({OPERATION, REPORT, NOTICE, SHEET})
_MAX_COUNT_DIGITS: Final = 9  # below the limit of a count


@dataclass(frozen=True, slots=True)
class JointOperation:
    """An operation as its thread gives it, for a message of the member ``own``.

    ``listed`` are the summaries of the thread, oldest first; ``opened`` the same for counting, with what was opened;
    ``message`` carries ``operation``, the description in force.
    """

    listed: list[MessageSummary]
    opened: list[ThreadMessage]
    message: ThreadMessage
    operation: Operation
    own: str


async def find(
    session: Session, text: str, *, counted: bool = False, open_part: threads.OpenPart | None = None
) -> JointOperation:
    """Return the operation of the thread that a text names (as `threads.find`).

    Its descriptions are opened, with ``counted`` its reports, notices and result sheets too; the node logs OPENED for
    each. What was recalled or may not be opened stays closed. ``open_part`` is as for `threads.open_messages`.
    Refused("unknown_id") where the thread is no operation.
    """
    wanted = _COUNTED if counted else {OPERATION}
    listed = await threads.list_messages(session, await threads.find(session, text))
    opened = await threads.open_messages(session, listed, lambda header: header.kind in wanted, open_part=open_part)
    found = operations.current(opened)
    if found is None:
        raise Refused("unknown_id", text, "not an operation")
    return JointOperation(listed, opened, *found, session.profile.member)


def opening(prepared: Prepared, own: str) -> Prepared:
    """Return a description of an operation addressed to all its participants but ``own``, the own member's id.

    To change an operation, put the description with the higher version behind it: `behind`. Misused for another kind.
    """
    drafts.check_kind(prepared, OPERATION, prepared.source)
    content = prepared.content
    assert isinstance(content, Operation)
    header = message_pb2.Header(author=own, kind=OPERATION)
    return drafts.address(prepared, operations.recipients(content, header, drafts.writing_time()))


def behind(joint: JointOperation, prepared: Prepared) -> Prepared:
    """Return a message in the thread of an operation, following from the description in force."""
    header = joint.message.header
    return drafts.in_thread(prepared, header.thread_id, [joint.message.digest], exercise=header.exercise)


def within(joint: JointOperation, prepared: Prepared) -> Prepared:
    """Return a report, notice or result sheet in an operation, addressed to those within whose limits it is.

    Refused("policy_denied") where our own member does not take part, or where a recipient named is beyond its limits.
    """
    header = message_pb2.Header(author=joint.own, kind=prepared.kind.name)
    if operations.participant(joint.operation, header.author) is None:
        raise Refused("policy_denied", joint.operation.name, "your member does not take part in the operation")
    nominal = prepared.annex is not None
    allowed = operations.recipients(joint.operation, header, drafts.writing_time(), nominal=nominal)
    named = [each.member for each in prepared.envelope.recipients]
    if outside := [member for member in named if member not in allowed]:
        raise Refused("policy_denied", ", ".join(outside), "beyond the limits of its part in the operation")
    return drafts.address(behind(joint, prepared), named or allowed)


def as_draft(joint: JointOperation, content: Message) -> Draft:
    """Return a message of the operation as a draft, addressed to those within whose limits it is.

    Refused("policy_denied") where our own member does not take part.
    """
    kind, header = drafts.kind_of_content(content), joint.message.header
    if operations.participant(joint.operation, joint.own) is None:
        raise Refused("policy_denied", joint.operation.name, "your member does not take part in the operation")
    about = message_pb2.Header(author=joint.own, kind=kind.name)
    allowed = operations.recipients(joint.operation, about, drafts.writing_time())
    return Draft(
        kind=kind,
        content=content,
        recipients=tuple(message_pb2.Recipient(member=each) for each in allowed),
        urgency=message_pb2.URGENCY_ROUTINE,
        handling=header.handling,
        legal_bases=tuple(header.legal_bases),
        parents=(joint.message.digest.hex(),),
    )


def changed(joint: JointOperation) -> Draft:
    """Return the description as a draft of its next version, to all participants but our own member."""
    content = Operation()
    content.CopyFrom(joint.operation)
    content.operation_version += 1
    draft = as_draft(joint, content)
    about = message_pb2.Header(author=joint.own, kind=OPERATION)
    members = operations.recipients(content, about, drafts.writing_time())
    return replace(draft, recipients=tuple(message_pb2.Recipient(member=each) for each in members))


async def own_notice(session: Session, text: str, overrides: Overrides = UNCHANGED) -> Prepared:
    """Return a seizure notice that our own member sent, to be shared by `within`; it is opened, which is logged.

    Refused("not_author") for another member's message, Misused where it is no seizure notice.
    """
    source = await messages.find_own(session, text, fitting.of_kind(NOTICE))
    if source.header.kind != NOTICE:
        raise misused(text, _("this is no seizure notice"))
    content = messages.content(await session.open_part(source.digest))
    return replies.prepare(content, source.header, [], [], overrides)


def compute(joint: JointOperation, as_of: datetime | None = None) -> OperationResult:
    """Return the results computed from what was opened (`find` with ``counted``), and what was not counted, and why."""
    return operations.compute(joint.opened, as_of or datetime.now(UTC))


def sheet(
    joint: JointOperation,
    *,
    final: bool = False,
    reference: str = "",
    changes: Mapping[str, str] = MappingProxyType({}),
    because: str = "",
    assessment: str = "",
    as_of: datetime | None = None,
) -> ResultSheet:
    """Return the result sheet of an operation: the computed figures, with ``changes`` made by hand.

    ``changes`` are texts by figure: a count by its name ("arrests": "3"), a substance by its drug type or name, with
    its unit ("heroin": "12.5 kg"); ``because`` says why. ``reference`` is the operation's unless it is given. Misused
    for a figure or a text that does not fit.
    """
    as_of = as_of or datetime.now(UTC)
    content = operations.sheet(
        compute(joint, as_of),
        reference=reference or joint.operation.reference,
        status="final" if final else "interim",
        as_of=as_of,
    )
    for name, text in changes.items():
        _change(content.results, name, text)
    content.correction_note, content.assessment = because, assessment
    return content


def result_sheet(joint: JointOperation, content: ResultSheet, overrides: Overrides = UNCHANGED) -> Prepared:
    """Return a result sheet as a message of the operation, addressed as `within` does."""
    return within(joint, replies.prepare(content, joint.message.header, [], [], overrides))


def sheets(joint: JointOperation) -> list[tuple[ThreadMessage, ResultSheet, bool]]:
    """Return the result sheets that were opened, oldest first, and whether each agrees with what was opened here."""
    return [
        (each, each.content, operations.agrees(each.content, joint.opened))
        for each in joint.opened
        if isinstance(each.content, ResultSheet)
    ]


def _change(stands: OperationResults, name: str, text: str) -> None:
    if name in COUNTS and text.isascii() and text.isdigit() and len(text) <= _MAX_COUNT_DIGITS:
        setattr(stands, name, int(text))
        return
    line = next(
        (line for line in stands.substances if name in {line.drug_type, line.as_named, line.substance_id}), None
    )
    amount, _space, unit = text.partition(" ")
    millionths = _amount(amount)
    if line is None or millionths is None or unit not in {"", line.quantity.unit}:
        known = ", ".join([*COUNTS, *(each.drug_type or each.as_named for each in stands.substances)])
        what = _("{value!r} is no FIGURE=N; figures are: {names}")
        raise misused("--let", what.format(value=f"{name}={text}" if text else name, names=known))
    line.quantity.millionths = millionths


def _amount(text: str) -> int | None:
    try:
        return quantity.parse_amount(text)
    except quantity.AmountError:
        return None
