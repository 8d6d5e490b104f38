"""A register that is many roots old: all of them are followed, and they leave room for everything else."""

from pathlib import Path

import pytest

from paiza_register import RegisterReader, load_set
from paiza_register import tuf_workflow as limits
from paiza_wire.errors import Rejected
from tests.two_verifiers import second_verifier
from tests.unit.paiza_register.conftest import NOW, Holder, Source

ROOTS = 320  # python-tuf by itself stops at 257 of them


@pytest.fixture(scope="module")
def old(made: Holder) -> dict[str, bytes]:
    """Return the files of a register with that many roots."""
    holder = made.copy()
    for _ in range(ROOTS - 1):
        holder.rotate_root()
    return holder.files()


def test_hundreds_of_roots_are_followed(made: Holder, old: dict[str, bytes], tmp_path: Path) -> None:
    """The reader, the verification of a set alone, and the second verifier come to the last root."""
    reader = RegisterReader(tmp_path / "reader", made.bootstrap)
    read = reader.refresh(NOW, Source(old))
    assert read.role_versions["root"] == ROOTS
    assert read == load_set(old, made.bootstrap, NOW) == reader.archived(read.version)
    assert second_verifier().Register(old, made.bootstrap).version == read.version.hex()


def test_one_missing_root_ends_the_chain(made: Holder, old: dict[str, bytes]) -> None:
    """Roots behind a gap are never reached: the set is judged by the last root before it."""
    files = {path: data for path, data in old.items() if path != "metadata/300.root.json"}
    assert load_set(files, made.bootstrap, NOW).role_versions["root"] == 299


def test_roots_have_a_limit_of_their_own(made: Holder, old: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """As many roots as the limit are read; more of them, and one too large, are refused."""
    monkeypatch.setattr(limits, "MAX_ROOTS", ROOTS)
    load_set(old, made.bootstrap, NOW)
    with pytest.raises(Rejected, match="too many roots"):
        load_set({**old, f"metadata/{ROOTS + 1}.root.json": b"{}"}, made.bootstrap, NOW)
    with pytest.raises(Rejected, match="too large"):
        load_set({**old, "metadata/7.root.json": bytes(limits.MAX_METADATA_BYTES + 1)}, made.bootstrap, NOW)
