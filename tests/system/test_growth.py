"""The benchmark of growth runs to its end: the stores that it fills hold what its calls ask for."""

import json
import sys
from pathlib import Path

import pytest

from tests.bench import growth, store_rows


def test_every_call_is_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With two small stores each call has a ratio, and the large one starts and verifies."""
    monkeypatch.setattr(growth, "RESULTS", tmp_path)
    monkeypatch.setattr(growth, "ROUNDS", 1)
    monkeypatch.setattr(growth, "CALLS", 2)
    monkeypatch.setattr(store_rows, "REPEATS", 1)
    monkeypatch.setattr(sys, "argv", ["growth", "--small", "1000", "--large", "2000"])
    assert growth.main() == 0
    (written,) = tmp_path.glob("*.json")
    document = json.loads(written.read_text())
    assert not document["missing"]
    names = [figure["name"] for figure in document["figures"]]
    assert len(names) == len(growth.CALLS_MADE) + 2, names
