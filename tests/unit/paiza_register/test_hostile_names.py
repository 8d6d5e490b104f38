"""File names of one member are limited to those that every member's disk accepts."""

from pathlib import Path

import pytest

from paiza_register import RegisterReader
from tests.unit.paiza_register.conftest import NOW, Holder, Source


@pytest.mark.parametrize("name", ["n" * 240, "\N{CYRILLIC SMALL LETTER YA}" * 60, "a\0b", "..", "x\x1b[2J"])
def test_name_that_is_no_plain_file_name_is_its_members_fault(holder: Holder, tmp_path: Path, name: str) -> None:
    """A member that signs a file with such a name is unusable, in our own words, and nothing of it is written."""
    hostile = holder.copy()
    hostile.put(f"members/tjk/{name}", b"Exercise")
    reader = RegisterReader(tmp_path / "reader", holder.bootstrap)
    register = reader.refresh(NOW, Source(hostile.advance().files()))
    assert set(register.unusable) == {"tjk"}
    assert "name" in register.unusable["tjk"]
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.read_bytes() == b"Exercise"]
