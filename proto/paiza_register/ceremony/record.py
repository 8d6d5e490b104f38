"""Records of signatures and refusals: when a key was used, by which clock, and on which token. Signed with that key.

A record stands beside its signature in a proposal. Every member's node keeps it beside its log entry, so that who
signed what can be proven to anybody who has the register of that time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from paiza_register import carried
from paiza_register.ceremony.times import read_time, time_text
from paiza_wire.errors import Rejected

SIGNED: Final = "signed"
REFUSED: Final = "refused"
DECISIONS: Final = (SIGNED, REFUSED)

LABEL: Final = b"paiza/v1/ceremony-record\n"
"""Stands before what a record states, so that its signature is taken for no other."""

MAX_TEXT: Final = 500
"""Characters of a token's name, and of the name of a clock."""

_FIELDS: Final = ("time", "time_source", "token", "signature")


@dataclass(frozen=True)
class Circumstances:
    """How a key was used: the time, the clock that it is from, and the token that holds the key, empty for a file."""

    time: datetime
    time_source: str
    token: str = ""

    def values(self) -> dict[str, Any]:
        """Return what a record states of it."""
        return {"time": time_text(self.time), "time_source": self.time_source, "token": self.token}


@dataclass(frozen=True)
class Record:
    """The circumstances of a signature or a refusal, and the signature of the same key over them, in hex."""

    circumstances: Circumstances
    signature: str

    @classmethod
    def read(cls, values: object) -> "Record":
        """Read it from a proposal; ``Rejected("malformed")`` if it is none."""
        fields = carried.only(values, _FIELDS)
        source, token = carried.text(fields, "time_source"), carried.text(fields, "token")
        if max(len(source), len(token)) > MAX_TEXT:
            raise Rejected("malformed", f"a record names a clock or a token in over {MAX_TEXT} characters")
        time = read_time(carried.text(fields, "time"))
        return cls(Circumstances(time, source, token), carried.text(fields, "signature"))

    def values(self) -> dict[str, Any]:
        """Return what a proposal holds of it."""
        return {**self.circumstances.values(), "signature": self.signature}


def message(stated: Mapping[str, Any], circumstances: Circumstances) -> bytes:
    """Return the bytes that a record's signature is over; ``stated`` says who decided what, of which proposal."""
    return LABEL + carried.canonical({**stated, **circumstances.values()})
