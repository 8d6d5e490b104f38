"""Looks up source rows: which of them the caller's unit has sent, each message with its header and proven releases.

A client counts a row as sent only on this proof. Rows of other units are not shown (`core.exchange.source_rows`).
"""

from collections.abc import Mapping, Sequence
from typing import Final

from paiza.core.v1 import log_pb2
from paiza.officer.v1 import officer_pb2
from paiza_node.core.access.model import Officer
from paiza_node.core.access.need_to_know import UnitDirectory
from paiza_node.core.dependencies import Core
from paiza_node.core.exchange import source_rows
from paiza_node.core.exchange.send import store as deliveries_store
from paiza_node.core.log import store as log_store
from paiza_node.core.messages.model import MessageRow
from paiza_node.core.storage import ReadConnection
from paiza_wire.errors import Rejected

MAX_ROWS: Final = 512  # of one question
MAX_RELEASES: Final = 2048  # of one answer: about 2 MiB of entries with their proofs


class FindSourceRows:
    """Answers which source rows an officer or their unit has sent."""

    def __init__(self, core: Core, unit_directory: UnitDirectory) -> None:
        """Store what it reads."""
        self._store = core.store
        self._ledger = core.ledger
        self._unit_directory = unit_directory

    def __call__(self, officer: Officer, rows: Sequence[bytes]) -> officer_pb2.FindSourceRowsResponse:
        """Return the rows that are known, until the answer is full. Blocking."""
        if len(rows) > MAX_ROWS:
            raise Rejected("too_large", f"at most {MAX_ROWS} rows are looked up at once")
        checkpoint = self._ledger.checkpoint
        answer = officer_pb2.FindSourceRowsResponse(checkpoint=checkpoint.note)
        with self._store.reads() as reads:
            known = source_rows.known(reads, officer, self._unit_directory, set(rows))
            named = source_rows.listed(reads, officer, known.values())
            indices: dict[bytes, list[int]] = {}
            for number, row in enumerate(rows):
                message = known.get(row)
                if message is not None and message.digest in named and message.digest not in indices:
                    released = [each.released_index for each in deliveries_store.deliveries_of(reads, message.digest)]
                    if indices and sum(map(len, indices.values())) + len(released) > MAX_RELEASES:
                        break
                    # What was committed a moment ago may still wait for the checkpoint that proves it.
                    if released and max(released) < checkpoint.size:
                        indices[message.digest] = released
                answer.looked_up = number + 1
            entries = self._proven(reads, [each for several in indices.values() for each in several], checkpoint.size)
        shown = [(row, message) for row, message in known.items() if message.digest in indices]
        answer.rows.extend(_shown(row, message, indices[message.digest], entries) for row, message in shown)
        return answer

    def _proven(self, reads: ReadConnection, indices: Sequence[int], size: int) -> dict[int, log_pb2.ProvenEntry]:
        entries = log_store.entries_at(reads, indices)
        proofs = self._ledger.prove([entry.index for entry in entries], size)
        return {
            entry.index: log_pb2.ProvenEntry(entry=entry.entry, index=entry.index, inclusion_hashes=hashes)
            for entry, hashes in zip(entries, proofs, strict=True)
        }


def _shown(
    row: bytes, message: MessageRow, indices: Sequence[int], entries: Mapping[int, log_pb2.ProvenEntry]
) -> officer_pb2.SourceRow:
    return officer_pb2.SourceRow(
        source_row_sha256=row,
        message_digest=message.digest,
        header=message.header,
        released=[entries[index] for index in indices],
    )
