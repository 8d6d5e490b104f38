"""Values that commands share: what cannot be meant is refused, and never an empty list."""

from datetime import UTC, datetime, timedelta

import click
import pytest

from paiza_client import language
from paiza_client.cli.inbox import inbox
from paiza_client.cli.options import KindParameter, MemberParameter, UntilParameter, WordParameter, check_period
from paiza_client.cli.reference import states
from paiza_client.cli.search import search
from paiza_client.cli.statistics import _BY, _MEASURES, statistics
from paiza_client.cli.terminal import Terminal
from paiza_client.local import reference_data
from paiza_domain.drafts.members import Members
from paiza_officer.errors import Misused

KNOWN = Members({"tjk": {"ru": "Таджикистан", "en": "Tajikistan"}, "kaz": {"ru": "Казахстан", "en": "Kazakhstan"}})


@pytest.fixture(autouse=True)
def _register(monkeypatch: pytest.MonkeyPatch) -> None:
    language.use("en")
    monkeypatch.setattr(Terminal, "profile", lambda _terminal: None)
    monkeypatch.setattr(reference_data, "members", lambda _profile: KNOWN)


def context() -> click.Context:
    """Return the surroundings of a command."""
    return click.Context(click.Command("x"), obj=Terminal())


@pytest.mark.parametrize(("text", "member"), [("tjk", "tjk"), ("Таджикистан", "tjk"), ("KZ", "kaz"), ("", "")])
def test_a_member_is_found_by_its_names(text: str, member: str) -> None:
    """By id, name and code of the state."""
    assert MemberParameter().convert(text, None, context()) == member


@pytest.mark.parametrize("text", ["Таджикстан", "tkj"])
def test_a_member_misspelt_is_answered_with_the_nearest(text: str) -> None:
    """Else the list would be empty without a word."""
    with pytest.raises(click.BadParameter, match=r"Did you mean “tjk \(Tajikistan\)”\?"):
        MemberParameter().convert(text, None, context())


@pytest.mark.parametrize("text", ["seizure-notice", "seizure", "Сообщение об изъятии"])
def test_a_kind_is_found_by_name_title_and_beginning(text: str) -> None:
    """As send takes it."""
    assert KindParameter().convert(text, None, context()) == "seizure-notice"


@pytest.mark.parametrize("text", ["изьятие", "seizure-notise"])
def test_a_kind_misspelt_is_answered_with_the_nearest(text: str) -> None:
    """Else the list would be empty without a word."""
    with pytest.raises(click.BadParameter, match="Did you mean “seizure-notice"):
        KindParameter().convert(text, None, context())


def test_a_period_ends_after_it_begins() -> None:
    """Nothing can be in any other, and a table of zeros would be believed."""
    now = datetime(2026, 11, 30, tzinfo=UTC)
    check_period(None, now)
    check_period(now, now + timedelta(days=1))
    with pytest.raises(Misused):
        check_period(now, now - timedelta(days=1))


@pytest.mark.parametrize(("command", "arguments"), [(inbox, []), (statistics, []), (search, ["--substance", "heroin"])])
def test_commands_refuse_a_period_that_ends_before_it_begins(command: click.Command, arguments: list[str]) -> None:
    """Before the node is asked."""
    with pytest.raises(Misused) as caught:
        command.main(
            [*arguments, "--since", "2026-11-30", "--until", "2026-01-01"], obj=Terminal(), standalone_mode=False
        )
    assert caught.value.problems[0].what == "The period ends before it begins."


def test_until_is_still_to_come() -> None:
    """A deputy or a grant that ended in the past would be none."""
    with pytest.raises(click.BadParameter, match="has passed already"):
        UntilParameter().convert("01.01.2020", None, context())


def test_states_are_known_states() -> None:
    """“No record” is never said of a word that is no state."""
    assert states(("KZ,Таджикистан",), ()) == ("kaz", "tjk")
    with pytest.raises(Misused) as caught:
        states(("Таджикстан",), ())
    assert "Nearest entries: TJK (Tajikistan)" in caught.value.problems[0].what


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("substance", "substance"),
        ("вещество", "substance"),
        ("Место", "place"),
        ("страна изъятия", "place"),
        ("тип места", "place-type"),
        ("type of place", "place-type"),
        ("группа", "group"),
        ("УЧАСТНИК", "member"),
        ("квартал", "quarter"),
    ],
)
def test_a_dimension_is_named_in_either_language(text: str, word: str) -> None:
    """By its word, its title, or a word of its title, whichever language is in use."""
    assert WordParameter(_BY).convert(text, None, context()) == word


@pytest.mark.parametrize("text", ["кг", "килограммы", "kg"])
def test_a_measure_is_named_in_either_language(text: str) -> None:
    """As it is written in a notice."""
    assert WordParameter(_MEASURES).convert(text, None, context()) == "kg"


@pytest.mark.parametrize("text", ["", "погода"])
def test_a_word_of_no_dimension_is_refused(text: str) -> None:
    """With all words that there are."""
    with pytest.raises(click.BadParameter, match="substance"):
        WordParameter(_BY).convert(text, None, context())
