"""The count at the end of an import: every row once, every repair by its rule, every text without a code.

Memory is bounded: of what may be distinct in every row only so much is kept apart, the rest is counted together.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from paiza_client.data.imports.mapping import REASONS
from paiza_client.data.imports.plan import Outcome, Planned
from paiza_client.data.imports.values import RULES
from paiza_client.language import N_, _

MAX_DISTINCT: Final = 1_000  # texts counted apart in one column, and states; a known file has 72
MAX_LISTED: Final = 1_000  # rejected rows listed one by one; all of them stand in the rejects file
MAX_SHOWN: Final = 80  # characters of a text in the report
REST: Final = "…"  # under which the rest is counted

OUTCOMES: Final = {
    Outcome.ACCEPTED: N_("accepted"),
    Outcome.REPAIRED: N_("repaired"),
    Outcome.REPEATED: N_("repeated"),
    Outcome.REJECTED: N_("rejected"),
    Outcome.OTHER_MEMBER: N_("of other members, not imported in this run"),
    Outcome.OUTSIDE: N_("of states outside the federation"),
}


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """One rejected row: its number (the header is 1), the column (empty: whole row), a key of `REASONS`, the text."""

    row: int
    column: str
    reason: str
    text: str


@dataclass
class ImportReport:
    """The outcome of all rows; grows with `add` while an import runs."""

    rows: int = 0
    """Rows of the file, the header not counted."""
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    """Outcome → rows; they add up to ``rows``."""
    repairs: Counter[str] = field(default_factory=Counter)
    """Rule → rows to which it was applied."""
    unmapped: dict[str, Counter[str]] = field(default_factory=dict)
    """Column → text → rows to be sent."""
    reasons: dict[str, str] = field(default_factory=dict)
    """Text without a code, as column and text → why, as the map says; empty for a text the map does not know."""
    rejected: list[RejectedRow] = field(default_factory=list)
    """The first `MAX_LISTED`; the rejects file holds all."""
    other_members: Counter[str] = field(default_factory=Counter)
    """Member id → its rows, which other sessions would have to import."""
    outside: Counter[str] = field(default_factory=Counter)
    """State as the file writes it → its rows."""
    repeated_in_file: int = 0
    """Repeated rows whose first stands in this file; the others were sent before."""

    def add(self, planned: Planned) -> None:
        """Count one row."""
        self.rows += 1
        self.outcomes[planned.outcome] += 1
        self.repairs.update(list(planned.repairs or ()))
        self.repeated_in_file += planned.repeat_of > 0
        for column, text, why in planned.unmapped:
            counted = self.unmapped.setdefault(column, Counter())
            if _count(counted, text):
                self.reasons[f"{column}: {text[:MAX_SHOWN]}"] = why
        if planned.outcome is Outcome.OTHER_MEMBER:
            _count(self.other_members, planned.state)
        elif planned.outcome is Outcome.OUTSIDE:
            _count(self.outside, planned.state)
        if planned.rejection is not None and len(self.rejected) < MAX_LISTED:
            why_not = planned.rejection
            self.rejected.append(
                RejectedRow(planned.row.number, why_not.column, why_not.reason, why_not.text[:MAX_SHOWN])
            )

    def to_json(self) -> dict[str, object]:
        """Return the report as an object of JSON types; its keys are stable.

        Each outcome's key holds a count of rows; the lists and objects that explain them follow under other keys.
        """
        return {
            "rows": self.rows,
            **{outcome.value: self.outcomes[outcome] for outcome in Outcome},
            "repeated_in_file": self.repeated_in_file,
            "repairs": dict(sorted(self.repairs.items())),
            "unmapped": {
                column: [
                    {"text": text, "rows": count, "why": self.reasons.get(f"{column}: {text}", "")}
                    for text, count in counted.most_common()
                ]
                for column, counted in self.unmapped.items()
            },
            "rejected_rows": [
                {"row": each.row, "column": each.column, "reason": each.reason, "text": each.text}
                for each in self.rejected
            ],
            "other_members": dict(self.other_members),
            "outside_states": dict(self.outside),
        }

    def text(self, translate: Callable[[str], str] = _) -> str:
        """Write the report for a person, in the language of `translate`."""
        return "\n".join(self._lines(translate))

    def _lines(self, say: Callable[[str], str]) -> Iterator[str]:
        yield f"{self.rows:>9}  " + say(N_("rows in the file"))
        for outcome, words in OUTCOMES.items():
            yield f"{self.outcomes[outcome]:>9}  {say(words)}"
        if self.repairs:
            yield "\n" + say(N_("Repaired:"))
            for rule, count in self.repairs.most_common():
                yield f"{count:>9}  {say(RULES[rule])}"
        for column, counted in self.unmapped.items():
            yield "\n" + say(N_("No certain code in {column}; the text is kept:")).format(column=column)
            for text, count in counted.most_common():
                unknown = (
                    N_("further texts, counted together") if text == REST else N_("the map does not know this text")
                )
                why = say(self.reasons.get(f"{column}: {text}") or unknown)
                yield f"{count:>9}  {text}: {why}"
        for title, states in (
            (N_("Of other members:"), self.other_members),
            (N_("Outside the federation, or not known to the map:"), self.outside),
        ):
            if states:
                yield f"\n{say(title)}"
                yield from (f"{count:>9}  {state}" for state, count in states.most_common())
        if self.rejected:
            yield "\n" + say(N_("Rejected:"))
            yield from (f"  {explain(each, say)}" for each in self.rejected)
            if (more := self.outcomes[Outcome.REJECTED] - len(self.rejected)) > 0:
                yield "  " + say(N_("and {count} more; all of them are in the rejects file")).format(count=more)


def explain(rejected: RejectedRow, say: Callable[[str], str] = _) -> str:
    """Return one line with row, column, fault and text."""
    where = say(N_("row {row}")).format(row=rejected.row)
    column = f", {rejected.column}" if rejected.column else ""
    text = f": “{rejected.text}”" if rejected.text else ""
    return f"{where}{column}: {say(REASONS[rejected.reason])}{text}"


def _count(counted: Counter[str], text: str) -> bool:
    """Count a text apart, or with the rest where there are too many; say whether it stands apart."""
    key = text[:MAX_SHOWN]
    apart = key in counted or len(counted) < MAX_DISTINCT
    counted[key if apart else REST] += 1
    return apart
