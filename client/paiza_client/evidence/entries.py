"""Entries of evidence: how one lies in the file, and what must hold of all of them and of those of no other rule."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from paiza.core.v1 import log_pb2, message_pb2
from paiza_client.verify.logs import LogReader, Registers
from paiza_client.verify.model import Proof
from paiza_client.verify.proven_time import Before, Interval
from paiza_officer.errors import NotProven, located
from paiza_wire import receipts
from paiza_wire.identity import SpiffeId
from paiza_wire.tlog.tlog_proof import TlogProof

if TYPE_CHECKING:
    from datetime import datetime

_OPENINGS: Final = frozenset({"OPENED", "EXPORTED", "OPENED_TOGETHER", "SUBJECTS_SHOWN"})
_FATES: Final = frozenset({"RECALLED", "ERASED", "NEVER_HELD", "ERASURE_DENIED"})


@dataclass(frozen=True, slots=True)
class Filed:
    """An entry as it lies in the file: ``name`` of its members without their endings, its proof, nothing verified."""

    name: str
    entry: bytes
    proof: TlogProof
    before: Before | None = None
    listed: tuple[bytes, ...] = ()
    """The messages of an entry about several."""

    def log_proof(self) -> log_pb2.LogProof:
        """Return it as the protocol shows a proof."""
        return log_pb2.LogProof(
            proven=log_pb2.ProvenEntry(
                entry=self.entry,
                index=self.proof.index,
                inclusion_hashes=self.proof.hashes,
                message_digests=self.listed,
            ),
            checkpoint=self.proof.note,
        )


@dataclass(frozen=True, slots=True)
class Claim:
    """One entry that is proven, and when it was made; ``interval`` None where only its own log says when."""

    proof: Proof
    interval: Interval | None

    @property
    def contradicted(self) -> bool:
        """Whether the witnesses say that the log's own time is wrong."""
        return self.interval is not None and self.interval.contradicts(self.proof.time)


def check_consistent(proofs: Sequence[Proof], filed: Sequence[Filed], reader: LogReader) -> None:
    """Refuse what contradicts itself: one size of a log with two roots, an entry twice, times that run backwards."""
    roots: dict[tuple[str, int], bytes] = {}
    for note in (note for each in filed for note in _notes(each)):
        _owner, checkpoint = reader.checkpoint(note)
        if roots.setdefault((checkpoint.origin, checkpoint.size), checkpoint.root) != checkpoint.root:
            raise NotProven("log_forked", checkpoint.origin, f"two roots of size {checkpoint.size} are signed")
    last: dict[str, tuple[int, datetime]] = {}
    for proof in sorted(proofs, key=lambda proof: (proof.origin, proof.index)):
        where = f"{proof.origin} #{proof.index}"
        if proof.origin in last and last[proof.origin][0] == proof.index:
            raise NotProven("bad_evidence", where, "the entry stands twice")
        if proof.origin in last and last[proof.origin][1] > proof.time:
            raise NotProven("bad_proof", where, "the entry is of an earlier time than one before it")
        last[proof.origin] = proof.index, proof.time


def check_registers(proofs: Sequence[Proof], registers: Registers) -> None:
    """Refuse a log that goes back behind a revocation: its entries name registers, each no older than the one before.

    Only the revocations of the log's own member are compared; an entry whose register is not at hand says nothing.
    """
    known = {register.version: register for register in registers.all()}
    carried: dict[str, frozenset[bytes]] = {}
    for proof in sorted(proofs, key=lambda proof: (proof.origin, proof.index)):
        register = known.get(proof.register_version)
        if register is None or proof.member not in register.members:
            continue
        revoked = register.members[proof.member].authority.revoked
        if not carried.get(proof.origin, frozenset()) <= revoked:
            why = "the entry names a register that lacks a revocation which an entry before it had"
            raise NotProven("bad_proof", f"{proof.origin} #{proof.index}", why)
        carried[proof.origin] = revoked


def check_other(
    proof: Proof,
    entry: log_pb2.LogEntry,
    header: message_pb2.Header,
    digest: bytes,
    handed: set[tuple[str, str]],
) -> None:
    """Check an entry that is neither release nor passing on nor answer: what became of a message or of a part of it.

    ``handed`` are those to whom the message went, each with who handed it over. RECEIVED and REFUSED are of an
    attachment; OPENED, EXPORTED, RECALLED, ERASED, NEVER_HELD and ERASURE_DENIED are of one who was sent the message.
    """
    where = f"{proof.event} ({proof.origin} #{proof.index})"
    holders = {header.author} | {member for _, member in handed}
    if not proof.concerns(digest):
        raise NotProven("bad_proof", where, "the entry is of another message")
    if proof.member not in holders:
        raise NotProven("bad_proof", where, "the entry is of a member to whom the message did not go")
    part = proof.part_number
    if part is not None and part >= len(header.parts):
        raise NotProven("bad_proof", where, "the entry is of a part that the message has not")
    if proof.event in {"RECEIVED", "REFUSED"}:
        if (proof.counterpart, proof.member) not in handed:
            raise NotProven("bad_proof", where, "the attachment was not handed over by that member")
        if part is None or header.parts[part].kind != message_pb2.PART_KIND_ATTACHMENT:
            raise NotProven("bad_proof", where, "the entry is not of an attachment")
        with located(where, NotProven):
            receipts.check_attachment_answer(entry, proof.counterpart)
        return
    if proof.event in _OPENINGS:
        with located(where, NotProven):
            if SpiffeId.parse(proof.actor).member != proof.member:
                raise NotProven("wrong_member", where, "the entry names an actor of another member")
        return
    if proof.event in _FATES:
        return
    raise NotProven("bad_evidence", where, "an entry of no place in evidence")


def _notes(filed: Filed) -> tuple[bytes, ...]:
    return (filed.proof.note,) if filed.before is None else (filed.proof.note, filed.before.note)
