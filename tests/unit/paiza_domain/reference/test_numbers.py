"""Numbers of substances: filled in where the data have one alone, and never in place of what a person wrote."""

from datetime import date

import pytest

from paiza.content.v1.precursor_incident_pb2 import PrecursorIncident
from paiza.content.v1.seizure_notice_pb2 import SeizureNotice
from paiza_domain import reference
from paiza_domain.reference import Reference
from tests.unit.paiza_domain.reference.conftest import SOURCE, encoded, substance

TODAY = date(2026, 11, 23)
HS_SOURCE = {"hs_source": "an invented tariff", "hs_compared": "2026-11-01"}
NOBODY_COMPARED = {"source": "hearsay"}
FILE = {
    "format": 1,
    "substances": [
        substance("iodine", "Iodine", "Йод", "precursors", cas=["7553-56-2"], hs=["2801.20"], **HS_SOURCE),
        substance("piperidine", "Piperidine", "Пиперидин", "precursors", cas=["110-89-4"], hs=["2933.32"]),
        substance("ephedrine", "Ephedrine", "Эфедрин", "precursors", cas=["299-42-3", "50-98-6"],
                  hs=["2939.41 (indicative)"]),
    ],
    "international": [
        {"substance": "iodine", "schedule": "ISSL", "from": "2020-01-01", "recorded_from": "2026-11-01", **SOURCE},
        {"substance": "piperidine", "schedule": "1988-II", "from": "1992-11-23", "recorded_from": "2026-11-01",
         **NOBODY_COMPARED},
        {"substance": "ephedrine", "schedule": "1988-I", "from": "1992-11-23", "recorded_from": "2026-11-01", **SOURCE},
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def data() -> Reference:
    """Read two chemicals: one with a number of each sort, one with several and an indication."""
    return reference.read(encoded({"reference-substances.json": FILE}))


def test_numbers_come_from_the_data_where_the_id_is_given(data: Reference) -> None:
    """A chemical named by its id gets its CAS number, HS code and table; one named in words gets nothing."""
    content = PrecursorIncident()
    content.chemicals.add(substance_id="iodine")
    content.chemicals.add(as_named="Iodine")
    reference.fill_in(content, data, TODAY)
    named, worded = content.chemicals
    assert (named.cas_number, named.hs_code, named.control) == ("7553-56-2", "280120", "watch-list")
    assert (worded.cas_number, worded.hs_code, worded.control) == ("", "", "")


def test_what_the_author_wrote_stays(data: Reference) -> None:
    """A number in the content is never replaced, even where the data have another."""
    content = PrecursorIncident()
    content.chemicals.add(substance_id="iodine", cas_number="67-64-1", control="none")
    reference.fill_in(content, data, TODAY)
    assert (content.chemicals[0].cas_number, content.chemicals[0].control) == ("67-64-1", "none")
    assert content.chemicals[0].hs_code == "280120"


def test_what_nobody_compared_is_left_out_with_a_word(data: Reference) -> None:
    """A message has no room to say that a number is not verified, so the author is told and writes it, or not."""
    content = PrecursorIncident()
    content.chemicals.add(substance_id="piperidine")
    content.chemicals.add(substance_id="iodine")
    reference.fill_in(content, data, TODAY)
    filled = content.chemicals[0]
    assert (filled.cas_number, filled.hs_code, filled.control) == ("110-89-4", "", "")
    left_out = reference.left_out(content, data, TODAY)
    assert [(each.path, each.values["value"]) for each in left_out] == [
        ("chemicals[0].hs_code", "293332"),
        ("chemicals[0].control", "table-ii"),
    ]
    filled.hs_code, filled.control = "293332", "none"
    assert reference.left_out(content, data, TODAY) == []


def test_numbers_are_shown_with_a_word_unless_they_are_verified(data: Reference) -> None:
    """The word stands in the language of the reader; what is verified stands alone."""
    assert reference.cas_text(data, "piperidine", "en") == "110-89-4"
    assert reference.hs_text(data, "piperidine", "en") == "293332 (not verified)"
    assert reference.hs_text(data, "piperidine", "ru") == "293332 (не сверено)"
    assert reference.hs_text(data, "iodine", "ru") == "280120"
    assert (reference.hs_text(data, "ephedrine", "en"), reference.cas_text(data, "unheard-of", "en")) == ("", "")


def test_of_several_numbers_none_is_chosen(data: Reference) -> None:
    """A base and its salts have numbers of their own, and an indicative code is none."""
    content = PrecursorIncident()
    content.chemicals.add(substance_id="ephedrine")
    reference.fill_in(content, data, TODAY)
    assert (content.chemicals[0].cas_number, content.chemicals[0].hs_code) == ("", "")
    assert content.chemicals[0].control == "table-i"
    assert reference.cas_numbers(data, "ephedrine") == ("299-42-3", "50-98-6")
    assert reference.hs_codes(data, "ephedrine") == ()


def test_substances_without_such_fields_are_left_alone(data: Reference) -> None:
    """A seizure notice has no field for numbers; an unknown id has none."""
    content = SeizureNotice()
    content.substances.add(substance_id="heroin")
    content.substances.add(substance_id="unheard-of")
    before = content.SerializeToString()
    reference.fill_in(content, data, TODAY)
    assert content.SerializeToString() == before
    assert reference.cas_numbers(data, "unheard-of") == ()
