"""Verification of the notes of shifts: those that are shown are those that the log leaves."""

from typing_extensions import override

from paiza.core.v1 import log_pb2
from paiza_node.core.errors import N_
from paiza_node.core.log import store as log_store
from paiza_node.core.storage import ReadConnection
from paiza_node.core.storage.findings import Check, Part, Step
from paiza_node.core.storage.times import from_micros
from paiza_node.features.tasks import store as tasks_store
from paiza_node.features.tasks.model import ShiftNote
from paiza_node.features.tasks.shift_notes import unit_in


class ShiftNotes(Check):
    """Verifies the notes that are shown, and who wrote them when, for which unit."""

    events = (log_pb2.LOG_EVENT_SHIFT_NOTED, log_pb2.LOG_EVENT_SHIFT_HANDED_OVER)

    def __init__(self, scan: ReadConnection) -> None:
        self._scan = scan
        self._entries: list[tuple[int, log_pb2.LogEntry]] = []  # some for each shift

    @override
    def read_entry(self, index: int, entry: log_pb2.LogEntry) -> None:
        self._entries.append((index, entry))

    @override
    def verify(self, part: Part, step: Step) -> None:
        """Replay the entries; where a text was erased, the unit is not known, and its note may be shown or not."""
        texts = log_store.texts(self._scan, [index for index, _entry in self._entries])
        expected: dict[str, list[ShiftNote]] = {}
        unknown: set[int] = set()
        for index, entry in self._entries:
            if index not in texts:
                unknown.add(index)
                continue
            unit = unit_in(texts[index].text)
            hands_over = entry.event == log_pb2.LOG_EVENT_SHIFT_HANDED_OVER
            micros = entry.entry_time.seconds * 1_000_000 + entry.entry_time.nanos // 1000
            note = ShiftNote(index, unit, entry.actor, from_micros(micros), hands_over)
            expected[unit] = [note] if hands_over else [*expected.get(unit, []), note]
        stored = tasks_store.all_shift_notes(self._scan)
        step(len(stored))
        shown = {each.log_index: each for notes in expected.values() for each in notes}
        if {each.log_index: each for each in stored if each.log_index not in unknown} != shown:
            part.find("log_damaged", N_("The notes of shifts are not those that the log leaves."), "shift_note")
        part.counts |= {"shift notes": len(stored)}
