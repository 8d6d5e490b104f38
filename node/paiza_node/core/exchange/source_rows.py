"""Source rows: a unit, or an officer, releases one message for a row of an imported table.

The rows of other units are independent: an officer who sends messages under the digests of another unit's rows neither
keeps that unit from sending them, nor learns whether it did. Within a unit the earlier message is named, and its header
names who signed it.
"""

from collections.abc import Collection

from paiza_node.core.access import store as access_store
from paiza_node.core.access.model import Officer
from paiza_node.core.access.need_to_know import UnitDirectory, list_scope
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageRow
from paiza_node.core.storage import ReadConnection
from paiza_wire import message as wire
from paiza_wire.errors import Rejected


def row_text(source_row: bytes) -> str:
    """Return the text beside the first release of a message that was made from a source row, which `verify` reads."""
    return f"source row {source_row.hex()}"


def known(
    conn: ReadConnection, officer: Officer, unit_directory: UnitDirectory, rows: Collection[bytes]
) -> dict[bytes, MessageRow]:
    """Return, by source row, the first message that an officer or their unit released for it."""
    unit = unit_directory.sending_unit(officer)
    found: dict[bytes, MessageRow] = {}
    for message in messages_store.messages_by_source_row(conn, rows):
        assert message.source_row is not None
        if message.source_row not in found and (_of_unit(message, unit) or _signed(message, officer)):
            found[message.source_row] = message
    return found


def listed(conn: ReadConnection, officer: Officer, messages: Collection[MessageRow]) -> set[bytes]:
    """Return the digests of those of these messages that an officer may list."""
    visible = access_store.visible(conn, [each.seq for each in messages], list_scope(officer))
    return {each.digest for each in messages if each.seq in visible}


def nameable(
    conn: ReadConnection, officer: Officer, unit_directory: UnitDirectory, rows: Collection[bytes]
) -> dict[bytes, bytes]:
    """Return, by known source row, the digest of its message; empty if the officer may not list that message."""
    found = known(conn, officer, unit_directory, rows)
    named = listed(conn, officer, found.values()) if found else set()
    return {row: message.digest if message.digest in named else b"" for row, message in found.items()}


def _of_unit(message: MessageRow, unit: str | None) -> bool:
    return message.unit is not None and message.unit == unit


def _signed(message: MessageRow, officer: Officer) -> bool:
    try:
        header = wire.parse_header(message.header)
    except Rejected:
        return False  # damaged on disk; `verify` names it
    return any(each.id == officer.id for each in header.required_signers)
