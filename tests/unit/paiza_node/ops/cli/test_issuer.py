"""`paiza-node issuer`: made from a register that people compared, run by a user of its own, and shown."""

import asyncio
import io
import json
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from paiza.issuer.v1 import issuer_pb2, issuer_pb2_grpc
from paiza_cli.fingerprint_words import fingerprint_words
from paiza_node.__main__ import run
from paiza_node.core.errors import NodeStopped
from paiza_node.ops.issuer.serve import serve
from paiza_node.ops.issuer.settings import load_settings
from paiza_register.register_file import RegisterFile
from paiza_wire.errors import PaizaError
from paiza_wire.identity import key_files, keys
from paiza_wire.identity.private_keys import P256
from paiza_wire.identity.sealing import Sealer
from tests.unit.paiza_trust.ceremony import found

PASSPHRASE = "correct horse battery staple"
START_SECONDS = 120.0


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a founded federation."""
    folder = tmp_path_factory.mktemp("founded")
    found(folder, {"kaz": "127.0.0.1:7401", "tjk": "127.0.0.1:7402"})
    return folder


@pytest.fixture
def folder(founded: Path, tmp_path: Path) -> Path:
    """Return the folder of an issuer whose keys are sealed."""
    (tmp_path / "phrase").write_text(PASSPHRASE)
    (tmp_path / "phrase").chmod(0o600)
    made = tmp_path / "issuer"
    assert make(founded, made, "--passphrase-file", str(tmp_path / "phrase"), "--yes") == 0
    for name in ("officer-ca", "node-ca"):
        key_files.write_key(made / f"{name}.key", P256, keys.generate_p256(), Sealer(PASSPHRASE.encode))
    return made


def make(founded: Path, folder: Path, *options: str) -> int:
    """Run `issuer init`."""
    register = str(founded / "founding.register")
    return run(["issuer", "init", "--member", "kaz", "--register", register, "--folder", str(folder), *options])


def refused(capsys: pytest.CaptureFixture[str], code: int, exit_code: int = 3) -> str:
    """Check that a command was refused; return the reason."""
    assert code == exit_code
    return str(json.loads(capsys.readouterr().err.splitlines()[-1])["reason"])


def shown(capsys: pytest.CaptureFixture[str], folder: Path) -> Any:
    """Return what `issuer show --json` prints."""
    capsys.readouterr()
    assert run(["issuer", "show", "--config", str(folder / "issuer.toml"), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@contextmanager
def running(folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Run an issuer until it serves; end it as an operator does."""
    command = [sys.executable, "-m", "paiza_node", "issuer", "run", "--config", str(folder / "issuer.toml")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        until = time.monotonic() + START_SECONDS
        while not (folder / "issuer.sock").exists():
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < until
            time.sleep(0.05)
        yield process
        process.send_signal(signal.SIGTERM)
        assert process.wait(START_SECONDS) == 0
    finally:
        process.kill()
        process.wait()


def test_people_compare_the_first_root(
    founded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The words are shown in both languages; without a yes nothing is made."""
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert make(founded, tmp_path / "issuer") == 130
    assert not (tmp_path / "issuer").exists()
    printed = capsys.readouterr().out
    root = RegisterFile.read((founded / "founding.register").read_bytes())
    assert fingerprint_words(root.first_digest, "ru") in printed
    assert fingerprint_words(root.first_digest, "en") in printed
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert make(founded, tmp_path / "issuer") == 0
    made = load_settings(tmp_path / "issuer/issuer.toml")
    assert made.root_sha256 == root.first_digest
    every = [tmp_path / "issuer", *(tmp_path / "issuer").rglob("*")]
    assert [each for each in every if each.stat().st_mode & 0o077] == []
    assert shown(capsys, tmp_path / "issuer")["issued"] == []


def test_a_member_that_the_register_does_not_name_gets_no_issuer(
    founded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A register of other members is refused, and leaves nothing."""
    register = str(founded / "founding.register")
    code = run(
        [
            "issuer",
            "init",
            "--member",
            "uzb",
            "--register",
            register,
            "--folder",
            str(tmp_path / "no"),
            "--yes",
            "--json",
        ]
    )
    assert refused(capsys, code) == "unknown_member"
    assert not (tmp_path / "no").exists()


def test_a_folder_that_holds_something_is_left_alone(
    founded: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A second `init` into the same folder is refused."""
    assert refused(capsys, make(founded, folder, "--yes", "--json")) == "folder_not_empty"


def test_an_issuer_serves_until_it_is_stopped(folder: Path) -> None:
    """The process opens its sealed keys, answers on the socket, and leaves no socket behind."""
    with running(folder), grpc.insecure_channel(f"unix:{folder}/issuer.sock") as channel:
        stub = issuer_pb2_grpc.IssuerServiceStub(channel)
        state: issuer_pb2.GetStateResponse = stub.GetState(issuer_pb2.GetStateRequest(), timeout=START_SECONDS)
        assert state.register_version
        assert state.log_size == 0
        with pytest.raises(grpc.RpcError) as refusal:
            stub.IssueOfficer(issuer_pb2.IssueOfficerRequest(), timeout=START_SECONDS)
        error: Any = refusal.value
        assert dict(error.trailing_metadata())["paiza-reason"] == "bad_checkpoint"
        second = subprocess.run(
            [sys.executable, "-m", "paiza_node", "issuer", "run", "--config", str(folder / "issuer.toml")],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        assert second.returncode == 3
        assert b"database_locked" in second.stderr
    assert not (folder / "issuer.sock").exists()
    assert "not_issued" in (folder / "log").read_text()


def _other_root(folder: Path) -> None:
    (folder / "root.json").write_bytes((folder / "root.json").read_bytes() + b" ")


def _exposed_key(folder: Path) -> None:
    (folder / "officer-ca.key").chmod(0o644)


def _missing_key(folder: Path) -> None:
    (folder / "officer-ca.key").unlink()


def _wrong_passphrase(folder: Path) -> None:
    (folder.parent / "phrase").write_text("wrong")


def _cut_journal(folder: Path) -> None:
    (folder / "journal.jsonl.head").write_text(f"1 {bytes(32).hex()}\n")


def _no_such_group(folder: Path) -> None:
    path = folder / "issuer.toml"
    path.write_text(path.read_text().replace('socket_group = ""', 'socket_group = "no-such-group"'))


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (_other_root, "bad_configuration"),
        (_exposed_key, "key_exposed"),
        (_missing_key, "bad_key"),
        (_wrong_passphrase, "bad_passphrase"),
        (_cut_journal, "journal_damaged"),
        (_no_such_group, "bad_configuration"),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_an_issuer_that_cannot_be_trusted_does_not_start(
    folder: Path, harm: Callable[[Path], None], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another root, an open key, a wrong passphrase, a journal that forgot: each is named, and nothing is served."""
    harm(folder)
    monkeypatch.setattr("os.umask", lambda _mask: 0o022)
    with pytest.raises((NodeStopped, PaizaError)) as refusal:
        asyncio.run(serve(load_settings(folder / "issuer.toml")))
    error: Any = refusal.value
    assert error.reason == reason
    assert not (folder / "issuer.sock").exists()


@pytest.mark.parametrize(
    "line", ['officer_ca = "pkcs11:token=x"', 'root_sha256 = "00"', 'administrators = ["x"]', "strange = 1"]
)
def test_a_wrong_line_is_named(folder: Path, capsys: pytest.CaptureFixture[str], line: str) -> None:
    """An error in issuer.toml names the line."""
    name = line.partition(" ")[0]
    path = folder / "issuer.toml"
    kept = [each for each in path.read_text().splitlines() if not each.startswith(f"{name} =")]
    path.write_text("\n".join([*kept, line]))
    code = run(["issuer", "show", "--config", str(path), "--json"])
    error = json.loads(capsys.readouterr().err)
    assert code == 3
    assert error["reason"] == "bad_configuration"
    assert f"line {len(kept) + 1}" in error["where"]


def test_an_administrators_key_fits_the_configuration(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The printed line is read by the issuer; the key opens with its passphrase, and is not overwritten."""
    key = tmp_path / "ivanova.key"
    arguments = ["issuer", "administrator", str(key), "--passphrase-file", str(tmp_path / "phrase")]
    capsys.readouterr()
    assert run(arguments) == 0
    line = capsys.readouterr().out.splitlines()[-1]
    path = folder / "issuer.toml"
    path.write_text(f"{path.read_text()}\n{line}\n")
    (public,) = load_settings(path).administrators
    assert tomllib.loads(line)["administrators"]
    assert key_files.open_key(key, P256, Sealer(PASSPHRASE.encode)).public_key() == public
    assert run([*arguments, "--json"]) == 3
    assert key.stat().st_mode & 0o077 == 0
