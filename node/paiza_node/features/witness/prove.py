"""Prove: entries of our log are proven to checkpoints that a quorum cosigned, for members that store them as evidence.

Entries that are asked for together share a span, which may begin where the caller's last one ended: the caller then
stores one note for all of them. Its end is at most `SPAN_TIME` later than the first note that holds any of them. Those
that only a later note holds are left to another span if the log was not witnessed within `SPAN_TIME` before that first
note: else a gap would count as theirs too. An entry asked for alone gets the two notes nearest to it.

The answer contains hashes and notes, no entry: callers have the entries, and siblings cannot be guessed. Nothing is
written.
"""

from datetime import timedelta
from itertools import pairwise
from typing import Final

from paiza.core.v1 import log_pb2
from paiza.peer.v1 import witness_pb2
from paiza_node.core.log.ledger import Ledger
from paiza_node.core.storage import ReadConnection, Store
from paiza_node.features.witness import store as witness_store
from paiza_wire.errors import Rejected
from paiza_wire.tlog import fork_proofs

MAX_INDICES: Final = 256  # of one call: a batch of receipts
MAX_NOTE_BYTES: Final = 4 * 1024 * 1024  # of all notes in one answer; the first span always fits
SPAN_TIME: Final = timedelta(seconds=15)  # by which entries asked for together widen a span, at either end


class ProveEntries:
    """Proves entries to cosigned checkpoints. Reads the store: for use in threads."""

    def __init__(self, ledger: Ledger, store: Store) -> None:
        """Store the log and the store of its witnessed notes."""
        self._ledger = ledger
        self._store = store

    def __call__(self, request: witness_pb2.ProveEntriesRequest) -> witness_pb2.ProveEntriesResponse:
        """Prove these entries, as far as they are witnessed and fit into one answer."""
        indices = list(request.indices)
        if len(indices) > MAX_INDICES:
            raise Rejected("too_large", f"at most {MAX_INDICES} entries are proven at once")
        if any(second <= first for first, second in pairwise(indices)):
            raise Rejected("malformed", "the indexes are not ascending")
        # There is no entry beyond; the number may be larger than any store holds.
        size = self._ledger.checkpoint.size
        left, held = [index for index in indices if index < size], min(request.held_size, size)
        room = MAX_NOTE_BYTES
        with self._store.reads() as reads:
            response = witness_pb2.ProveEntriesResponse(witnessed_size=min(size, witness_store.witnessed_size(reads)))
            while left and (span := self._span(reads, left, response.witnessed_size, held)) is not None:
                room -= len(span.before_note) + len(span.note)
                if response.spans and room < 0:
                    break
                response.spans.append(span)
                left = left[len(span.entries) :]
                held = fork_proofs.read_size(span.note)
        return response

    def _span(
        self, reads: ReadConnection, indices: list[int], witnessed: int, held: int
    ) -> log_pb2.WitnessedSpan | None:
        """Return the span of the first of these entries and of those shortly after it; None if it is not witnessed."""
        if indices[0] >= witnessed or (first := witness_store.witnessed_after(reads, indices[0] + 1)) is None:
            return None
        before = witness_store.witnessed_before(reads, indices[0])
        reach = first.size
        # After a gap, or the beginning of the log, later entries have a beginning of their own that is much nearer.
        if before is not None and before.time >= first.time - SPAN_TIME:
            sizes = witness_store.witnessed_until(reads, first.time, first.time + SPAN_TIME)
            reach = max((reach, *(size for size in sizes if size <= witnessed)))
        together = [index for index in indices if index < reach]
        note = witness_store.witnessed_after(reads, together[-1] + 1)
        if note is None or note.size > witnessed:
            return None
        span = log_pb2.WitnessedSpan(note=note.note)
        if before is not None:
            begins = before.size
            if 0 < held <= before.size and witness_store.was_witnessed(reads, held, before.time - SPAN_TIME):
                begins, span.continues = held, True
            else:
                span.before_note = before.note
            span.consistency_hashes.extend(self._ledger.prove_consistency(begins, note.size))
        proofs = self._ledger.prove(together, note.size)
        for index, hashes in zip(together, proofs, strict=True):
            span.entries.add(index=index, inclusion_hashes=hashes)
        return span
