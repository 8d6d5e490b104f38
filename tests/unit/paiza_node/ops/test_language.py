"""The operator's two languages: chosen before commands are built, and complete."""

import io
import re
from contextlib import redirect_stderr
from pathlib import Path

import click
import pytest
from babel.messages.extract import extract_from_dir, extract_from_file
from babel.messages.pofile import read_po

from paiza_node.ops import language
from paiza_node.ops.cli.frame import sentences
from paiza_wire.reasons import REASONS

PACKAGE = Path(language.__file__).parents[2]
CATALOGUE = language.LOCALES / "ru" / "LC_MESSAGES" / "paiza_node.po"
FIELD = re.compile(r"\{[^{}]*\}|%\([a-z]+\)s")


def msgids() -> set[str]:
    """Return every text that the commands can show: marked ones, those of click, and those of the reason codes."""
    with redirect_stderr(io.StringIO()):  # babel remarks on empty texts
        keywords = {"_": None, "N_": None}
        found = {each[2] for each in extract_from_dir(str(PACKAGE), [("**.py", "python")], keywords=keywords)}
        for file in sorted(Path(click.__file__).parent.glob("*.py")):
            found |= {each[1] for each in extract_from_file("python", str(file))}
    found |= {sentence for reason in REASONS for sentence in sentences(reason)}
    return {each if isinstance(each, str) else each[0] for each in found}


def test_every_text_has_its_russian() -> None:
    """No text that can be shown lacks a translation, none is marked doubtful, and none is left that nobody shows."""
    with CATALOGUE.open("rb") as lines:
        catalogue = read_po(lines, locale="ru")
    translated = {each.id if isinstance(each.id, str) else each.id[0]: each for each in catalogue if each.id}
    assert msgids() - set(translated) == set()
    forms = {name: [each.string] if isinstance(each.string, str) else each.string for name, each in translated.items()}
    assert [name for name in translated if translated[name].fuzzy or not all(forms[name] or [])] == []
    assert set(translated) - msgids() == set()


def test_translations_keep_the_places_to_fill() -> None:
    """A Russian text has exactly the {places} of the English one."""
    with CATALOGUE.open("rb") as lines:
        for each in read_po(lines, locale="ru"):
            if each.id and isinstance(each.id, str) and isinstance(each.string, str):
                assert sorted(FIELD.findall(each.string)) == sorted(FIELD.findall(each.id)), each.id


@pytest.mark.parametrize(
    ("arguments", "environment", "expected"),
    [
        ([], {}, "en"),
        ([], {"LANG": "ru_RU.UTF-8"}, "ru"),
        ([], {"LANG": "ru_RU.UTF-8", "PAIZA_LANG": "en"}, "en"),
        (["--lang", "ru", "status"], {"LANG": "C"}, "ru"),
        (["status", "--lang=en"], {"LANG": "ru_RU.UTF-8"}, "en"),
        (["--lang", "xx"], {"LANG": "ru"}, "ru"),
    ],
)
def test_language_is_chosen(arguments: list[str], environment: dict[str, str], expected: str) -> None:
    """The option counts before the variable of ours, that before the system's."""
    assert language.choose(arguments, environment) == expected
