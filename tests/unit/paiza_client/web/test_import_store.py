"""The tables to be imported: each is there wholly or not at all, and one that is not keeps no other from being seen."""

import io
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from typing_extensions import override

from paiza_client.web import import_store
from paiza_officer.errors import Unreachable

if TYPE_CHECKING:
    from paiza_officer.profiles import Profile

TABLE = b"Date,Member\n2024-03-01,KAZ\n"


class Unfinished(io.BytesIO):
    """A table whose second piece finds the disk full, and shows first what is listed meanwhile."""

    def __init__(self, profile: "Profile") -> None:
        super().__init__(TABLE)
        self.profile = profile
        self.meanwhile: list[str] = []

    @override
    def read(self, size: int | None = -1) -> bytes:
        if self.tell():
            self.meanwhile = [each.choices.name for each in import_store.listed(self.profile)]
            raise OSError(28, "No space left on device")
        return super().read(4)


def test_a_table_that_did_not_fit_hides_no_other(tmp_path: Path) -> None:
    """While it is written it is not listed, and nothing of it stays."""
    profile = cast("Profile", SimpleNamespace(folder=tmp_path))
    import_store.add(profile, "whole.csv", io.BytesIO(TABLE))
    table = Unfinished(profile)
    with pytest.raises(Unreachable, match="disk_full"):
        import_store.add(profile, "half.csv", table)
    assert table.meanwhile == ["whole.csv"]
    assert [each.choices.name for each in import_store.listed(profile)] == ["whole.csv"]
    assert len(list((tmp_path / import_store.FOLDER).iterdir())) == 1
