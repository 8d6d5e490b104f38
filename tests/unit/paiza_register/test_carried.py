"""Carried files before anything in them is verified: their carrier may have filled them to exhaust a memory."""

import json

import pytest

from paiza_register import carried
from paiza_register.documents import Fields
from paiza_register.register_file import KIND, MAX_VALUES, RegisterFile
from paiza_wire.errors import Rejected
from tests.unit.paiza_register.conftest import Holder


def test_the_type_of_a_file_is_found_without_parsing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit of each type is known before a file of it is parsed."""
    data = carried.write("application", {"proofs": {}, "statement": {"type": "register"}})

    def parse(_data: bytes) -> object:
        pytest.fail("parsed before its limit was known")

    monkeypatch.setattr(json, "loads", parse)
    assert carried.kind_of(data) == "application"
    assert not carried.kind_of(b"[" + b"[]," * 100_000 + b"0]\n")
    with pytest.raises(Rejected, match="bytes"):
        carried.read("application", data, {"proofs", "statement"}, len(data) - 1)


@pytest.mark.parametrize("files", [{str(at): "" for at in range(MAX_VALUES)}, {"metadata/1.root.json": []}])
def test_a_register_of_many_small_values_is_not_parsed(files: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """They take thirty times their bytes in memory, and a register may be large."""
    data = carried.write(KIND, {"first_root": "", "newest_root": "", "files": files})
    monkeypatch.setattr(json, "loads", lambda _data: pytest.fail("parsed"))
    with pytest.raises(Rejected, match="not in its one form"):
        RegisterFile.read(data)


@pytest.mark.parametrize("value", [b"[]", b"{}", b"0", b'""'])
def test_a_file_of_many_small_values_is_not_parsed(value: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """6 MiB of them stop everything else in the process for a second."""
    data = b"[" + b",".join([value] * (1 << 20)) + b"]"
    monkeypatch.setattr(json, "loads", lambda *_, **__: pytest.fail("parsed"))
    with pytest.raises(Rejected, match="too many values"):
        carried.read("proposal", data, {"act"}, len(data))
    with pytest.raises(Rejected, match="too many values"):
        Fields.load("member.json", data)


def test_no_file_of_a_register_is_crowded(holder: Holder) -> None:
    """Reference data are the densest."""
    for data in holder.files().values():
        assert not carried.is_crowded(data)
