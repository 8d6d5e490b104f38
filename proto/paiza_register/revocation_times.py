"""When a revocation came into force, as the archived sets of the register show it."""

import json
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from tuf.api.metadata import Snapshot

from paiza_register.archive import Archive, ArchivedSet
from paiza_register.ceremony.times import ROOT_LIFE
from paiza_register.documents import parse_revoked
from paiza_register.model import Register
from paiza_wire.errors import Rejected, Unavailable


def unrevoked_until(
    archive: Archive, load: Callable[[bytes], Register], member: str, revoked: frozenset[bytes]
) -> datetime | None:
    """Return a time until which no register revoked any of these certificates and keys of a member.

    It is when the timestamp of the last archived set before the first one that revokes them was signed: the register of
    a node that was away for long may lack those between the two. If none can be missing, it is when the snapshot of the
    first one was signed. None if no set of before is archived. ``load`` verifies an archived set.
    """
    listed = [(version, found) for version in archive.versions() if (found := archive.set(version)) is not None]
    before: bytes | None = None
    for version, found in sorted(listed, key=lambda each: (_timestamp_version(each[1]), each[0])):
        if revoked & _revocations(archive, found, member):
            return None if before is None else _between(load, before, version)
        before = version
    return None


def _timestamp_version(listed: ArchivedSet) -> int:
    with suppress(ValueError, KeyError, TypeError):
        return int(json.loads(listed.timestamp)["signed"]["version"])
    return 0


def _revocations(archive: Archive, listed: ArchivedSet, member: str) -> frozenset[bytes]:
    """Return what a member's revoked.json in an archived set holds; the set is not verified again."""
    own = re.compile(rf"targets/members/{re.escape(member)}/[0-9a-f]{{64}}\.revoked\.json")
    for path, digest in listed.files.items():
        if own.fullmatch(path) and (data := archive.blob(digest)) is not None:
            return parse_revoked(member, data)
    return frozenset()


def _between(load: Callable[[bytes], Register], before: bytes, first: bytes) -> datetime | None:
    try:
        earlier, later = load(before), load(first)
    except (Rejected, Unavailable):  # damaged
        return None
    if later.snapshot_version != earlier.snapshot_version + 1:
        return earlier.issued_time
    return max(earlier.issued_time, later.role_expiries[Snapshot.type] - ROOT_LIFE)
