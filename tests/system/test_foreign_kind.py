"""A kind that exists only under tests/kinds, from one state's officer to another's, the packages untouched."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from tests.federation import Federation

DRAFT: Final = """\
kind: wolf-note
to: [tjk]
urgency: routine
handling: {tlp: AMBER, code: H0, classification: 1}
legal_bases: [exercise-agreement]
review: 1 year
content:
  country: KAZ
  wolves: 7
"""
ARRIVAL_SECONDS: Final = 60.0
POLL_SECONDS: Final = 0.2


@pytest.fixture
def environment(root: Path) -> Mapping[str, str]:
    """Put the kind's distribution on the path of a process, as installing it would."""
    path = os.pathsep.join([str(root / "tests" / "kinds"), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": path, "LANGUAGE": "en"}


@pytest.fixture
def federation(tmp_path: Path, environment: Mapping[str, str]) -> Iterator[Federation]:
    """Run two nodes that have the kind installed."""
    with Federation.create(tmp_path / "federation", ["kaz", "tjk"]) as made:
        for node in made.nodes.values():
            node.start(wait=False, environment=environment)
        for node in made.nodes.values():
            node.wait_until_serving()
        yield made


@pytest.fixture(name="paiza")
def command_line(federation: Federation, environment: Mapping[str, str]) -> Any:
    """Call the officers' program as a process of its own, with the kind installed."""

    def call(profile: str, *words: str) -> "subprocess.CompletedProcess[str]":
        chosen = {**environment, "PAIZA_HOME": str(federation.home)}
        command = [sys.executable, "-m", "paiza_client", *words, "--profile", profile]
        return subprocess.run(command, env=chosen, capture_output=True, text=True, check=False)

    return call


def test_kind_that_the_packages_do_not_know(federation: Federation, paiza: Any, tmp_path: Path) -> None:
    """A foreign kind is sent, received, listed and shown in both languages, by its own rules."""
    draft = tmp_path / "wolves.yaml"
    draft.write_text(DRAFT)
    sent = paiza("kaz-liaison", "send", "wolf-note", str(draft), "--json")
    assert sent.returncode == 0, sent.stderr
    digest = json.loads(sent.stdout)["id"]
    inbox = _arrived(paiza)
    assert "wolf-note" in inbox
    shown = paiza("tjk-duty", "open", digest)
    assert shown.returncode == 0, shown.stderr
    assert "Note of wolves" in shown.stdout
    assert "Wolves 7" in " ".join(shown.stdout.split())
    russian = paiza("tjk-duty", "open", digest, "--lang", "ru")
    assert "Сообщение о волках" in russian.stdout
    assert "Волки 7" in " ".join(russian.stdout.split())
    draft.write_text(DRAFT.replace("wolves: 7", "wolves: 700"))
    refused = paiza("kaz-liaison", "send", "wolf-note", str(draft))
    assert refused.returncode != 0
    assert "wolves" in refused.stderr
    assert federation.node("tjk").status().messages == 1


def _arrived(paiza: Any) -> str:
    deadline = time.monotonic() + ARRIVAL_SECONDS
    while "wolf-note" not in (inbox := paiza("tjk-duty", "inbox", "--json")).stdout:
        assert inbox.returncode == 0, inbox.stderr
        assert time.monotonic() < deadline, inbox.stdout
        time.sleep(POLL_SECONDS)
    return str(inbox.stdout)
