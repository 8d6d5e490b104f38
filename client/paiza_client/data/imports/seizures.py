"""Sends a table of seizures: one signed message per row, from each reporting state's officer to every other member.

The walk over the rows is `plan`; here its notices are sealed, signed and submitted in batches, while the next ones are
being made. Running it again sends only what is missing: every message carries the digest of its row, which the node
keeps in the same commit as the message, and what was not yet submitted waits in the outbox.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from paiza.core.v1 import message_pb2
from paiza_client.compose.composer import Composer, Envelope, Sealed, recipients_of
from paiza_client.data.imports.maps import ImportMap
from paiza_client.data.imports.plan import Planned, plan_import
from paiza_client.data.imports.rejects import RejectsWriter
from paiza_client.data.imports.report import ImportReport
from paiza_client.data.imports.rows import RowReader
from paiza_client.errors import Refused
from paiza_client.verify.model import Outcome
from paiza_domain import kinds

if TYPE_CHECKING:
    from concurrent.futures import Future

    from paiza_client.sdk import Session

BATCH: Final = 128  # messages of one Submit: small enough that one is made while another travels
BATCHES_AHEAD: Final = 3  # made and not yet answered, per member: bounds the memory
KIND: Final = "seizure-notice"
REVIEW: Final = timedelta(days=3 * 365)  # of historic records; the domain's default for what holds nominal data
MAX_REFUSED_LISTED: Final = 1000


@dataclass
class ImportResult:
    """What became of an import: the report on the rows, and what the nodes did with the messages."""

    report: ImportReport = field(default_factory=ImportReport)
    sent: int = 0
    repeated_at_node: int = 0
    refused: list[tuple[str, Outcome]] = field(default_factory=list)
    waiting: int = 0
    rejects: Path | None = None

    def count(self, message: Sealed, outcome: Outcome) -> None:
        """Count one answered message."""
        if outcome.state == "released":
            self.sent += not outcome.repeated
            self.repeated_at_node += outcome.repeated
        elif outcome.state == "retry":
            self.waiting += 1
        elif len(self.refused) < MAX_REFUSED_LISTED:
            self.refused.append((message.id, outcome))


class SeizureImport:
    """One run over one file. ``sessions`` and ``composers`` are by member; `run` belongs into a worker thread."""

    def __init__(
        self,
        sessions: Mapping[str, "Session"],
        composers: Mapping[str, Composer],
        loop: asyncio.AbstractEventLoop,
        *,
        handling: message_pb2.Handling,
        dry_run: bool,
        step: Callable[[int], None],
    ) -> None:
        self._sessions = sessions
        self._composers = composers
        self._loop = loop
        self._handling = handling
        self._dry_run = dry_run
        self._step = step
        self._register = next(iter(sessions.values())).register()
        self._recipients = {
            member: tuple(message_pb2.Recipient(member=each) for each in recipients_of(self._register, member))
            for member in sessions
        }
        self._kind = kinds.all_kinds()[KIND]
        self._pending: dict[str, list[Sealed]] = {member: [] for member in sessions}
        self._flying: dict[str, list[tuple[list[Sealed], Future[list[Outcome]]]]] = {member: [] for member in sessions}
        self.result = ImportResult()

    def run(self, path: Path, layout: ImportMap, rejects: Path) -> ImportResult:
        """Read, plan and send the whole file; what is rejected goes to the rejects file, made only if needed."""
        members = [member.id for member in self._register.active_members()]
        writer: RejectsWriter | None = None
        with ExitStack() as stack:
            file = stack.enter_context(_open(path))
            reader = RowReader(file, layout)
            plan = plan_import(reader, layout, list(self._sessions), members, self._already_sent)
            for planned in stack.enter_context(closing(plan)):
                self.result.report.add(planned)
                if planned.notice is not None and not self._dry_run:
                    self._queue(planned)
                if planned.rejection is not None and not self._dry_run:
                    if self.result.rejects is None:
                        self.result.rejects = rejects
                        writer = RejectsWriter(stack.enter_context(rejects.open("xb")), reader)
                    assert writer is not None
                    writer.add(planned)
                self._step(planned.row.number)
        for member, pending in self._pending.items():
            if pending:
                self._submit(member)
        for member in self._flying:
            while self._flying[member]:
                self._land(member)
        return self.result

    def _already_sent(self, digests: Sequence[bytes]) -> set[bytes]:
        """Ask every node of this run, all at once; blocks the worker thread, not the connections."""

        async def ask() -> set[bytes]:
            answers = await asyncio.gather(*(each.find_source_rows(digests) for each in self._sessions.values()))
            return set().union(*answers)

        # What is sealed and not yet answered is not at a node, but the plan itself remembers the rows of this file.
        return asyncio.run_coroutine_threadsafe(ask(), self._loop).result()

    def _queue(self, planned: Planned) -> None:
        member = planned.state
        now = datetime.now(UTC)
        envelope = Envelope(
            recipients=self._recipients[member],
            urgency=message_pb2.URGENCY_INFORMATION,
            handling=self._handling,
            review_time=now + REVIEW,
        )
        notice = planned.notice
        assert notice is not None
        composer = self._composers[member]
        message = composer.validate(self._kind, notice, None, envelope, now)
        self._pending[member].append(composer.seal(message, source_row=planned.digest))
        if len(self._pending[member]) >= BATCH:
            self._submit(member)

    def _submit(self, member: str) -> None:
        batch, self._pending[member] = self._pending[member], []
        future = asyncio.run_coroutine_threadsafe(self._sessions[member].submit(batch), self._loop)
        self._flying[member].append((batch, future))
        while len(self._flying[member]) > BATCHES_AHEAD:
            self._land(member)

    def _land(self, member: str) -> None:
        batch, future = self._flying[member].pop(0)
        for message, outcome in zip(batch, future.result(), strict=True):
            self.result.count(message, outcome)


def rejects_path(source: Path) -> Path:
    """Name a rejects file in the current folder that does not exist yet: one that was mended is never overwritten."""
    number = 1
    while True:
        suffix = "rejects" if number == 1 else f"rejects-{number}"
        path = Path(f"{source.stem}.{suffix}{source.suffix}")
        if not path.exists():
            return path
        number += 1


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise Refused("file_unreadable", str(path), error.strerror or "") from error
