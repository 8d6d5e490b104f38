"""The change of a folder's passphrase: all keys stay what they were, whenever the program is killed."""

import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from paiza_wire.errors import Rejected
from paiza_wire.identity import key_files, keys
from paiza_wire.identity.key_files import KeyFileRejected, change_passphrase, secret_files, write_key
from paiza_wire.identity.private_keys import ED25519, INDEX, MLDSA44, P256, X_WING
from paiza_wire.identity.sealing import Sealer, unsealed

OLD, NEW = b"correct horse battery staple", b"another horse, another battery"
FILES = ("encryption.seed", "index.key", "log.key", "member-p256.pem", "witness.key")

KILLED = """
import os, pathlib, signal, sys
from paiza_wire.identity import key_files
from paiza_wire.identity.sealing import Sealer

folder, replaced = pathlib.Path(sys.argv[1]), int(sys.argv[2])
replace = pathlib.Path.replace

def killing(self, target):
    global replaced
    if not replaced:
        os.kill(os.getpid(), signal.SIGKILL)
    replaced -= 1
    replace(self, target)

pathlib.Path.replace = killing
old, new = (path.read_bytes() for path in (folder / "old", folder / "new"))
key_files.change_passphrase(folder, Sealer(lambda: old), Sealer(lambda: new))
"""


def sealer(passphrase: bytes) -> Sealer:
    """Return a sealer under this passphrase."""
    return Sealer(lambda: passphrase)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder with a sealed key of each kind, and both passphrases in files."""
    folder = tmp_path_factory.mktemp("keys")
    old = sealer(OLD)
    write_key(folder / "encryption.seed", X_WING, bytes(32), old)
    write_key(folder / "index.key", INDEX, bytes(range(32)), old)
    write_key(folder / "log.key", ED25519, keys.generate_ed25519(), old)
    write_key(folder / "member-p256.pem", P256, keys.generate_p256(), old)
    write_key(folder / "witness.key", MLDSA44, keys.generate_mldsa44(), old)
    (folder / "old").write_bytes(OLD)
    (folder / "new").write_bytes(NEW)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """Return a copy of the folder."""
    return shutil.copytree(made, tmp_path / "keys")


def opened(folder: Path, *passphrases: bytes) -> dict[str, bytes]:
    """Return the keys of a folder, each of which opens under one of these passphrases."""
    found = {}
    for each in map(sealer, passphrases):
        for path in secret_files(folder):
            with suppress(Rejected):
                found[path.name] = each.open(path.read_bytes())
    assert tuple(sorted(found)) == FILES
    return found


def refused(reason: str, path: Path, old: bytes = OLD, *, sealed: bool = True) -> None:
    """Check that the change is refused for this file, with this reason."""
    with pytest.raises(KeyFileRejected) as caught:
        change_passphrase(path.parent, sealer(old), sealer(NEW), sealed=sealed)
    assert (caught.value.reason, caught.value.path) == (reason, path)


def test_every_key_is_sealed_anew(folder: Path) -> None:
    """All keys are what they were, under the new passphrase and one salt, for their owner alone."""
    before = opened(folder, OLD)
    assert change_passphrase(folder, sealer(OLD), sealer(NEW)) == len(FILES)
    new = sealer(NEW)
    assert {path.name: new.open(path.read_bytes()) for path in secret_files(folder)} == before
    assert len(new._keys) == 1
    assert {path.stat().st_mode & 0o777 for path in secret_files(folder)} == {0o600}
    assert change_passphrase(folder, sealer(OLD), sealer(NEW)) == 0


@pytest.mark.parametrize("replaced", range(len(FILES)))
def test_a_kill_between_two_files_loses_nothing(folder: Path, replaced: int) -> None:
    """Killed before any file is replaced, every key is under either passphrase, and a second run goes on."""
    before = opened(folder, OLD)
    killed = subprocess.run([sys.executable, "-c", KILLED, str(folder), str(replaced)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert opened(folder, OLD, NEW) == before
    assert change_passphrase(folder, sealer(OLD), sealer(NEW)) == len(FILES) - replaced
    assert opened(folder, NEW) == before
    assert sorted(path.name for path in folder.iterdir()) == sorted([*FILES, "old", "new"])


def test_a_wrong_passphrase_changes_nothing(folder: Path) -> None:
    """If one file opens under neither passphrase, it is named and no file is written."""
    write_key(folder / "z.key", P256, keys.generate_p256(), sealer(b"a third one"))
    before = {path: path.read_bytes() for path in secret_files(folder)}
    refused("bad_passphrase", folder / "z.key")
    refused("bad_passphrase", folder / "encryption.seed", old=b"wrong")
    assert {path: path.read_bytes() for path in secret_files(folder)} == before


def test_a_folder_without_keys_is_refused(tmp_path: Path) -> None:
    """A folder that holds no key files is another one than was meant."""
    with pytest.raises(Rejected, match="file_unreadable"):
        change_passphrase(tmp_path, sealer(OLD), sealer(NEW))


def test_an_unsealed_key_is_sealed_only_where_that_is_allowed(folder: Path) -> None:
    """An unsealed key is refused by name, and sealed where the folder's settings allow unsealed keys."""
    before = opened(folder, OLD)
    (folder / "log.key").unlink()
    write_key(folder / "log.key", ED25519, ED25519.read(before["log.key"]), None)
    refused("key_unsealed", folder / "log.key")
    assert change_passphrase(folder, sealer(OLD), sealer(NEW), sealed=False) == len(FILES)
    assert opened(folder, NEW) == before


def test_a_key_that_appears_meanwhile_is_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that a node makes under the former passphrase during the change is under the new one at its end."""
    replace = key_files._replace

    def replacing(path: Path, pem: bytes) -> None:
        replace(path, pem)
        if not (folder / "log-2.key").exists():
            write_key(folder / "log-2.key", ED25519, keys.generate_ed25519(), sealer(OLD))

    monkeypatch.setattr(key_files, "_replace", replacing)
    assert change_passphrase(folder, sealer(OLD), sealer(NEW)) == len(FILES) + 1
    ED25519.read(sealer(NEW).open((folder / "log-2.key").read_bytes()))


def test_what_is_no_key_is_refused(folder: Path) -> None:
    """A file that holds no key of ours stops the change before it begins."""
    other = folder / "other.pem"
    for data, mode, reason in (
        (sealer(OLD).seal(b"\x30\x00"), 0o600, "bad_passphrase"),
        (unsealed(b"\x30\x00"), 0o600, "key_unsealed"),
        (b"-----BEGIN CERTIFICATE-----", 0o644, "key_exposed"),
    ):
        other.write_bytes(data)
        other.chmod(mode)
        refused(reason, other)
    other.chmod(0o600)
    refused("bad_key", other, sealed=False)
    ED25519.read(sealer(OLD).open((folder / "log.key").read_bytes()))
