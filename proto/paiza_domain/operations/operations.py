"""Joint operations: participants and their limits, and the result computed from the operation's messages.

Every figure is counted once. Of a report or notice in several versions the latest counts; what was recalled, cancelled
or replaced does not; a notice whose figures its author put into a situation report is counted there. Messages
that are not counted are listed with the reason, so that every message of the operation can be found in a result sheet.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final

from paiza.content.v1.operation_pb2 import (
    Contribution,
    NotCounted,
    Operation,
    OperationResults,
    Participant,
    ResultSheet,
    SituationReport,
)
from paiza.content.v1.seizure_notice_pb2 import SeizureNotice
from paiza.core.v1.message_pb2 import Header
from paiza_domain.operations import figures
from paiza_domain.schema.partial_times import partial_time_start, to_datetime
from paiza_domain.threads.thread import UNAMENDED, ThreadMessage, amendments, in_order, is_recalled

OPERATION: Final = "operation"
REPORT: Final = "situation-report"
NOTICE: Final = "seizure-notice"
SHEET: Final = "result-sheet"
NOMINAL_DATA: Final = "nominal-data"  # code of the list "operation_share" for the annex
_SHARE: Final[Mapping[str, str]] = MappingProxyType(
    {REPORT: "situation-reports", NOTICE: "notices", SHEET: "result-sheets"}
)
_OTHER_SHARE: Final = "messages"
_DAY: Final = timedelta(days=1)  # a seizure known by its day alone may lie a time zone away from the period


@dataclass(frozen=True, slots=True)
class OperationResult:
    """The computed result of an operation, with the counted and uncounted messages."""

    results: OperationResults
    contributions: tuple[Contribution, ...]
    sources: tuple[bytes, ...]
    not_counted: Mapping[bytes, str]
    corrected_in_words: tuple[bytes, ...]
    """Counted as they stand, although their author corrected single fields in words: a person has to look."""


def current(thread: Iterable[ThreadMessage]) -> tuple[ThreadMessage, Operation] | None:
    """Return the current operation: the highest version by the author that opened the thread. None if not seen."""
    ordered = in_order(thread)
    known = amendments(ordered)
    opened = [each for each in ordered if each.header.kind == OPERATION and isinstance(each.content, Operation)]
    first = next((each for each in opened if each.header.message_id == each.header.thread_id), None)
    if first is None:
        return None
    versions = [each for each in opened if each.author == first.author and not is_recalled(each, known)]
    best = max(versions, key=lambda each: (_operation(each).operation_version, each.time, each.digest), default=None)
    return None if best is None else (best, _operation(best))


def _operation(message: ThreadMessage) -> Operation:
    assert isinstance(message.content, Operation)
    return message.content


def participant(operation: Operation, member: str) -> Participant | None:
    """Return a member's part in an operation.

    The coordinator participates without being listed. None for other members.
    """
    listed = next((each for each in operation.participants if each.member == member), None)
    if listed is None and member == operation.coordinator:
        return Participant(member=member, participation="member")
    return listed


def may_receive(operation: Operation, member: str, kind: str, time: datetime, *, nominal: bool = False) -> bool:
    """Return whether a member may receive a message of that kind at that time, by the limits of its part.

    The operation itself goes to all participants. ``nominal``: the message has a nominal annex.
    """
    part = participant(operation, member)
    if part is None or (part.HasField("until_time") and to_datetime(part.until_time) < time):
        return False
    if kind == OPERATION:
        return True
    if not part.shares:
        return part.participation == "member"
    wanted = {_SHARE.get(kind, _OTHER_SHARE)} | ({NOMINAL_DATA} if nominal else set())
    return wanted <= set(part.shares)


def recipients(operation: Operation, header: Header, time: datetime, *, nominal: bool = False) -> tuple[str, ...]:
    """Return the permitted recipients of a message of the operation without the author, the coordinator first."""
    members = dict.fromkeys([operation.coordinator, *(each.member for each in operation.participants)])
    members.pop(header.author, None)
    return tuple(each for each in members if may_receive(operation, each, header.kind, time, nominal=nominal))


def compute(thread: Iterable[ThreadMessage], as_of: datetime) -> OperationResult:
    """Compute the result from the messages released up to ``as_of``; it is empty if no operation was seen."""
    ordered = [each for each in in_order(thread) if each.time <= as_of]
    found = current(ordered)
    known = amendments(ordered)
    left_out: dict[bytes, str] = {}
    counted: list[ThreadMessage] = []
    for message in ordered:
        if message.header.kind not in {REPORT, NOTICE}:
            continue
        reason = _left_out(message, None if found is None else found[1])
        if is_recalled(message, known):
            reason = "recalled"
        elif known.get(message.digest, UNAMENDED).replaced_by:
            reason = "replaced"
        if reason:
            left_out[message.digest] = reason
        else:
            counted.append(message)
    counted = _latest(counted, left_out)
    counted = _without_contained(counted, left_out)
    corrected = tuple(each.digest for each in counted if known.get(each.digest, UNAMENDED).corrected_by)
    return OperationResult(
        results=figures.add_up(_figures(each) for each in counted),
        contributions=_contributions(counted),
        sources=tuple(each.digest for each in counted),
        not_counted=MappingProxyType(left_out),
        corrected_in_words=corrected,
    )


def sheet(computed: OperationResult, *, reference: str, status: str, as_of: datetime) -> ResultSheet:
    """Build a result sheet from the computed result; the coordinator may change `results` with a reason."""
    content = ResultSheet(
        reference=reference,
        status=status,
        results=computed.results,
        computed=computed.results,
        contributions=computed.contributions,
        sources=computed.sources,
        not_counted=[
            NotCounted(message_digest=digest, reason=reason) for digest, reason in sorted(computed.not_counted.items())
        ],
    )
    content.as_of_time.FromDatetime(as_of)
    return content


def agrees(content: ResultSheet, thread: Iterable[ThreadMessage]) -> bool:
    """Return whether the computed part of a sheet matches these messages.

    False also if one was not opened.
    """
    as_of = content.as_of_time.ToDatetime(tzinfo=UTC)  # to the microsecond: a later message is not included
    return compute(thread, as_of).results == content.computed


def _left_out(message: ThreadMessage, operation: Operation | None) -> str:
    """Return the reason code why a report or notice does not count by itself; empty if it counts."""
    if operation is None or message.content is None:
        return "not-opened"
    part = participant(operation, message.author)
    if part is None:
        return "not-participant"
    if part.participation == "observer" and not part.contributes:
        return "observer"
    return "" if _within(message, operation, part) else "outside-period"


def _within(message: ThreadMessage, operation: Operation, part: Participant) -> bool:
    first, last = to_datetime(operation.from_time), to_datetime(operation.until_time)
    if part.HasField("until_time"):
        last = min(last, to_datetime(part.until_time))
    if isinstance(message.content, SeizureNotice):
        happened = partial_time_start(message.content.seized_at)
        return first - _DAY <= happened <= last + _DAY
    assert isinstance(message.content, SituationReport)
    return to_datetime(message.content.until_time) >= first and to_datetime(message.content.from_time) <= last


def _latest(counted: list[ThreadMessage], left_out: dict[bytes, str]) -> list[ThreadMessage]:
    """Return the latest version of each report and notice; a cancellation drops it and all versions before it."""
    newest: dict[tuple[str, str, str], ThreadMessage] = {}
    for message in counted:
        newest_so_far = newest.get(_number(message))
        if newest_so_far is None or _version(message) > _version(newest_so_far):
            newest[_number(message)] = message
    kept = []
    for message in counted:
        if newest[_number(message)] is not message:
            left_out[message.digest] = "older-version"
        elif message.content.status == "cancel":  # type: ignore[union-attr]  # both kinds have it
            left_out[message.digest] = "cancelled"
        else:
            kept.append(message)
    return kept


def _number(message: ThreadMessage) -> tuple[str, str, str]:
    """Return the key that all versions of a report or notice share."""
    content = message.content
    number = content.notice_id if isinstance(content, SeizureNotice) else content.report_number  # type: ignore[union-attr]
    return message.author, message.header.kind, number


def _version(message: ThreadMessage) -> tuple[int, datetime, bytes]:
    content = message.content
    version = content.notice_version if isinstance(content, SeizureNotice) else content.report_version  # type: ignore[union-attr]
    return version, message.time, message.digest


def _without_contained(counted: list[ThreadMessage], left_out: dict[bytes, str]) -> list[ThreadMessage]:
    """Drop the notices whose figures their author's reports contain."""
    contained = {
        (each.author, NOTICE, number)
        for each in counted
        if isinstance(each.content, SituationReport)
        for number in each.content.included_notices
    }
    left_out.update({each.digest: "in-report" for each in counted if _number(each) in contained})
    return [each for each in counted if each.digest not in left_out]


def _figures(message: ThreadMessage) -> OperationResults:
    if isinstance(message.content, SeizureNotice):
        return figures.of_notice(message.content)
    assert isinstance(message.content, SituationReport)
    return message.content.results


def _contributions(counted: Iterable[ThreadMessage]) -> tuple[Contribution, ...]:
    by_member: dict[str, Contribution] = {}
    for message in counted:
        contribution = by_member.setdefault(message.author, Contribution(member=message.author))
        if message.header.kind == REPORT:
            contribution.reports += 1
        else:
            contribution.notices += 1
    return tuple(by_member[member] for member in sorted(by_member))
