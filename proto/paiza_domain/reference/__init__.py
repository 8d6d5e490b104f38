"""Reference data: substances and their control, country profiles, legal bases, border crossing points.

The data are in the register, never in code; this package parses (`read`) and queries them. They never refuse a message:
data differ between members and versions, so they are only shown to people.
"""

from paiza_domain.reference.consistency import Consistency, Difference, Finding, consistency
from paiza_domain.reference.control_status import ControlStatus, Listing, international, status
from paiza_domain.reference.documents import read
from paiza_domain.reference.law import SharedBasis, crossings, shared_bases, subjects
from paiza_domain.reference.mentions import NAMING_FIELDS, Mention, mentions, mentions_any
from paiza_domain.reference.model import (
    BorderPoint,
    LegalBasis,
    Profile,
    Reference,
    Substance,
)
from paiza_domain.reference.names import NameIndex, NameMatch

__all__ = [
    "NAMING_FIELDS",
    "BorderPoint",
    "Consistency",
    "ControlStatus",
    "Difference",
    "Finding",
    "LegalBasis",
    "Listing",
    "Mention",
    "NameIndex",
    "NameMatch",
    "Profile",
    "Reference",
    "SharedBasis",
    "Substance",
    "consistency",
    "crossings",
    "international",
    "mentions",
    "mentions_any",
    "read",
    "shared_bases",
    "status",
    "subjects",
]
