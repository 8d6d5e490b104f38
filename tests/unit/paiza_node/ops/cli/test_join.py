"""`paiza-node join`: what comes in a file is verified, and never replaces another history."""

import io
import json
import shutil
from pathlib import Path

import pytest

from paiza_cli.fingerprint_words import fingerprint_words
from paiza_node.__main__ import run
from paiza_register.joining import DIGESTS
from paiza_register.register_file import RegisterFile
from tests.unit.paiza_trust.ceremony import found, prepare


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Found a federation of one, whose node has joined, and another of the same name."""
    folder = tmp_path_factory.mktemp("founded")
    for name in ("own", "other"):
        found(folder / name, {"kaz": "127.0.0.1:7401", "tjk": "127.0.0.1:7402"})
    return folder


@pytest.fixture
def folder(founded: Path, tmp_path: Path) -> Path:
    """Return a copy that a test may change."""
    shutil.copytree(founded, tmp_path / "copy")
    return tmp_path / "copy"


def join(folder: Path, file: Path, *options: str) -> int:
    """Join with kaz's node."""
    return run(["join", str(file), "--config", str(folder / "own/kaz/node/node.toml"), *options])


def refused(capsys: pytest.CaptureFixture[str], code: int) -> str:
    """Check that a command was refused; return the reason."""
    assert code == 3
    return str(json.loads(capsys.readouterr().err)["reason"])


def test_the_operator_compares_the_first_root(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node without a root shows the words of both languages; only who compared them joins."""
    own = folder / "own/founding.register"
    node = folder / "own/kaz/node"
    (node / "root.json").unlink()
    (node / DIGESTS).unlink()
    shutil.rmtree(node / "data")
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert join(folder, own) == 130
    assert not (node / "root.json").exists()
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    capsys.readouterr()
    assert join(folder, own) == 0
    register = RegisterFile.read(own.read_bytes())
    out = capsys.readouterr().out
    assert fingerprint_words(register.first_digest, "ru") in out
    assert fingerprint_words(register.first_digest, "en") in out
    assert (node / "root.json").read_bytes() == register.first_root
    digests = json.loads((node / DIGESTS).read_bytes())
    assert digests["newest_root"] == {"version": 1, "sha256": register.newest_digest.hex()}


def test_the_same_register_again_changes_nothing(folder: Path) -> None:
    """A node that has joined is not asked again, and joins again."""
    assert join(folder, folder / "own/founding.register") == 0


def test_another_first_root_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A register of another founding, also of one of the same name and members, never replaces the first root."""
    assert refused(capsys, join(folder, folder / "other/founding.register", "--json")) == "register_invalid"
    other = RegisterFile.read((folder / "other/founding.register").read_bytes())
    assert (folder / "own/kaz/node/root.json").read_bytes() != other.first_root


def test_a_newest_root_that_is_missing_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that ends before the newest root the node has noted is an old one, or another history."""
    digests = folder / "own/kaz/node" / DIGESTS
    noted = json.loads(digests.read_bytes())
    digests.write_text(json.dumps({**noted, "newest_root": {"version": 2, "sha256": "0" * 64}}))
    assert refused(capsys, join(folder, folder / "own/founding.register", "--json")) == "register_rolled_back"


def test_a_file_that_does_not_verify_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A set that lacks a file, a register without this member, and a file of another kind."""
    own = RegisterFile.read((folder / "own/founding.register").read_bytes())
    lacking = {path: data for path, data in own.files.items() if "member.json" not in path}
    (folder / "lacking").write_bytes(RegisterFile(lacking).to_bytes())
    assert refused(capsys, join(folder, folder / "lacking", "--json")) == "register_invalid"
    assert refused(capsys, join(folder, folder / "own/founding.proposal", "--json")) == "malformed"
    prepare(folder / "uzb", "uzb")
    arguments = ["join", str(folder / "own/founding.register"), "--config", str(folder / "uzb/node/node.toml")]
    assert refused(capsys, run([*arguments, "--yes", "--json"])) == "unknown_member"
    assert not (folder / "uzb/node/root.json").exists()
