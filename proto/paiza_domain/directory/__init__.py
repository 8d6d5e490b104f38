"""The directory of a member: its liaison officers, its duty roster, and the accreditations that it confirms.

A member publishes it in the register, as ``members/<id>/liaison.json`` under its node's own role. It decides nothing
about messages: it tells people whom to call.
"""

from paiza_domain.directory.accreditation import Accreditation, accreditations, unmatched
from paiza_domain.directory.content import Known
from paiza_domain.directory.coverage import Hole, holes, on_duty, roster_gaps
from paiza_domain.directory.differences import differences, hours_text, moment_text, shift_text
from paiza_domain.directory.documents import DirectoryError, Published, State, path_of, published, read, to_bytes
from paiza_domain.directory.draft import read_draft
from paiza_domain.directory.model import (
    ALL,
    Confirmation,
    Directory,
    DutyRoster,
    Interval,
    LiaisonOfficer,
    Shift,
    WorkingHours,
)
from paiza_domain.directory.writing import write_draft

__all__ = [
    "ALL",
    "Accreditation",
    "Confirmation",
    "Directory",
    "DirectoryError",
    "DutyRoster",
    "Hole",
    "Interval",
    "Known",
    "LiaisonOfficer",
    "Published",
    "Shift",
    "State",
    "WorkingHours",
    "accreditations",
    "differences",
    "holes",
    "hours_text",
    "moment_text",
    "on_duty",
    "path_of",
    "published",
    "read",
    "read_draft",
    "roster_gaps",
    "shift_text",
    "to_bytes",
    "unmatched",
    "write_draft",
]
