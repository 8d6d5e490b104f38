"""Key files: every secret key that a program of ours keeps is written and opened here, and nowhere else.

`open_key` in order:

1. The file is opened without following a symbolic link, and looked at through the handle that is read.
2. It is a regular file of at most `MAX_KEY_FILE_BYTES`.
3. Its owner is the user who reads it, and its mode lets nobody else in (``key_exposed``).
4. It is sealed, unless the caller's configuration allows unsealed keys in words (``key_unsealed``).
5. The passphrase opens it (``bad_passphrase``).
6. It holds a key of the kind that is wanted (``bad_key``). That it is the *right* key is the caller's question.

Where modes mean nothing (Windows) step 3 is left out. The caller adds the file's name to an error.
"""

import os
import stat
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Final

from paiza_wire.errors import Rejected
from paiza_wire.identity import private_keys, sealing
from paiza_wire.identity.private_keys import Key, KeyKind
from paiza_wire.identity.sealing import MAX_KEY_FILE_BYTES, Sealer

MAX_PASSPHRASE_BYTES: Final = 1024
"""A passphrase file is one line; more is another file."""

CREDENTIALS_FOLDER: Final = "CREDENTIALS_DIRECTORY"
"""Environment variable in which a service manager names the folder of a service's credentials."""

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class KeyFileRejected(Rejected):
    """A refusal of one file of a folder: ``path``."""

    def __init__(self, path: Path, error: Rejected) -> None:
        """Store the file beside reason and detail of what was refused."""
        super().__init__(error.reason, error.detail)
        self.path = path


def open_key(path: Path, kind: KeyKind[Key], sealer: Sealer, *, sealed: bool = True) -> Key:
    """Return the key in this file. ``sealed`` False also accepts an unsealed file.

    Raise ``Rejected`` with the reason of the step that fails, ``file_unreadable`` where there is no such file.
    """
    return kind.read(sealer.open(_read(path, sealed=sealed)))


def write_key(path: Path, kind: KeyKind[Key], key: Key, sealer: Sealer | None) -> None:
    """Write a key to a new file of mode 0600 and on to the disk: sealed, or unsealed without a sealer.

    Raise OSError where the file exists or cannot be written. After a crash there is no such file, or a whole one.
    """
    pkcs8 = kind.write(key)
    pem = sealing.unsealed(pkcs8) if sealer is None else sealer.seal(pkcs8)
    side_file = _write_side_file(path, pem)
    try:
        os.link(side_file, path)  # unlike a replacement, it fails where the file exists
    finally:
        side_file.unlink()
    _sync_folder(path.parent)


def open_or_make(path: Path, kind: KeyKind[Key], generate: Callable[[], Key], sealer: Sealer | None) -> Key:
    """Return the key in this file; where there is no file, a new key that is in it and on the disk.

    Without a sealer the file is unsealed. Raise as `open_key` and `write_key`.
    """
    if not path.exists():
        write_key(path, kind, generate(), sealer)
    return open_key(path, kind, sealer or Sealer(bytes), sealed=sealer is not None)


def _write_new(path: Path, pem: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())


def secret_files(folder: Path) -> list[Path]:
    """Return the key files of a folder, by their names."""
    return sorted(path for pattern in ("*.key", "*.seed", "*.pem") for path in folder.glob(pattern))


def change_passphrase(folder: Path, old: Sealer, new: Sealer, *, sealed: bool = True) -> int:
    """Seal the key files of a folder under another passphrase; return how many were not under it yet.

    Every file is opened before the first one is written: a wrong passphrase changes nothing. Then they are replaced one
    by one. A crash between two leaves whole files under either passphrase; a second call with both goes on with the
    rest. A file that appears meanwhile, of a node that makes a key, is found before the call returns.

    ``sealed`` False also seals what was unsealed. Raise `KeyFileRejected` with the reasons of `open_key`, of which
    ``bad_passphrase`` means that neither passphrase opens the file; ``Rejected("file_unreadable")`` for a folder
    without key files; OSError where a file cannot be written.
    """
    if not secret_files(folder):
        raise Rejected("file_unreadable", "the folder holds no key files")
    changed: set[Path] = set()
    while waiting := _under(folder, old, new, changed, sealed=sealed):
        for path, pkcs8 in waiting.items():
            _replace(path, new.seal(pkcs8))
        changed |= waiting.keys()
    return len(changed)


