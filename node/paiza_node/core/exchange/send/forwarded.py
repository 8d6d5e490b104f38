"""The data sent for forwarded messages: to the next holder's node, and to the author as a notice."""

import structlog

from paiza.core.v1 import log_pb2, message_pb2
from paiza.peer.v1 import exchange_pb2
from paiza_node.core.dependencies import Core
from paiza_node.core.exchange import store as exchange_store
from paiza_node.core.exchange.model import DeliveryKind, Outgoing, ProofKind
from paiza_node.core.exchange.proofs import foreign_proof, own_proof
from paiza_node.core.exchange.rewrap import wrap_for
from paiza_node.core.exchange.send import store as deliveries_store
from paiza_node.core.exchange.send.certificates import proofs_for_holder, signing_certificates
from paiza_node.core.exchange.send.witnessed import Cosigned, unless_cosigned
from paiza_node.core.log import store as log_store
from paiza_node.core.messages import store as messages_store
from paiza_node.core.storage import ReadConnection
from paiza_wire.errors import PaizaError

log = structlog.get_logger("paiza.exchange")


def pack(
    core: Core, outgoing: Outgoing, released: log_pb2.ProvenEntry, peer: str, cosigned: Cosigned | None
) -> exchange_pb2.Dispatch:
    """Return the data to send for a delivery of a forwarded message.

    With ``cosigned``, what the author's log holds is proven to cosigned checkpoints, as far as there are any.
    If a key cannot be wrapped now, the message is sent without it: the peer answers that it cannot open the message,
    and it is tried again.
    """
    if outgoing.delivery_kind == DeliveryKind.NOTICE:
        return exchange_pb2.Dispatch(notice=exchange_pb2.ForwardingNotice(forwarded=released))
    entry = log_pb2.LogEntry.FromString(outgoing.released_entry)
    without_annex = entry.forwarded.without_annex
    with core.store.reads() as reads:
        forwarding = exchange_pb2.Forwarding(forwarded=released, origin=_origin(core, reads, outgoing.digest, cosigned))
        if entry.forwarded.grant_digest:
            forwarding.grant.released.CopyFrom(_origin(core, reads, entry.forwarded.grant_digest, cosigned))
    forwarding.message = _wrapped(core, outgoing.signed, peer, without_annex=without_annex)
    grant = b""
    if entry.forwarded.grant_digest:
        grant = messages_store.read_signed(core.store, entry.forwarded.grant_digest) or b""
        forwarding.grant.message = _wrapped(core, grant, peer)
    with core.store.reads() as reads:
        for author, digests in signing_certificates(outgoing.signed, grant).items():
            proofs = proofs_for_holder(reads, core.ledger, core.member, author, digests)
            forwarding.certificates.extend(unless_cosigned(reads, cosigned, each) for each in proofs)
    return exchange_pb2.Dispatch(forwarding=forwarding)


def _origin(core: Core, reads: ReadConnection, digest: bytes, cosigned: Cosigned | None) -> log_pb2.LogProof:
    """Return a release by the author's log, to any member; an empty proof if none is stored."""
    return unless_cosigned(reads, cosigned, _release(core, reads, digest))


def _release(core: Core, reads: ReadConnection, digest: bytes) -> log_pb2.LogProof:
    for kind in (ProofKind.RELEASED, ProofKind.ORIGIN):
        for proof in exchange_store.proofs(reads, digest, kind):
            return foreign_proof(proof)
    size, note = core.ledger.checkpoint.size, core.ledger.checkpoint.note
    for stored in log_store.entries_at(
        reads, [delivery.released_index for delivery in deliveries_store.deliveries_of(reads, digest)[:1]]
    ):
        return own_proof(core.ledger, stored, size, note)
    return log_pb2.LogProof()


def _wrapped(core: Core, signed: bytes, peer: str, *, without_annex: bool = False) -> bytes:
    try:
        return wrap_for(
            signed,
            peer,
            decryption_keys=core.decryption_keys,
            register=core.register_cache.current,
            now=core.clock(),
            without_annex=without_annex,
        )
    except PaizaError as error:
        log.warning("not_wrapped", peer=peer, reason=error.reason, detail=error.detail)
        message = message_pb2.SignedMessage.FromString(signed)
        del message.wraps[:]
        return message.SerializeToString(deterministic=True)
