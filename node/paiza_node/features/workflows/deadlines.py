"""Deadlines: what falls due in live workflows, who is reminded, which workflows overlap, and which steps are missing.

One loop wakes when a step came or was sent, and at the next time at which somebody is to be notified. Everything is
computed from the stored messages: a restart forgets nothing, and a new watch first gets what is due or overdue at that
moment (`current`).
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import structlog

from paiza.core.v1 import text_pb2
from paiza.officer.v1 import notice_pb2
from paiza_domain import kinds
from paiza_domain.exercise import marked
from paiza_domain.threads import notices
from paiza_domain.workflows.step import Step
from paiza_node.core.executors.periodic import PeriodicTask, backoff
from paiza_node.core.log.changes import Change, WorkflowsMoved
from paiza_node.core.log.notifier import Notifier
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import ThreadRow
from paiza_node.core.storage import Store
from paiza_node.features.workflows.deconfliction import Identifiers, overlap
from paiza_node.features.workflows.legality import WorkflowState, WorkflowStates, is_of
from paiza_node.features.workflows.steps import Steps
from paiza_wire.errors import Unavailable

REMIND_BEFORE: Final = (timedelta(days=1), timedelta(hours=1), timedelta(0))  # officers are notified before it
ASK_AFTER: Final = timedelta(seconds=2)  # missing ancestors usually follow the step that overtook them
ASK_LONGEST: Final = timedelta(hours=1)  # between two requests for the same ancestors
IDLE_SECONDS: Final = 3600.0  # check the clock at least this often: it may have been set
MAX_LIVE: Final = 200  # live workflows of one other member that are tracked; a whole region has some dozens
LOAD_PAGE: Final = 100  # threads read at once

FetchMissing = Callable[[str, Sequence[bytes]], Awaitable[None]]
"""Requests messages that we lack from a member's node."""

Settle = Callable[[Collection[bytes]], Awaitable[None]]
"""Completes the tasks of steps that ask nothing more of our officers."""

Share = Callable[[Sequence[bytes], str, str], Awaitable[object]]
"""Forwards messages to a member that takes part in their workflow; last: our officer whose act made it take part."""

log = structlog.get_logger("paiza.workflows")


@dataclass(slots=True)
class _Case:
    """A live workflow, its identifiers, and when its missing ancestors are requested next."""

    workflow_state: WorkflowState
    identifiers_of: dict[bytes, Identifiers]
    overlaps: dict[bytes, frozenset[str]] = field(default_factory=dict)  # other thread -> kinds of thing
    ask_time: datetime | None = None
    asked: int = 0
    shared: set[tuple[str, bytes]] = field(default_factory=set)  # members that got each step since the start
    speaks_of: Identifiers = field(
        init=False
    )  # the identifiers of all its steps, joined once for comparison with other workflows

    def __post_init__(self) -> None:
        """Join the identifiers of the steps."""
        self.speaks_of = Identifiers()
        for each in self.identifiers_of.values():
            self.speaks_of = self.speaks_of.joined(each)

    @property
    def open_scope(self) -> str:
        """Return the member that began it; if the beginning is not here, the author of the first step that is."""
        first = self.workflow_state.steps[0].author if self.workflow_state.steps else ""
        return str(self.workflow_state.view.requester) or first


