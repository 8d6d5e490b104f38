"""The import of a table of seizures: one signed message per row, from each reporting state's officer to all others.

The walk over the rows is `plan`; here its notices are sealed, signed and submitted in batches, while the next ones are
being made. Running it again sends only what is missing: every message carries the digest of its row, which the node
keeps in the same commit as the message, and what was not yet submitted waits in the outbox.

A row counts as sent before only if the own log proves the release of a seizure notice that the node names for it:

- crash after the release, before the outbox was settled: the same message is sent once more, and is a repeat;
- another notice for the row, by this officer or their unit: the next one is refused as "source_row_known". The earlier
  one is checked, its signers are named in the result, and the refused copy leaves the outbox.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, BinaryIO, Final

from paiza.core.v1 import message_pb2
from paiza_client.compose.composer import Composer, Envelope, Sealed, Validated, recipients_of
from paiza_client.data.imports.maps import ImportMap
from paiza_client.data.imports.plan import EqualRows, Planned, plan_import
from paiza_client.data.imports.rejects import RejectsWriter
from paiza_client.data.imports.report import ImportReport
from paiza_client.data.imports.rows import RowReader
from paiza_client.language import N_, _
from paiza_client.sdk.model import OnProgress
from paiza_client.sdk.session import Session
from paiza_client.verify.model import Outcome, SentRow
from paiza_domain import handling as marks
from paiza_domain import kinds
from paiza_officer.errors import Refused, Unreachable, misused
from paiza_officer.profiles import new_private

if TYPE_CHECKING:
    from concurrent.futures import Future

BATCH: Final = 128  # messages of one Submit: small enough that one is made while another travels
BATCHES_AHEAD: Final = 3  # made and not yet answered, per member: bounds the memory
KIND: Final = "seizure-notice"
MAX_REFUSED_LISTED: Final = 1000
STEP_ROWS: Final = 64  # rows between two calls of what shows the progress
COUNT_BYTES: Final = 1 << 20  # read at once to count the lines


@dataclass(frozen=True, slots=True)
class ImportResult:
    """The result of an import: every row of the file, and every message at the nodes."""

    report: ImportReport
    """Every row once, by its outcome: accepted, repaired, repeated, rejected, of another member, outside."""
    dry_run: bool
    """True if nothing was sent and no rejects file was written; the report is complete."""
    sent: int
    """Messages released by this run."""
    repeated_at_node: int
    """Messages that their node had released before, or another one for the same row."""
    sent_before_by: Mapping[str, int]
    """Officer → rows for which a notice that they signed had been sent before."""
    waiting: int
    """Messages in the outboxes; they go at the next `Session.flush`."""
    refused: tuple[tuple[str, Outcome], ...]
    """Message ids with the node's final refusal, at most `MAX_REFUSED_LISTED`."""
    rejects: Path | None
    """The file with the rejected rows and their reasons; None where nothing was rejected, or in a dry run."""
    seconds: float


class ImportInterrupted(Unreachable):
    """A node did not answer, and the import stopped there; ``result`` holds what was done until then.

    ``saved`` unless it was a dry run: what was sealed waits in the outboxes, and the same import goes on from there.
    """

    def __init__(self, error: Unreachable, result: ImportResult) -> None:
        super().__init__(error.reason, error.where, error.detail, saved=not result.dry_run or error.saved)
        self.result = result


async def import_seizures(
    sessions: Sequence[Session],
    file: Path,
    layout: ImportMap,
    *,
    rejects: Path | None = None,
    tlp: str = "AMBER",
    equal_rows: EqualRows = "",
    dry_run: bool = False,
    on_progress: OnProgress | None = None,
) -> ImportResult:
    """Send each row of a table as a signed seizure notice, and return what became of all rows and messages.

    ``sessions`` are of different members; each sends its own member's rows to every other member of the federation.
    Rows of other members are counted and left. ``layout`` says how the table is read (`load_map`). Rejected rows go
    into ``rejects``, a file that must not be there yet (None: `rejects_path`). ``tlp`` marks the notices, which are
    classified at level 1 and may be used for statistics alone.

    ``equal_rows`` states what rows are that do not differ in any column: "once" sends the first of them, "each" all.
    Unstated they are sent once, and the report asks. It names the amounts that hang on it either way, and a later run
    with "each" sends what is missing.

    ``dry_run`` checks and counts everything, sends nothing and writes no file. The nodes are still asked which rows
    were sent before, and each whether it would take the first notice of its member: a refusal stands in the result.
    ``on_progress`` is called with the rows done and the lines of the file.

    A notice is logged as any message is: RELEASED, once for each member it goes to. A row that was sent before is not
    sent again, also after a crash and by another officer of the unit; the rows of other units count for themselves.

    Misused("usage") for two sessions of one member, or one of a member of which the layout has no rows; before anything
    is sent, Refused("file_unreadable") or ("bad_map")
    for a table that cannot be read or lacks a column of the layout; FileExistsError for ``rejects``;
    `ImportInterrupted` where a node does not answer; NotProven where it does not prove that a row was sent before. A
    message that a node refuses ends nothing: it stands in the result.

    Cancelled, it ends with what was handed to the nodes; the same import goes on from there.
    """
    by_member = {session.profile.member: session for session in sessions}
    if len(by_member) != len(sessions):
        raise misused("sessions", _("two profiles of one member"))
    check_members(by_member, layout)
    composers = {member: await session.composer() for member, session in by_member.items()}
    handling = message_pb2.Handling(tlp=tlp, code="H0", classification=1, purposes=["statistics"])
    run = _Run(by_member, composers, handling, equal_rows=equal_rows, dry_run=dry_run, on_progress=on_progress)
    work = asyncio.ensure_future(asyncio.to_thread(run.all, file, layout, rejects or rejects_path(file)))
    try:
        await asyncio.shield(work)
    except Unreachable as error:
        raise ImportInterrupted(error, run.result()) from error
    except asyncio.CancelledError:
        run.stop()
        await asyncio.wait({work})  # the thread ends at the next row, before the sessions do
        work.exception()
        raise
    return run.result()


