"""Fixtures for every test: the repository's root and the shared folder of real records and vectors.

A run ends with one line on the tests skipped because that folder is missing.
"""

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from paiza_wire.identity import sealing

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("PAIZA_SHARED", ROOT.parent / "shared"))


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


class RememberedScrypt:
    """scrypt that gives for a salt and a passphrase what it gave before."""

    def __init__(self, *work: Any) -> None:
        self._work = work

    def derive(self, passphrase: bytes) -> bytes:
        """Return the key."""
        return _derived(passphrase, *self._work)


@cache
def _derived(passphrase: bytes, *work: Any) -> bytes:
    return Scrypt(*work).derive(passphrase)


@pytest.fixture(scope="session", autouse=True)
def _scrypt_is_remembered() -> Iterator[None]:
    """Run scrypt once for a salt and a passphrase: it takes 0.2 s on purpose, and tests open the same folders often."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sealing, "Scrypt", RememberedScrypt)
        yield


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's root."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The shared folder, with `data/` and `vectors/`; for tests marked `realdata`."""
    return SHARED
