"""`paiza unlock` and `paiza lock`."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from paiza_cli.exit_codes import ExitCode
from paiza_client.__main__ import run as paiza
from paiza_officer.agent import client
from tests.unit.paiza_officer.test_profiles import PASSPHRASE, make


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a profile whose passphrase stands in a file."""
    passphrase = tmp_path / "passphrase"
    passphrase.write_bytes(PASSPHRASE)
    passphrase.chmod(0o600)
    monkeypatch.setenv("PAIZA_PASSPHRASE_FILE", str(passphrase))
    monkeypatch.setenv("PAIZA_HOME", str(tmp_path / "home"))
    with tempfile.TemporaryDirectory(prefix="paiza-") as runtime:
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
        made = make(tmp_path / "home", passphrase=PASSPHRASE)
        yield made
        client.lock(made)


def told(capfd: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """Run a command and return what it prints."""
    code = paiza([*arguments, "--json"])
    out, err = capfd.readouterr()
    found: dict[str, Any] = json.loads(out if code == ExitCode.OK else err)
    return found


def test_keys_are_opened_and_closed(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The profile is named, and locking twice is no error."""
    assert told(capfd, "unlock", "--for", "2h")["profile"] == folder.name
    assert told(capfd, "lock") == {"profile": folder.name, "closed": True}
    assert told(capfd, "lock") == {"profile": folder.name, "closed": False}


def test_a_wrong_passphrase_is_told_as_everywhere(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The error of the agent's process is the command's own."""
    (tmp_path / "passphrase").write_text("wrong")
    error = told(capfd, "unlock")
    assert (error["reason"], error["exit_code"]) == ("bad_passphrase", ExitCode.PROFILE)
    assert error["where"].startswith(str(folder))


@pytest.mark.parametrize("length", ["13h", "0m", "30", "1d", "-1h", "721m"])
def test_only_a_working_day_is_a_length(folder: Path, capfd: pytest.CaptureFixture[str], length: str) -> None:
    """Keys do not stay open overnight."""
    error = told(capfd, "unlock", f"--for={length}")
    assert (error["reason"], error["exit_code"]) == ("usage", ExitCode.USAGE)
    assert folder.exists()
