"""Officers, what they may see and what they opened. Times are UTC; digests are 32 bytes."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from paiza_wire.identity import CertificateUse


class OfficerState(StrEnum):
    """What an officer may do at their node."""

    UNCONFIRMED = "unconfirmed"
    """Enrolled; an operator has yet to compare their keys with them."""
    ACTIVE = "active"
    SUSPENDED = "suspended"
    REMOVED = "removed"


class CertificateState(StrEnum):
    """What an officer's certificate is good for at the own node."""

    ASLEEP = "asleep"
    """Waits to be confirmed."""
    ACTIVE = "active"
    ENDED = "ended"
    """Replaced, or its officer was removed."""


class InvitationState(StrEnum):
    """What became of an invitation."""

    OPEN = "open"
    USED = "used"
    VOID = "void"
    """Replaced by a newer one, or spent by wrong guesses."""


@dataclass(frozen=True, slots=True)
class StandIn:
    """The need-to-know that a deputy has for an officer: that officer, their unit, and when it ends."""

    officer: str
    unit: str
    end_time: datetime


@dataclass(frozen=True, slots=True)
class Officer:
    """An officer of the own member. ``log_index`` is of the entry behind roles, unit and state.

    ``stands_in``: the officers whose deputy they are now. It adds to what they may see, and to nothing else: roles and
    signatures are their own. Rows have none of it (`core.access.officers`).
    """

    id: str
    roles: frozenset[str]
    unit: str
    state: OfficerState = OfficerState.ACTIVE
    log_index: int = 0
    stands_in: tuple[StandIn, ...] = ()

    @property
    def is_active(self) -> bool:
        """Return whether the officer may act."""
        return self.state is OfficerState.ACTIVE


def described(officer: Officer, reason_text: str = "") -> str:
    """Return the text beside an entry about an officer: id, roles and unit on a line of their own, then the reason."""
    line = " ".join([officer.id, ",".join(sorted(officer.roles)), officer.unit]).rstrip()
    return f"{line}\n{reason_text}" if reason_text else line


def described_unit(text: str) -> tuple[str, str]:
    """Return the id and the unit of the officer that a text of `described` names."""
    officer, _roles, unit = (*text.partition("\n")[0].split(" ", 2), "", "")[:3]
    return officer, unit


@dataclass(frozen=True, slots=True)
class OfficerCertificate:
    """A certificate of an officer. ``log_index`` is of its OFFICER_CERTIFIED entry.

    ``invitation_sha256`` is empty if the officer was admitted from a file, or renewed it. ``to_revoke``: the register
    is to list it as revoked. ``confirmed_index`` is of its OFFICER_CONFIRMED entry, None without one.
    """

    certificate_sha256: bytes
    officer: str
    use: CertificateUse
    der: bytes
    not_before: datetime
    not_after: datetime
    state: CertificateState
    log_index: int
    invitation_sha256: bytes = b""
    to_revoke: bool = False
    confirmed_index: int | None = None


class InvitationAlarm(StrEnum):
    """Why somebody else may hold an invitation."""

    NONE = ""
    OTHER_KEYS = "other_keys"
    """It was used, and shown again with other keys: of two holders one is not the officer."""
    GUESSED = "guessed"
    """Wrong secrets made it void."""


@dataclass(frozen=True, slots=True)
class Invitation:
    """An invitation to enrol. ``statement`` holds its bytes; ``log_index`` is of its OFFICER_INVITED entry.

    ``keys_sha256`` identifies the public keys that used it; ``guesses`` counts wrong secrets. The issuer may demand an
    ``administrator_signature`` over the statement.
    """

    invitation_sha256: bytes
    officer: str
    statement: bytes
    secret_sha256: bytes
    expiry_time: datetime
    state: InvitationState
    log_index: int
    keys_sha256: bytes = b""
    guesses: int = 0
    alarm: InvitationAlarm = InvitationAlarm.NONE
    administrator_signature: bytes = b""


@dataclass(frozen=True, slots=True)
class Opened:
    """A part that an officer opened, and the log entry that records it."""

    digest: bytes
    part_number: int
    officer: str
    log_index: int


@dataclass(frozen=True, slots=True)
class Deputy:
    """The appointment of a deputy. ``log_index`` is of its DEPUTY_APPOINTED entry.

    ``ended_index`` is of its DEPUTY_ENDED entry, None before it. After ``end_time`` it is over without one.
    """

    log_index: int
    officer: str
    deputy: str
    end_time: datetime
    ended_index: int | None = None


@dataclass(frozen=True, slots=True)
class Viewer:
    """The need-to-know scope of an officer: the units whose messages they see; None for all.

    ``stood_for``: the officers whose deputy they are; what was given to one of these they see too.
    """

    officer: str
    units: tuple[str, ...] | None
    stood_for: tuple[str, ...] = ()

    @property
    def readers(self) -> tuple[str, ...]:
        """Return the officers one of whom must be a reader of a message of another unit."""
        return (self.officer, *self.stood_for)


@dataclass(frozen=True, slots=True)
class MessageQuery:
    """Conditions of a list of messages; unset fields do not restrict. Newest first, below ``before_seq`` if set."""

    received: bool | None = None
    unread_by: str = ""
    kind: str = ""
    author: str = ""
    since_time: datetime | None = None
    until_time: datetime | None = None
    thread_id: bytes = b""
    thread_name: str = ""
    id_prefix: str = ""
    after_seq: int = 0
    before_seq: int | None = None
    limit: int = 100
    oldest_first: bool = False
    seen_by: Viewer | None = None
