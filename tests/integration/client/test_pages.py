"""Lists are never cut in silence: a page says that there are more, and the command it names shows the next one."""

import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.federation import Federation
from tests.integration.client.conftest import DRAFT, Paiza
from tests.integration.client.test_commands import send

COUNT = 7


@pytest.fixture
def since() -> str:
    """The time before `sent`, which is asked for after it: the federation holds what other tests sent too."""
    return datetime.now(UTC).isoformat()


@pytest.fixture
def sent(federation: Federation, paiza: Paiza, tmp_path: Path) -> list[str]:
    """Ids of messages of kaz that tjk has, in order of sending."""
    draft = tmp_path / "draft.yaml"
    draft.write_text(DRAFT)
    return [send(paiza, federation, draft) for _ in range(COUNT)]


def pages(paiza: Paiza, profile: str, items: str, *arguments: str) -> list[list[dict[str, Any]]]:
    """Return what all pages of a list show, asked for one after the other."""
    found, token = [], ""
    while True:
        told = paiza(profile, *arguments, "--json", *(("--page", token) if token else ())).json
        found.append(told[items])
        token = told["next_page"]
        if not token:
            return found


@pytest.mark.parametrize("box", [(), ("--all",), ("--unread",)])
def test_the_pages_of_an_inbox_are_the_inbox(paiza: Paiza, since: str, sent: list[str], box: tuple[str, ...]) -> None:
    """Every message stands on one page, newest first; no page is longer than was asked for."""
    asked = ("inbox", *box, "--since", since)
    whole = paiza("tjk-liaison", *asked, "--limit", "1000", "--json").json["messages"]
    shown = pages(paiza, "tjk-liaison", "messages", *asked, "--limit", "2")
    assert [len(each) for each in shown[:-1]] == [2] * (len(shown) - 1)
    ids = [each["id"] for page in shown for each in page]
    assert ids == [each["id"] for each in whole]
    assert set(sent) <= set(ids)


def test_the_command_for_the_next_page_shows_it(paiza: Paiza, since: str, sent: list[str]) -> None:
    """It repeats the options, with the period fixed; the last page names none; the sender is member and officer."""
    first = paiza("tjk-liaison", "inbox", "--from", "kaz", "--since", "1h", "--limit", "2", "--lang", "en")
    assert "kaz (liaison)" in first.out
    command = shlex.split(first.err.partition("The next page: ")[2].splitlines()[0])
    assert command[0] == "paiza"
    profile = command.index("--profile")
    assert command[profile + 1] == "tjk-liaison"
    assert command[command.index("--since") + 1].endswith("+00:00")
    following = paiza("tjk-liaison", *command[1:profile], *command[profile + 2 :], "--json")
    shown = {each["id"] for each in following.json["messages"]}
    assert shown & set(sent)
    assert not [each for each in shown if each[:18] in first.out]
    whole = paiza("tjk-liaison", "inbox", "--since", since, "--limit", "1000")
    assert "--page" not in whole.err


def test_a_period_ends_before_its_end(paiza: Paiza, since: str, sent: list[str]) -> None:
    """Two periods that meet share no message and miss none."""

    def listed(*period: str) -> list[dict[str, Any]]:
        return list(paiza("tjk-liaison", "inbox", *period, "--limit", "1000", "--json").json["messages"])

    times = [each["stored_time"] for each in listed("--since", since)]
    cut = times[1]
    before, after = listed("--since", since, "--until", cut), listed("--since", cut)
    assert len(before) + len(after) == len(times)
    assert len(after) >= 2
    assert sent
    assert paiza("tjk-liaison", "inbox", "--sent", "--all").code == 2


def test_searches_and_the_log_come_in_pages(paiza: Paiza, since: str, sent: list[str]) -> None:
    """The log's pages, whose reading is logged itself, hold each release once, and so does the search."""
    asked = ("audit", "log", "--event", "RECEIVED", "--since", since)
    whole = paiza("tjk-auditor", *asked, "--limit", "1000", "--json").json
    assert whole["next_page"] == ""
    shown = pages(paiza, "tjk-auditor", "entries", *asked, "--limit", "2")
    assert [each["index"] for page in shown for each in page] == [each["index"] for each in whole["entries"]]
    assert len(whole["entries"]) >= len(sent)
    assert "--page" in paiza("tjk-auditor", *asked, "--limit", "2").err
    assert paiza("tjk-auditor", "audit", "log", "--page", "x").code == 2
