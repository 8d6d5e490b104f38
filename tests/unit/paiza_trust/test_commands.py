"""The `paiza-trust` program: output, errors and exit codes."""

import json
from pathlib import Path

import pytest

from paiza_register.register_file import RegisterFile
from paiza_trust import dev
from paiza_trust.__main__ import main


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """Run a command in this process; gives exit code, output and error output."""
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    assert isinstance(stopped.value.code, int)
    return stopped.value.code, captured.out, captured.err


def test_dev_and_show(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`dev` says how to go on; `show` prints what the verified register says."""
    folder = tmp_path / "federation"
    code, out, _ = run(capsys, "dev", folder, "--members", "kaz, tjk")
    assert code == 0
    assert f"paiza-node run --config {folder}/nodes/tjk/node.toml" in out
    code, out, _ = run(capsys, "show", folder / "founding.register")
    assert code == 0
    assert "kaz.paiza.example/log/1+" in out
    assert "127.0.0.1:7402" in out


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --json, each command prints one object."""
    folder = tmp_path / "federation"
    code, out, _ = run(
        capsys, "dev", folder, "--members", "kaz", "--base-port", "9000", "--federation", "a.example", "--json"
    )
    assert code == 0
    assert json.loads(out)["ports"] == {"kaz": 9000}
    code, out, _ = run(capsys, "show", folder / "founding.register", "--json")
    shown = json.loads(out)
    assert shown["federation"] == "a.example"
    assert [member["id"] for member in shown["members"]] == ["kaz"]
    assert shown["members"][0]["endpoints"] == ["127.0.0.1:9000"]


def test_a_passphrase_comes_from_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The first line of the file encrypts the officers' keys; an open, empty or missing one is an error."""
    secret = tmp_path / "secret"
    secret.write_text("tumar\nsecond line\n")
    secret.chmod(0o644)
    code, _, err = run(capsys, "dev", tmp_path / "a", "--members", "kaz", "--passphrase-file", secret, "--json")
    assert (code, json.loads(err)["reason"]) == (3, "key_exposed")
    secret.chmod(0o600)
    code, _, _ = run(capsys, "dev", tmp_path / "a", "--members", "kaz", "--passphrase-file", secret)
    assert code == 0
    assert b"ENCRYPTED" in (tmp_path / "a/home/kaz-duty/signing.key").read_bytes()
    secret.write_text("\n")
    code, _, err = run(capsys, "dev", tmp_path / "b", "--members", "kaz", "--passphrase-file", secret, "--json")
    assert (code, json.loads(err)["reason"]) == (3, "passphrase_missing")
    code, _, err = run(capsys, "dev", tmp_path / "b", "--members", "kaz", "--passphrase-file", tmp_path / "c", "--json")
    assert (code, json.loads(err)["reason"]) == (4, "file_unreadable")
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["dev"], 2, "usage"),
        (["dev", "{new}"], 2, "usage"),
        (["dev", "{new}", "--members", "KAZ"], 2, "usage"),
        (["dev", "{new}", "--members", "kaz", "--base-port", "x"], 2, "usage"),
        (["dev", "{new}", "--members", "kaz", "--colour"], 2, "usage"),
        (["undo"], 2, "usage"),
        (["dev", "{full}", "--members", "kaz"], 3, "folder_not_empty"),
        (["dev", "{full}/x/new", "--members", "kaz"], 4, "file_unwritable"),
        (["show", "{new}"], 4, "file_unreadable"),
        (["show", "{altered}"], 3, "register_invalid"),
        (["show", "{lacking}"], 3, "register_invalid"),
    ],
)
def test_every_error_names_reason_what_where_and_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, reason: str
) -> None:
    """Errors end in their documented exit code, as an object with --json and as text without, never in a traceback."""
    places = {name: tmp_path / name for name in ("new", "full", "altered", "lacking")}
    places["full"].mkdir()
    (places["full"] / "x").write_text("x")
    dev.create(tmp_path / "made", ("kaz",))
    files = dict(RegisterFile.read((tmp_path / "made/founding.register").read_bytes()).files)
    role = "metadata/1.kaz.json"
    altered = {**files, role: files[role].replace(b"kaz", b"kax")}
    places["altered"].write_bytes(RegisterFile(altered).to_bytes())
    del files["metadata/timestamp.json"]
    places["lacking"].write_bytes(RegisterFile(files).to_bytes())
    given = [argument.format(**places) for argument in arguments]
    ended, out, err = run(capsys, *given)
    assert (ended, out) == (code, "")
    assert "Traceback" not in err
    assert f"Reason code: {reason}" in err
    ended, out, err = run(capsys, *given, "--json")
    error = json.loads(err)
    assert (ended, out, error["reason"]) == (code, "", reason)
    assert error["what"]
    assert error["remedy"]


def test_a_defect_is_reported_without_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception nobody foresaw ends in exit code 1 and says so."""

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(dev, "create", fail)
    code, out, err = run(capsys, "dev", tmp_path / "x", "--members", "kaz")
    assert (code, out) == (1, "")
    assert "internal_error" in err
    assert "Traceback" not in err


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    """Help and version are no errors."""
    assert run(capsys, "--help")[0] == 0
    assert run(capsys, "dev", "--help")[0] == 0
    code, out, _ = run(capsys, "--version")
    assert code == 0
    assert out.startswith("paiza-trust")
