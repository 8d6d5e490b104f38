"""Every code list, checked as data, and the loader that gives them out."""

import re
import unicodedata

import pytest

from paiza_domain import codes
from paiza_domain.codes import Code, CodeList, CodeListError

ALL_NAMES = codes.names()
ENTRIES = [(name, entry) for name in ALL_NAMES for entry in codes.load(name).values()]
ENTRY_IDS = [f"{name}.{entry.code}" for name, entry in ENTRIES]

CYRILLIC = re.compile(r"[А-Яа-яЁё]")
RUSSIAN_TEXT = re.compile(r"[А-Яа-яЁё0-9A-Z ,.;:()«»—’%-]+")
ENGLISH_TEXT = re.compile(r"[A-Za-z0-9À-ÿ ,.;:()'%-]+")


def texts(entry: Code) -> list[tuple[str, str]]:
    """Return all texts of an entry with their language."""
    return [*entry.names.items(), *entry.note.items()]


def test_lists_of_the_domain_are_present() -> None:
    """Every list that the domain names has a file."""
    assert set(ALL_NAMES) >= {
        *("drug_group", "drug_type", "unit", "form", "place_type", "transport_mode", "transport_means", "concealment"),
        *(
            "packaging",
            "detection",
            "person_role",
            "person_category",
            "urgency",
            "urgency_reason",
            "purpose",
            "refusal",
        ),
        *("seizure_status", "route_role", "weight_basis", "quantity_basis", "laboratory_status", "purity_basis"),
        *("answer_status", "country", "detection_trigger", "routing", "route_confidence", "unit_dimension"),
    }


@pytest.mark.parametrize(("name", "entry"), ENTRIES, ids=ENTRY_IDS)
def test_texts_are_clean(name: str, entry: Code) -> None:
    """Every text is in its language's characters, composed, without stray blanks."""
    for lang, text in texts(entry):
        assert text == " ".join(text.split()), name
        assert text == unicodedata.normalize("NFC", text)
        assert (RUSSIAN_TEXT if lang == "ru" else ENGLISH_TEXT).fullmatch(text)
        assert bool(CYRILLIC.search(text)) == (lang == "ru")
    assert set(entry.note) in (set(), {"ru", "en"})


@pytest.mark.parametrize("name", ALL_NAMES)
def test_names_do_not_repeat_within_a_list(name: str) -> None:
    """The codes of a list have distinct names."""
    for lang in codes.LANGS:
        shown = [entry.names[lang].casefold() for entry in codes.load(name).values()]
        assert len(set(shown)) == len(shown)
        assert codes.load(name).titles[lang]


def test_every_drug_type_belongs_to_a_group_and_most_groups_have_types() -> None:
    """Only groups that are themselves precise enough have no types."""
    bare = {group for group in codes.load("drug_group") if not codes.load("drug_type").in_group(group)}
    assert bare == {"potent-substance", "laboratory-equipment", "unknown"}
    assert all(entry.group for entry in codes.load("drug_type").values())
    assert all(entry.group for entry in codes.load("unit").values())


def test_countries_are_those_of_the_standard() -> None:
    """There are 249 countries with distinct two-letter codes, and one code for unknown."""
    countries = codes.load("country")
    assert len(countries) == 250
    assert countries["XXX"].alpha2 == ""
    alpha2 = {entry.alpha2 for entry in countries.values() if entry.code != "XXX"}
    assert len(alpha2) == 249
    assert all(re.fullmatch("[A-Z]{2}", code) for code in alpha2)
    known = {"KAZ": "KZ", "KGZ": "KG", "TJK": "TJ", "TKM": "TM", "UZB": "UZ", "AZE": "AZ", "RUS": "RU", "AFG": "AF"}
    assert {code: countries[code].alpha2 for code in known} == known


def test_a_list_is_read_once_and_cannot_be_changed() -> None:
    """Loading twice gives the same object, and neither list nor entry can be altered."""
    units = codes.load("unit")
    assert codes.load("unit") is units
    with pytest.raises(TypeError):
        units.codes["kg"] = units["g"]  # type: ignore[index]
    with pytest.raises(AttributeError):
        units["kg"].group = "volume"  # type: ignore[misc]


def test_lookup_by_code() -> None:
    """A known code gives its names; an unknown one is absent and is shown as it is."""
    units = codes.load("unit")
    assert isinstance(units, CodeList)
    assert "kg" in units
    assert units.text("kg", "ru") == "килограмм"
    assert units.text("kg", "en") == "kilogram"
    assert "pood" not in units
    assert units.text("pood", "ru") == "pood"
    with pytest.raises(KeyError):
        units["pood"]


def test_an_unknown_list_is_refused() -> None:
    """Asking for a list that does not exist, or for a path, raises the package's own error."""
    for name in ("no_such_list", "../codes/unit", ""):
        with pytest.raises(CodeListError):
            codes.load(name)
