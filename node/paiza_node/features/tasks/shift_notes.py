"""Notes of shifts: what one shift of a unit leaves to the next. Every note is logged, with its text beside the log.

An officer writes for their own unit. A note is shown until the shift is handed over next; the log keeps it. A deputy
reads the notes of the unit of the officer they stand in for.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from paiza_node.core.access.model import Officer
from paiza_node.core.access.need_to_know import units_of
from paiza_node.core.log import store as log_store
from paiza_node.core.log.ledger import Ledger
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.storage import Store
from paiza_node.features.tasks import store as tasks_store
from paiza_node.features.tasks.model import ShiftNote
from paiza_wire import log_entries
from paiza_wire.errors import Rejected

MAX_NOTE: Final = 1000  # characters of a note
MAX_NOTES: Final = 50  # of one unit that are shown; then the shift has to be handed over


class ShiftNotes:
    """Handles notes of shifts."""

    def __init__(self, ledger: Ledger, store: Store) -> None:
        """Store where notes are written and read."""
        self._ledger = ledger
        self._store = store

    async def add(self, officer: Officer, text: str, *, hands_over: bool) -> ShiftNote:
        """Leave a note for the officer's unit; ``hands_over`` ends the shift, and those before are no longer shown.

        Rejected("malformed") for no text, ("too_large") for too long a text or too many notes.
        """
        note = text.strip()
        if not (note or hands_over):
            raise Rejected("malformed", "a note has a text")
        if len(note) > MAX_NOTE:
            raise Rejected("too_large", f"a note has at most {MAX_NOTE} characters")

        def write(tx: LogTransaction) -> ShiftNote:
            if not hands_over and len(tasks_store.shift_notes(tx.conn, [officer.unit])) >= MAX_NOTES:
                raise Rejected("too_large", f"a unit has at most {MAX_NOTES} notes: hand the shift over")
            build = log_entries.shift_handed_over if hands_over else log_entries.shift_noted
            index = tx.append(build(actor=officer.id), text=noted_text(officer.unit, note)).index
            added = ShiftNote(index, officer.unit, officer.id, tx.now, hands_over)
            tasks_store.add_shift_note(tx.conn, added)
            return added

        return (await self._ledger.commit(write)).result

    async def shown(self, officer: Officer) -> Sequence[tuple[ShiftNote, str]]:
        """Return the notes of the officer's units with their texts, the oldest first."""
        return await asyncio.to_thread(self._read, officer)

    def _read(self, officer: Officer) -> Sequence[tuple[ShiftNote, str]]:
        with self._store.reads() as reads:
            found = tasks_store.shift_notes(reads, units_of(officer))
            texts = log_store.texts(reads, [each.log_index for each in found])
        return [(each, note_in(texts[each.log_index].text)) for each in found if each.log_index in texts]


def noted_text(unit: str, note: str) -> str:
    """Return the text beside the entry of a note: the unit, and the note behind a line feed."""
    return f"{unit}\n{note}"


def unit_in(text: str) -> str:
    """Return the unit that a text of `noted_text` names."""
    return text.partition("\n")[0]


def note_in(text: str) -> str:
    """Return the note in a text of `noted_text`."""
    return text.partition("\n")[2]
