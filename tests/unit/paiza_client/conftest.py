"""Shared fixtures of the client's tests: a clean environment, and a language that does not leak into the next test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from paiza_client import language


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Return every test its own empty home, and English."""
    for name in ("PAIZA_PROFILE", "PAIZA_LANG", "PAIZA_PASSPHRASE_FILE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANGUAGE", "en")
    monkeypatch.setenv("PAIZA_HOME", str(tmp_path / "home"))
    language.use("en")
    yield
    language.use("en")