def _under(folder: Path, old: Sealer, new: Sealer, changed: AbstractSet[Path], *, sealed: bool) -> dict[Path, bytes]:
    """Return the other keys (DER) of a folder, which are under the old passphrase or none."""
    waiting = {}
    for path in secret_files(folder):
        if path not in changed:
            try:
                pkcs8 = _waiting(_read(path, sealed=sealed), old, new)
            except Rejected as error:
                if error.reason == "passphrase_missing":  # of no file's own
                    raise
                raise KeyFileRejected(path, error) from error
            if pkcs8 is not None:
                waiting[path] = pkcs8
    return waiting


def _waiting(pem: bytes, old: Sealer, new: Sealer) -> bytes | None:
    """Return the key (DER) that is to be sealed anew, None if it is under the new passphrase already."""
    pkcs8 = _opened(old, pem)
    if pkcs8 is None and _opened(new, pem) is None:
        raise Rejected("bad_passphrase", "neither passphrase opens it")
    return pkcs8


def _opened(sealer: Sealer, pem: bytes) -> bytes | None:
    """Return the key (DER) of a PEM block, None if this is not its passphrase."""
    try:
        pkcs8 = sealer.open(pem)
        # The envelope has no checksum: what another passphrase opens by chance is no key.
        private_keys.check_key(pkcs8)
    except Rejected as error:
        if error.reason == "passphrase_missing" or not sealing.is_sealed(pem):
            raise
        return None
    return pkcs8


def _replace(path: Path, pem: bytes) -> None:
    """Write a key file anew: after a crash it is the old one or the new one, and whole."""
    side_file = _write_side_file(path, pem)
    # A crash here leaves the old file, and a side file that no reader looks at and the next call replaces.
    side_file.replace(path)
    _sync_folder(path.parent)


def _write_side_file(path: Path, pem: bytes) -> Path:
    side_file = path.with_name(f".{path.name}.new")
    side_file.unlink(missing_ok=True)
    _write_new(side_file, pem)
    return side_file


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":
        directory = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def _read(path: Path, *, sealed: bool) -> bytes:
    """Return a key file (PEM): steps 1 to 4."""
    pem = read_secret_file(path, MAX_KEY_FILE_BYTES)
    if sealed and not sealing.is_sealed(pem):
        raise Rejected("key_unsealed", "the key is not under a passphrase")
    return pem


def read_secret_file(path: Path, limit: int) -> bytes:
    """Return the bytes of a file that only its owner, who is the reader, can read: steps 1 to 3."""
    # Opening a pipe would wait for its writer; O_NONBLOCK changes nothing for a regular file.
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        if path.is_symlink():
            raise Rejected("bad_key", "the file is a symbolic link")
        with os.fdopen(os.open(path, flags), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise Rejected("bad_key", "not a regular file")
            if os.name == "posix":
                _check_private(status)
            data = file.read(limit + 1)
    except OSError as error:
        raise Rejected("file_unreadable", error.strerror or "") from error
    if len(data) > limit:
        raise Rejected("bad_key", f"over {limit} bytes")
    return data


def _check_private(status: os.stat_result) -> None:
    if status.st_uid != os.geteuid():
        raise Rejected("key_exposed", f"the file belongs to user {status.st_uid}, not to user {os.geteuid()}")
    if status.st_mode & _OTHERS:
        raise Rejected("key_exposed", f"mode {stat.S_IMODE(status.st_mode):04o}")


def passphrase_from_file(path: Path) -> bytes:
    """Return the first line of a file that only the reader can read; ``Rejected("passphrase_missing")`` if empty."""
    return _first_line(read_secret_file(path, MAX_PASSPHRASE_BYTES))


def passphrase_from_credential(name: str, environment: Mapping[str, str] | None = None) -> bytes | None:
    """Return a passphrase that the service manager hands to this service; None where it hands none of this name.

    The manager guards the folder; its files belong to the manager and are opened to the service by other means than
    owner and mode. ``environment`` are environment variables by name, those of this process by default.
    """
    folder = (os.environ if environment is None else environment).get(CREDENTIALS_FOLDER)
    if not folder:
        return None
    try:
        with (Path(folder) / name).open("rb") as file:
            data = file.read(MAX_PASSPHRASE_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Rejected("file_unreadable", error.strerror or "") from error
    if len(data) > MAX_PASSPHRASE_BYTES:
        raise Rejected("bad_passphrase", f"the credential has over {MAX_PASSPHRASE_BYTES} bytes")
    return _first_line(data)


def _first_line(data: bytes) -> bytes:
    line = data.split(b"\n", 1)[0].rstrip(b"\r")
    if not line:
        raise Rejected("passphrase_missing", "the first line is empty")
    return line
