"""Entries of any log that is known here, each proven to a checkpoint that a quorum of that log's witnesses cosigned."""

from paiza.core.v1 import log_pb2
from paiza_node.core.log.ledger import Ledger
from paiza_node.core.log.model import origin_of
from paiza_node.core.storage import ReadConnection
from paiza_node.features.witness import store as witness_store
from paiza_wire import receipts
from paiza_wire.errors import Rejected
from paiza_wire.tlog.merkle import split_hashes


class CosignedEntries:
    """Finds the cosigned proof of an entry, for a node that believes no log alone. From any thread."""

    def __init__(self, ledger: Ledger) -> None:
        """Store the own log, whose tree proves its entries to any size."""
        self._ledger = ledger

    def __call__(self, reads: ReadConnection, proof: log_pb2.LogProof) -> log_pb2.LogProof | None:
        """Return the same entry proven to a cosigned checkpoint of its log; None if there is none yet."""
        origin, index = origin_of(proof.checkpoint), proof.proven.index
        proven = log_pb2.ProvenEntry(entry=proof.proven.entry, index=index)
        if origin == self._ledger.origin:
            after = witness_store.witnessed_after(reads, index + 1)
            if after is None or after.origin != origin or after.size > self._ledger.checkpoint.size:
                return None
            (hashes,) = self._ledger.prove([index], after.size)
            proven.inclusion_hashes.extend(hashes)
            return log_pb2.LogProof(proven=proven, checkpoint=after.note)
        try:
            digest = receipts.parse_entry(proof.proven.entry).message_digest
        except Rejected:  # a damaged row proves nothing
            return None
        kept = witness_store.cosigned_proof(reads, origin.partition(".")[0], origin, index, digest)
        if kept is None:
            return None
        proven.inclusion_hashes.extend(split_hashes(kept.hashes))
        return log_pb2.LogProof(proven=proven, checkpoint=kept.span.note)
