"""The tables to be imported: each is there wholly or not at all, and one that is not keeps no other from being seen."""

import io
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import IO, TYPE_CHECKING, cast

import pytest
from typing_extensions import override

from paiza_client.data.imports.maps import MAX_MAP_BYTES
from paiza_client.web import import_store
from paiza_officer.errors import Refused, Unreachable

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


class Endless(io.RawIOBase):
    """A file that has no end; ``taken`` are the bytes read of it."""

    taken = 0

    @override
    def readable(self) -> bool:
        return True

    @override
    def read(self, size: int = -1, /) -> bytes:
        assert size >= 0, "read to an end that never comes"
        self.taken += size
        return b"#" * size


def test_of_a_map_no_more_is_read_than_may_be_kept() -> None:
    """A larger one is refused by its first bytes; a byte-order mark counts as none."""
    endless = Endless()
    with pytest.raises(Refused, match="too_large"):
        import_store.read_map("map.toml", cast("IO[bytes]", endless))
    assert endless.taken <= MAX_MAP_BYTES + 4
    largest = b"#" * MAX_MAP_BYTES
    assert len(import_store.read_map("map.toml", io.BytesIO(b"\xef\xbb\xbf" + largest))) == MAX_MAP_BYTES
    with pytest.raises(Refused, match="too_large"):
        import_store.read_map("map.toml", io.BytesIO(largest + b"#"))
    with pytest.raises(Refused, match="bad_map"):
        import_store.read_map("map.toml", io.BytesIO(b'source = "\xff"'))


def test_what_a_killed_process_was_receiving_goes_at_the_start(tmp_path: Path) -> None:
    """So does what it was deleting; what is there wholly stays."""
    profile = cast("Profile", SimpleNamespace(folder=tmp_path))
    assert import_store.clear_unfinished(profile) == 0
    whole = import_store.add(profile, "whole.csv", io.BytesIO(TABLE))
    half = import_store.add(profile, "half.csv", io.BytesIO(TABLE))
    (half.folder / "about.json").unlink()  # it is written last
    assert import_store.clear_unfinished(profile) == 1
    assert [each.id for each in import_store.listed(profile)] == [whole.id]
    assert [each.name for each in (tmp_path / import_store.FOLDER).iterdir()] == [whole.id]


def test_a_table_that_is_being_deleted_is_not_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash between its files leaves nothing that the list trips over."""
    profile = cast("Profile", SimpleNamespace(folder=tmp_path))
    stored = import_store.add(profile, "whole.csv", io.BytesIO(TABLE))

    def crash(folder: Path) -> None:
        (folder / "table.csv").unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(shutil, "rmtree", crash)
        with pytest.raises(KeyboardInterrupt):
            stored.delete()
    assert import_store.listed(profile) == []
    assert import_store.clear_unfinished(profile) == 1
