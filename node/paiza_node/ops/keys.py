"""The node's own keys, in its key folder: readable by its own user alone, or the node does not start."""

import os
import secrets
import stat
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from paiza_node.core.errors import N_, NodeStopped
from paiza_register import Member
from paiza_wire.errors import PaizaError
from paiza_wire.identity import keys
from paiza_wire.message import key_wrapping
from paiza_wire.tlog.cosignatures import WitnessSigner
from paiza_wire.tlog.notes import SignerKey

INDEX_KEY_BYTES: Final = 32  # random


@dataclass(frozen=True, slots=True)
class Keys:
    """The node's own keys, as read from its key folder."""

    certificate: bytes
    private_key: bytes
    log: SignerKey
    witness: WitnessSigner
    decryption: dict[bytes, key_wrapping.DecryptionKey]
    index: bytes


def load_keys(folder: Path, own: Member) -> Keys:
    """Read the key files under the names of the register; NodeStopped if one is missing, damaged or exposed."""
    origin, witness = own.log_keys[-1].origin, own.witness_keys[-1].name
    return Keys(
        certificate=_key_file(folder / "tls.crt", secret=False),
        private_key=_key_file(folder / "tls.key"),
        log=SignerKey.from_ed25519(origin, _parsed(log_key_path(folder, origin), keys.private_key_from_pem)),
        witness=_parsed(folder / "witness.key", partial(WitnessSigner.from_seed, witness)),
        decryption=_decryption_keys(folder),
        index=_index_key(folder / "index.key"),
    )


def log_key_path(folder: Path, origin: str) -> Path:
    """Return the file of a log's key: `log.key`, or for a later log of the member `log-<n>.key` if it exists."""
    own = folder / f"log-{origin.rpartition('/')[2]}.key"
    return own if own.exists() else folder / "log.key"


def make_log_key(folder: Path, origin: str) -> SignerKey:
    """Make the key of the next log, or read it if it exists."""
    path = folder / f"log-{origin.rpartition('/')[2]}.key"
    if not path.exists():
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(keys.private_key_to_pem(keys.generate_ed25519()))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise bad_key(N_("The file cannot be made: {error}."), path, error=error.strerror) from error
    return SignerKey.from_ed25519(origin, _parsed(path, keys.private_key_from_pem))


def _index_key(path: Path) -> bytes:
    """Read the key of the search index, or make it: a new key only means a new index.

    A crash while it is made leaves a key that is too short; the next start reports it.
    """
    if not path.exists():
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(secrets.token_bytes(INDEX_KEY_BYTES))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise bad_key(N_("The file cannot be made: {error}."), path, error=error.strerror) from error
    key = _key_file(path)
    if len(key) != INDEX_KEY_BYTES:
        raise NodeStopped(
            "bad_key",
            what=N_("The key of the search index is not {bytes} bytes long."),
            where="{path}",
            remedy=N_("Delete the file: a new key is made at the next start, and the index anew."),
            path=path,
            bytes=INDEX_KEY_BYTES,
        )
    return key


def _decryption_keys(folder: Path) -> dict[bytes, key_wrapping.DecryptionKey]:
    """Read every encryption seed: the current one, and old ones that messages in flight may still be wrapped for."""
    found = [_parsed(path, _seed) for path in sorted(folder.glob("encryption*.seed"))]
    if not found:
        raise bad_key(N_("There is no encryption seed."), folder / "encryption.seed")
    return {key.public_key.key_id: key for key in found}


def _seed(data: bytes) -> key_wrapping.DecryptionKey:
    return key_wrapping.private_key_from_seed(
        data if len(data) == key_wrapping.SEED_BYTES else bytes.fromhex(data.decode().strip())
    )


def _parsed(path: Path, parse: Callable[[bytes], Any]) -> Any:
    try:
        return parse(_key_file(path))
    except (PaizaError, ValueError) as error:
        raise bad_key(N_("The key cannot be read: {error}."), path, error=error) from error


def _key_file(path: Path, *, secret: bool = True) -> bytes:
    try:
        mode = path.stat().st_mode
        data = path.read_bytes()
    except OSError as error:
        raise bad_key(N_("The file cannot be read: {error}."), path, error=error.strerror) from error
    if secret and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise NodeStopped(
            "key_exposed",
            what=N_("Others than the node's own user may read this key."),
            where="{path}",
            remedy=N_("chmod 600 {path}; if others could read it for long, make a new key."),
            path=path,
        )
    return data


def bad_key(what: str, path: Path, **values: object) -> NodeStopped:
    """Return the error for a defect of a key file."""
    remedy = N_("Put the key back. If it is lost, make a new one and have the register's holders publish it.")
    return NodeStopped("bad_key", what=what, where="{path}", remedy=remedy, path=path, **values)
