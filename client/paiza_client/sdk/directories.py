"""The directories of the members: liaison officers, who is on duty, who confirms whom, and where coverage has holes.

    known = directories.of(session.register())
    known.on_duty("tjk", datetime.now(UTC))          shifts, each with its contacts
    known.warnings("kaz", datetime.now(UTC))         expired postings, gaps of the roster and of the coverage

What a member says of itself is verified with the register, and nothing of it is proven beyond that. A directory that
cannot be used is that member's alone.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final

import grpc

from paiza.officer.v1 import directory_pb2, directory_pb2_grpc
from paiza_domain import directory as said
from paiza_domain import kinds
from paiza_domain.directory import (
    Accreditation,
    Confirmation,
    Directory,
    Hole,
    Interval,
    LiaisonOfficer,
    Shift,
)
from paiza_officer import channel
from paiza_register import Register

AHEAD: Final = timedelta(days=7)
"""For how long ahead holes are looked for."""


@dataclass(frozen=True, slots=True)
class Warnings:
    """What a member should mend in its directory, as of a time."""

    expired: tuple[LiaisonOfficer, ...]
    roster_gaps: tuple[Interval, ...]
    holes: tuple[Hole, ...]
    unconfirmed: tuple[Accreditation, ...]
    unmatched: tuple[Confirmation, ...]


class Directories:
    """The directories in one version of the register, those of members that cannot be used included."""

    def __init__(self, register: Register) -> None:
        self.active = sorted(register.active_ids)
        self.published = {
            member: said.published(register.reference, member)
            for member in sorted({*register.members, *register.unusable})
        }

    @cached_property
    def accreditations(self) -> tuple[Accreditation, ...]:
        """Return what the members state about where their officers are accredited, and who confirms it."""
        return said.accreditations({member: each.directory for member, each in self.published.items()})

    def on_duty(self, member: str, at: datetime) -> tuple[Shift, ...]:
        """Return the shifts of a member at a time."""
        return said.on_duty(self.published[member].directory, at)

    def warnings(self, member: str, now: datetime, instead: Directory | None = None) -> Warnings:
        """Return what is to be mended in a member's directory, or in another one ``instead``.

        Without any roster the gap is all of the time ahead.
        """
        directory = self.published[member].directory if instead is None else instead
        ahead = Interval(now, now + AHEAD)
        others = [each for each in self.active if each != member]
        all_of = {each: found.directory for each, found in self.published.items()} | {member: directory}
        return Warnings(
            expired=tuple(each for each in directory.officers if each.is_expired(now.date())),
            roster_gaps=said.roster_gaps(directory, ahead),
            holes=said.holes(directory, others, tuple(kinds.all_kinds()), ahead),
            unconfirmed=tuple(
                each
                for each in said.accreditations(all_of)
                if each.officer.member == member and not each.confirmed and each.host in self.published
            ),
            unmatched=said.unmatched(directory, all_of),
        )


_read: dict[bytes, Directories] = {}


def of(register: Register) -> Directories:
    """Return the directories of a register; those of one version are read once."""
    found = _read.get(register.version)
    if found is None:
        _read.clear()  # a program works with one version at a time
        found = _read[register.version] = Directories(register)
    return found


class DirectoryCalls:
    """The session's calls for the own member's directory; for officers with the role ``data``."""

    def __init__(self, connection: grpc.aio.Channel, call: channel.Call) -> None:
        self._stub = directory_pb2_grpc.DirectoryServiceStub(connection)
        self._call = call

    async def publish(self, file: bytes, base_sha256: bytes) -> bytes:
        """Publish liaison.json in place of the file with this SHA-256 (empty for none); return the register version.

        The node logs DIRECTORY_CHANGED. Refused("conflict") where another file is published by now, ("policy_denied")
        without the role, ("invalid_content"). Unreachable("publication_pending") where it is stored, and published as
        soon as it can be.
        """
        request = directory_pb2.PublishDirectoryRequest(file=file, base_sha256=base_sha256)
        answer: directory_pb2.PublishDirectoryResponse = await self._call(
            lambda: self._stub.PublishDirectory(request, timeout=channel.SUBMIT_SECONDS)
        )
        return answer.register_version
