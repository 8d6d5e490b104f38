"""Key files: each way in which a file is not to be trusted is refused, with its own reason."""

import os
import stat
from pathlib import Path

import pytest

from paiza_wire.errors import Rejected
from paiza_wire.identity import key_files, keys
from paiza_wire.identity.key_files import open_key, passphrase_from_credential, passphrase_from_file, write_key
from paiza_wire.identity.private_keys import ED25519, P256, X_WING
from paiza_wire.identity.sealing import Sealer

PASSPHRASE = b"correct horse battery staple"
SEALER = Sealer(lambda: PASSPHRASE)
KEY = keys.generate_p256()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a sealed P-256 key file."""
    path = tmp_path / "tls.key"
    write_key(path, P256, KEY, SEALER)
    return path


def refused(reason: str, path: Path, detail: str = "", sealer: Sealer = SEALER) -> None:
    """Check that this file is refused with this reason and detail."""
    with pytest.raises(Rejected) as caught:
        open_key(path, P256, sealer)
    assert caught.value.reason == reason
    assert detail in caught.value.detail


def test_a_written_key_opens(file: Path) -> None:
    """A key that was written is sealed, readable by its owner alone, and opens."""
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
    assert open_key(file, P256, SEALER).private_numbers() == KEY.private_numbers()


def test_nothing_is_overwritten(file: Path) -> None:
    """A key is never written over a file that stands there."""
    before = file.read_bytes()
    with pytest.raises(FileExistsError):
        write_key(file, P256, KEY, SEALER)
    assert file.read_bytes() == before


def test_a_wrong_passphrase_is_refused(file: Path) -> None:
    """Another passphrase than the key's is refused."""
    refused("bad_passphrase", file, sealer=Sealer(lambda: b"wrong"))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o777])
def test_a_file_that_others_can_use_is_refused(file: Path, mode: int) -> None:
    """Group and others may neither read nor write a key file."""
    file.chmod(mode)
    refused("key_exposed", file, f"mode {mode:04o}")


def test_another_users_file_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of another user, who could replace it, is refused."""
    owner = file.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    refused("key_exposed", file, f"belongs to user {owner}")


def test_a_symbolic_link_is_refused(file: Path) -> None:
    """A symbolic link is refused, even to a good key."""
    link = file.with_name("link.key")
    link.symlink_to(file)
    refused("bad_key", link, "symbolic link")


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """Folders, pipes and missing files are refused, and a pipe does not make the reader wait."""
    refused("file_unreadable", tmp_path / "missing")
    refused("file_unreadable", tmp_path)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    refused("bad_key", pipe, "not a regular file")


def test_a_truncated_or_oversized_file_is_refused(file: Path) -> None:
    """A file that was cut off, is empty or is too long is refused."""
    whole = file.read_bytes()
    for data in (b"", whole[:100], whole[:-30]):
        file.write_bytes(data)
        with pytest.raises(Rejected, match="bad_key"):
            open_key(file, P256, SEALER, sealed=False)
    file.write_bytes(whole * 20)
    refused("bad_key", file, "over 4096 bytes")


def test_a_key_of_another_kind_is_refused(file: Path) -> None:
    """A key of another kind than the wanted one is refused."""
    with pytest.raises(Rejected, match="bad_key"):
        open_key(file, ED25519, SEALER)
    with pytest.raises(Rejected, match="bad_key"):
        open_key(file, X_WING, SEALER)


def test_an_unsealed_key_needs_words(tmp_path: Path) -> None:
    """An unsealed key is refused, unless the caller's configuration allows it."""
    path = tmp_path / "tls.key"
    write_key(path, P256, KEY, None)
    refused("key_unsealed", path)
    assert open_key(path, P256, SEALER, sealed=False).private_numbers() == KEY.private_numbers()


def test_a_passphrase_file_is_its_first_line(tmp_path: Path) -> None:
    """The first line without its end is the passphrase; an empty one, an open file and a link are refused."""
    path = tmp_path / "passphrase"
    for text, wanted in ((b"secret\n", b"secret"), (b"secret\r\nmore", b"secret"), (b" s p ", b" s p ")):
        path.write_bytes(text)
        path.chmod(0o600)
        assert passphrase_from_file(path) == wanted
    path.write_bytes(b"\nsecret")
    with pytest.raises(Rejected, match="passphrase_missing"):
        passphrase_from_file(path)
    path.chmod(0o644)
    with pytest.raises(Rejected, match="key_exposed"):
        passphrase_from_file(path)
    (tmp_path / "link").symlink_to(path)
    with pytest.raises(Rejected, match="bad_key"):
        passphrase_from_file(tmp_path / "link")


def test_a_credential_of_the_service_manager_is_read(tmp_path: Path) -> None:
    """A credential is found by its name in the folder that the environment names, with any owner and mode."""
    (tmp_path / "paiza").write_bytes(b"secret\n")
    (tmp_path / "paiza").chmod(0o440)
    environment = {key_files.CREDENTIALS_FOLDER: str(tmp_path)}
    assert passphrase_from_credential("paiza", environment) == b"secret"
    assert passphrase_from_credential("other", environment) is None
    assert passphrase_from_credential("paiza", {}) is None
    (tmp_path / "paiza").chmod(0o600)
    (tmp_path / "paiza").write_bytes(b"x" * 2000)
    with pytest.raises(Rejected, match="bad_passphrase"):
        passphrase_from_credential("paiza", environment)
