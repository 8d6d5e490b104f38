"""Near spellings for a search that found nothing."""

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
