"""The founding of a federation by files that three members carry between their folders."""

import io
import json
import shutil
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from paiza_cli.fingerprint_words import fingerprint_words
from paiza_register import carried, load_set
from paiza_register.register_file import RegisterFile
from paiza_trust import carried_files, signing
from paiza_trust.errors import TrustError
from paiza_trust.key_folder import KeyFolder
from paiza_wire.errors import Rejected
from tests.unit.paiza_trust.ceremony import FEDERATION, prepare, propose, trust
from tests.unit.paiza_trust.test_commands import run

MEMBERS = ("kaz", "tjk", "uzb")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make three members' folders, and a proposal that nobody has signed."""
    folder = tmp_path_factory.mktemp("federation")
    propose(folder, *(prepare(folder / member, member) for member in MEMBERS))
    return folder


@pytest.fixture
def folder(prepared: Path, tmp_path: Path) -> Path:
    """Return a copy of the folders that a test may change."""
    shutil.copytree(prepared, tmp_path / "copy")
    return tmp_path / "copy"


def sign(folder: Path, *members: str, file: str = "founding.proposal") -> None:
    """Sign a proposal with these members' keys."""
    for member in members:
        trust("sign", folder / file, "--keys", folder / member / "trust", "--yes")


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Run a command that must be refused; return the reason."""
    code, _, err = run(capsys, *arguments, "--json")
    assert code in {3, 4}
    return str(json.loads(err)["reason"])


def altered(path: Path, change: Callable[[Any], object]) -> None:
    """Change the values of a carried file, and write them in their one form."""
    values = json.loads(path.read_bytes())
    change(values)
    path.write_bytes(carried.canonical(values))


def test_all_founders_sign_and_the_register_verifies(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The threshold is not enough for the first root; with every signature the register is as its readers demand."""
    proposal, register = folder / "founding.proposal", folder / "founding.register"
    sign(folder, "kaz", "tjk")
    code, _, err = run(capsys, "publish", proposal, "--node", folder / "kaz/node", "-o", register)
    assert (code, "uzb" in err, register.exists()) == (3, True, False)
    sign(folder, "uzb")
    trust("publish", proposal, "--node", folder / "tjk/node", "-o", register)
    read = RegisterFile.read(register.read_bytes())
    verified = load_set(read.files, read.first_root, datetime.now(UTC))
    assert verified.federation == FEDERATION
    assert [member.id for member in verified.active_members()] == list(MEMBERS)
    assert "reference-substances.json" in verified.reference
    code, out, _ = run(capsys, "show", register)
    assert code == 0
    assert fingerprint_words(read.first_digest, "ru") in out


def test_copies_that_were_signed_apart_are_merged(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each signs a copy of their own; one of them merges the others', and a copy of something else is refused."""
    for member in MEMBERS:
        shutil.copy(folder / "founding.proposal", folder / f"{member}.proposal")
        sign(folder, member, file=f"{member}.proposal")
    trust("merge", folder / "kaz.proposal", folder / "tjk.proposal", folder / "uzb.proposal")
    merged = carried_files.proposal(folder / "kaz.proposal")
    assert merged.custodians(signed=True) == list(MEMBERS)
    trust("publish", folder / "kaz.proposal", "--node", folder / "kaz/node", "-o", folder / "founding.register")
    applications = [folder / f"{member}/{member}.application" for member in MEMBERS[:2]]
    (folder / "other").mkdir()
    other = propose(folder / "other", *applications)
    assert refused(capsys, "merge", folder / "kaz.proposal", other) == "conflict"


def test_a_custodian_signs_one_first_root_and_no_other(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was signed under a version is remembered before the signature: another content of it is never signed."""
    sign(folder, "kaz")
    sign(folder, "kaz")  # the same once more
    (folder / "other").mkdir()
    applications = [folder / f"{member}/{member}.application" for member in ("kaz", "tjk")]
    other = propose(folder / "other", *applications)
    before = other.read_bytes()
    assert refused(capsys, "sign", other, "--keys", folder / "kaz/trust", "--yes") == "conflict"
    assert other.read_bytes() == before
    records = [json.loads(line) for line in (folder / "kaz/trust/ceremonies.jsonl").read_text().splitlines()]
    assert [record["member"] for record in records] == ["kaz", "kaz"]
    assert {each["role"] for each in records[0]["signed"]} == {"root", "targets", "federation.reference"}
    assert records[0]["keys"][0] == {**records[0]["keys"][0], "name": "custodian-kaz", "token": None}


def test_the_record_is_written_before_the_signature(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash while the signatures are made leaves the digest remembered."""
    proposal = carried_files.proposal(folder / "founding.proposal")
    keys = KeyFolder(folder / "kaz/trust")
    custodian = signing.find_keys(keys, proposal)

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(type(custodian.signers[0]), "sign", crash)
    with pytest.raises(KeyboardInterrupt):
        signing.sign(keys, custodian, proposal, datetime.now(UTC))
    assert f"{FEDERATION} root 1" in (folder / "kaz/trust/signed.json").read_text()


def test_a_clock_behind_the_proposal_signs_nothing(folder: Path) -> None:
    """A custodian whose machine believes an earlier time than the proposal's does not sign."""
    proposal = carried_files.proposal(folder / "founding.proposal")
    keys = KeyFolder(folder / "kaz/trust")
    with pytest.raises(TrustError) as caught:
        signing.sign(keys, signing.find_keys(keys, proposal), proposal, proposal.act.time - timedelta(seconds=1))
    assert caught.value.reason == "clock_skew"
    assert not (folder / "kaz/trust/signed.json").exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda act: act.update(threshold=3),
        lambda act: act.update(threshold=1),
        lambda act: act.update(threshold="2"),
        lambda act: act["applications"].reverse(),
        lambda act: act["applications"].pop(),
        lambda act: act["applications"].append(act["applications"][0]),
        lambda act: act["names"].update(en="Another"),
        lambda act: act["names"].pop("ru"),
        lambda act: act.update(time="2020-01-01T00:00:00Z"),
        lambda act: act["documents"].update({"agreement-x.cedar": ""}),
        lambda act: act["documents"].pop("reference-substances.json"),
        lambda act: act["legal_bases"].clear(),
        lambda act: act.update(kind="admit"),
        lambda act: act.update(more=1),
    ],
)
def test_a_signed_proposal_cannot_be_changed(folder: Path, change: Callable[[Any], object]) -> None:
    """Any change of what was signed makes the file no proposal."""
    sign(folder, "kaz")
    altered(folder / "founding.proposal", lambda values: change(values["act"]))
    with pytest.raises(TrustError):
        carried_files.proposal(folder / "founding.proposal")


