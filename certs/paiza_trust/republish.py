"""Publishes the next version of a register whose keys lie in its folder: some files changed, all others as they are.

Only a development federation has its keys in one folder.
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from tuf.api.metadata import Metadata

from paiza_register.verified_set import target_path
from paiza_trust.errors import TrustError
from paiza_trust.repository import load_signers, publish
from paiza_trust.show import read_register


def republish(folder: Path, changes: Mapping[str, bytes], *, now: datetime) -> int:
    """Publish ``changes`` (target path -> bytes) on top of what the register in the folder holds; gives the version.

    The register is verified before and read back after, as every reader reads it.
    """
    members = read_register(folder, now).members
    foreign = sorted(path for path in changes if path.startswith("members/") and path.split("/")[1] not in members)
    if foreign:
        what = "The register has no such member"
        raise TrustError("unknown_member", what, ", ".join(foreign), "Name a member of it.")
    metadata = folder / "register/metadata"

    def signed(name: str) -> Any:
        return Metadata.from_file(str(metadata / name)).signed

    snapshot = signed(f"{signed('timestamp.json').snapshot_meta.version}.snapshot.json")
    roles = {name.removesuffix(".json"): signed(f"{meta.version}.{name}") for name, meta in snapshot.meta.items()}
    documents = {
        path: (folder / "register" / target_path(info)).read_bytes()
        for targets in roles.values()
        for path, info in targets.targets.items()
    }
    last_root = max(metadata.glob("*.root.json"), key=_version)
    signers = load_signers(folder / "register-keys", signed(last_root.name), roles["targets"])
    # If an attempt broke off before its timestamp, its files lie here under a version that nobody was told of.
    version = 1 + max(_version(path) for path in metadata.glob("*.*.json") if not path.name.endswith(".root.json"))
    publish(folder / "register", signers, {**documents, **changes}, version=version, now=now)
    read_register(folder, now)
    return version


def _version(path: Path) -> int:
    return int(path.name.partition(".")[0])
