"""Accreditations: what the sending member states, and whether the host confirms it.

An officer of one member may be posted in a second state and accredited to a third. The member that sends the officer
says so in its directory; a host that accepted the officer confirms it in its own, by the officer's id and name: a
confirmation counts for that person only, whoever has the id later.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from paiza_domain.directory.model import Confirmation, Directory, LiaisonOfficer


@dataclass(frozen=True, slots=True)
class Accreditation:
    """An officer's accreditation to a host; ``confirmed`` if the host's directory says the same."""

    officer: LiaisonOfficer
    host: str
    confirmed: bool

    @property
    def is_from_elsewhere(self) -> bool:
        """Return whether the officer is posted in another state than the host."""
        return self.officer.posted_in != self.host


def accreditations(directories: Mapping[str, Directory]) -> tuple[Accreditation, ...]:
    """Return the accreditations that the members state, by member, officer and host."""
    return tuple(
        Accreditation(officer, host, host in directories and _confirmation(officer) in directories[host].confirmed)
        for _member, directory in sorted(directories.items())
        for officer in directory.officers
        for host in officer.accredited_to
    )


def unmatched(own: Directory, directories: Mapping[str, Directory]) -> tuple[Confirmation, ...]:
    """Return the confirmations of a member that no directory states (any more)."""
    stated = {_confirmation(each.officer) for each in accreditations(directories) if each.host == own.member}
    return tuple(each for each in own.confirmed if each not in stated)


def _confirmation(officer: LiaisonOfficer) -> Confirmation:
    return Confirmation(officer.member, officer.id, officer.name)