class _Run:
    """One run over one file; `all` belongs into a worker thread, the rest of it into the event loop."""

    def __init__(
        self,
        sessions: Mapping[str, Session],
        composers: Mapping[str, Composer],
        handling: message_pb2.Handling,
        *,
        equal_rows: EqualRows,
        dry_run: bool,
        on_progress: OnProgress | None,
    ) -> None:
        self._sessions = sessions
        self._composers = composers
        self._loop = asyncio.get_running_loop()
        self._handling = handling
        self._dry_run = dry_run
        self._on_progress = on_progress
        self._register = next(iter(sessions.values())).register()
        self._recipients = {
            member: tuple(message_pb2.Recipient(member=each) for each in recipients_of(self._register, member))
            for member in sessions
        }
        self._kind = kinds.all_kinds()[KIND]
        self._pending: dict[str, list[Sealed]] = {member: [] for member in sessions}
        self._flying: dict[str, list[tuple[list[Sealed], Future[list[Outcome]]]]] = {member: [] for member in sessions}
        self._started = monotonic()
        self._equal_rows = equal_rows
        self._report = ImportReport(choice=equal_rows)
        self._sent = self._repeated_at_node = self._waiting = 0
        self._known: dict[bytes, SentRow] = {}  # of the rows last asked about
        self._sent_before_by: Counter[str] = Counter()
        self._refused: list[tuple[str, Outcome]] = []
        self._tried: set[str] = set()  # members whose node was asked in a dry run
        self._rejects: Path | None = None
        self._stopped = False

    def stop(self) -> None:
        """Have the walk end at the next row."""
        self._stopped = True

    def result(self) -> ImportResult:
        """Return what was done so far."""
        return ImportResult(
            report=self._report,
            dry_run=self._dry_run,
            sent=self._sent,
            repeated_at_node=self._repeated_at_node,
            sent_before_by=dict(self._sent_before_by),
            waiting=self._waiting,
            refused=tuple(self._refused),
            rejects=self._rejects,
            seconds=monotonic() - self._started,
        )

    def all(self, path: Path, layout: ImportMap, rejects: Path) -> None:
        """Read, plan and send the whole file; what is rejected goes to the rejects file, made only if needed."""
        members = [member.id for member in self._register.active_members()]
        writer: RejectsWriter | None = None
        total = _lines(path)
        with ExitStack() as stack:
            reader = RowReader(stack.enter_context(_open(path)), layout)
            own = list(self._sessions)
            plan = plan_import(reader, layout, own, members, self._already_sent, equal_rows=self._equal_rows)
            for planned in stack.enter_context(closing(plan)):
                if self._stopped:
                    break
                self._report.add(planned)
                if planned.sent_before:
                    self._sent_before_by.update(self._known[planned.digest].signers)
                if planned.notice is not None and self._dry_run:
                    self._try_first(planned)
                elif planned.notice is not None:
                    self._queue(planned)
                if planned.rejections and not self._dry_run:
                    if writer is None:
                        writer = RejectsWriter(stack.enter_context(new_private(rejects)), reader)
                        self._rejects = rejects
                    writer.add(planned)
                if planned.row.number % STEP_ROWS == 0:
                    self._progress(min(planned.row.number, total), total)
        for member, pending in self._pending.items():
            if pending and not self._stopped:
                self._submit(member)
        for member in self._flying:
            while self._flying[member]:
                self._land(member)
        self._progress(total, total)

    def _progress(self, done: int, total: int) -> None:
        if self._on_progress is not None:
            self._loop.call_soon_threadsafe(self._on_progress, done, total)

    def _already_sent(self, digests: Sequence[bytes]) -> set[bytes]:
        """Ask every node of this run, all at once; blocks the worker thread, not the connections."""

        async def ask() -> list[dict[bytes, SentRow]]:
            return await asyncio.gather(*(_notices(each, digests) for each in self._sessions.values()))

        # What is sealed and not yet answered is not at a node, but the plan itself remembers the rows of this file.
        answers = asyncio.run_coroutine_threadsafe(ask(), self._loop).result()
        self._known = {row: sent for answer in answers for row, sent in answer.items()}
        return set(self._known)

    def _try_first(self, planned: Planned) -> None:
        """Ask a node whether it would take the first notice of its member: all others are sent in the same way."""
        member = planned.state
        if member in self._tried:
            return
        self._tried.add(member)
        now = datetime.now(UTC)
        message = self._composers[member].seal_for_trial(self._validated(planned, now), now)
        outcome = asyncio.run_coroutine_threadsafe(self._sessions[member].try_message(message), self._loop).result()
        if outcome.state == "refused":
            self._refused.append((message.id, outcome))

    def _queue(self, planned: Planned) -> None:
        member = planned.state
        message = self._validated(planned, datetime.now(UTC))
        self._pending[member].append(self._composers[member].seal(message, source_row=planned.digest))
        if len(self._pending[member]) >= BATCH:
            self._submit(member)

    def _validated(self, planned: Planned, now: datetime) -> Validated:
        member = planned.state
        envelope = Envelope(
            recipients=self._recipients[member],
            urgency=message_pb2.URGENCY_INFORMATION,
            handling=self._handling,
            review_time=marks.years_after(now, marks.NOMINAL_REVIEW),
        )
        notice = planned.notice
        assert notice is not None
        return self._composers[member].validate(self._kind, notice, None, envelope, now)

    def _submit(self, member: str) -> None:
        batch, self._pending[member] = self._pending[member], []
        future = asyncio.run_coroutine_threadsafe(self._sessions[member].submit(batch), self._loop)
        self._flying[member].append((batch, future))
        while len(self._flying[member]) > BATCHES_AHEAD:
            self._land(member)

    def _land(self, member: str) -> None:
        batch, future = self._flying[member].pop(0)
        outcomes = future.result()
        known = self._sent_meanwhile(member, batch, outcomes)
        for message, outcome in zip(batch, outcomes, strict=True):
            if message.source_row in known:
                self._repeated_at_node += 1
                self._sent_before_by.update(known[message.source_row].signers)
            elif outcome.state == "released":
                self._sent += not outcome.repeated
                self._repeated_at_node += outcome.repeated
            elif outcome.state == "retry":
                self._waiting += 1
            elif len(self._refused) < MAX_REFUSED_LISTED:
                self._refused.append((message.id, outcome))

    def _sent_meanwhile(
        self, member: str, batch: Sequence[Sealed], outcomes: Sequence[Outcome]
    ) -> dict[bytes, SentRow]:
        """Check the earlier notices of rows that the node knew already, and drop the refused ones from the outbox."""
        refused = {
            message.source_row: message
            for message, outcome in zip(batch, outcomes, strict=True)
            if (outcome.state, outcome.reason) == ("refused", "source_row_known")
        }
        if not refused:
            return {}
        session = self._sessions[member]
        known = asyncio.run_coroutine_threadsafe(_notices(session, list(refused)), self._loop).result()
        for row in known:
            session.outbox.drop(refused[row].header.message_id)
        return known