class WorkflowDeadlines:
    """Tracks live workflows. Belongs to one event loop."""

    def __init__(
        self,
        *,
        member: str,
        store: Store,
        steps: Steps,
        workflow_states: WorkflowStates,
        notifier: Notifier,
        clock: Callable[[], datetime],
        ask: FetchMissing,
        share: Share,
        settle: Settle,
    ) -> None:
        """Store the collaborators; `run` begins.

        ``ask`` requests missing ancestors; ``share`` forwards steps to members that join late; ``settle`` completes
        tasks.
        """
        self._member = member
        self._store = store
        self.steps = steps
        self.workflow_states = workflow_states
        self._ask = ask
        self._share = share
        self._settle = settle
        self._notifier = notifier
        self._clock = clock
        self._cases: dict[bytes, _Case] = {}
        self._moved: set[bytes] = set()
        self._settled: set[bytes] = set()  # steps whose tasks are to be completed
        self._passed_over: set[str] = set()  # members that have more live workflows than are tracked
        self._seen = 0  # sequence number of the newest step at the last check of all threads
        self._behind = False  # threads that moved since then are to be read
        self._loaded = False
        self.task = PeriodicTask(self._load_and_round, period=IDLE_SECONDS, failed="deadlines_not_checked")
        self._told_until = clock()

    def notify(self, changes: Sequence[Change]) -> None:
        """Mark threads that got a step."""
        for change in changes:
            if isinstance(change, WorkflowsMoved):
                self._moved.update(change.thread_ids)
                self.task.wake()

    def catch_up(self) -> None:
        """Mark all threads for a check."""
        self._behind = True
        self.task.wake()

    def current(self) -> list[notice_pb2.Notice]:
        """Return what is due soon or overdue now, the earliest first: the first notices of a watch."""
        now = self._clock()
        due = [
            (deadline.due_time, case.workflow_state, deadline)
            for case in self._cases.values()
            for deadline in case.workflow_state.view.deadlines
            if deadline.due_time - REMIND_BEFORE[0] <= now
        ]
        return [
            _reminder(workflow_state, deadline, now)
            for _, workflow_state, deadline in sorted(due, key=lambda each: each[0])
        ]

    @property
    def live(self) -> Collection[bytes]:
        """Return the threads of the tracked workflows."""
        return self._cases.keys()

    def overlaps(self, thread_id: bytes) -> dict[bytes, frozenset[str]]:
        """Return the live workflows that overlap with one, and the kinds of shared identifiers; none if it is over."""
        case = self._cases.get(thread_id)
        return {} if case is None else dict(case.overlaps)

    def name(self, thread_id: bytes) -> str:
        """Return the short name of a live workflow; empty if it is none."""
        case = self._cases.get(thread_id)
        return "" if case is None else case.workflow_state.thread_name

    async def _load_and_round(self) -> float:
        if not self._loaded:
            await self.load()
            self._loaded = True
        return await self.round()

    async def round(self) -> float:
        """Do what is due now; return the seconds until the next due time."""
        if self._behind:
            found, self._seen = await self._moved_since()
            self._moved.update(found)
            self._behind = False
        moved, self._moved = self._moved, set()
        try:
            for thread_id in moved:
                await self._look(thread_id, tell=True)
                await self._share_with_joiners(thread_id)
            settled, self._settled = self._settled, set()
            if settled:
                await self._settle(settled)
        except Unavailable:
            self._moved |= moved
            raise
        now = self._clock()
        self._remind(now)
        for case in list(self._cases.values()):
            await self._ask_for_missing(case, now)
        moments = [moment for case in self._cases.values() for moment in self._moments(case) if moment > now]
        if not moments:
            return IDLE_SECONDS
        return min(IDLE_SECONDS, max(0.05, (min(moments) - now).total_seconds()))

    async def load(self) -> None:
        """Read every stored workflow, and track the live ones."""
        found, seen = await self._moved_since()
        for thread_id in found:
            await self._look(thread_id, tell=False)
        self._seen = seen  # only now: if the database failed meanwhile, everything is read again

    async def _moved_since(self) -> tuple[list[bytes], int]:
        """Return the threads that got a step after `_seen`, the last changed first, and the newest step."""
        steps = [name for name, kind in kinds.all_kinds().items() if kind.workflow]
        found: list[bytes] = []
        seen, before = self._seen, None
        while True:
            page = await asyncio.to_thread(self._threads, steps, before)
            found += [thread.thread_id for thread in page if thread.last_seq > self._seen]
            seen = max(seen, *(thread.last_seq for thread in page), 0)
            if len(page) < LOAD_PAGE or page[-1].last_seq <= self._seen:
                return found, seen
            before = page[-1].last_seq

    def _threads(self, steps: Sequence[str], before: int | None) -> list[ThreadRow]:
        with self._store.reads() as reads:
            return messages_store.threads_of(reads, steps, before_seq=before, limit=LOAD_PAGE)

    async def _look(self, thread_id: bytes, *, tell: bool) -> None:
        """Compute the present state of a thread; ``tell`` watching officers of new overlaps."""
        known = self._cases.get(thread_id)
        case = await asyncio.to_thread(self._read, thread_id, known)
        if case is not None:
            self._settled |= case.workflow_state.settled(self._member)
        if case is None or not (case.workflow_state.live or case.workflow_state.view.waiting_for):
            self._cases.pop(thread_id, None)
            for other in self._cases.values():
                other.overlaps.pop(thread_id, None)
            return
        if known is None and self._too_many_of(case.open_scope):
            if case.open_scope not in self._passed_over:  # logged once, so that they do not flood the log
                log.warning("workflow_not_monitored", member=case.open_scope, thread=case.workflow_state.thread_name)
            self._passed_over.add(case.open_scope)
            return
        self._cases[thread_id] = case
        if case.workflow_state.view.waiting_for and case.ask_time is None:
            case.ask_time = self._clock() + ASK_AFTER
        elif not case.workflow_state.view.waiting_for:
            case.ask_time, case.asked = None, 0
        self._compare(case, tell=tell)

    def _too_many_of(self, member: str) -> bool:
        """Return whether another member has as many live workflows here as are tracked."""
        return member != self._member and sum(case.open_scope == member for case in self._cases.values()) >= MAX_LIVE

    def _read(self, thread_id: bytes, known: _Case | None) -> _Case | None:
        with self._store.reads() as reads:
            workflow_state = self.workflow_states.of(reads, thread_id)
            if workflow_state is None:
                return None
            identifiers_of = dict(known.identifiers_of) if known is not None else {}
            for row in messages_store.thread(reads, thread_id):
                if row.digest not in identifiers_of and workflow_state.live:
                    identifiers_of[row.digest] = self.steps.identifiers_of(reads, row)
        if known is None:
            return _Case(workflow_state, identifiers_of)
        return _Case(workflow_state, identifiers_of, known.overlaps, known.ask_time, known.asked, known.shared)

    def _compare(self, case: _Case, *, tell: bool) -> None:
        thread_id, speaks_of = case.workflow_state.thread_id, case.speaks_of
        fresh = False
        for other_id, other in self._cases.items():
            if other_id == thread_id:
                continue
            shared = overlap(speaks_of, other.speaks_of)
            if shared:
                fresh = fresh or other_id not in case.overlaps
                case.overlaps[other_id] = other.overlaps[thread_id] = shared
            else:
                case.overlaps.pop(other_id, None)
                other.overlaps.pop(thread_id, None)
        if fresh and tell:
            others = [self.name(other) for other in case.overlaps]
            self._notifier.tell(overlapping(thread_id, case.workflow_state.thread_name, others))

    def _remind(self, now: datetime) -> None:
        """Notify watching officers of deadlines that came near, or passed, since the last notice."""
        since, self._told_until = self._told_until, now
        for case in self._cases.values():
            for deadline in case.workflow_state.view.deadlines:
                if any(since < deadline.due_time - before <= now for before in REMIND_BEFORE):
                    self._notifier.tell(_reminder(case.workflow_state, deadline, now))

    def _moments(self, case: _Case) -> Iterator[datetime]:
        for deadline in case.workflow_state.view.deadlines:
            yield from (deadline.due_time - before for before in REMIND_BEFORE)
        if case.ask_time is not None:
            yield case.ask_time

    async def _share_with_joiners(self, thread_id: bytes) -> None:
        """Forward the whole thread to members that take part since a step of ours, the first addressed to them.

        A crash before this leaves a joiner without ancestors, which it requests from us.
        """
        case = self._cases.get(thread_id)
        if case is None:
            return
        steps = [step for step in case.workflow_state.steps if is_of(step, case.workflow_state.workflow)]
        for joiner in case.workflow_state.view.participants:
            invited = next((step for step in _in_order(case.workflow_state, steps) if joiner in step.recipients), None)
            if invited is None or invited.author != self._member or joiner == self._member:
                continue
            lacking = [step.digest for step in steps if joiner not in (step.author, *step.recipients)]
            fresh = [digest for digest in lacking if (joiner, digest) not in case.shared]
            if fresh:
                case.shared.update((joiner, digest) for digest in fresh)
                log.info("thread_forwarded", peer=joiner, thread=case.workflow_state.thread_name, steps=len(fresh))
                await self._share(fresh, joiner, invited.signers[0][0])

    async def _ask_for_missing(self, case: _Case, now: datetime) -> None:
        """Request missing ancestors: first from the sender of the step that names them, then from others in turn."""
        if case.ask_time is None or case.ask_time > now:
            return
        await self._look(case.workflow_state.thread_id, tell=True)  # the missing message may have come, and be no step
        found = self._cases.get(case.workflow_state.thread_id)
        if found is None or found.ask_time is None:
            return
        case = found
        missing = case.workflow_state.view.waiting_for
        senders = [step.author for step in case.workflow_state.steps if not set(missing).isdisjoint(step.parents)]
        asked = [
            name for name in dict.fromkeys((*senders, *case.workflow_state.view.participants)) if name != self._member
        ]
        pause = backoff(case.asked + 1, ASK_AFTER.total_seconds(), ASK_LONGEST.total_seconds())
        case.ask_time = now + timedelta(seconds=pause)
        if asked:
            whom = asked[case.asked % len(asked)]
            case.asked += 1
            log.info("backfill_requested", peer=whom, thread=case.workflow_state.thread_name, missing=len(missing))
            await self._ask(whom, missing)


