"""Publishes the next version of a register whose keys lie in its folder: some files changed, all others as they are.

Only what holds a changed file is signed again, so only its key is needed, and a publisher's.
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from tuf.api.metadata import TargetFile, Targets

from paiza_register import roles
from paiza_register.ceremony.times import ROOT_LIFE, expiry
from paiza_register.verified_set import target_path
from paiza_trust import repository
from paiza_trust.current import Current
from paiza_trust.errors import TrustError
from paiza_trust.files import write_private
from paiza_trust.language import N_
from paiza_trust.show import read_register


def republish(folder: Path, changes: Mapping[str, bytes], *, now: datetime) -> int:
    """Publish ``changes`` (target path -> bytes) on top of what the register in the folder holds; return the version.

    ``changes`` are files of delegated roles. The register is verified before and read back after, as every reader
    reads it.
    """
    members = read_register(folder, now).members
    foreign = sorted(path for path in changes if path.startswith("members/") and path.split("/")[1] not in members)
    if foreign:
        what = N_("The register has no such member")
        raise TrustError("unknown_member", what, ", ".join(foreign), N_("Name a member of it."))
    current = Current(folder)
    version, meta = current.next_version, current.snapshot.meta
    changed = {path: roles.role_of(path) or Targets.type for path in changes}
    signers = {name: current.delegated(name) for name in sorted(set(changed.values()))}
    publisher = current.publisher()
    for name, signer in signers.items():
        role = current.role(name)
        role.version, role.expires = version, expiry(now, ROOT_LIFE)
        for path in (path for path, owner in changed.items() if owner == name):
            role.targets[path] = TargetFile.from_data(path, changes[path], ["sha256"])
            write_private(current.register / target_path(role.targets[path]), changes[path])
        data = repository.publish_metadata(
            current.register, f"{version}.{name}.json", repository.signed(role, [signer])
        )
        meta[f"{name}.json"] = repository.meta_file(version, data)
    repository.publish_snapshot(current.register, publisher, meta, version=version, now=now)
    read_register(folder, now)
    return version