async def _notices(session: Session, rows: Sequence[bytes]) -> dict[bytes, SentRow]:
    """Return the rows for which a seizure notice was sent; a message of another kind does not stand for a row."""
    found = await session.find_source_rows(rows)
    return {row: sent for row, sent in found.items() if sent.header.kind == KIND}


def rejects_path(source: Path) -> Path:
    """Name a rejects file in the current folder that does not exist yet: one that was mended is never overwritten."""
    number = 1
    while True:
        suffix = "rejects" if number == 1 else f"rejects-{number}"
        path = Path(f"{source.stem}.{suffix}{source.suffix}")
        if not path.exists():
            return path
        number += 1


def check_members(members: Iterable[str], layout: ImportMap) -> None:
    """Misused("usage") for the first member of whose rows the map knows nothing: its run could send nothing."""
    for member in members:
        if member not in layout.members():
            what = _(N_("the map {map} holds no rows of {member}; it holds those of: {known}"))
            raise misused(
                "--as", what.format(map=layout.name, member=member, known=", ".join(sorted(layout.members())))
            )


def check_readable(path: Path) -> None:
    """Refused("file_unreadable") for a table that cannot be read, before a node is asked for anything."""
    _open(path).close()


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise Refused("file_unreadable", str(path), error.strerror or "") from error


def _lines(path: Path) -> int:
    """Count lines, for the progress only."""
    with _open(path) as file:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(COUNT_BYTES), b""))
