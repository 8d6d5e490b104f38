"""`paiza-node join`: what comes in a file is verified, and never replaces another history."""

import io
import json
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from paiza_cli.fingerprint_words import fingerprint_words
from paiza_node.__main__ import run
from paiza_register import RegisterReader
from paiza_register.joining import DIGESTS
from paiza_register.register_file import RegisterFile
from paiza_register.tuf_workflow import root_path
from tests.unit.paiza_trust.ceremony import found, prepare, trust


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Found a federation of one, whose node has joined, and another of the same name."""
    folder = tmp_path_factory.mktemp("founded")
    for name in ("own", "other"):
        found(folder / name, {"kaz": "127.0.0.1:7401", "tjk": "127.0.0.1:7402"})
    return folder


@pytest.fixture
def folder(founded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy that a test may change; its short name leaves room for the path of a socket."""
    return shutil.copytree(founded, tmp_path_factory.mktemp("join") / "of")


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
    assert "Next: the issuer (paiza-node issuer init)" in out
    assert join(folder, own) == 0
    assert capsys.readouterr().out.endswith("Next: paiza-node run.\n")
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


def second_root(folder: Path, name: str) -> RegisterFile:
    """Make both custodians sign a root 2, whatever they signed before, and publish it."""
    own = folder / "own"
    proposal, register = own / f"{name}.proposal", own / f"{name}.register"
    founding = ("--register", own / "founding.register")
    trust("propose", "resign", *founding, "--keys", own / "kaz/trust", "--yes", "-o", proposal)
    trust("sign", proposal, "--keys", own / "tjk/trust", "--yes")
    trust("publish", proposal, "--node", own / "kaz/node", "-o", register)
    for member in ("kaz", "tjk"):
        (own / member / "trust/signed.json").unlink()
    return RegisterFile.read(register.read_bytes())


def test_a_register_with_the_root_that_was_chosen_ends_a_freeze(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The words of that root are shown and asked for; without the answer the membership stays frozen."""
    node = folder / "own/kaz/node"
    one = second_root(folder, "one")
    time.sleep(1.1)  # the other root is of another second
    other = second_root(folder, "other")
    assert join(folder, folder / "own/one.register") == 0
    reader = RegisterReader(node / "data/register", one.first_root)
    assert reader.note_fork(other.files[root_path(2)], datetime.now(UTC)) is not None
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert join(folder, folder / "own/other.register") == 130
    assert RegisterReader(node / "data/register", one.first_root).fork is not None
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    capsys.readouterr()
    assert join(folder, folder / "own/other.register") == 0
    out = capsys.readouterr().out
    for language in ("ru", "en"):
        assert fingerprint_words(other.newest_digest, language) in out
    joined = RegisterReader(node / "data/register", one.first_root)
    assert joined.fork is None
    assert joined.last is not None
    assert joined.last.root_sha256 == other.newest_digest
    digests = json.loads((node / DIGESTS).read_bytes())
    assert digests["newest_root"] == {"version": 2, "sha256": other.newest_digest.hex()}
