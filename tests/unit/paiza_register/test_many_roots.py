"""A register that is many roots old: all of them are followed, and they leave room for everything else."""

from pathlib import Path
from time import process_time

import pytest

from paiza_register import RegisterReader, load_set
from paiza_register import tuf_workflow as limits
from paiza_register.tuf_workflow import root_path
from paiza_wire.errors import Rejected
from tests.two_verifiers import second_verifier
from tests.unit.paiza_register.conftest import NOW, Holder, Source

ROOTS = 1000
SOME = 300  # python-tuf by itself stops at 257 of them


@pytest.fixture(scope="module")
def old(made: Holder) -> dict[str, bytes]:
    """Return the files of a register with that many roots."""
    holder = made.copy().advance()
    for _ in range(ROOTS - 1):
        holder.rotate_root()
    return holder.files()


@pytest.fixture(scope="module")
def some(old: dict[str, bytes]) -> dict[str, bytes]:
    """Return the files of the register with some of its roots."""
    return {
        path: data for path, data in old.items() if path not in {root_path(each) for each in range(SOME + 1, ROOTS + 1)}
    }


def test_hundreds_of_roots_are_followed(made: Holder, some: dict[str, bytes], tmp_path: Path) -> None:
    """The reader, the verification of a set alone, and the second verifier come to the last root."""
    reader = RegisterReader(tmp_path / "reader", made.bootstrap)
    read = reader.refresh(NOW, Source(some))
    assert read.role_versions["root"] == SOME
    assert read == load_set(some, made.bootstrap, NOW) == reader.archived(read.version)
    assert second_verifier().Register(some, made.bootstrap).version == read.version.hex()


def test_a_reader_that_slept_through_all_changes_catches_up(
    made: Holder, old: dict[str, bytes], tmp_path: Path
) -> None:
    """It has root 1 and fetches all others once; a start verifies none of them again, and reads only the newest."""
    folder = tmp_path / "reader"
    RegisterReader(folder, made.bootstrap).refresh(NOW, Source(made.copy().files()))
    source = Source(old)
    began = process_time()
    read = RegisterReader(folder, made.bootstrap).refresh(NOW, source)
    cold = process_time() - began
    assert read.root_version == ROOTS
    assert len(source.asked) == len(set(source.asked))
    for version in range(2, ROOTS):
        (folder / f"roots/{version}").unlink()  # nobody looks
    began = process_time()
    assert RegisterReader(folder, made.bootstrap).current(NOW) == read
    warm = process_time() - began
    assert warm < cold / 5, f"{warm:.2f} s of a processor against {cold:.2f} s"
    source.asked.clear()
    RegisterReader(folder, made.bootstrap).refresh(NOW, source)
    assert source.asked == [f"metadata/{ROOTS + 1}.root.json", "metadata/timestamp.json"]


def test_one_missing_root_ends_the_chain(made: Holder, some: dict[str, bytes]) -> None:
    """Roots behind a gap are never reached: the set is judged by the last root before it."""
    files = {path: data for path, data in some.items() if path != "metadata/200.root.json"}
    assert load_set(files, made.bootstrap, NOW).role_versions["root"] == 199


def test_roots_have_a_limit_of_their_own(made: Holder, some: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """As many roots as the limit are read; more of them, and one too large, are refused."""
    monkeypatch.setattr(limits, "MAX_ROOTS", SOME)
    load_set(some, made.bootstrap, NOW)
    with pytest.raises(Rejected, match="too many roots"):
        load_set({**some, f"metadata/{SOME + 1}.root.json": b"{}"}, made.bootstrap, NOW)
    with pytest.raises(Rejected, match="too large"):
        load_set({**some, "metadata/7.root.json": bytes(limits.MAX_METADATA_BYTES + 1)}, made.bootstrap, NOW)
