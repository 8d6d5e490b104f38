"""Verification that a quorum cosigned a note of another member's log, and of received spans of it.

Pure functions of notes, a register and the known state. The register determines whose cosignatures count: those of the
other active members, each counted once, with any of its keys up to the time when it was abandoned, by the earliest of
its cosignatures.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from paiza.core.v1 import log_pb2
from paiza_node.features.witness.model import CosignedProof, CosignedSpan, Uncosigned
from paiza_register import Member, Register
from paiza_wire.errors import Rejected
from paiza_wire.tlog import checkpoint as checkpoints
from paiza_wire.tlog import fork_proofs, merkle
from paiza_wire.tlog.checkpoint import VerifiedCheckpoint
from paiza_wire.tlog.cosignatures import quorum
from paiza_wire.tlog.notes import format_note, parse_note
from paiza_wire.tlog.witnessed_time import witnessed_time

CLOCKS_DIFFER: Final = timedelta(minutes=10)  # greatest difference between the clocks of honest witnesses and ours
MAX_HASHES: Final = 128  # a proof between any two sizes, or of any entry, has fewer


@dataclass(frozen=True, slots=True)
class JudgedNote:
    """A checkpoint that a quorum cosigned, and the median time.

    Its note contains only verified signatures; any others are dropped.
    """

    checkpoint: VerifiedCheckpoint
    time: datetime


@dataclass(frozen=True, slots=True)
class JudgedSpan:
    """The proofs that a span gives, and the checkpoints they depend on; ``after`` is its note.

    ``shown`` are the checkpoints that came with it: not the one that it continues from.
    """

    proofs: list[CosignedProof]
    after: JudgedNote
    shown: tuple[VerifiedCheckpoint, ...]
    register_version: bytes


def judge_note(note: bytes, owner: Member, register: Register, now: datetime) -> JudgedNote:
    """Verify a witnessed note of a member's log.

    1. It is a checkpoint of that log, signed by its keys: also by those abandoned since, for its witnesses accepted it.
    2. Every signature by a witness key of an active member is valid, including that of the log's own member.
    3. A quorum of the others cosigned it.
    4. Their times are not in the future.

    Rejected("bad_checkpoint") otherwise.
    """
    # 1.
    parsed = parse_note(note)
    origin = checkpoints.Checkpoint.parse(parsed.text).origin
    checkpoint = owner.checkpoint(note, origin)
    # 2.
    found = register.cosignatures(note)
    # 3.
    first = register.witnesses(found, owner.id)
    asked = len(register.active_ids - {owner.id})
    time = witnessed_time(first.values(), quorum(asked))
    if time is None:
        raise Rejected("bad_checkpoint", f"only {len(first)} of {asked} witnesses cosigned it")
    # 4.
    if time > now + CLOCKS_DIFFER:
        raise Rejected("bad_checkpoint", "its witnesses speak of a time that has not come")
    own = parse_note(fork_proofs.minimal_note(note, *owner.keys_of_log(origin))).signatures
    text = format_note(parsed.text, [*own, *(each.signature for each in found)])
    return JudgedNote(VerifiedCheckpoint(origin, checkpoint.size, checkpoint.root, text), time)


def judge_span(
    span: log_pb2.WitnessedSpan,
    owner: Member,
    waiting: dict[int, Uncosigned],
    register: Register,
    now: datetime,
    earlier: JudgedSpan | None = None,
) -> JudgedSpan:
    """Verify a received span, which may continue an ``earlier`` one; return proofs of the requested entries.

    1. A quorum cosigned the note, and the one before it, which is of the same log and no later. The note of an earlier
       span was verified with it, unless another register determined the quorum.
    2. The two are consistent.
    3. Each entry lies between the two and is proven to the later one. Entries that were not requested are ignored.

    Rejected if anything is invalid: then nothing of the span is stored.
    """
    # 1.
    after = judge_note(span.note, owner, register, now)
    shown = [after.checkpoint]
    before = None
    if span.continues:
        if earlier is None or span.before_note:
            raise Rejected("bad_checkpoint", "the span continues none, or another than it shows")
        before = earlier.after
        if earlier.register_version != register.version:
            before = judge_note(before.checkpoint.note, owner, register, now)
    elif span.before_note:
        before = judge_note(span.before_note, owner, register, now)
        shown.append(before.checkpoint)
    size = after.checkpoint.size
    first = 0
    if before is not None:
        first = before.checkpoint.size
        if before.checkpoint.origin != after.checkpoint.origin or before.time > after.time + CLOCKS_DIFFER:
            raise Rejected("bad_checkpoint", "the note before is of another log, or of a later time")
        # 2.
        if len(span.consistency_hashes) > MAX_HASHES or first > size:
            raise Rejected("bad_proof", "the note before is no beginning of the one after")
        merkle.verify_consistency(first, before.checkpoint.root, size, after.checkpoint.root, span.consistency_hashes)
    # 3.
    kept = CosignedSpan(
        before=before.checkpoint.note if before is not None else b"",
        note=after.checkpoint.note,
        consistency_proof=b"".join(span.consistency_hashes) if before is not None else b"",
        register_version=register.version,
    )
    inclusion = merkle.InclusionVerifier(size, after.checkpoint.root)
    proofs = []
    for entry in span.entries:
        if (asked := waiting.get(entry.index)) is None:
            continue
        if not first <= entry.index < size or len(entry.inclusion_hashes) > MAX_HASHES:
            raise Rejected("bad_proof", "an entry does not lie in its span")
        inclusion.verify(asked.leaf, entry.index, entry.inclusion_hashes)
        proofs.append(CosignedProof(owner.id, entry.index, b"".join(entry.inclusion_hashes), kept))
    return JudgedSpan(proofs, after, tuple(shown), register.version)
