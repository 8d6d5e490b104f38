"""Ceremonies: steps in which people use keys that sign the register. No I/O, and no words for people.

An `Application` holds the public part of a member's keys. A `Proposal` holds an act (`Founding`, `Change`) with the
signatures collected for it.
"""

from paiza_register.ceremony.application import Application
from paiza_register.ceremony.change import Change
from paiza_register.ceremony.draft import Act, Draft
from paiza_register.ceremony.founding import Founding
from paiza_register.ceremony.proposal import Proposal

__all__ = ["Act", "Application", "Change", "Draft", "Founding", "Proposal"]
