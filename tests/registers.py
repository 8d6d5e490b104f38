"""The register of a development federation, as its nodes hold it, and changes of it as its members make them."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from paiza_register import Register, load_set
from paiza_register.archive import Archive
from paiza_register.ceremony import Act, Base, Circumstances, Proposal
from paiza_register.joining import join
from paiza_register.register_file import RegisterFile
from paiza_trust.apply import NodeFolder
from paiza_trust.key_folder import KeyFolder
from paiza_trust.publishing import publish


def newest(folder: Path) -> RegisterFile:
    """Return the newest register that a node of a federation holds, running or not; at first the founding's."""
    held: dict[bytes, Mapping[str, bytes]] = {}
    for place in (folder / "nodes").glob("*/data/register"):
        archive = Archive(place)
        version = archive.current()
        if version is not None and version not in held:
            held[version] = dict(archive.files(version) or {})
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


def decided(folder: Path, act: Act) -> RegisterFile:
    """Sign an act with every key of every member that may, and publish it with the first publisher's node."""
    proposal = signed_by_all(folder, Proposal(act))
    first = next(iter(proposal.draft.publishers))
    return publish(proposal, NodeFolder.open(folder / "nodes" / first), datetime.now(UTC))


def signed_by_all(folder: Path, proposal: Proposal) -> Proposal:
    """Sign a proposal with every key of every member that may."""
    now = datetime.now(UTC)
    for own in (folder / "trust").iterdir():
        member, node = own.name, KeyFolder(folder / "nodes" / own.name / "keys", {"sealed": False})
        pairs = [KeyFolder(own).pair(f"{name}-{member}") for name in ("custodian", "member", "reference")]
        for pair in (*pairs, node.pair("revocations")):
            proposal = proposal.signed_with(pair, Circumstances(now, "clock of the test"))
    return proposal


def base_of(folder: Path) -> Base:
    """Return the newest register that a node of a federation holds, for an act that builds on it."""
    return Base.verify(newest(folder), datetime.now(UTC))


def join_nodes(folder: Path, register: RegisterFile, members: Iterable[str]) -> None:
    """Put a register into nodes that do not run, as `paiza-node join` does."""
    for member in members:
        node = folder / "nodes" / member
        join(register, node / "data/register", node / "root.json", datetime.now(UTC))
