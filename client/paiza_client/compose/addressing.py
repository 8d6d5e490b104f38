"""What the register says of a message before it is sealed: states that must be told, substances that it may not name.

Only an author is held to these rules. A receiver is not: its register may be another version.
"""

from datetime import datetime

from google.protobuf.message import Message

from paiza_client.local import reference_data
from paiza_domain import reference
from paiza_domain.schema.field_errors import FieldError
from paiza_domain.schema.kind import Kind
from paiza_register import Register


def members_told(register: Register, own: str, kind: Kind, content: Message) -> tuple[str, ...]:
    """Return the ids of the members that a content of this kind must be sent to, without the own one."""
    return tuple(dict.fromkeys(member for _path, member in _told(register, own, kind, content)))


def errors(
    register: Register, own: str, kind: Kind, content: Message, recipients: tuple[str, ...], now: datetime
) -> list[FieldError]:
    """Return what is wrong with a content and its recipients by the register; empty for kinds without such rules."""
    found = [
        FieldError(path, "state_not_told", {"value": member})
        for path, member in _told(register, own, kind, content)
        if member not in recipients
    ]
    if kind.precursors_only:
        data = reference_data.of(register)
        on = reference.day_of(content, now)
        found += reference.precursor_errors(content, data.reference, data.index, (own, *recipients), on)
    return found


def _told(register: Register, own: str, kind: Kind, content: Message) -> list[tuple[str, str]]:
    active = {each.id for each in register.active_members()} - {own}
    return [(path, country.lower()) for path, country in kind.states_told(content) if country.lower() in active]
