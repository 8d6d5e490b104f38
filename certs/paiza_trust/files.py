"""Writes the files of a ceremony so that only their owner can read them."""

import os
from pathlib import Path

from paiza_wire.identity import key_files
from paiza_wire.identity.private_keys import Key, KeyKind
from paiza_wire.identity.sealing import Sealer


def write_private(path: Path, data: bytes) -> None:
    """Write a new file with mode 0600, in folders of mode 0700; one that stands already must be the same."""
    make_private_folder(path.parent)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        if path.read_bytes() != data:
            raise
        return
    with os.fdopen(handle, "wb") as stream:
        stream.write(data)


def write_key(path: Path, kind: KeyKind[Key], key: Key, sealer: Sealer | None) -> None:
    """Write a new key file with mode 0600, in folders of mode 0700; without a sealer it is unsealed."""
    make_private_folder(path.parent)
    key_files.write_key(path, kind, key, sealer)


def replace_private(path: Path, data: bytes) -> None:
    """Write a file with mode 0600 in place of one that may stand there; a reader sees the old one or the new one."""
    side_file = path.with_name(f".{path.name}.new")
    side_file.unlink(missing_ok=True)
    write_private(side_file, data)
    side_file.replace(path)


def make_private_folder(folder: Path) -> None:
    """Make a folder and those above it that are missing, with mode 0700."""
    for missing in reversed([folder, *folder.parents]):
        if not missing.exists():
            missing.mkdir(mode=0o700, exist_ok=True)
