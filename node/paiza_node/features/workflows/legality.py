"""Workflow legality: whether a step may be released, and the state of the thread.

The rules are those of `paiza_domain.workflows`; this module applies them. The decisive check runs inside the ledger's
transaction, against the thread's content at that moment: a stop that was committed a moment before counts, and of two
officers who act at once one is refused. A received step is never refused for breaking a rule; the reducer marks it.
"""

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from paiza.core.v1 import message_pb2
from paiza_domain import kinds, workflows
from paiza_domain.workflows import controlled_delivery
from paiza_domain.workflows.step import Step
from paiza_node.core.access.model import Officer
from paiza_node.core.errors import BrokenRules
from paiza_node.core.exchange.reactions import Reaction, ReceivedMessage, ReleasedMessage
from paiza_node.core.exchange.stages import Moment, ReleaseSession, ReleaseStage, Submission, SubmittedMessage
from paiza_node.core.log.changes import WorkflowsMoved
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageRow
from paiza_node.core.storage import ReadConnection
from paiza_node.features.workflows.steps import Steps, is_exercise, is_step, known_kind
from paiza_wire import message as wire
from paiza_wire.errors import Rejected, Unavailable

MAX_STATES: Final = 512  # states in the cache
MAX_CHECKED_STEPS: Final = 8  # steps of one Submit; each is checked against its whole thread while the log waits
MAX_BREACHES: Final = 8  # returned for one step; the others follow once these are corrected


STAGE: Final = "workflow turns"


def _announce(tx: LogTransaction, messages: Sequence[ReceivedMessage] | Sequence[ReleasedMessage]) -> None:
    if moved := frozenset(each.row.thread_id for each in messages if is_step(each.row.kind)):
        tx.announce(WorkflowsMoved(moved))


WORKFLOWS: Final = Reaction(_announce, _announce)
"""A workflow changes with every written step."""


def workflow_stage(steps: Steps) -> ReleaseStage:
    """The stage of workflows in a release: a step is opened beforehand, and checked against its thread."""

    def prepare(message: SubmittedMessage, now: datetime) -> Step | None:
        header = message.header
        return steps.open(message, now) if kinds.get(header.kind, header.kind_version).workflow else None

    def begin(at: Moment, _officer: Officer, _batch: Sequence[Submission]) -> ReleaseSession:
        turns = StepLegality(steps, at)

        def judge(item: Submission, before: Sequence[MessageRow]) -> Rejected | Unavailable | None:
            step = item.prepared.get(STAGE)
            return None if step is None else turns.judge(item.message.header, step, before)

        return ReleaseSession(judge=judge)

    return ReleaseStage(STAGE, begin, prepare)


class StepLegality:
    """Checks the steps of one batch, one after another, at the moment that they are released, or tried."""

    def __init__(self, steps: Steps, at: Moment) -> None:
        """Begin with the moment of the batch."""
        self._steps = steps
        self._at = at
        self._legal: dict[bytes, Step] = {}
        self._threads: dict[bytes, list[Step]] = {}
        self._judged = 0

    def judge(
        self, header: message_pb2.Header, step: Step, before: Sequence[MessageRow]
    ) -> Rejected | Unavailable | None:
        """Return the rules a step would break if released now, None if it may be.

        ``before`` holds the messages that the batch has released so far.
        """
        self._judged += 1
        if self._judged > MAX_CHECKED_STEPS:
            return Unavailable("busy", f"at most {MAX_CHECKED_STEPS} steps of workflows are released at once", 0.5)
        workflow = workflows.get(kinds.get(header.kind, header.kind_version).workflow)
        step = replace(step, release_time=self._at.now)
        breaches = workflow.check_next([*self._thread(header.thread_id), *self._fresh(header.thread_id, before)], step)
        if not breaches:
            self._legal[step.digest] = step
            return None
        return BrokenRules((str(breach.rule), breach.values) for breach in breaches[:MAX_BREACHES])

    def _thread(self, thread_id: bytes) -> list[Step]:
        if thread_id not in self._threads:
            self._threads[thread_id] = self._steps.of_thread(self._at.conn, thread_id)
        return self._threads[thread_id]

    def _fresh(self, thread_id: bytes, before: Sequence[MessageRow]) -> list[Step]:
        """Return what this batch has released in the thread; a message that is no step counts as an ancestor."""
        return [
            self._legal.get(row.digest) or Step.of(wire.parse_header(row.header), row.digest, None, self._at.now)
            for row in before
            if row.thread_id == thread_id
        ]


