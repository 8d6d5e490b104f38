"""Reference data travel with the register and decide nothing about it."""

import json
from pathlib import Path

import pytest

from paiza_domain import directory, reference
from paiza_register import RegisterReader, load_set
from paiza_wire.errors import Rejected
from tests.unit.paiza_register.conftest import NOW, Holder, Source


@pytest.mark.parametrize("data", [b"", b"not JSON", b"{}", b"\xff" * 10])
def test_a_broken_reference_file_stops_nobody(holder: Holder, data: bytes) -> None:
    """The register with a file that means nothing is believed; who reads the file is told, and has all others."""
    holder.put("reference-controls.json", data)
    register = holder.load()
    assert register.reference["reference-controls.json"] == data
    found = reference.read(register.reference)
    assert {each.path.split(":")[0] for each in found.problems} == {"reference-controls.json"}
    assert "heroin" in found.substances
    assert "kaz" in found.profiles


@pytest.mark.parametrize("data", [b"", b"not JSON", b"{}", b"\xff" * 10, b"[" * 300_000])
def test_a_broken_directory_stops_nobody(holder: Holder, data: bytes) -> None:
    """A member whose directory is malformed stays usable, and so do the directories of the others."""
    holder.put("members/kaz/liaison.json", data)
    register = holder.load()
    assert "kaz" in register.members
    assert directory.published(register.reference, "kaz").state is directory.State.UNUSABLE
    assert directory.published(register.reference, "tjk").state is directory.State.PUBLISHED


def test_a_directory_is_of_the_role_of_the_node(holder: Holder) -> None:
    """With its own key the member publishes no directory: two of them could contradict each other."""
    holder.drop("members/kaz/liaison.json")
    holder.put("members/kaz/liaison.json", b"{}", role="kaz")
    assert "another role's" in holder.load().unusable["kaz"]


def test_only_what_is_vouched_for_is_reference_data(holder: Holder) -> None:
    """A member that publishes shared data is at fault itself, and files of other names are no reference data."""
    holder.put("members/kaz/notes.json", b"{}")
    holder.put("note.json", b"{}")
    assert not {"members/kaz/notes.json", "note.json"} & set(holder.load().reference)
    holder.put("reference-substances.json", holder.documents["reference-substances.json"], role="kaz")
    assert "another role's" in holder.load().unusable["kaz"]


def test_the_register_commits_to_the_reference_data(holder: Holder) -> None:
    """Other bytes than those signed are refused with the whole set, as for any file."""
    files = holder.files()
    (name,) = (path for path in files if path.endswith(".reference-substances.json"))
    document = json.loads(files[name])
    document["substances"].pop()
    files[name] = json.dumps(document).encode()
    with pytest.raises(Rejected) as refused:
        load_set(files, holder.bootstrap, NOW)
    assert refused.value.reason == "register_invalid"


def test_what_dev_publishes_is_sound(holder: Holder) -> None:
    """The data that come with the program are read without a complaint."""
    register = holder.load()
    directories = [directory.published(register.reference, each) for each in register.members]
    assert {each.state for each in directories} == {directory.State.PUBLISHED}
    found = reference.read(register.reference)
    assert found.problems == ()
    assert {"kaz", "tjk"} <= set(found.profiles)
    assert "centre" not in found.profiles


def test_an_archived_register_keeps_the_reference_data_of_its_time(tmp_path: Path, holder: Holder) -> None:
    """The reference data at the time of a message can be read again from the version that it names."""
    source = Source(holder.files())
    reader = RegisterReader(tmp_path / "reader", holder.bootstrap)
    before = reader.refresh(NOW, source)
    holder.advance().put("reference-substances.json", b'{"format": 1}')
    source.files = holder.files()
    after = reader.refresh(NOW, source)
    assert reference.read(after.reference).substances == {}
    assert "heroin" in reference.read(reader.archived(before.version).reference).substances
