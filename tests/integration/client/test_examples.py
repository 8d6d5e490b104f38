"""Every program in examples runs against real nodes, as its docstring says."""

import asyncio
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from tests.federation import Federation
from tests.integration.client.conftest import Paiza
from tests.integration.client.test_commands import arrives

FOLDER: Final = Path(__file__).parents[3] / "examples"
MAX_LINES: Final = 40  # an example is read at one glance

REQUEST: Final = FOLDER / "request.yaml"
CD_REQUEST: Final = Path(__file__).parents[2] / "demo" / "drafts" / "cd-request.yaml"
THREAD: Final = "THREAD"  # stands for the thread of the message that is sent first

# What tjk or kaz sends first, as arguments of `paiza`; none where the notices that every run imports are enough.
FIRST: Final[Mapping[str, tuple[str, ...]]] = {
    "autofill_step.py": ("tjk-liaison", "cd", "request", "cd-request.yaml"),
    **dict.fromkeys(
        ("find_duplicates.py", "raise_marks.py", "read_thread.py", "reply_with_attachment.py"),
        ("kaz-liaison", "send", "information-request", str(REQUEST)),
    ),
}

# Arguments, and what is printed in the end. A further example needs its line here.
RUNS: Final[Mapping[str, tuple[tuple[str, ...], str]]] = {
    "autofill_step.py": (("kaz-duty", THREAD), "Sent to "),
    "case_system.py": (("kaz-liaison", "tjk"), " is waiting"),
    "count_seizures.py": (("tjk-liaison",), "Heroin\t"),
    "evidence_for_a_court.py": (("kaz-liaison", "tjk", "evidence.zip"), "Nothing of this is real."),
    "export_unodc.py": (("tjk-liaison", "rows.csv"), "notices written to rows.csv, marked TLP:AMBER"),
    "find_duplicates.py": (("kaz-liaison", str(REQUEST)), "KAZ-"),
    "import_seizures.py": (("kaz-liaison", str(FOLDER / "seizures.csv")), "3 sent in "),
    "raise_marks.py": (("kaz-liaison", THREAD), "TLP:GREEN, H1, level 0 becomes TLP:AMBER, H2, level 1"),
    "read_thread.py": (("kaz-liaison", THREAD), "without an answer: tjk"),
    "reconcile.py": (("kaz-coordinator", "tjk", "comparison.zip"), " agree, "),
    "reply_with_attachment.py": (("tjk-liaison", str(FOLDER / "seizures.csv")), "with seizures.csv"),
    "search_a_plate.py": (("kaz-liaison", "А 123 ВС 77"), "not searchable yet"),
    "send_draft.py": (("kaz-liaison", str(REQUEST)), "RELEASED to tjk"),
}


@pytest.fixture(scope="module")
def environment(federation: Federation) -> Mapping[str, str]:
    """The environment that `make up` prints, in English, without other Paiza variables."""
    others = {name: text for name, text in os.environ.items() if not name.startswith("PAIZA_")}
    return {**others, "PAIZA_HOME": str(federation.home), "PAIZA_LANG": "en", "LANGUAGE": "en"}


def _from_now(hours: re.Match[str]) -> str:
    return f"{datetime.now(UTC) + timedelta(hours=int(hours[1])):%Y-%m-%dT%H:%MZ}"


def _sent_first(paiza: Paiza, federation: Federation, example: str) -> str:
    """Send what an example works on, wait until it is at the other node, and return its thread's name."""
    profile, *arguments = FIRST[example]
    sent = paiza(profile, *arguments, "--json").json
    recipient = "kaz" if profile.startswith("tjk") else "tjk"
    asyncio.run(asyncio.wait_for(arrives(federation, f"{recipient}-liaison", sent["id"]), 60))
    return str(sent["thread"])


@pytest.mark.parametrize("example", sorted(path.name for path in FOLDER.glob("*.py")))
def test_an_example_runs(
    paiza: Paiza,
    federation: Federation,
    environment: Mapping[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    example: str,
) -> None:
    """The example succeeds and prints its result; the notices it needs are at the node."""
    sent = paiza("tjk-liaison", "import", "seizures", FOLDER / "seizures.csv", "--rejects", tmp_path / "r.csv")
    assert sent.code == 0, sent.err
    monkeypatch.chdir(tmp_path)
    Path("cd-request.yaml").write_text(re.sub(r"\{\+(\d+)h\}", _from_now, CD_REQUEST.read_text("utf-8")), "utf-8")
    thread = _sent_first(paiza, federation, example) if example in FIRST else ""
    arguments, printed = RUNS[example]
    command = [sys.executable, str(FOLDER / example), *(thread if each == THREAD else each for each in arguments)]
    ran = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, check=False, text=True, timeout=100
    )
    assert ran.returncode == 0, ran.stderr
    assert printed in ran.stdout


@pytest.mark.parametrize("arguments", [(), ("--help",)])
@pytest.mark.parametrize("example", sorted(path.name for path in FOLDER.glob("*.py")))
def test_an_example_without_arguments_prints_how_it_is_run(
    monkeypatch: pytest.MonkeyPatch, example: str, arguments: tuple[str, ...]
) -> None:
    """The program ends with its docstring, which Python prints as an error: no traceback."""
    monkeypatch.setattr(sys, "argv", [example, *arguments])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(FOLDER / example), run_name="__main__")
    assert f"python examples/{example} " in str(ended.value.code)


@pytest.mark.parametrize("example", sorted(path.name for path in FOLDER.glob("*.py")))
def test_an_example_is_short_and_says_how_it_is_run(example: str) -> None:
    """At most forty lines, and a docstring with its own command in it."""
    text = (FOLDER / example).read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MAX_LINES
    assert f"python examples/{example} " in text
