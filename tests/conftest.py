"""Fixtures for every test: the repository's root and the shared folder of real records and vectors.

A run ends with one line on the tests skipped because that folder is missing.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.remembered import remembering

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("PAIZA_SHARED", ROOT.parent / "shared"))

# The modules with a program's language, which is one for its process.
LANGUAGES = ("paiza_client.language", "paiza_client.web.language", "paiza_node.ops.language", "paiza_trust.language")

# Property tests draw the same examples in every run, and none has a deadline: a run fails by what was changed, and not
# by what was drawn or by a machine that was busy. `--hypothesis-profile=default` draws others.
settings.load_profile("ci")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs the shared folder where there is none, and say so."""
    if (SHARED / "data").is_dir():
        return
    absent = pytest.mark.skip(reason=f"no shared folder at {SHARED}: name it with PAIZA_SHARED")
    for item in items:
        if item.get_closest_marker("realdata"):
            item.add_marker(absent)


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the run with one line on what was skipped without the shared folder; after all that pytest itself prints."""
    terminal: pytest.TerminalReporter | None = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is None or hasattr(config, "workerinput") or config.option.collectonly:
        return
    skipped = [report for report in terminal.stats.get("skipped", []) if "realdata" in report.keywords]
    files = sorted({report.location[0] for report in skipped})
    what = f"{len(skipped)}, of {', '.join(files)}" if skipped else "none"
    terminal.write_line(f"Tests skipped for want of the shared folder {SHARED}: {what}")


@pytest.fixture(scope="session", autouse=True)
def _remembering() -> Iterator[None]:
    """Derive keys and make schemas once."""
    with remembering():
        yield


@pytest.fixture(autouse=True)
def _in_english() -> None:
    """Begin in English, whatever the test before spoke: which one that was is chance."""
    for module in [sys.modules[name] for name in LANGUAGES if name in sys.modules]:
        if module._CATALOGUE.language != "en":
            module.use("en")


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's root."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The shared folder, with `data/` and `vectors/`; for tests marked `realdata`."""
    return SHARED
