"""Shared fixtures of the tests of an officer's connection: a clean environment."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Return every test its own empty home."""
    monkeypatch.delenv("PAIZA_PROFILE", raising=False)
    monkeypatch.setenv("PAIZA_HOME", str(tmp_path / "home"))
