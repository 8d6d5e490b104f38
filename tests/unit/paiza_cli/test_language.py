"""The language of a program, chosen before its commands are built."""

import io
import re
from contextlib import redirect_stderr
from pathlib import Path

import click
import pytest
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po

import paiza_cli
import paiza_officer
from paiza_cli.language import CLICK_DOMAIN, LOCALES, choose

CATALOGUE = LOCALES / "ru" / "LC_MESSAGES" / f"{CLICK_DOMAIN}.po"
FIELD = re.compile(r"\{[^{}!]*|%\([a-z]+\)s")  # without !r: each language has quotation marks of its own


@pytest.mark.parametrize(
    ("arguments", "environ", "profile", "expected"),
    [
        (["--lang", "ru"], {"LANG": "en_GB.UTF-8"}, None, "ru"),
        (["inbox", "--lang=en"], {"LANG": "ru_RU.UTF-8"}, "ru", "en"),
        (["--lang", "ru", "status"], {"LANG": "C"}, None, "ru"),
        ([], {"PAIZA_LANG": "ru", "LANG": "en_GB"}, "en", "ru"),
        ([], {"PAIZA_LANG": "en", "LANG": "ru_RU.UTF-8"}, None, "en"),
        ([], {"LANG": "en_GB"}, "ru", "ru"),
        ([], {"LANG": "ru_KZ.UTF-8"}, None, "ru"),
        ([], {"LC_ALL": "C", "LANG": "ru_RU"}, None, "en"),
        ([], {}, None, "en"),
        (["--lang"], {}, None, "en"),
        (["--lang", "fr"], {"LANG": "ru"}, None, "ru"),
    ],
)
def test_the_language_is_chosen_in_order(
    arguments: list[str], environ: dict[str, str], profile: str | None, expected: str
) -> None:
    """The command line counts most, then PAIZA_LANG, the profile, the system; unknown is English."""
    assert choose(arguments, environ, profile) == expected


def test_every_text_has_its_russian() -> None:
    """Every text of click, paiza_cli and paiza_officer is translated with the same fields; none is fuzzy or unused."""
    with redirect_stderr(io.StringIO()):  # babel remarks on empty texts
        packages = [Path(str(each.__file__)).parent for each in (click, paiza_cli, paiza_officer)]
        files = sorted(file for package in packages for file in package.glob("*.py"))
        found = [each[1] for file in files for each in extract_from_file("python", str(file))]
    shown = {each if isinstance(each, str) else each[0] for each in found} - {""}
    with CATALOGUE.open("rb") as lines:
        catalogue = [each for each in read_po(lines, locale="ru") if each.id]
    assert {each.id if isinstance(each.id, str) else each.id[0] for each in catalogue} == shown
    for each in catalogue:
        assert not each.fuzzy
        assert all([each.string] if isinstance(each.string, str) else each.string or [""]), each.id
        if isinstance(each.id, str) and isinstance(each.string, str):
            assert sorted(FIELD.findall(each.string)) == sorted(FIELD.findall(each.id)), each.id