def test_signatures_of_others_are_refused(folder: Path) -> None:
    """A signature under another key, of another role, or of a role that is not changed makes the file no proposal."""
    sign(folder, "kaz", "tjk")
    values = json.loads((folder / "founding.proposal").read_bytes())
    ours, theirs = values["signatures"]["root"]
    wrong: Mapping[str, object]
    for wrong in (
        {"root": {ours: values["signatures"]["root"][theirs]}},
        {"root": {ours: values["signatures"]["targets"][ours]}},
        {"root": {"0" * 64: values["signatures"]["root"][ours]}},
        {"snapshot": {ours: values["signatures"]["root"][ours]}},
        {"root": []},
    ):
        (folder / "wrong").write_bytes(carried.canonical({**values, "signatures": wrong}))
        with pytest.raises(TrustError):
            carried_files.proposal(folder / "wrong")


def test_a_stranger_signs_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Keys of a member that is not among the founders, or of one under its name, do not sign."""
    prepare(folder / "kgz", "kgz")
    proposal = folder / "founding.proposal"
    assert refused(capsys, "sign", proposal, "--keys", folder / "kgz/trust", "--yes") == "file_unreadable"
    for path in (folder / "kgz/trust").glob("custodian-kgz-*"):
        path.rename(path.with_name(path.name.replace("kgz", "kaz")))
    assert refused(capsys, "sign", proposal, "--keys", folder / "kgz/trust", "--yes") == "bad_key"
    trust("sign", proposal, "--keys", folder / "uzb/trust", "--yes")
    assert refused(capsys, "publish", proposal, "--node", folder / "kgz/node", "-o", folder / "r") == "bad_key"


def test_what_founds_no_federation_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A threshold of a minority or of all, a member twice, another federation's name, and a file that is there."""
    own = [folder / f"{member}/{member}.application" for member in MEMBERS]
    for threshold in (0, 1, 3, 4):
        code, _, err = run(capsys, "found", FEDERATION, *own, "--threshold", threshold, "-o", folder / "a", "--json")
        error = json.loads(err)
        assert (code, error["reason"], error["where"]) == (3, "malformed", f"--threshold {threshold}")
        assert "with 3 custodians: 2." in error["remedy"]
    twice = (own[0], own[0], own[1])
    assert refused(capsys, "found", FEDERATION, *twice, "--threshold", 2, "-o", folder / "a") == "conflict"
    assert refused(capsys, "found", "other.example", *own, "--threshold", 2, "-o", folder / "a") == "conflict"
    assert refused(capsys, "found", FEDERATION, *own, "--threshold", 2, "-o", own[0]) == "file_unwritable"
    assert refused(capsys, "found", FEDERATION, folder / "kaz/node", "--threshold", 1, "-o", folder / "a")
    assert not (folder / "a").exists()


def test_both_languages_are_shown_and_a_no_signs_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`sign` shows every member's names and fingerprints in Russian and English; who answers no has signed nothing."""
    proposal = folder / "founding.proposal"
    before = proposal.read_bytes()
    _, out, _ = run(capsys, "show", proposal, "--lang", "ru")
    assert "Подписали: никто\n" in out
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    code, out, _ = run(capsys, "sign", proposal, "--keys", folder / "kaz/trust")
    assert (code, proposal.read_bytes()) == (130, before)
    assert not (folder / "kaz/trust/signed.json").exists()
    for member in MEMBERS:
        application = carried_files.application(folder / f"{member}/{member}.application")
        for language in ("ru", "en"):
            assert fingerprint_words(application.fingerprint, language) in out
            assert application.own.names[language] in out
    assert fingerprint_words(carried_files.proposal(proposal).fingerprint, "ru") in out


def test_a_register_file_is_of_one_form(folder: Path) -> None:
    """A register whose digests are of other roots, that lacks the first root, or that is no file of ours is refused."""
    sign(folder, *MEMBERS)
    trust("publish", folder / "founding.proposal", "--node", folder / "kaz/node", "-o", folder / "r")
    values = json.loads((folder / "r").read_bytes())
    change: Mapping[str, object]
    for change in (
        {"first_root": "0" * 64},
        {"newest_root": "0" * 64},
        {"files": {}},
        {"files": {**values["files"], "metadata/1.root.json": "?"}},
        {"format": 2},
        {"type": "proposal"},
        {"more": 1},
    ):
        with pytest.raises(Rejected):
            RegisterFile.read(carried.canonical({**values, **change}))
    with pytest.raises(Rejected):
        RegisterFile.read((folder / "r").read_bytes() + b"\n")
