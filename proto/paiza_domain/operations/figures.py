"""The figures of an operation: addition and a one-line text. Integers throughout."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from paiza.content.v1.common_pb2 import Substance
from paiza.content.v1.operation_pb2 import OperationResults, SubstanceResult
from paiza.content.v1.seizure_notice_pb2 import SeizureNotice
from paiza_domain.i18n import N_, translate
from paiza_domain.schema import quantity
from paiza_domain.schema.reading import quantity_text, substance_text

COUNTS: Final[Mapping[str, str]] = MappingProxyType({
    "laboratories": N_("Laboratories"),
    "detained": N_("Detained"),
    "wanted": N_("Put on the wanted list"),
    "firearms": N_("Firearms"),
    "rounds": N_("Rounds of ammunition"),
    "web_sites": N_("Web sites"),
})  # fmt: skip
PRECURSORS: Final = "precursors"  # the drug group that stands after the drugs

# The key of a line: reference id or drug type if there is one, otherwise the name; and the unit.
_Key = tuple[str, str, str, str, str]


def of_notice(notice: SeizureNotice) -> OperationResults:
    """Return the figures of one seizure notice. Notices do not count firearms and web sites; reports do."""
    results = OperationResults(substances=[_of_substance(each) for each in notice.substances])
    if notice.counts.HasField("arrested"):
        results.detained = notice.counts.arrested
    if notice.counts.HasField("wanted"):
        results.wanted = notice.counts.wanted
    return results


def _of_substance(substance: Substance) -> SubstanceResult:
    line = SubstanceResult(
        substance_id=substance.substance_id,
        as_named=substance.as_named,
        drug_group=substance.drug_group,
        drug_type=substance.drug_type,
    )
    if substance.kg_equivalent.kilograms.millionths:
        line.quantity.millionths, line.quantity.unit = substance.kg_equivalent.kilograms.millionths, "kg"
    else:
        line.quantity.CopyFrom(substance.quantity)
    return line


def add_up(parts: Iterable[OperationResults]) -> OperationResults:
    """Return the sum of figures: one line for each substance and unit, masses in kilograms; counts if any is set.

    The order does not depend on the order of the parts: drugs before precursors, then by group, type, name and unit.
    """
    lines: dict[_Key, tuple[SubstanceResult, int]] = {}
    total = OperationResults()
    for part in parts:
        for line in part.substances:
            key, millionths = _key(line), _millionths(line)
            first, sum_so_far = lines.get(key, (line, 0))
            # Of the same substance under several names the first in alphabetical order is shown.
            shown = min(first, line, key=lambda each: each.as_named)
            lines[key] = (shown, sum_so_far + millionths)
        for name in COUNTS:
            if part.HasField(name):  # type: ignore[arg-type]  # the names of the message's counts
                setattr(total, name, getattr(total, name) + getattr(part, name))
    for key, (line, millionths) in sorted(lines.items(), key=lambda item: (item[0][0] == PRECURSORS, item[0])):
        added = total.substances.add()
        added.CopyFrom(line)
        added.quantity.Clear()
        added.quantity.millionths, added.quantity.unit = millionths, key[-1]
    return total


def _key(line: SubstanceResult) -> _Key:
    unit = "kg" if quantity.kg_factor(line.quantity.unit) is not None else line.quantity.unit
    # A reference id is more specific than a type, a type more than a name.
    named = "" if line.substance_id or line.drug_type else line.as_named.casefold()
    return line.drug_group, line.drug_type, line.substance_id, named, unit


def _millionths(line: SubstanceResult) -> int:
    factor = quantity.kg_factor(line.quantity.unit)
    return line.quantity.millionths if factor is None else quantity.apply_factor(line.quantity.millionths, factor)


def figures_line(results: OperationResults, lang: str) -> str:
    """Return the figures in one line; empty if there are none."""
    said = [f"{substance_text(line, lang)} {quantity_text(line.quantity, lang)}" for line in results.substances]
    counts = ((label, getattr(results, name)) for name, label in COUNTS.items())
    said += [f"{translate(label, lang).lower()} {count}" for label, count in counts if count]
    return "; ".join(said)
