"""The count at the end of an import: every row once, every repair by its rule, every text without a code.

Memory is bounded: of what may be distinct in every row only so much is kept apart, the rest is counted together.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Final

from paiza_client.data.imports.mapping import REASONS
from paiza_client.data.imports.plan import EqualRows, Outcome, Planned
from paiza_client.data.imports.values import RULES
from paiza_client.language import N_, _, language, number_text
from paiza_domain import codes
from paiza_domain.formatting import amount_text

MAX_DISTINCT: Final = 1_000  # texts counted apart in one column, and states; a known file has 72
MAX_LISTED: Final = 1_000  # rejected rows listed one by one; all of them stand in the rejects file
MAX_SHOWN: Final = 80  # characters of a text in the report
REST: Final = "…"  # under which the rest is counted

_CHOICES: Final[dict[EqualRows, str]] = {
    "": N_(
        "Equal in every column to an earlier row: {rows}. They are left out as repeats, though nothing in the table "
        "tells whether they are. State --equal-rows once or --equal-rows each; each sends them too. At stake:"
    ),
    "once": N_("Equal in every column to an earlier row: {rows}. They are left out, as stated. At stake:"),
    "each": N_("Equal in every column to an earlier row: {rows}. Each counts for itself, as stated. At stake:"),
}

OUTCOMES: Final = {
    Outcome.ACCEPTED: N_("accepted"),
    Outcome.REPAIRED: N_("repaired"),
    Outcome.REPEATED: N_("repeated"),
    Outcome.REJECTED: N_("rejected"),
    Outcome.OTHER_MEMBER: N_("of other members, not imported in this run"),
    Outcome.OUTSIDE: N_("of states outside the federation"),
    Outcome.BEYOND_LIMIT: N_("behind the row limit of the map, not imported"),
}


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """One fault of a row: its number (the header is 1), the column (empty: whole row), a key of `REASONS`, the text."""

    row: int
    column: str
    reason: str
    text: str


@dataclass(slots=True)
class Amounts:
    """One drug of one member: all that its rows report, each row counted, and how much of it equal rows repeat."""

    millionths: Fraction = Fraction()
    equal_rows: int = 0
    equal_millionths: Fraction = Fraction()

    def share(self) -> Fraction:
        """Return the part that hangs on the choice, in percent."""
        return 100 * self.equal_millionths / self.millionths


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
    """Every fault of the first `MAX_LISTED` rejected rows; the rejects file holds all."""
    _rejected_listed: int = 0
    other_members: Counter[str] = field(default_factory=Counter)
    """Member id → its rows, which other sessions would have to import."""
    outside: Counter[str] = field(default_factory=Counter)
    """State as the file writes it → its rows."""
    repeated_in_file: int = 0
    """Rows left out because an equal row stands before them in this file; the other repeated ones were sent before."""
    choice: EqualRows = ""
    """What equal rows are in this run, as the officer states it."""
    equal_rows: int = 0
    """Rows that an earlier row of this file is equal to, whether they were sent or left out."""
    amounts: dict[tuple[str, str, str], Amounts] = field(default_factory=dict)
    """Member, drug as named and unit → what was reported, for all sound rows of the members of this run."""

    def add(self, planned: Planned) -> None:
        """Count one row."""
        self.rows += 1
        self.outcomes[planned.outcome] += 1
        self.repairs.update(list(planned.repairs or ()))
        self.repeated_in_file += planned.outcome is Outcome.REPEATED and not planned.sent_before
        self.equal_rows += planned.equal_to > 0
        self._measure(planned)
        for column, text, why in planned.unmapped:
            counted = self.unmapped.setdefault(column, Counter())
            if _count(counted, text):
                self.reasons[f"{column}: {text[:MAX_SHOWN]}"] = why
        if planned.outcome is Outcome.OTHER_MEMBER:
            _count(self.other_members, planned.state)
        elif planned.outcome is Outcome.OUTSIDE:
            _count(self.outside, planned.state)
        if planned.rejections and self._rejected_listed < MAX_LISTED:
            self._rejected_listed += 1
            self.rejected += [
                RejectedRow(planned.row.number, each.column, each.reason, each.text[:MAX_SHOWN])
                for each in planned.rejections
            ]

    def _measure(self, planned: Planned) -> None:
        """Add the amount of one row up."""
        if (measure := planned.measure) is None:
            return
        key = (planned.state, measure.drug[:MAX_SHOWN], measure.unit)
        if key not in self.amounts and len(self.amounts) >= MAX_DISTINCT:
            key = (planned.state, REST, measure.unit)
        found = self.amounts.setdefault(key, Amounts())
        found.millionths += measure.millionths
        if planned.equal_to:
            found.equal_rows += 1
            found.equal_millionths += measure.millionths

    def at_stake(self) -> list[tuple[tuple[str, str, str], Amounts]]:
        """Return the amounts that hang on the choice for equal rows, the largest share first."""
        found = [(key, each) for key, each in self.amounts.items() if each.equal_rows]
        return sorted(found, key=lambda each: (each[0][0], -each[1].share()))

    def to_json(self) -> dict[str, object]:
        """Return the report as an object of JSON types; its keys are stable.

        Each outcome's key holds a count of rows; the lists and objects that explain them follow under other keys.
        """
        return {
            "rows": self.rows,
            **{outcome.value: self.outcomes[outcome] for outcome in Outcome},
            "repeated_in_file": self.repeated_in_file,
            "equal_rows": {
                "choice": self.choice,
                "rows": self.equal_rows,
                "at_stake": [
                    {
                        "member": member,
                        "drug": drug,
                        "unit": unit,
                        "rows": each.equal_rows,
                        "amount": _plain(each.equal_millionths),
                        "of": _plain(each.millionths),
                        "percent": float(round(each.share(), 1)),
                    }
                    for (member, drug, unit), each in self.at_stake()
                ],
            },
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
            if self.outcomes[outcome] or outcome is not Outcome.BEYOND_LIMIT:
                yield f"{self.outcomes[outcome]:>9}  {say(words)}"
        if self.equal_rows:
            yield from self._equal_lines(say)
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
            if (more := self.outcomes[Outcome.REJECTED] - self._rejected_listed) > 0:
                yield "  " + say(N_("and {count} more; all of them are in the rejects file")).format(count=more)

    def _equal_lines(self, say: Callable[[str], str]) -> Iterator[str]:
        yield "\n" + say(_CHOICES[self.choice]).format(rows=number_text(self.equal_rows))
        for (member, drug, unit), each in self.at_stake():
            yield "  " + say(N_("{member}, {drug}: {amount} of {total} ({share} %) in {rows} of the rows")).format(
                member=_member_text(member),
                drug=drug,
                rows=number_text(each.equal_rows),
                amount=amount_text(round(each.equal_millionths), unit, language()),
                total=amount_text(round(each.millionths), unit, language()),
                share=number_text(Decimal(f"{float(each.share()):.1f}")),
            )


def _member_text(member: str) -> str:
    """Name the state of a member in the language in use; a member that is no state by its id."""
    countries = codes.load("country")
    return countries.text(member.upper(), language()) if member.upper() in countries else member


def _plain(millionths: Fraction) -> str:
    """Write an amount to a millionth of its unit."""
    return f"{(Decimal(round(millionths)) / 1_000_000).normalize():f}"


def explain(rejected: RejectedRow, say: Callable[[str], str] = _) -> str:
    """Return one line with row, column, fault and text."""
    where = say(N_("row {row}")).format(row=rejected.row)
    column = f", {rejected.column}" if rejected.column else ""
    text = ": " + say(N_("“{text}”")).format(text=rejected.text) if rejected.text else ""
    return f"{where}{column}: {say(REASONS[rejected.reason])}{text}"


def _count(counted: Counter[str], text: str) -> bool:
    """Count a text apart, or with the rest where there are too many; say whether it stands apart."""
    key = text[:MAX_SHOWN]
    apart = key in counted or len(counted) < MAX_DISTINCT
    counted[key if apart else REST] += 1
    return apart