def _in_order(workflow_state: WorkflowState, steps: Sequence[Step]) -> list[Step]:
    place = {digest: number for number, digest in enumerate(workflow_state.view.order)}
    return sorted(steps, key=lambda step: place.get(step.digest, len(place)))


def _reminder(workflow_state: WorkflowState, deadline: Any, now: datetime) -> notice_pb2.Notice:
    overdue = deadline.due_time <= now
    notice = notice_pb2.Notice(
        code=str(deadline.code),
        thread_id=workflow_state.thread_id,
        thread_name=workflow_state.thread_name,
        member=deadline.member,
        overdue=overdue,
    )
    notice.due_time.FromDatetime(deadline.due_time)
    notice.text.CopyFrom(
        bilingual(
            lambda lang: notices.due_text(
                marked(workflow_state.thread_name, lang, exercise=workflow_state.exercise),
                deadline.code,
                deadline.member,
                deadline.due_time,
                overdue=overdue,
                lang=lang,
            )
        )
    )
    return notice


def overlapping(thread_id: bytes, thread_name: str, others: Sequence[str]) -> notice_pb2.Notice:
    """Return a notice that a workflow overlaps with others, which are named."""
    named = sorted(filter(None, others))
    return notice_pb2.Notice(
        code=notices.OVERLAP,
        thread_id=thread_id,
        thread_name=thread_name,
        other_threads=named,
        text=bilingual(lambda lang: notices.overlap_text(thread_name, named, lang)),
    )


def bilingual(say: Callable[[str], str]) -> text_pb2.BilingualText:
    """Return a text in both languages."""
    return text_pb2.BilingualText(ru=say("ru"), en=say("en"))
