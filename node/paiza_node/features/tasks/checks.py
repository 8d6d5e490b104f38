"""Verification of tasks and of the officers who see a message: both are as headers and log leave them."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from google.protobuf.message import DecodeError
from typing_extensions import override

from paiza.core.v1 import log_pb2, message_pb2
from paiza.officer.v1 import task_pb2
from paiza_domain import kinds
from paiza_domain.threads import deadlines
from paiza_node.core.access import store as access_store
from paiza_node.core.errors import N_
from paiza_node.core.log import store as log_store
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageState
from paiza_node.core.storage import ReadConnection, scanning
from paiza_node.core.storage.findings import Check, Part, Step, Tally
from paiza_node.core.storage.times import MICROSECOND, from_micros, to_micros
from paiza_node.features.tasks import store as tasks_store
from paiza_node.features.tasks.assign import MAX_ESCALATIONS, acknowledge_within
from paiza_wire.errors import Rejected

_LAST: Final = to_micros(datetime.max.replace(tzinfo=UTC))  # the last time that a calendar holds
_NEW: Final = int(task_pb2.TASK_STATE_NEW)
_ACKNOWLEDGED: Final = int(task_pb2.TASK_STATE_ACKNOWLEDGED)
_DONE: Final = int(task_pb2.TASK_STATE_DONE)


class _Act:
    """One entry about a task, and the text beside it, None if that was erased."""

    __slots__ = ("actor", "event", "index", "micros", "text")

    def __init__(self, index: int, entry: log_pb2.LogEntry) -> None:
        self.index = index
        self.event = entry.event
        self.actor = entry.actor
        self.micros = entry.entry_time.seconds * 1_000_000 + entry.entry_time.nanos // 1000
        self.text: str | None = None

    def names(self, target: str) -> bool:
        """Return whether the text begins with a unit or an officer, or may have."""
        return self.text is None or self.text == target or self.text.startswith(f"{target} ")


class Tasks(Check):
    """Verifies tasks, and who sees a message beside its unit."""

    events = (
        log_pb2.LOG_EVENT_ASSIGNED,
        log_pb2.LOG_EVENT_ACKNOWLEDGED,
        log_pb2.LOG_EVENT_DONE,
        log_pb2.LOG_EVENT_ESCALATED,
    )

    def __init__(self, scan: ReadConnection, own: str) -> None:
        """``own`` is our member id."""
        self._scan = scan
        self._own = own
        self._deputies = access_store.all_deputies(scan)
        self._acts: defaultdict[bytes, list[_Act]] = defaultdict(list)  # few: officers made them, or did not

    @override
    def read_entry(self, index: int, entry: log_pb2.LogEntry) -> None:
        self._acts[entry.message_digest].append(_Act(index, entry))

    @override
    def verify(self, part: Part, step: Step) -> None:
        """Check all tasks and readers.

        1. Every received message that is more than information has its task, and nothing else has one.
        2. State, times and escalations are those that the entries leave; the last entry names unit or assignee.
        3. Every reader signed the message, was named by it, or by an entry about its task, or had a signer as their
           deputy; signers and assignees who must see it do.
        """
        acts = {act.index: act for each in self._acts.values() for act in each}
        for index, text in log_store.texts(self._scan, list(acts)).items():
            acts[index].text = text.text
        # 1. and 2.
        stored = Tally()
        for rows in tasks_store.with_messages(self._scan):
            readers = access_store.readers_of(self._scan, [row.seq for row in rows])
            erased = messages_store.erased(self._scan, [row.digest for row in rows if row.digest is not None])
            for row in rows:
                stored.add(b"%d" % row.seq)
                if row.digest is None:
                    part.find("log_damaged", N_("The task is of no message that is stored."), "task {seq}", seq=row.seq)
                elif not self._is_replayed(row, readers.get(row.seq, ()), erased=row.digest in erased):
                    _find(part, N_("The task is not as the log records."), row.digest)
            step(len(rows))
        # 3.
        expected, signing = Tally(), Tally()
        asked = Tally()
        for rows in scanning.rows(self._scan, messages_store.message_table):
            for row in rows:
                if row.received:
                    if row.state != MessageState.REFUSED and row.urgency in deadlines.ANSWER_WITHIN:
                        asked.add(b"%d" % row.seq)
                    continue
                for signer in _must_see(row):
                    expected.add(b"%d" % row.seq, signer.encode())
            step(len(rows))
        for rows in scanning.rows(self._scan, access_store.reader_table):
            messages = {each.seq: each for each in messages_store.messages_at(self._scan, {row.seq for row in rows})}
            for row in rows:
                message = messages.get(row.seq)
                if message is None or not self._may_see(message, row.officer):
                    part.find(
                        "log_damaged",
                        N_("Nothing that is stored lets {officer} see this message."),
                        N_("message {digest}"),
                        officer=row.officer,
                        digest="?" if message is None else message.digest.hex(),
                    )
                elif not message.received and row.officer in _must_see(message):
                    signing.add(b"%d" % row.seq, row.officer.encode())
            step(len(rows))
        part.counts |= {"tasks": stored.count}
        part.compare("message / task", asked, stored)
        part.compare("message / reader", expected, signing)

    def _is_replayed(self, row: Any, readers: Collection[str], *, erased: bool) -> bool:
        acts = self._acts.get(row.digest, [])
        within = deadlines.ANSWER_WITHIN.get(row.urgency, timedelta())
        pause = acknowledge_within(within) // MICROSECOND
        asks = row.due_time is not None or row.urgency >= message_pb2.URGENCY_URGENT
        left = _replay(acts, row.stored_time + pause if asks else None, pause, answered=row.due_time is not None)
        state = row.state, row.acknowledge_time
        if state not in left and not (erased and row.state == _DONE and row.acknowledge_time in {t for _, t in left}):
            return False
        if (
            row.escalations != sum(act.event == log_pb2.LOG_EVENT_ESCALATED for act in acts)
            or not _is_due(row)
            or (row.assignee and row.assignee not in readers)
        ):
            return False
        if not acts:
            named = [each for each in readers if _is_named(_attention(row.header, self._own), each)]
            return row.unit in {row.message_unit, ""} and row.assignee == (named[0] if named else "")
        of_unit = row.unit in {row.message_unit, ""} or any(act.names(row.unit) for act in acts)
        return of_unit and acts[-1].names(row.assignee or row.unit or "all officers")

    def _may_see(self, message: Any, officer: str) -> bool:
        if not message.received:
            signers = _signers(message.header)
            return officer in signers or any(
                each.officer == officer and each.deputy in signers and message.stored_time < each.end_time
                for each in self._deputies
            )
        if _is_named(_attention(message.header, self._own), officer):
            return True
        return any(act.actor == officer or act.names(officer) for act in self._acts.get(message.digest, ()))


def _replay(
    acts: Sequence[_Act], acknowledge: int | None, pause: int, *, answered: bool
) -> set[tuple[int, int | None]]:
    """Return the states and times of acknowledgement that entries may leave.

    A task that is not to be ``answered`` is done once an officer acknowledged it; a reply acknowledged others.

    The entry of an officer who took a task is the one of an officer who assigned it to themselves, and left it new.
    """
    left: set[tuple[int, int | None]] = {(_NEW, acknowledge)}
    escalations = 0
    for act in acts:
        if act.event == log_pb2.LOG_EVENT_ACKNOWLEDGED:
            left = {(_ACKNOWLEDGED, None)} if answered else {(_ACKNOWLEDGED, None), (_DONE, None)}
        elif act.event == log_pb2.LOG_EVENT_DONE:
            left = {(_DONE, None)}
        elif act.event == log_pb2.LOG_EVENT_ESCALATED:
            escalations += 1
            again = act.micros + pause if escalations < MAX_ESCALATIONS else None
            left = {(state, again) for state, _ in left}
        else:
            left = {(_NEW, time) for _, time in left} | ({(_ACKNOWLEDGED, None)} if act.names(act.actor) else set())
    return left


def _is_due(row: Any) -> bool:
    """Return whether a task has the deadline of its message: the usual one, or any where its content may name one."""
    try:
        header = message_pb2.Header.FromString(row.header)
        kind = kinds.get(header.kind, header.kind_version)
    except (DecodeError, Rejected):
        return row.due_time is None
    due = deadlines.answer_due(header, kind, None, from_micros(row.stored_time))
    if due is not None and deadlines.may_be_named(kind):
        return isinstance(row.due_time, int) and 0 < row.due_time <= _LAST
    return bool(row.due_time == (None if due is None else to_micros(due)))


def _must_see(row: Any) -> set[str]:
    """Return the signers who see a sent message in addition to those of its unit."""
    signers = _signers(row.header)
    return signers if len(signers) > 1 or row.unit is None else set()


def _signers(header: bytes) -> set[str]:
    try:
        return {each.id for each in message_pb2.Header.FromString(header).required_signers}
    except DecodeError:  # its digest tells
        return set()


def _attention(header: bytes, own: str) -> str:
    try:
        recipients = message_pb2.Header.FromString(header).recipients
    except DecodeError:
        return ""
    return next((each.attention for each in recipients if each.member == own), "")


def _is_named(attention: str, officer: str) -> bool:
    return bool(attention) and attention in {officer, officer.rpartition("/")[2]}


def _find(part: Part, what: str, digest: bytes) -> None:
    part.find("log_damaged", what, N_("message {digest}"), digest=digest.hex())
