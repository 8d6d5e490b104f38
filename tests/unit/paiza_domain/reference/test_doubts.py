"""What is probably a slip: warnings by the reference data, for the author to confirm."""

from datetime import UTC, datetime

import pytest

from paiza.content.v1.seizure_notice_pb2 import SeizureNotice
from paiza_domain import reference
from paiza_domain.drafts import drafts
from paiza_domain.reference import NameIndex
from paiza_domain.schema.field_errors import FieldError
from paiza_trust.reference_source import OURS, shared_documents

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
DATA = reference.read(shared_documents(OURS))
INDEX = NameIndex(DATA)
NOTICE = """kind: seizure-notice
content:
  notice_id: KAZ-1
  notice_version: 1
  status: initial
  seized_at: 20.11.2026
  reporting_agency: Служба
  place: {{country: KAZ}}
  substances:
    - as_named: {name}
      drug_group: {group}
      quantity: {quantity}
  route_unknown: true
"""


def doubts(name: str = "героин", group: str = "opioids", quantity: str = "1 kg", lang: str = "en") -> list[FieldError]:
    """Return the warnings of a notice."""
    content = drafts.read(NOTICE.format(name=name, group=group, quantity=quantity), now=NOW).content
    assert isinstance(content, SeizureNotice)
    return reference.doubts(content, DATA, INDEX, lang)


def test_what_is_usual_is_not_warned_of() -> None:
    """A correct notice has no warnings."""
    assert doubts() == []


def test_a_substance_that_contradicts_its_group_is_warned_of() -> None:
    """The group that the reference data have is named beside the one stated."""
    (found,) = doubts(group="cannabis")
    assert (found.path, found.code) == ("substances[0].drug_group", "group_contradicts")
    assert found.message("en") == "Heroin belongs to the group “Opioids”, not “Cannabis”."


@pytest.mark.parametrize(
    ("quantity", "warned"), [("505.535 kg", False), ("505.536 kg", True), ("505 536 г", True), ("505 535 g", False)]
)
def test_an_amount_over_the_ceiling_is_warned_of(quantity: str, *, warned: bool) -> None:
    """The ceiling holds in every unit of mass, and the warning names where it comes from."""
    found = doubts(quantity=quantity)
    assert [each.code for each in found] == ["amount_above_ceiling"] * warned
    assert all("UNODC" in each.message("ru") for each in found)


def test_the_source_of_a_ceiling_is_named_in_the_language_of_the_reader() -> None:
    """A Russian warning has no English prose; the name of the collection stays as it is."""
    (found,) = doubts(quantity="600 kg", lang="ru")
    said = found.message("ru")
    assert "самое крупное изъятие из 3 054 — Азербайджан, 17.04.2016" in said
    assert "seizures," not in said
    (found,) = doubts(quantity="600 kg")
    assert "the largest of 3,054 seizures, Azerbaijan, 17 April 2016" in found.message("en")


def test_the_ceiling_of_the_drug_type_wins() -> None:
    """What has no ceiling of its own has that of its unit."""
    assert doubts(name="неизвестное", quantity="900 kg") == []
    assert [each.code for each in doubts(name="неизвестное", quantity="964 kg")] == ["amount_above_ceiling"]
    assert [each.code for each in doubts(name="неизвестное", quantity="10 831 таблетка")] == ["amount_above_ceiling"]
    assert doubts(name="неизвестное", quantity="99999999 ml") == []


def test_a_ceiling_is_no_seizure_that_may_be_a_slip_itself() -> None:
    """One seizure of amphetamine is 22 times as large as the next; measured by it, no slip would be seen."""
    assert [each.code for each in doubts(name="амфетамин", group="ats", quantity="60 kg")] == ["amount_above_ceiling"]
    assert doubts(name="неизвестное", quantity="9100 piece") == []


def test_the_warning_says_that_larger_amounts_exist() -> None:
    """The data are those of some states and years, so the amount may be right."""
    (found,) = doubts(quantity="600 kg")
    assert "may be right" in found.message("en")
    assert "может быть верно" in found.message("ru")


def test_precursors_have_no_ceiling() -> None:
    """They are traded by the tonne."""
    assert doubts(name="уксусный ангидрид", group="precursors", quantity="5 t") == []


def test_a_comma_before_three_digits_is_shown_to_a_reader_of_english() -> None:
    """12,500 kg may be twelve and a half or twelve thousand and a half; a Russian reader has no doubt."""
    assert [each.message("en") for each in doubts(quantity="12,500 kg")] == [
        "“12,500” is read as 12.5 kg: a comma is the decimal mark."
    ]
    assert doubts(quantity="12,500 kg", lang="ru") == []
