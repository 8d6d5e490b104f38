"""Reference data: substances and their control, country profiles, legal bases, border crossing points.

The data are in the register, never in code; this package parses (`read`) and queries them. They never refuse a message:
data differ between members and versions, so they are only shown to people.
"""

from paiza_domain.reference.consistency import Consistency, Difference, Finding, consistency
from paiza_domain.reference.control_status import (
    ControlStatus,
    InternationalStatus,
    Listing,
    international,
    status,
)
from paiza_domain.reference.documents import read
from paiza_domain.reference.doubts import doubts
from paiza_domain.reference.facts import Fact, facts
from paiza_domain.reference.law import (
    Ratification,
    SharedBasis,
    Standpoint,
    crossings,
    participants,
    ratifications,
    shared_bases,
    subjects,
)
from paiza_domain.reference.mentions import NAMING_FIELDS, Mention, day_of, mentions, mentions_any
from paiza_domain.reference.model import (
    BorderPoint,
    LegalBasis,
    Participation,
    Profile,
    Reference,
    Standing,
    Substance,
)
from paiza_domain.reference.names import NameIndex, NameMatch
from paiza_domain.reference.numbers import cas_numbers, cas_text, fill_in, hs_codes, hs_text, left_out, with_standing
from paiza_domain.reference.precursors import is_precursor, precursor_errors

__all__ = [
    "NAMING_FIELDS",
    "BorderPoint",
    "Consistency",
    "ControlStatus",
    "Difference",
    "Fact",
    "Finding",
    "InternationalStatus",
    "LegalBasis",
    "Listing",
    "Mention",
    "NameIndex",
    "NameMatch",
    "Participation",
    "Profile",
    "Ratification",
    "Reference",
    "SharedBasis",
    "Standing",
    "Standpoint",
    "Substance",
    "cas_numbers",
    "cas_text",
    "consistency",
    "crossings",
    "day_of",
    "doubts",
    "facts",
    "fill_in",
    "hs_codes",
    "hs_text",
    "international",
    "is_precursor",
    "left_out",
    "mentions",
    "mentions_any",
    "participants",
    "precursor_errors",
    "ratifications",
    "read",
    "shared_bases",
    "status",
    "subjects",
    "with_standing",
]
