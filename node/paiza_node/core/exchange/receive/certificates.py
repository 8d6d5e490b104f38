"""Signing certificates of other members' officers: each is proven once to be in its member's log.

A message counts only if the log of its author's member holds an OFFICER_CERTIFIED entry for the certificate of every
signer. So a certificate that was issued apart from the log, by a stolen CA key, signs nothing that others accept, and
whatever was issued is in the log for ever, for its own member's officers to find.

The entry comes with the first message, proven to the checkpoint of its delivery, of which this node is itself a
witness: a delivery never waits for cosignatures. It is stored with the message. A later message costs a look into
memory. A signer that is not proven yet is answered with a retry, and the sender attaches the proof.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import structlog

from paiza.core.v1 import log_pb2
from paiza_node.core.exchange import store as exchange_store
from paiza_node.core.exchange.model import ProvenCertificate
from paiza_node.core.exchange.receive.author_notes import AuthorNotes
from paiza_node.core.storage import Store
from paiza_register import Member
from paiza_wire import receipts
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.message import VerifiedMessage
from paiza_wire.tlog.checkpoint import VerifiedCheckpoint

MAX_CERTIFICATES: Final = 256  # proven in one call: as many as it has messages
MAX_FORWARDED: Final = 16  # proven with one forwarded message and its grant

log = structlog.get_logger("paiza.exchange")

Proven = Mapping[bytes, ProvenCertificate]
"""Certificates of one member that a call proves, by SHA-256."""


class KnownCertificates:
    """The certificates that were proven here. Read by threads, added to by the event loop."""

    def __init__(self, store: Store) -> None:
        """Read those that are stored."""
        with store.reads() as reads:
            self._known = exchange_store.proven_signers(reads)

    def check(self, message: VerifiedMessage, proven: Proven) -> tuple[ProvenCertificate, ...]:
        """Return the proofs of the message's signers that are new here; Unavailable if a signer has none."""
        author = message.header.author
        unknown = [each.fingerprint for each in message.signers if (author, each.fingerprint) not in self._known]
        if not unknown:
            return ()
        if any(digest not in proven for digest in unknown):
            raise Unavailable("certificate_unproven", "the log of the author's member was not shown to hold it")
        return tuple(proven[digest] for digest in unknown)

    def note(self, stored: Iterable[ProvenCertificate]) -> None:
        """Note that these are stored. What a crash leaves: they are read at the next start."""
        self._known.update((each.member, each.certificate_sha256) for each in stored)


def of_release(
    member: Member, shown: Sequence[log_pb2.ProvenEntry], checkpoint: VerifiedCheckpoint
) -> dict[bytes, ProvenCertificate]:
    """Return the certificates of the caller's officers that a release proves, to the call's checkpoint."""
    return {each.certificate_sha256: each for each in (_certificate(member.id, one, checkpoint) for one in shown)}


def of_forwarding(
    author: Member, shown: Sequence[log_pb2.LogProof], notes: AuthorNotes
) -> dict[bytes, ProvenCertificate]:
    """Return the certificates of an author's officers that a forwarder proves, each to a checkpoint of that log.

    One whose checkpoint does not count is left out: it may be known here already; if not, the forwarder is asked again.
    """
    if len(shown) > MAX_FORWARDED:
        raise Rejected("too_large", f"at most {MAX_FORWARDED} certificates are proven with a forwarded message")
    proven: dict[bytes, ProvenCertificate] = {}
    for each in shown:
        if (checkpoint := notes.counting(author, each.checkpoint)) is None:
            log.info("certificate_proof_ignored", member=author.id)
            continue
        certificate = _certificate(author.id, each.proven, checkpoint)
        proven[certificate.certificate_sha256] = certificate
    return proven


def _certificate(member: str, proven: log_pb2.ProvenEntry, checkpoint: VerifiedCheckpoint) -> ProvenCertificate:
    entry = receipts.verify_entry(proven, checkpoint)
    digest = entry.entry.officer_certified.signing_certificate_sha256
    if entry.entry.event != log_pb2.LOG_EVENT_OFFICER_CERTIFIED or not digest:
        raise Rejected("bad_proof", "the entry is of no certificate")
    hashes = b"".join(proven.inclusion_hashes)
    return ProvenCertificate(member, digest, entry.raw, entry.index, hashes, checkpoint.note)
