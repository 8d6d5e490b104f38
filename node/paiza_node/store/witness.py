"""What others have witnessed of the own log, and the proofs of other members' logs that lead to cosigned notes."""

from collections.abc import Collection, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, delete, func, select

from paiza_node.model import CosignedProof, CosignedSpan, Uncosigned, WitnessedNote, WitnessedTime
from paiza_node.store import schema as s
from paiza_node.store.rows import from_micros, to_micros
from paiza_node.store.statements import Lookup, blocks, insertion, replacement
from paiza_wire.merkle import leaf_hash

_W: Final = s.witnessed_note.c


class WitnessReads:
    """Questions about witnessed notes and cosigned proofs, asked over one connection."""

    _connection: Connection

    def witnessed_after(self, size: int) -> WitnessedNote | None:
        """Give the first witnessed note of the own log with at least ``size`` entries."""
        return self._witnessed(select(s.witnessed_note).where(_W.size >= size).order_by(_W.size, _W.again))

    def witnessed_before(self, index: int) -> WitnessedNote | None:
        """Give the last witnessed note that does not hold the entry at ``index``."""
        newest = (_W.size.desc(), _W.again.desc())
        return self._witnessed(select(s.witnessed_note).where(_W.size <= index).order_by(*newest))

    def last_witnessed(self) -> WitnessedNote | None:
        """Give the largest witnessed note of the own log."""
        return self._witnessed(select(s.witnessed_note).order_by(_W.size.desc(), _W.again.desc()))

    def witnessed_by_time(self, since: datetime, until: datetime, limit: int) -> list[WitnessedNote]:
        """Give the witnessed notes from one time on and before another, oldest first."""
        rows = self._connection.execute(
            select(s.witnessed_note)
            .where(_W.time >= to_micros(since), _W.time < to_micros(until))
            .order_by(_W.time, _W.size)
            .limit(limit)
        )
        return [_witnessed_note(row) for row in rows]

    def witnessed_times(self, since: datetime, until: datetime, limit: int) -> list[WitnessedTime]:
        """Give the times of witnessed notes from one time on and before another, oldest first, without the notes."""
        rows = self._connection.execute(
            select(_W.size, _W.again, _W.time)
            .where(_W.time >= to_micros(since), _W.time < to_micros(until))
            .order_by(_W.time, _W.size)
            .limit(limit)
        )
        return [WitnessedTime(row[0], row[1], from_micros(row[2])) for row in rows]

    def cosigned_proof(self, member: str, index: int, origin: str = "") -> CosignedProof | None:
        """Give the proof of an entry of another member's log to a cosigned note; None where none was had yet.

        ``origin`` names the log where it may be one that the member has left behind.
        """
        of = origin if origin and self._left_behind([origin]) else member
        p, span = s.cosigned_proof.c, s.cosigned_span.c
        note, before = s.note.alias("after"), s.note.alias("before")
        row = self._connection.execute(
            select(p.hashes, span.growth, span.register_version, note.c.note, before.c.note.label("before"))
            .select_from(
                s.cosigned_proof.join(s.cosigned_span, span.id == p.span)
                .join(note, note.c.digest == span.note_digest)
                .outerjoin(before, before.c.digest == span.before_digest)
            )
            .where(p.member == of, p.log_index == index)
        ).one_or_none()
        if row is None:
            return None
        found = CosignedSpan(row.before or b"", row.note, row.growth, row.register_version)
        return CosignedProof(member, index, row.hashes, found)

    def uncosigned(self, member: str, limit: int, *, after: int = -1) -> list[Uncosigned]:
        """Give entries of a member's log, behind an index, that wait for a cosigned proof, in order of index."""
        u = s.uncosigned.c
        rows = self._connection.execute(
            select(u.log_index, u.leaf)
            .where(u.member == member, u.log_index > after)
            .order_by(u.log_index)
            .limit(limit)
        )
        return [Uncosigned(member, row[0], row[1]) for row in rows]

    def uncosigned_counts(self) -> dict[str, int]:
        """Give how many entries of each member's log wait for a cosigned proof."""
        u = s.uncosigned.c
        return {row[0]: row[1] for row in self._connection.execute(select(u.member, func.count()).group_by(u.member))}

    def foreign_entries(self, digests: Collection[bytes]) -> list[Uncosigned]:
        """Give the entries of other members' logs kept about these messages of which no cosigned proof is had."""
        kept = [row for lookup in _FOREIGN for row in lookup.run(self._connection, digests)]
        left = self._of_logs_left_behind({(row[0], row[3]) for row in kept})
        found = {(row[0], row[1]): leaf_hash(row[2]) for row in kept if row[3] not in left}
        known: set[tuple[str, int]] = set()
        p = s.cosigned_proof.c
        for member in {member for member, _ in found}:
            indices = [index for by, index in found if by == member]
            for block in blocks(indices):
                rows = self._connection.execute(select(p.log_index).where(p.member == member, p.log_index.in_(block)))
                known.update((member, row[0]) for row in rows)
        return [Uncosigned(*place, leaf) for place, leaf in sorted(found.items()) if place not in known]

    def _of_logs_left_behind(self, notes: Collection[tuple[str, bytes]]) -> set[bytes]:
        """Give those checkpoints, by digest, whose log its member has left behind: they are cosigned no more."""
        members = {member for member, _ in notes}
        f, n = s.former_known_log.c, s.note.c
        leavers = set(self._connection.execute(select(f.member).where(f.member.in_(members)).distinct()).scalars())
        digests = [digest for member, digest in notes if member in leavers]
        if not digests:
            return set()
        origins: dict[bytes, str] = {}
        for block in blocks(digests):
            for digest, note in self._connection.execute(select(n.digest, n.note).where(n.digest.in_(block))):
                origins[digest] = note.split(b"\n", 1)[0].decode()
        left = self._left_behind(set(origins.values()))
        return {digest for digest, origin in origins.items() if origin in left}

    def _left_behind(self, origins: Collection[str]) -> set[str]:
        """Give those logs of other members that they have left behind."""
        f = s.former_known_log.c
        return set(self._connection.execute(select(f.origin).where(f.origin.in_(origins))).scalars())

    def _witnessed(self, statement: Select[Any]) -> WitnessedNote | None:
        row = self._connection.execute(statement.limit(1)).one_or_none()
        return None if row is None else _witnessed_note(row)


