"""Evidence of one message beside releases, answers and forwarding: other entries, and cosigned proofs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from paiza.core.v1 import log_pb2
from paiza.officer.v1 import audit_pb2
from paiza_node.core.access.model import Officer
from paiza_node.core.access.need_to_know import hidden_lists
from paiza_node.core.exchange.proofs import foreign_proof, own_proof
from paiza_node.core.log import store as log_store
from paiza_node.core.log.ledger import Ledger
from paiza_node.core.register.sync import RegisterCache
from paiza_node.core.storage import ReadConnection
from paiza_node.features.attachments import store as attachments_store
from paiza_node.features.retention import store as retention_store
from paiza_node.features.witness import store as witness_store
from paiza_node.features.witness.model import CosignedSpan
from paiza_register import Register
from paiza_wire import log_entries
from paiza_wire.errors import PaizaError
from paiza_wire.tlog.cosignatures import quorum
from paiza_wire.tlog.merkle import split_hashes

_FATES: Final = frozenset({
    log_pb2.LOG_EVENT_RECALLED,
    log_pb2.LOG_EVENT_ERASED,
    log_pb2.LOG_EVENT_NEVER_HELD,
    log_pb2.LOG_EVENT_ERASURE_DENIED,
})  # fmt: skip
_OPENINGS: Final = frozenset({log_pb2.LOG_EVENT_OPENED, log_pb2.LOG_EVENT_EXPORTED, *log_entries.LISTS})
_ANSWERS: Final = frozenset({log_pb2.LOG_EVENT_RECEIVED, log_pb2.LOG_EVENT_REFUSED})


@dataclass(frozen=True, slots=True)
class _Place:
    """An entry of one log at one index, the register it names, and the message that it is about."""

    member: str
    origin: str
    index: int
    register_version: bytes
    message_digest: bytes


def others_of(
    reads: ReadConnection,
    ledger: Ledger,
    officer: Officer,
    digest: bytes,
    size: int,
    note: bytes,
    *,
    with_openings: bool,
) -> list[log_pb2.LogProof]:
    """Return entries about a message that are no release, answer or forwarding: those about it and its parts.

    Attachments received or refused (as far as this node knows), recalls, erasures, erasures denied for legal hold; with
    ``with_openings`` also which officers of this member opened or exported which part. Openings of several messages are
    left out if the officer may not know of all of them.
    """
    own = [
        entry
        for entry in log_store.entries_about(reads, digest)
        if entry.index < size and _wanted(log_pb2.LogEntry.FromString(entry.entry), with_openings=with_openings)
    ]
    listed = log_store.listed(reads, [entry.index for entry in own])
    hidden = hidden_lists(reads, officer, listed)
    shown = [entry for entry in own if entry.index not in hidden]
    return [
        *(own_proof(ledger, entry, size, note, listed.get(entry.index, ())) for entry in shown),
        *map(foreign_proof, attachments_store.attachment_proofs(reads, digest)),
        *map(foreign_proof, retention_store.erasure_answers_of(reads, digest)),
    ]


def spans_of(
    reads: ReadConnection, ledger: Ledger, register_cache: RegisterCache, proofs: Sequence[log_pb2.LogProof]
) -> list[audit_pb2.EvidenceSpan]:
    """Return this node's cosigned proofs of these entries; entries that lie between the same notes share one."""
    spans: dict[CosignedSpan, list[log_pb2.ProvenIndex]] = {}
    for place in dict.fromkeys(map(_place, proofs)):
        found = _own(reads, ledger, register_cache, place) if place.origin == ledger.origin else _foreign(reads, place)
        if found is not None:
            span, hashes = found
            spans.setdefault(span, []).append(log_pb2.ProvenIndex(index=place.index, inclusion_hashes=hashes))
    return [
        audit_pb2.EvidenceSpan(
            span=log_pb2.WitnessedSpan(
                before_note=span.before,
                note=span.note,
                consistency_hashes=split_hashes(span.consistency_proof),
                entries=sorted(entries, key=lambda each: each.index),
            ),
            register_version=span.register_version,
        )
        for span, entries in spans.items()
    ]


def _wanted(entry: log_pb2.LogEntry, *, with_openings: bool) -> bool:
    if entry.event in _ANSWERS:
        return log_entries.part_number(entry) is not None
    return entry.event in _FATES or (with_openings and entry.event in _OPENINGS)


def _place(proof: log_pb2.LogProof) -> _Place:
    origin = proof.checkpoint.split(b"\n", 1)[0].decode()
    entry = log_pb2.LogEntry.FromString(proof.proven.entry)
    return _Place(origin.partition(".")[0], origin, proof.proven.index, entry.register_version, entry.message_digest)


def _own(
    reads: ReadConnection, ledger: Ledger, register_cache: RegisterCache, place: _Place
) -> tuple[CosignedSpan, Sequence[bytes]] | None:
    """Prove an entry of our own log to the first witnessed note that contains it.

    The register that the entry names determines the quorum, else the one in force now.
    """
    after, before = (
        witness_store.witnessed_after(reads, place.index + 1),
        witness_store.witnessed_before(reads, place.index),
    )
    if after is None or after.origin != place.origin or after.size > ledger.checkpoint.size:
        return None
    if before is not None and before.origin != place.origin:
        before = None
    chosen = [
        register
        for register in _candidates(register_cache, place.register_version)
        if _enough(register, place.member, after.witnesses)
    ]
    if not chosen:
        return None
    register = chosen[0]
    if before is not None and not _enough(register, place.member, before.witnesses):
        before = None
    consistency_proof = b"" if before is None else b"".join(ledger.prove_consistency(before.size, after.size))
    (hashes,) = ledger.prove([place.index], after.size)
    return CosignedSpan(b"" if before is None else before.note, after.note, consistency_proof, register.version), hashes


def _foreign(reads: ReadConnection, place: _Place) -> tuple[CosignedSpan, Sequence[bytes]] | None:
    proof = witness_store.cosigned_proof(reads, place.member, place.origin, place.index, place.message_digest)
    if proof is None or not proof.span.note.startswith(place.origin.encode() + b"\n"):
        return None
    return proof.span, split_hashes(proof.hashes)


def _candidates(register_cache: RegisterCache, version: bytes) -> list[Register]:
    try:
        return list({each.version: each for each in (register_cache.archived(version), register_cache.last)}.values())
    except PaizaError:  # a set that is not here verifies nothing
        return []


def _enough(register: Register, member: str, witnesses: Sequence[str]) -> bool:
    others = register.active_ids - {member}
    return len(others & set(witnesses)) >= quorum(len(others))
