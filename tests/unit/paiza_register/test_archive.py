"""A request for an archived set may name anything."""

from pathlib import Path

import pytest

from paiza_register.archive import Archive


@pytest.mark.parametrize("version", [b"", bytes(31), bytes(33), bytes(1000), bytes(100_000)])
def test_what_is_no_version_names_no_set(version: bytes, tmp_path: Path) -> None:
    """An impossible file name is not looked up."""
    assert Archive(tmp_path).files(version) is None
    assert Archive(tmp_path).set(version) is None
    assert Archive(tmp_path).blob(version) is None