class WitnessWrites(WitnessReads):
    """The writes of it, in the one transaction of one connection."""

    def put_witnessed(self, note: WitnessedNote) -> None:
        """Keep a witnessed note; one of the same size, cosigned as often, is replaced."""
        row = (note.size, note.again, note.origin, note.root, note.note, to_micros(note.time), " ".join(note.witnesses))
        _PUT_WITNESSED.run(self._connection, [row])

    def drop_witnessed(self, notes: Collection[tuple[int, bool]]) -> None:
        """Let go of witnessed notes: (size, whether cosigned again)."""
        for again in (False, True):
            for block in blocks([size for size, cosigned_again in notes if cosigned_again == again]):
                self._connection.execute(delete(s.witnessed_note).where(_W.size.in_(block), _W.again == again))

    def add_uncosigned(self, entries: Sequence[Uncosigned]) -> None:
        """Remember entries that wait for a cosigned proof; known ones are passed over."""
        _ADD_UNCOSIGNED.run(self._connection, [(each.member, each.index, each.leaf) for each in entries])

    def add_cosigned(self, proofs: Sequence[CosignedProof]) -> None:
        """Keep cosigned proofs; their entries wait no longer. One that is there already stays as it is."""
        ids = {proof.span: _span_row(proof.span) for proof in proofs}
        notes = [note for span in ids for note in (span.before, span.note) if note]
        _ADD_NOTE.run(self._connection, [(sha256(note).digest(), note) for note in notes])
        _ADD_SPAN.run(self._connection, list(ids.values()))
        _ADD_COSIGNED.run(
            self._connection, [(each.member, each.index, each.hashes, ids[each.span][0]) for each in proofs]
        )
        u = s.uncosigned.c
        for member in {proof.member for proof in proofs}:
            for block in blocks([proof.index for proof in proofs if proof.member == member]):
                self._connection.execute(delete(s.uncosigned).where(u.member == member, u.log_index.in_(block)))


def _span_row(span: CosignedSpan) -> tuple[bytes, bytes | None, bytes, bytes, bytes]:
    before = sha256(span.before).digest() if span.before else None
    note = sha256(span.note).digest()
    return sha256((before or b"") + note).digest(), before, note, span.growth, span.register_version


def _witnessed_note(row: Row[Any]) -> WitnessedNote:
    return WitnessedNote(
        origin=row.origin,
        size=row.size,
        root=row.root,
        note=row.note,
        time=from_micros(row.time),
        witnesses=tuple(row.witnesses.split()),
        again=row.again,
    )


_PUT_WITNESSED: Final = replacement(s.witnessed_note)
_ADD_UNCOSIGNED: Final = insertion(s.uncosigned, ignore_known=True)
_ADD_NOTE: Final = insertion(s.note, ignore_known=True)
_ADD_SPAN: Final = insertion(s.cosigned_span, ignore_known=True)
_ADD_COSIGNED: Final = insertion(s.cosigned_proof, ignore_known=True)
_FOREIGN: Final = (
    Lookup(select(s.proof.c.member, s.proof.c.log_index, s.proof.c.entry, s.proof.c.note_digest), s.proof.c.digest),
    Lookup(
        select(s.passed_on.c.forwarder, s.passed_on.c.entry_index, s.passed_on.c.entry, s.passed_on.c.note_digest),
        s.passed_on.c.digest,
    ),
    Lookup(
        select(
            s.attachment_proof.c.member,
            s.attachment_proof.c.log_index,
            s.attachment_proof.c.entry,
            s.attachment_proof.c.note_digest,
        ),
        s.attachment_proof.c.digest,
    ),
    Lookup(
        select(
            s.erasure_answer.c.member,
            s.erasure_answer.c.log_index,
            s.erasure_answer.c.entry,
            s.erasure_answer.c.note_digest,
        ),
        s.erasure_answer.c.digest,
    ),
)
