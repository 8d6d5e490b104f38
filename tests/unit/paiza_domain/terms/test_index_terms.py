"""Index terms: one spelling for equal terms, and the terms of a content and its annex."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paiza.content.v1 import common_pb2, nominal_annex_pb2
from paiza.content.v1 import seizure_notice_pb2 as pb
from paiza.content.v1.information_pb2 import InformationRequest
from paiza_domain import kinds
from paiza_domain.schema.shapes import Shape
from paiza_domain.terms.extraction import found_in_text
from paiza_domain.terms.folding import FOLDS, MAX_FOLDED, fold, identifier, name, telephone
from paiza_domain.terms.index_terms import IDENTIFIERS, MAX_TERMS, Term, term, terms
from paiza_domain.terms.query_terms import clauses


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Хусейн", "Hussein"),
        ("Хусейнов", "Khuseynov"),
        ("Юрий", "Yuri"),
        ("Жумабаев", "Jumabayev"),
        ("Жумабаев", "Zhumabaev"),
        ("Қайрат", "Kairat"),
        ("Ҷамшед", "Jamshed"),
        ("Джамшед", "Jamshed"),
        ("Əliyev", "Алиев"),
        ("Шукуров Ўктам", "O'ktam Shukurov"),
        ("ДУШАНБЕ", "Dushanbe"),
    ],
)
def test_a_name_is_one_in_both_alphabets(one: str, other: str) -> None:
    """A name folds alike in any transliteration and any order of its words."""
    assert name(one) == name(other) != ""


@pytest.mark.parametrize(("one", "other"), [("Иванов", "Петров"), ("Тагаев", "Дакаев"), ("Сабиров", "Шабиров")])
def test_different_names_stay_different(one: str, other: str) -> None:
    """Folding is coarse, but not so coarse that names of other sounds become one."""
    assert name(one) != name(other)


def test_a_plate_is_read_by_the_look_of_its_letters() -> None:
    """Cyrillic and Latin letters that look alike are one on a plate; blanks and dashes do not count."""
    assert identifier("А 123 ВС-77") == identifier("a123bc77") == "A123BC77"


@pytest.mark.parametrize("written", ["8 (701) 123-45-67", "+7 701 1234567", "007 701 123 45 67"])
def test_a_telephone_number_is_its_digits_with_the_country(written: str) -> None:
    """The trunk prefix and 00 are undone, so that a number matches however it was dialled."""
    assert telephone(written) == "77011234567"


@given(st.sampled_from(sorted(FOLDS)), st.text(max_size=MAX_FOLDED + 20))
def test_folding_survives_any_text_and_is_stable(field: str, text: str) -> None:
    """Any text folds to capitals and digits, and a folded text folds to itself."""
    folded = fold(field, text)
    assert folded == folded.upper()
    assert folded.replace(" ", "").isalnum() or not folded
    if FOLDS[field] is identifier:
        assert fold(field, folded) == folded


def test_terms_come_from_content_and_annex() -> None:
    """Every identifier of a notice and its annex is a term, wherever in the message it stands."""
    content = pb.SeizureNotice(notice_id="KZ-1")
    content.transport.add(plate="А123ВС", seals=["77-1"])
    content.place.country = "KZ"
    annex = nominal_annex_pb2.NominalAnnex()
    annex.persons.add(surname="Вымышлев", given_names="Образец", aliases=["Shablon"])
    annex.telephones.add(number="+77011234567")
    found = terms(kinds.get("seizure-notice", 1), content, annex)
    expected = {
        Term("reference", "KZ1"),
        Term("plate", "A123BC"),
        Term("seal", "771"),
        Term("country", "KZ"),
        Term("person", name("Obrazets Vymyshlev")),
        Term("person", name("Шаблон")),
        Term("name", name("Obrazets Vymyshlev")),
        Term("name", name("Vymyshlev")),
        Term("name", name("Obrazets")),
        Term("name", name("Шаблон")),
        Term("phone", "77011234567"),
    }
    assert found == expected
    assert {each.field for each in found if each.links} == {"plate", "seal", "person", "phone"}


def test_what_a_request_asks_about_links() -> None:
    """Vehicles, vessels, containers, seals, consignments and logos of a request are terms that link."""
    content = InformationRequest(subject="Фура 123 ABC 02 у поста", seals=["ПЛ-2"])
    content.vehicles.add(plate="А 000 АА", vin="1M8GDM9AXKP042788")
    content.vessels.add(name="Образец", imo_number="9074729")
    content.containers.add(number="CSQU3054383", seals=["ПЛ-1"])
    content.consignments.add(air_waybill="000-1", tir_carnet="ВХ1", flight="ВЫМ 1", documents=["CMR 77"])
    content.substances.add(as_named="порошок", drug_group="opioids", drug_type="heroin", logo="«777»")
    content.places.add(country="TJK", town="Примерск")
    found = terms(kinds.get("information-request", 1), content, None)
    assert {each.field for each in found if each.links} == {
        "plate", "vin", "vessel", "container", "seal", "waybill", "carnet", "flight", "document", "logo",
    }  # fmt: skip
    assert {Term("plate", "123ABC02"), Term("plate", "A000AA"), Term("place", name("Примерск"))} <= found
    assert {Term("substance", "HEROIN"), Term("country", "TJK")} <= found


def test_the_terms_of_one_message_are_bounded() -> None:
    """A message made to flood the index has no more terms than the limit."""
    content = pb.SeizureNotice()
    content.transport.extend(common_pb2.Transport(plate=f"A{number}") for number in range(MAX_TERMS + 50))
    assert len(terms(kinds.get("seizure-notice", 1), content, None)) == MAX_TERMS


def test_nothing_left_of_a_text_is_no_term() -> None:
    """Dots and dashes alone are not a term that links messages."""
    assert term("plate", " -.- ") is None


def test_every_term_named_in_a_shape_can_be_folded() -> None:
    """A field that claims to be a term is one that folding knows; so are the terms that link."""

    def fields(shape: Shape) -> set[str]:
        below = set().union(*(fields(each.shape) for each in shape.fields if each.shape is not None))
        return {each.term for each in shape.fields if each.term} | below

    named = set()
    for kind in kinds.all_kinds().values():
        named |= fields(kind.shape) | (fields(kind.annex_shape) if kind.annex_shape else set())
    assert named <= set(FOLDS)
    assert set(FOLDS) >= IDENTIFIERS


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Фура А 123 ВС 77 прошла Жана Жол", {("plate", "A 123 BC 77")}),
        (
            "seen with 123 ABC 02, called +7 (701) 123-45-67.",
            {("plate", "123 ABC 02"), ("phone", "+7 (701) 123-45-67")},
        ),
        ("container CSQU 305438-3 and CSQU3054384", {("container", "CSQU3054383")}),
        ("IMEI 490154203237518, not 490154203237519", {("imei", "490154203237518")}),
        ("VIN 1M8GDM9AXKP042788", {("vin", "1M8GDM9AXKP042788")}),
        ("2026 year, 15 kg, 100 tablets of 5 mg, room 12", set()),
    ],
)
def test_identifiers_in_sentences_are_found(text: str, found: set[tuple[str, str]]) -> None:
    """Plates, telephones, containers, VINs and IMEIs count where they stand in a text; wrong check digits do not."""
    assert set(found_in_text(text)) == found


@pytest.mark.parametrize(
    ("field", "text", "expected"),
    [
        ("substance", "героин", Term("substance", "HEROIN")),
        ("substance", "Heroin", Term("substance", "HEROIN")),
        ("country", "Казахстан", Term("country", "KAZ")),
        ("country", "kz", Term("country", "KAZ")),
        ("route", "transit Казахстан", Term("route", "TRANSIT KAZ")),
        ("place", "Dushanbe", Term("place", name("Душанбе"))),
    ],
)
def test_a_search_in_either_language_means_the_same(field: str, text: str, expected: Term) -> None:
    """A substance, a country or a place is found by its code, its Russian and its English name."""
    assert any(expected in clause for clause in clauses(field, text))


def test_every_word_of_a_name_must_be_there() -> None:
    """Two words are two conditions; punctuation alone is none."""
    assert len(clauses("name", "Вымышлев Образец")) == 2
    assert clauses("name", "…") == []
