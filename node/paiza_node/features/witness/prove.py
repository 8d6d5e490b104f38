"""Prove: entries of our log are proven to checkpoints that a quorum cosigned, for members that store them as evidence.

The answer contains hashes and notes, no entry: callers have the entries, and siblings cannot be guessed.
"""

from itertools import pairwise
from typing import Final

from paiza.core.v1 import log_pb2
from paiza.peer.v1 import witness_pb2
from paiza_node.core.log.ledger import Ledger
from paiza_node.core.storage import ReadConnection, Store
from paiza_node.features.witness import store as witness_store
from paiza_node.features.witness.model import WitnessedNote
from paiza_wire.errors import Rejected

MAX_INDICES: Final = 256  # of one call: a batch of receipts
MAX_NOTE_BYTES: Final = 4 * 1024 * 1024  # of all notes in one answer; the first span always fits


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
        response = witness_pb2.ProveEntriesResponse()
        reached, room = 0, MAX_NOTE_BYTES
        with self._store.reads() as reads:
            for index in indices:
                if index >= self._ledger.checkpoint.size:
                    break  # there is no such entry; the number may be larger than any store holds
                if not response.spans or index >= reached:
                    note = witness_store.witnessed_after(reads, index + 1)
                    if note is None or note.size > self._ledger.checkpoint.size:
                        break  # no witnessed note covers it yet, nor later entries
                    span = self._span(reads, index, note)
                    room -= len(span.before_note) + len(span.note)
                    if response.spans and room < 0:
                        break
                    response.spans.append(span)
                    reached = note.size
                (hashes,) = self._ledger.prove([index], reached)
                response.spans[-1].entries.add(index=index, inclusion_hashes=hashes)
        return response

    def _span(self, reads: ReadConnection, index: int, note: WitnessedNote) -> log_pb2.WitnessedSpan:
        before = witness_store.witnessed_before(reads, index)
        if before is None:
            return log_pb2.WitnessedSpan(note=note.note)
        consistency_claim = self._ledger.prove_consistency(before.size, note.size)
        return log_pb2.WitnessedSpan(before_note=before.note, note=note.note, consistency_hashes=consistency_claim)
