"""Ceremonies: steps in which people use keys that sign the register. No I/O, and no words for people.

An `Application` holds the public part of a member's keys. A `Proposal` holds an act with the signatures collected for
it: a `Founding`, a `Change` that custodians decide, or a `Publication` of one role by its own key.
"""

from paiza_register.ceremony.application import Application
from paiza_register.ceremony.base import Base, BaseName
from paiza_register.ceremony.change import Change
from paiza_register.ceremony.draft import Act, Draft
from paiza_register.ceremony.founding import Founding
from paiza_register.ceremony.proposal import Proposal
from paiza_register.ceremony.publication import Publication
from paiza_register.ceremony.record import Circumstances

__all__ = [
    "Act",
    "Application",
    "Base",
    "BaseName",
    "Change",
    "Circumstances",
    "Draft",
    "Founding",
    "Proposal",
    "Publication",
]
