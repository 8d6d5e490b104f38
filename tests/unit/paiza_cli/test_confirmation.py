"""Questions that are answered with yes or no."""

import io

import click
import pytest

from paiza_cli.confirmation import confirm
from paiza_cli.language import LOCALES, Catalogue, Language
from paiza_wire.errors import Rejected


@pytest.fixture
def catalogue(monkeypatch: pytest.MonkeyPatch) -> Catalogue:
    """A catalogue; the language that it sets ends with the test."""
    monkeypatch.setenv("LANGUAGE", "en")
    return Catalogue("paiza_cli", LOCALES)


@pytest.mark.parametrize("language", ["ru", "en"])
@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        *((each, True) for each in ("y", "Yes", "д", "Да", " ДА ")),
        *((each, False) for each in ("", "n", "No", "н", "Нет")),
    ],
)
def test_answers_of_both_languages_are_known(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch, language: Language, typed: str, *, expected: bool
) -> None:
    """Yes and no count in Russian and English, whichever is in use; an empty line is no."""
    catalogue.use(language)
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{typed}\n"))
    assert confirm("?") is expected


@pytest.mark.parametrize("abort", [False, True])
def test_where_nobody_answers_it_is_unconfirmed(monkeypatch: pytest.MonkeyPatch, *, abort: bool) -> None:
    """An input that ends, and is no terminal, is nobody's interruption."""
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    with pytest.raises(Rejected, match="unconfirmed") as refused:
        confirm("Sign it?", abort=abort)
    assert refused.value.detail == "Sign it?"


@pytest.mark.parametrize(("language", "choices"), [("ru", "[д/Н]"), ("en", "[y/N]")])
def test_the_question_names_the_answers(
    catalogue: Catalogue,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    language: Language,
    choices: str,
) -> None:
    """The answers are shown in the language in use, on standard error; anything else is asked again."""
    catalogue.use(language)
    monkeypatch.setattr("sys.stdin", io.StringIO("perhaps\nn\n"))
    with pytest.raises(click.Abort):
        confirm("?", abort=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count(f"? {choices}: ") == 2
