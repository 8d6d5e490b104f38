"""Two languages: chosen before commands are built, and complete."""

import io
import re
from contextlib import redirect_stderr
from datetime import date, datetime, timedelta
from decimal import Decimal
from os import PathLike
from pathlib import Path

import click
import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from paiza_cli.language import Language
from paiza_client import language
from paiza_client.__main__ import run
from paiza_client.error_help import REMEDIES, UNKNOWN, remedy
from paiza_client.sdk import wording
from paiza_wire.reasons import REASONS

PACKAGE = Path(language.__file__).parent
CATALOGUE = language.LOCALES / "ru" / "LC_MESSAGES" / "paiza_client.po"
KEYWORDS = {"_": None, "N_": None, "ngettext": (1, 2)}
FIELD = re.compile(r"\{[^{}!]*|%\([a-z]+\)s")  # without !r: each language has quotation marks of its own


def msgids() -> set[str]:
    """Return every marked text of the package; of a counting one, the first."""
    with redirect_stderr(io.StringIO()):  # babel remarks on empty texts
        texts = extract_from_dir(
            str(PACKAGE), [("**.py", "python")], keywords=KEYWORDS, directory_filter=_is_no_catalogue_of_its_own
        )
        found = {each[2] for each in texts}
    return {each if isinstance(each, str) else each[0] for each in found}


def _is_no_catalogue_of_its_own(folder: str | PathLike[str]) -> bool:
    """Leave out the console: its texts are in the catalogue beside it."""
    return Path(folder).name not in {"web", "__pycache__"}


def test_every_text_has_its_russian() -> None:
    """Every text that can be shown has a translation; none is fuzzy or unused."""
    with CATALOGUE.open("rb") as lines:
        catalogue = read_po(lines, locale="ru")
    translated = {each.id if isinstance(each.id, str) else each.id[0]: each for each in catalogue if each.id}
    assert msgids() - set(translated) == set()
    forms = {name: [each.string] if isinstance(each.string, str) else each.string for name, each in translated.items()}
    assert [name for name in translated if translated[name].fuzzy or not all(forms[name] or [])] == []
    assert set(translated) - msgids() == set()


def test_no_text_has_a_word_that_is_not_plain() -> None:
    """Every text is in present-day English that a reader with a dictionary understands."""
    assert [each for each in msgids() if re.search(r"\b(whoever|mend|thereof)\b|^Give more", each, re.IGNORECASE)] == []


def test_translations_keep_the_places_to_fill() -> None:
    """A Russian text has exactly the {places} of the English one."""
    with CATALOGUE.open("rb") as lines:
        for each in read_po(lines, locale="ru"):
            if not each.id or not isinstance(each.id, str) or not isinstance(each.string, str):
                continue
            assert sorted(FIELD.findall(each.string)) == sorted(FIELD.findall(each.id)), each.id


def test_every_reason_has_what_and_remedy() -> None:
    """The table of remedies and the registry of reason codes name exactly the same codes."""
    assert set(REMEDIES) == set(REASONS)
    assert all(each.what.endswith(".") and each.remedy for each in REMEDIES.values())
    assert remedy("a_code_of_tomorrow") is UNKNOWN


def test_who_may_not_act_is_told_what_fits_every_command_and_cause() -> None:
    """Keys are unconfirmed after a restore too, and nothing is said of a message where only the inbox was asked for."""
    assert "new" not in REMEDIES["officer_unconfirmed"].what
    assert "restore" in REMEDIES["officer_unconfirmed"].remedy
    for reason in ("officer_unconfirmed", "officer_suspended"):
        assert "message" not in REMEDIES[reason].remedy


@pytest.mark.parametrize(
    ("lang", "words"), [("ru", ["Использование:", "Показать сообщения"]), ("en", ["Usage:", "List messages"])]
)
def test_help_is_in_the_language_asked_for(capsys: pytest.CaptureFixture[str], lang: str, words: list[str]) -> None:
    """`--lang` turns the help texts too, those of click included."""
    assert run(["--lang", lang, "--help"]) == 0
    text = capsys.readouterr().out
    assert all(word in text for word in words)


def test_every_command_has_help_in_both_languages(capsys: pytest.CaptureFixture[str]) -> None:
    """Every command and option explains itself, and in Russian with Russian letters."""
    from paiza_client.cli.root import COMMANDS, paiza  # noqa: PLC0415 - after the language is chosen

    context = click.Context(paiza)
    for name in COMMANDS:
        for arguments in (["--lang", "ru", name, "--help"], [name, "--lang", "ru", "--help"]):
            assert run(arguments) == 0, name
            assert re.search("[а-я]{4}", capsys.readouterr().out), name
        command = paiza.get_command(context, name)
        assert command is not None
        commands = [command, *command.commands.values()] if isinstance(command, click.Group) else [command]
        for each in commands:
            assert each.help
            assert all(option.help for option in each.params if isinstance(option, click.Option)), each.name


def test_every_role_has_a_name() -> None:
    """A custodian among the officers of a member is named in Russian, as every other role is."""
    language.use("ru")
    assert wording.role("custodian") == "держатель реестра"


def test_counting_follows_russian_grammar() -> None:
    """One, two and five messages take three different endings."""
    language.use("ru")
    one, many = "{n} message from the outbox was sent.", "{n} messages from the outbox were sent."
    endings = [language.ngettext(one, many, count).format(n=count).split()[2] for count in (1, 2, 5)]
    assert endings == ["сообщение", "сообщения", "сообщений"]


@pytest.mark.parametrize(
    ("lang", "shown"),
    [
        ("ru", ("1\u00a0234,5", "5 часов", "03.11.2026", "03.11.2026 04:05:06 ")),
        ("en", ("1,234.5", "5 hours", "2026-11-03", "2026-11-03 04:05:06 ")),
    ],
)
def test_numbers_and_dates_follow_the_language(lang: Language, shown: tuple[str, str, str, str]) -> None:
    """Output follows the conventions of the language in use, a time with its zone."""
    language.use(lang)
    local = datetime(2026, 11, 3, 4, 5, 6).astimezone()
    texts = (language.number_text(Decimal("1234.5")), language.span_text(timedelta(hours=-5)))
    assert (*texts, language.date_text(date(2026, 11, 3)), language.time_text(local)[:20]) == shown
