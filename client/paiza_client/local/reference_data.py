"""The reference data of the register in use, read once; they explain messages and refuse none."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from paiza_domain import reference
from paiza_domain.drafts.members import UNKNOWN, Members
from paiza_domain.reference import NameIndex, Reference
from paiza_domain.reference.model import Texts
from paiza_officer import register_cache
from paiza_officer.errors import Refused
from paiza_officer.profiles import Profile
from paiza_register import Register
from paiza_wire.errors import PaizaError

MAX_LIST_BYTES: Final = 16 << 20  # a list of substances; the longest national one has a few thousand lines
NOT_UTF8: Final = "cp1251"  # what spreadsheets of the region write where they do not write UTF-8


class ReferenceData:
    """Reference data with their index of names, which is made when something is first looked up."""

    def __init__(self, register: Register) -> None:
        self.reference: Reference = reference.read(register.reference)
        self.members = frozenset(register.members)
        self._index: NameIndex | None = None

    @property
    def index(self) -> NameIndex:
        """Return the index of all names."""
        if self._index is None:
            self._index = NameIndex(self.reference)
        return self._index


_read: dict[bytes, ReferenceData] = {}


def of(register: Register) -> ReferenceData:
    """Return the reference data of a register; those of one version are read once."""
    found = _read.get(register.version)
    if found is None:
        _read.clear()  # a program works with one version at a time
        found = _read[register.version] = ReferenceData(register)
    return found


def last_register(profile: Profile) -> Register | None:
    """Return the register that was verified last; None where there is none that may be used."""
    try:
        return register_cache.cached(profile)
    except PaizaError:  # whether the register may be used is for the sending to say
        return None


def members(profile: Profile) -> Members:
    """Return the members by the names that an officer may type, from the register verified last; else any."""
    known = last_register(profile)
    return Members({each.id: each.names for each in known.members.values()}) if known else UNKNOWN


def level_names(register: Register, member: str) -> Mapping[int, Texts]:
    """Return a member's own names of classification levels, by level and language; empty where it published none."""
    profile = of(register).reference.profiles.get(member)
    return {} if profile is None else profile.classification


def own_level_names(profile: Profile) -> Mapping[int, Texts]:
    """Return the same of the profile's member, by the register verified last; empty where there is none."""
    known = register_cache.cached(profile)
    return {} if known is None else level_names(known, profile.member)


def read_list(path: Path) -> str:
    """Return the text of a list of substances, in UTF-8 or Windows-1251, for `paiza_domain.reference.cas_lists`.

    Refused("file_unreadable") where it cannot be read, ("too_large") over 16 MiB.
    """
    try:
        with path.open("rb") as opened:
            content = opened.read(MAX_LIST_BYTES + 1)
    except OSError as error:
        raise Refused("file_unreadable", str(path), error.strerror or "") from error
    if len(content) > MAX_LIST_BYTES:
        raise Refused("too_large", str(path), f"over {MAX_LIST_BYTES} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode(NOT_UTF8, errors="replace")
