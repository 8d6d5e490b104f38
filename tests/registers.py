"""The register of a development federation, as its nodes hold it, and changes of it as its members make them."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from paiza_register import Register, load_set
from paiza_register.archive import Archive
from paiza_register.joining import join
from paiza_register.register_file import RegisterFile


def newest(folder: Path) -> RegisterFile:
    """Return the newest register that a node of a federation holds, running or not; at first the founding's."""
    held: dict[bytes, Mapping[str, bytes]] = {}
    for place in (folder / "nodes").glob("*/data/register"):
        archive = Archive(place)
        version = archive.current()
        if version is not None and version not in held:
            held[version] = archive.files(version) or {}
    found = [RegisterFile(files) for files in held.values() if files]
    if not found:
        return RegisterFile.read((folder / "founding.register").read_bytes())
    return max(found, key=lambda each: snapshot_version(each.files))


def read_register(folder: Path) -> Register:
    """Verify the newest register that a node of a federation holds."""
    return load_set(newest(folder).files, (folder / "root.json").read_bytes(), datetime.now(UTC))


def snapshot_version(files: Mapping[str, bytes]) -> int:
    """Return the version of a set's snapshot."""
    timestamp: Any = json.loads(files["metadata/timestamp.json"])["signed"]
    return int(timestamp["meta"]["snapshot.json"]["version"])


def join_nodes(folder: Path, register: RegisterFile, members: Iterable[str]) -> None:
    """Put a register into nodes that do not run, as `paiza-node join` does."""
    for member in members:
        node = folder / "nodes" / member
        join(register, node / "data/register", node / "root.json", datetime.now(UTC))
