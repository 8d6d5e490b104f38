"""Logs that were left behind, our own and others', and what can be given back of a member's lost log."""

from collections.abc import Collection, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import Connection, delete, func, insert, literal, select, update

from paiza_node.model import ForeignProof, FormerLog, KnownLog, ProofKind, RecoveredEntry
from paiza_node.store import schema as s
from paiza_node.store.rows import from_micros, to_micros
from paiza_node.store.statements import insertion


class RecoveryReads:
    """Questions about them, asked over one connection."""

    _connection: Connection

    def former_logs(self) -> list[FormerLog]:
        """Give the earlier logs of this node, the latest first."""
        rows = self._connection.execute(select(s.former_log).order_by(s.former_log.c.first_index))
        return [FormerLog(r.origin, r.first_index, r.size, r.kept_note, r.largest_note) for r in rows]

    def former_known_logs(self, member: str) -> list[KnownLog]:
        """Give the largest checkpoints accepted of logs that a member has left behind."""
        f = s.former_known_log.c
        rows = self._connection.execute(select(s.former_known_log).where(f.member == member).order_by(f.accepted_time))
        return [KnownLog(r.member, r.size, r.root, r.note, from_micros(r.accepted_time)) for r in rows]

    def lost_entries(
        self, member: str, kind: ProofKind, origin: str, from_index: int, limit: int
    ) -> list[ForeignProof]:
        """Give the kept proofs of one kind from one log of a member, from an index on, in its order.

        No index serves it: it reads the table through, once for each page of a recovery.
        """
        p, beginning = s.proof.c, origin.encode() + b"\n"
        rows = self._connection.execute(
            select(s.proof, s.note.c.note)
            .join(s.note, s.note.c.digest == p.note_digest)
            .where(p.member == member, p.kind == int(kind), p.log_index >= from_index)
            .where(func.substr(s.note.c.note, 1, len(beginning)) == literal(beginning))
            .order_by(p.log_index)
            .limit(limit)
        )
        return [
            ForeignProof(r.digest, r.member, kind, r.entry, r.log_index, r.hashes, r.note, r.register_version)
            for r in rows
        ]

    def lost_passings(
        self, forwarder: str, holder: str, origin: str, from_index: int, limit: int
    ) -> list[ForeignProof]:
        """Give the entries of one log of a member that say it passed a message on to ``holder``, from an index on."""
        p, beginning = s.passed_on.c, origin.encode() + b"\n"
        rows = self._connection.execute(
            select(s.passed_on, s.note.c.note)
            .join(s.note, s.note.c.digest == p.note_digest)
            .where(p.forwarder == forwarder, p.holder == holder, p.entry_index >= from_index)
            .where(func.substr(s.note.c.note, 1, len(beginning)) == literal(beginning))
            .order_by(p.entry_index)
            .limit(limit)
        )
        return [
            ForeignProof(
                r.digest, forwarder, ProofKind.RELEASED, r.entry, r.entry_index, r.hashes, r.note, r.register_version
            )
            for r in rows
        ]

    def recovered_entries(self, origin: str, indices: Collection[int]) -> set[int]:
        """Say which of these entries of an earlier log were given back already."""
        r = s.recovered_entry.c
        found = select(r.entry_index).where(r.origin == origin, r.entry_index.in_(sorted(indices)))
        return set(self._connection.execute(found).scalars())


class RecoveryWrites(RecoveryReads):
    """The writes of it, in the one transaction of one connection."""

    def add_recovered(self, entries: Sequence[RecoveredEntry]) -> None:
        """Keep entries that were given back."""
        notes = {sha256(each.checkpoint).digest(): each.checkpoint for each in entries}
        _ADD_NOTE.run(self._connection, list(notes.items()))
        _ADD_RECOVERED.run(
            self._connection,
            [
                (
                    each.origin,
                    each.index,
                    each.counterpart,
                    each.digest,
                    each.entry,
                    each.hashes,
                    sha256(each.checkpoint).digest(),
                    each.log_index,
                )
                for each in entries
            ],
        )

    def leave_known_log(self, known: KnownLog, origin: str) -> None:
        """Move the known log of a member, which is of this origin, to those left behind: it has a newer one.

        Proofs of its entries to cosigned notes are from now on named by the origin, for the indices begin anew; what
        was not cosigned yet is no more.
        """
        _ADD_FORMER.run(
            self._connection,
            [(origin, known.member, known.size, known.root, known.note, to_micros(known.accepted_time))],
        )
        self._connection.execute(delete(s.known_log).where(s.known_log.c.member == known.member))
        p, u = s.cosigned_proof, s.uncosigned
        self._connection.execute(update(p).where(p.c.member == known.member).values(member=origin))
        self._connection.execute(delete(u).where(u.c.member == known.member))

    def tell_again(self, member: str, now: datetime) -> set[bytes]:
        """Have a member told again what became of its attachments and of its requests to erase; gives the erased."""
        a, e, at = s.attachment.c, s.erasure.c, to_micros(now)
        answered = (a.source == member) & a.log_index.is_not(None)
        self._connection.execute(update(s.attachment).where(answered).values(due_time=at, attempts=0))
        decided = (e.requester == member) & e.log_index.is_not(None)
        self._connection.execute(update(s.erasure).where(decided).values(tell_time=at))
        return set(self._connection.execute(select(e.digest).where(decided)).scalars())


def put_former_log(connection: Connection, former: FormerLog) -> None:
    """Remember an earlier log of this node."""
    values: dict[str, Any] = {
        "origin": former.origin,
        "first_index": former.first_index,
        "size": former.size,
        "kept_note": former.kept_note,
        "largest_note": former.largest_note,
    }
    connection.execute(insert(s.former_log), values)


_ADD_NOTE: Final = insertion(s.note, ignore_known=True)
_ADD_RECOVERED: Final = insertion(s.recovered_entry, ignore_known=True)
_ADD_FORMER: Final = insertion(s.former_known_log, ignore_known=True)
