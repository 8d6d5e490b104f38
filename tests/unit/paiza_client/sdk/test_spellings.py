"""How a search reads a word, and near spellings where it found nothing."""

import pytest

from paiza_client import language
from paiza_client.sdk import spellings


@pytest.mark.parametrize(
    ("field", "text", "near"),
    [
        ("country", "Казахстн", "KAZ (Kazakhstan)"),
        ("route", "transit Казахстн", "KAZ (Kazakhstan)"),
        ("substance", "герион", "heroin (Heroin)"),
        ("drug-group", "опиды", "opioids (Opioids)"),
    ],
)
def test_a_word_that_no_list_knows_has_its_neighbours(field: str, text: str, near: str) -> None:
    """The nearest entry of the list of that field comes first."""
    language.use("en")
    ((criterion, names),) = spellings.suggest(None, [(field, text)])
    assert criterion == (field, text)
    assert names[0] == near


@pytest.mark.parametrize(
    ("field", "text"), [("country", "KZ"), ("substance", "героин"), ("plate", "A123"), ("name", "x")]
)
def test_what_is_known_or_in_no_list_has_none(field: str, text: str) -> None:
    """A search by a known word found nothing because there is nothing."""
    assert spellings.suggest(None, [(field, text)]) == ()


@pytest.mark.parametrize(
    ("field", "text", "names"),
    [
        ("substance", "metamfetamin", ("Methamphetamine",)),
        ("substance", "хероин", ("Heroin",)),
        ("country", "Korea", ("Democratic People's Republic of Korea", "Republic of Korea")),
        ("route", "transit Kazahstan", ("Kazakhstan",)),
    ],
)
def test_a_word_spelled_in_another_way_is_told_with_what_it_is_read_as(
    field: str, text: str, names: tuple[str, ...]
) -> None:
    """By its sound, or as a part of names; every one is named."""
    language.use("en")
    ((criterion, found),) = spellings.readings(None, [(field, text)])
    assert (criterion, sorted(found)) == ((field, text), sorted(names))


@pytest.mark.parametrize(
    ("field", "text"),
    [("country", "KZ"), ("substance", "героин"), ("substance", "qqq"), ("plate", "A123"), ("name", "x")],
)
def test_a_word_of_a_list_is_read_as_it_stands(field: str, text: str) -> None:
    """There is nothing to say of a name or code of a list, nor of what no list knows."""
    assert spellings.readings(None, [(field, text)]) == ()
