"""The proofs of certificates that a member's node may not know yet, attached to the first message of each.

What a member was shown is kept in memory only: after a start each certificate is proven to it once more, and one that
it has lost it asks for with the retry "certificate_unproven".
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from hashlib import sha256

from paiza.core.v1 import log_pb2, message_pb2
from paiza.peer.v1 import exchange_pb2
from paiza_node.core.access import store as access_store
from paiza_node.core.exchange import store as exchange_store
from paiza_node.core.exchange.model import DeliveryKind, Outgoing
from paiza_node.core.exchange.proofs import foreign_proof, own_proof
from paiza_node.core.exchange.receive.certificates import MAX_CERTIFICATES
from paiza_node.core.log import store as log_store
from paiza_node.core.log.ledger import Ledger
from paiza_node.core.storage import ReadConnection
from paiza_wire import log_entries
from paiza_wire.tlog.checkpoint import VerifiedCheckpoint


class ShownCertificates:
    """The certificates of our own officers that one member's node was shown."""

    def __init__(self) -> None:
        self._shown: set[bytes] = set()

    def unshown(self, batch: Sequence[Outgoing]) -> dict[bytes, int]:
        """Return the certificates of a batch that were not shown, each with the place of its first message."""
        found: dict[bytes, int] = {}
        for place, outgoing in enumerate(batch):
            for digest in _signers(outgoing):
                if digest not in self._shown and len(found) < MAX_CERTIFICATES:
                    found.setdefault(digest, place)
        return found

    def answered(
        self, batch: Sequence[Outgoing], attached: Collection[bytes], results: Iterable[exchange_pb2.DeliverResult]
    ) -> None:
        """Note what a batch showed; what comes with a message that the member has not taken is shown again."""
        self._shown.update(attached)
        for outgoing, result in zip(batch, results, strict=False):
            if result.HasField("retry"):
                self._shown.difference_update(_signers(outgoing))


def own_certificates(
    reads: ReadConnection, ledger: Ledger, digests: Collection[bytes], checkpoint: VerifiedCheckpoint
) -> Mapping[bytes, log_pb2.ProvenEntry]:
    """Prove the OFFICER_CERTIFIED entries of these certificates of our own officers, as far as there are any."""
    indices = {
        digest: index
        for digest, index in access_store.certified_indices(reads, digests).items()
        if index < checkpoint.size
    }
    entries = {entry.index: entry for entry in log_store.entries_at(reads, list(indices.values()))}
    hashes = dict(zip(entries, ledger.prove(list(entries), checkpoint.size), strict=True))
    return {
        digest: log_pb2.ProvenEntry(entry=entries[index].entry, index=index, inclusion_hashes=hashes[index])
        for digest, index in indices.items()
        if index in entries
    }


def certificates_of(
    reads: ReadConnection, ledger: Ledger, released: bytes, checkpoint: VerifiedCheckpoint, shown: set[bytes]
) -> list[log_pb2.ProvenEntry]:
    """Prove the certificates that sign a released message, but for those ``shown`` before, to which they are added."""
    digests = set(signing(released)) - shown
    shown |= digests
    return list(own_certificates(reads, ledger, digests, checkpoint).values()) if digests else []


def signing(released: bytes) -> list[bytes]:
    """Return the certificates (SHA-256) that sign a message, from its RELEASED entry."""
    return [each.certificate_sha256 for each in log_entries.signers(log_pb2.LogEntry.FromString(released))]


def signing_certificates(*signed: bytes) -> dict[str, set[bytes]]:
    """Return the certificates (SHA-256) that sign these messages, by their authors."""
    found: dict[str, set[bytes]] = {}
    for raw in filter(None, signed):
        message = message_pb2.SignedMessage.FromString(raw)
        author = message_pb2.Header.FromString(message.header).author
        found.setdefault(author, set()).update(sha256(each.certificate).digest() for each in message.signatures)
    return found


def proofs_for_holder(
    reads: ReadConnection, ledger: Ledger, own_member: str, author: str, digests: Collection[bytes]
) -> list[log_pb2.LogProof]:
    """Prove the certificates of an author's officers to one who did not get them with a delivery of the author's."""
    if author != own_member:
        return [foreign_proof(each) for each in exchange_store.proven_certificates(reads, author, digests)]
    checkpoint = ledger.checkpoint
    found = access_store.certified_indices(reads, digests).values()
    entries = log_store.entries_at(reads, [index for index in found if index < checkpoint.size])
    return [own_proof(ledger, entry, checkpoint.size, checkpoint.note) for entry in entries]


def _signers(outgoing: Outgoing) -> list[bytes]:
    """Return the certificates that sign a message of our own; of a forwarded one they come with it."""
    if outgoing.delivery_kind != DeliveryKind.OWN:
        return []
    return signing(outgoing.released_entry)