@dataclass(frozen=True, slots=True)
class WorkflowState:
    """The state of a thread, with the steps it was computed from. ``view`` is the workflow's own noun.

    ``held`` counts the stored messages of the thread, including unreadable ones. ``heads`` are the parents of the next
    step: steps only, if steps follow from nothing else, since other messages are not for every participant.
    ``exercise``: the message that opened the thread, or else the first one stored, is an exercise.
    """

    thread_id: bytes
    thread_name: str
    workflow: str
    last_seq: int
    held: int
    steps: tuple[Step, ...]
    view: Any
    heads: tuple[bytes, ...]
    exercise: bool = False

    @property
    def live(self) -> bool:
        """Return whether the workflow is not over."""
        return self.view.overall not in controlled_delivery.OVER

    def settled(self, member: str) -> frozenset[bytes]:
        """Return the steps of others that ask nothing more of a member."""
        return workflows.get(self.workflow).settled(self.steps, self.view, member)

    def next_steps(self, member: str, now: datetime) -> Mapping[str, Sequence[Any]]:
        """Return every kind of step, with the rules that one of a member would break now."""
        return workflows.get(self.workflow).next_steps(self.steps, self.view, member, now)


class WorkflowStates:
    """Computes the states of threads, and caches recent ones. Thread-safe."""

    def __init__(self, steps: Steps) -> None:
        """Store the source of steps."""
        self._steps = steps
        self._lock = threading.Lock()
        self._kept: OrderedDict[bytes, WorkflowState] = OrderedDict()

    def of(self, reads: ReadConnection, thread_id: bytes) -> WorkflowState | None:
        """Return the state of a thread; None if it is of no workflow, or nothing of it is stored."""
        rows = messages_store.thread(reads, thread_id)
        name = _workflow_of(rows)
        if not name:
            return None
        with self._lock:
            kept = self._kept.get(thread_id)
            if kept is not None and (kept.last_seq, kept.held) == (rows[-1].seq, len(rows)):
                self._kept.move_to_end(thread_id)
                return kept
        steps = tuple(self._steps.of_thread(reads, thread_id))
        thread_name = next((row.thread_name for row in rows if row.thread_name), "")
        view = workflows.get(name).reduce(steps)
        workflow_state = WorkflowState(
            thread_id,
            thread_name,
            name,
            rows[-1].seq,
            len(rows),
            steps,
            view,
            _heads(name, steps, view),
            is_exercise(rows),
        )
        with self._lock:
            self._kept[thread_id] = workflow_state
            if len(self._kept) > MAX_STATES:
                self._kept.popitem(last=False)
        return workflow_state


def _heads(name: str, steps: Sequence[Step], view: Any) -> tuple[bytes, ...]:
    own = [step for step in steps if is_of(step, name)]
    if len(own) < len(steps) and not (alone := workflows.get(name).reduce(own)).waiting_for:
        return tuple(alone.heads)
    return tuple(view.heads)


def is_of(step: Step, workflow: str) -> bool:
    """Return whether a message is a step of a workflow, and not another message in its thread."""
    kind = kinds.all_kinds().get(step.kind)
    return kind is not None and kind.workflow == workflow


def _workflow_of(rows: Sequence[MessageRow]) -> str:
    """Return the workflow of a thread: that of the message that opened it, else of the first received step."""
    openers = [row for row in rows if row.thread_id == row.message_id]
    for row in [*openers, *rows]:
        kind = known_kind(wire.parse_header(row.header))
        if kind is not None and kind.workflow:
            return kind.workflow
    return ""
