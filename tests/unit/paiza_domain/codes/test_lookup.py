"""The look-up of codes by the words of a person."""

from collections import Counter

import pytest
from babel import Locale
from hypothesis import given
from hypothesis import strategies as st

from paiza_domain import codes
from paiza_domain.codes import lookup


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("KZ", "KAZ"),
        ("KAZ", "KAZ"),
        ("Казахстан", "KAZ"),
        ("республика казахстан", "KAZ"),
        ("Bolivia, Plurinational State of", "BOL"),
        ("Congo, the Democratic Republic of the", "COD"),
        ("Конго, Демократическая Республика", "COD"),
        ("COTE D’IVOIRE", "CIV"),
        ("Turkey", "TUR"),
        ("Turkiye", "TUR"),
        ("Соединенные Штаты", "USA"),
        ("Киргизия", "KGZ"),
        ("Korea, Republic of", "KOR"),
        ("Korea, Democratic People's Republic of", "PRK"),
        ("Korea", ""),
        ("Guinea", "GIN"),
        ("Ruritania", ""),
        ("", ""),
        ("—", ""),
        ("x" * 1000, ""),
    ],
)
def test_countries_are_found_by_code_and_by_any_name(text: str, code: str) -> None:
    """ISO codes and names, full and short, of this and earlier editions, in either language; nothing is guessed."""
    assert lookup.find("country", text) == code


def test_the_countries_of_cldr_are_found_in_both_languages() -> None:
    """Every country with an ISO code is found by the names that Unicode CLDR has for it."""
    for lang in codes.LANGS:
        territories = Locale(lang).territories
        for entry in codes.load("country").values():
            if entry.alpha2:
                assert lookup.find("country", territories[entry.alpha2]) == entry.code


@pytest.mark.parametrize("name", codes.names())
def test_every_entry_is_found_by_its_code_and_its_names(name: str) -> None:
    """Each name finds its entry, unless two entries of the list share it but for case and order of words."""
    entries = codes.load(name).values()
    words = [{lookup.name_key(word) for word in (entry.code, *entry.names.values())} for entry in entries]
    shared = Counter(key for keys in words for key in keys)
    for entry in entries:
        assert lookup.find(name, entry.code) == entry.code
        for text in entry.names.values():
            alone = shared[lookup.name_key(text)] == 1
            assert lookup.find(name, text) == (entry.code if alone else "")


def test_no_other_name_of_a_country_is_of_two() -> None:
    """Each of the further names leads to its own country."""
    for entry in codes.load("country").values():
        for text in entry.also:
            assert lookup.find("country", text) == entry.code, text


@given(st.text(max_size=300))
def test_any_text_finds_an_entry_or_nothing(text: str) -> None:
    """A look-up raises nothing and returns a code of the list."""
    found = lookup.find("country", text)
    assert not found or found in codes.load("country")


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("exercise agreement", ()),
        ("minsk convention", ("minsk-2000",)),
        ("minsk agrement", ("minsk-2000",)),
        ("agreement", ("centre-2006", "minsk-2000")),
    ],
)
def test_of_several_words_each_counts(text: str, near: tuple[str, ...]) -> None:
    """A word that every entry has makes none alike; words count whichever name of the entry has them."""
    names = {
        "centre-2006": ("centre-2006", "Agreement on the establishment of a regional centre of 24 July 2006"),
        "minsk-2000": ("minsk-2000", "Agreement on co-operation against illicit traffic in narcotic drugs, 2000"),
    }
    assert lookup.nearest_names(text, names) == near
