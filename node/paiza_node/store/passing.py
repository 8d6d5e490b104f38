"""Who passed which message on to whom: the entries of other members' logs that say so, and our own such deliveries."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, select, update

from paiza_node.model import PassedOn, Passing
from paiza_node.store import schema as s
from paiza_node.store.statements import insertion

_PASSED_ON: Final = select(s.passed_on, s.note.c.note).join(s.note, s.note.c.digest == s.passed_on.c.note_digest)


class PassingReads:
    """Questions about what was passed on, asked over one connection."""

    _connection: Connection

    def passed_on(self, forwarder: str, index: int) -> PassedOn | None:
        """Give what we know by one entry of a member's log that says it passed something on."""
        p = s.passed_on.c
        found = self._passed_on(_PASSED_ON.where(p.forwarder == forwarder, p.entry_index == index))
        return found[0] if found else None

    def passed_on_of(self, digest: bytes) -> list[PassedOn]:
        """Give everything others told us of passing one message on, in order of our answers."""
        p = s.passed_on.c
        return self._passed_on(_PASSED_ON.where(p.digest == digest).order_by(p.log_index))

    def forwarded_indices(self, digest: bytes) -> list[tuple[str, int, int]]:
        """Give (recipient, index of our FORWARDED entry, delivery state) of what we passed on of one message."""
        d = s.delivery.c
        joined = s.delivery.join(s.message, s.message.c.seq == d.message_seq)
        rows = self._connection.execute(
            select(d.recipient, d.released_index, d.state)
            .select_from(joined)
            .where(s.message.c.digest == digest, d.passing == int(Passing.PASSED_ON))
            .order_by(d.id)
        )
        return [(row[0], row[1], row[2]) for row in rows]

    def _passed_on(self, statement: Select[Any]) -> list[PassedOn]:
        return [_read(row) for row in self._connection.execute(statement)]


class PassingWrites(PassingReads):
    """The writes of it, in the one transaction of one connection."""

    def add_passed_on(self, rows: Sequence[PassedOn]) -> None:
        """Keep entries of other members' logs that say they passed a message on."""
        notes = {row.checkpoint: sha256(row.checkpoint).digest() for row in rows}
        _ADD_NOTE.run(self._connection, [(digest, note) for note, digest in notes.items()])
        _ADD_PASSED_ON.run(
            self._connection,
            [
                (
                    row.forwarder,
                    row.index,
                    row.digest,
                    row.holder,
                    row.entry,
                    row.hashes,
                    notes[row.checkpoint],
                    row.register_version,
                    row.log_index,
                    row.denied,
                    row.held,
                )
                for row in rows
            ],
        )

    def came_directly(self, digest: bytes) -> None:
        """Note that a message held because it was passed on has now come from its author as well."""
        p = s.passed_on
        self._connection.execute(update(p).where(p.c.digest == digest).values(held=False))


def _read(row: Row[Any]) -> PassedOn:
    return PassedOn(
        forwarder=row.forwarder,
        index=row.entry_index,
        digest=row.digest,
        holder=row.holder,
        entry=row.entry,
        hashes=row.hashes,
        checkpoint=row.note,
        register_version=row.register_version,
        log_index=row.log_index,
        denied=row.denied,
        held=row.held,
    )


_ADD_NOTE: Final = insertion(s.note, ignore_known=True)
_ADD_PASSED_ON: Final = insertion(s.passed_on)
