"""Every program in examples runs against real nodes, as its docstring says."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from tests.federation import Federation
from tests.integration.client.conftest import Paiza

FOLDER: Final = Path(__file__).parents[3] / "examples"
MAX_LINES: Final = 40  # an example is read at one glance

# Arguments, and what is printed in the end. A further example needs its line here.
RUNS: Final[Mapping[str, tuple[tuple[str, ...], str]]] = {
    "count_seizures.py": (("tjk-liaison",), "Heroin\t"),
    "export_unodc.py": (("tjk-liaison", "rows.csv"), "notices written to rows.csv, marked TLP:AMBER"),
    "import_seizures.py": (("kaz-liaison", str(FOLDER / "seizures.csv")), "3 sent in "),
}


@pytest.fixture(scope="module")
def environment(federation: Federation) -> Mapping[str, str]:
    """What `make up` tells to set, in English, and nothing else of ours."""
    others = {name: text for name, text in os.environ.items() if not name.startswith("PAIZA_")}
    return {**others, "PAIZA_HOME": str(federation.home), "PAIZA_LANG": "en", "LANGUAGE": "en"}


@pytest.mark.parametrize("example", sorted(path.name for path in FOLDER.glob("*.py")))
def test_an_example_runs(paiza: Paiza, environment: Mapping[str, str], tmp_path: Path, example: str) -> None:
    """It ends well and prints what it is for; the notices it may need are at the node."""
    sent = paiza("tjk-liaison", "import", "seizures", FOLDER / "seizures.csv", "--rejects", tmp_path / "r.csv")
    assert sent.code == 0, sent.err
    arguments, printed = RUNS[example]
    command = [sys.executable, str(FOLDER / example), *arguments]
    ran = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, check=False, text=True, timeout=100
    )
    assert ran.returncode == 0, ran.stderr
    assert printed in ran.stdout


@pytest.mark.parametrize("example", sorted(path.name for path in FOLDER.glob("*.py")))
def test_an_example_is_short_and_says_how_it_is_run(example: str) -> None:
    """At most forty lines, and a docstring with its own command in it."""
    text = (FOLDER / example).read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MAX_LINES
    assert f"python examples/{example} " in text
