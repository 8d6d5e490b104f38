"""`paiza audit verify` for a third party: no profile, no node, both languages, and exit codes."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from paiza_cli.exit_codes import ExitCode
from paiza_client.__main__ import run
from paiza_client.evidence import evidence
from paiza_client.sdk import wording
from tests.evidence import ANNEX, PHOTO, Court


@pytest.fixture(scope="module")
def court(tmp_path_factory: pytest.TempPathFactory) -> Court:
    """Five members' logs and keys."""
    return Court(tmp_path_factory.mktemp("court") / "federation")


@pytest.fixture(autouse=True)
def _stranger(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Remove everything of Paiza from the environment except the program."""
    for name in ("PAIZA_PROFILE", "PAIZA_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PAIZA_HOME", str(tmp_path / "nothing"))
    monkeypatch.setenv("COLUMNS", "300")


def asked(court: Court, tmp_path: Path, data: bytes, *words: str) -> list[str]:
    """Write a file and the command that verifies it."""
    (tmp_path / "evidence.zip").write_bytes(data)
    root = str(court.folder / "root.json")
    return ["audit", "verify", str(tmp_path / "evidence.zip"), "--root", root, *words]


def test_each_claim_with_its_time_and_proof(court: Court, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Times proven by other states are distinguished from times stated by the log alone, in both languages."""
    case = court.case(recipients=["tjk"]).release().receive("tjk").witness("answers")
    file = case.pack()
    for lang, words in {
        "en": [
            "The evidence holds.",
            "officer/liaison (liaison officer)",
            "this log's own word",
            "not before",
            "(witnesses: 4 of 4)",
            "the author's log alone",
        ],
        "ru": [
            "Доказательство подтверждается.",
            "officer/liaison (офицер связи)",
            "только по данным этого журнала",
            "не раньше",
            "(узлы-свидетели: 4 из 4)",
        ],
    }.items():
        assert run(asked(court, tmp_path, file, "--lang", lang)) == 0
        printed = capsys.readouterr()
        for word in words:
            assert word in printed.out + printed.err


def test_a_proven_time_ends_with_its_second(court: Court, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Witnesses write whole seconds: the printed end is not before a log's time within that second."""
    file = court.case(recipients=["tjk"]).release().witness(before=None, seconds=0.0).pack()
    (released,) = evidence.verify_file(file, court.root).released
    assert released.interval is not None
    end = released.interval.not_after + timedelta(seconds=1)
    assert end > released.proof.time
    assert run(asked(court, tmp_path, file, "--lang", "en")) == 0
    assert f"not after {wording.when(end)} (witnesses: 4 of 4)" in capsys.readouterr().out


def test_what_speaks_against_a_file_is_said(court: Court, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Contradicted times, missing answers and ciphertexts left out are named; the rest holds all the same."""
    case = court.case().release().receive("tjk").witness(before=None)
    assert run(asked(court, tmp_path, case.pack(), "--json")) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["unproven_answers"] == ["uzb"]
    assert not found["released"][0]["time_contradicted"]
    case.witness("released", 1, seconds=-3600.0, before=None)
    assert run(asked(court, tmp_path, case.pack(), "--lang", "en")) == 0
    printed = capsys.readouterr()
    assert "its witnesses contradict the time that the log gives it" in printed.err
    assert "Not in this file: an answer of uzb." in printed.err


def test_the_first_thing_that_fails_is_named(court: Court, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A changed file says where it fails, with the exit code of what is not proven; so does another federation's."""
    file = court.case(recipients=["tjk"]).release().pack()
    assert run(asked(court, tmp_path, file[:-1], "--json")) == ExitCode.NOT_PROVEN
    told = json.loads(capsys.readouterr().err)
    assert told["reason"] == "bad_evidence"
    assert str(tmp_path / "evidence.zip") in told["where"]
    other = Court(tmp_path / "other", ["kaz", "tjk"])
    assert run(asked(other, tmp_path, file, "--json")) == ExitCode.NOT_PROVEN
    assert json.loads(capsys.readouterr().err)["reason"] == "register_invalid"


def test_disclosed_parts_are_written_for_people(
    court: Court, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each part as it was sealed, a known kind also as JSON, a file under no name of its sender's; nothing twice."""
    case = court.case(annex=True, attachment=True).release()
    folder = tmp_path / "parts"
    assert run(asked(court, tmp_path, case.pack([0, 1, 2]), "--extract", str(folder))) == 0
    assert sorted(path.name for path in folder.iterdir()) == [
        "part-0.bin", "part-0.json", "part-1.bin", "part-2.bin", "part-2.json",
    ]  # fmt: skip
    assert json.loads((folder / "part-0.json").read_text())["subject"] == "Exercise"
    assert (folder / "part-1.bin").read_bytes() == ANNEX
    assert (folder / "part-2.bin").read_bytes() == PHOTO
    assert json.loads((folder / "part-2.json").read_text())["name"] == "photo.png"
    assert all(path.stat().st_mode & 0o77 == 0 for path in folder.iterdir())
    capsys.readouterr()
    assert run(asked(court, tmp_path, case.pack([0]), "--extract", str(folder), "--json")) == ExitCode.REFUSED
    assert json.loads(capsys.readouterr().err)["reason"] == "file_unwritable"


@pytest.mark.parametrize(
    ("lang", "holds", "nothing"),
    [
        ("en", "The evidence holds.", "No part is disclosed in this file; nothing was written."),
        ("ru", "Доказательство подтверждается.", "В этом файле не раскрыта ни одна часть; ничего не записано."),
    ],
)
def test_a_file_without_a_disclosed_part_is_reported_all_the_same(
    court: Court, tmp_path: Path, capsys: pytest.CaptureFixture[str], lang: str, holds: str, nothing: str
) -> None:
    """The report of the verification is printed with --extract as without it, and no folder is made."""
    folder = tmp_path / "parts"
    words = ("--extract", str(folder))
    file = court.case(recipients=["tjk"]).release().pack()
    assert run(asked(court, tmp_path, file, *words, "--lang", lang)) == 0
    printed = capsys.readouterr()
    assert holds in printed.out
    assert nothing in printed.err
    assert run(asked(court, tmp_path, file, *words, "--json")) == 0
    assert json.loads(capsys.readouterr().out)["extracted"] == []
    assert not folder.exists()
