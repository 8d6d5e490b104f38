"""The two languages of `paiza-trust`: chosen before the commands are built, and complete."""

import io
import json
import re
from collections.abc import Iterator
from contextlib import redirect_stderr
from pathlib import Path

import click
import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from paiza_cli.commands import localised
from paiza_trust import language
from paiza_trust.__main__ import cli
from tests.unit.paiza_trust.test_commands import run

PACKAGE = Path(language.__file__).parent
CATALOGUE = language.LOCALES / "ru/LC_MESSAGES/paiza_trust.po"
FIELD = re.compile(r"\{[^{}]*\}")


@pytest.fixture(autouse=True)
def english_afterwards() -> Iterator[None]:
    """Leave no language behind for other tests."""
    yield
    language.use("en")


def helps(command: click.Command) -> Iterator[str]:
    """Yield the help of a command, of its options, and of all commands below it."""
    yield command.help or ""
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            yield parameter.help or ""
    if isinstance(command, click.Group):
        for each in command.commands.values():
            yield from helps(each)


def helps_in_full(command: click.Command, context: click.Context | None = None) -> Iterator[str]:
    """Yield what `--help` prints for a command and for all commands below it."""
    own = click.Context(command, info_name=command.name, parent=context)
    yield command.get_help(own)
    if isinstance(command, click.Group):
        for each in command.commands.values():
            yield from helps_in_full(each, own)


def msgids() -> set[str]:
    """Return every text that the commands can show, but for those of click, which has a catalogue of its own."""
    with redirect_stderr(io.StringIO()):  # babel remarks on empty texts
        found = {
            str(each[2])
            for each in extract_from_dir(str(PACKAGE), [("**.py", "python")], keywords={"_": None, "N_": None})
        }
    clicks_own = {"Show this message and exit."}
    return (found | set(helps(cli))) - clicks_own - {""}


def test_every_text_has_its_russian() -> None:
    """Every text that can be shown has a translation with the same places to fill; none is fuzzy or unused."""
    with CATALOGUE.open("rb") as lines:
        translated = {str(each.id): each for each in read_po(lines, locale="ru") if each.id}
    assert msgids() - set(translated) == set()
    assert set(translated) - msgids() == set()
    for text, each in translated.items():
        assert each.string, text
        assert not each.fuzzy, text
        assert sorted(FIELD.findall(str(each.string))) == sorted(FIELD.findall(text)), text


def test_the_words_for_values_are_russian() -> None:
    """In Russian help no word that stands for a value is English, neither beside an option nor in a sentence."""
    language.use("ru")
    shown = "\n".join(helps_in_full(localised(cli, language._)))
    assert set(re.findall(r"\b[A-Z]{3,}\b", shown)) & {*language.PLACEHOLDERS, "RANGE"} == set()
    assert "Показать версию и завершить." in shown


def test_errors_and_help_follow_the_language(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """`--lang` after any command chooses the language of its help, its errors and their labels."""
    code, _, err = run(capsys, "show", tmp_path / "none", "--lang", "ru")
    assert code == 4
    assert "Ошибка:" in err
    assert "Файл не читается" in err
    code, out, _ = run(capsys, "propose", "admit", "--help", "--lang=ru")
    assert code == 0
    assert "порог" in out
    code, _, err = run(capsys, "dev", tmp_path / "f", "--members", "K", "--lang", "ru", "--json")
    assert (code, json.loads(err)["reason"]) == (2, "usage")
    code, _, err = run(capsys, "show", tmp_path / "none", "--lang", "en")
    assert "The file cannot be read" in err
