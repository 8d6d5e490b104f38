"""Log entries of any event, also such as no node writes."""

from typing import Any

from google.protobuf.message import Message

from paiza.core.v1 import log_pb2
from paiza_wire import log_entries


def entry_of(event: "log_pb2.LogEvent.ValueType", **fields: Any) -> log_pb2.LogEntry:
    """Build an entry of an event: its detail is set, and ``fields`` are the entry's own or the detail's."""
    built = log_pb2.LogEntry(event=event)
    detail = detail_of(built)
    detail.SetInParent()
    for name, value in fields.items():
        put(detail if name in detail.DESCRIPTOR.fields_by_name else built, name, value)
    return built


def detail_of(entry: log_pb2.LogEntry) -> Any:
    """Return the detail of the entry's event."""
    return getattr(entry, log_entries.event_name(entry.event).lower())


def turn_into(entry: log_pb2.LogEntry, event: "log_pb2.LogEvent.ValueType") -> None:
    """Make an entry one of another event, with an empty detail."""
    entry.event = event
    entry.ClearField("detail")
    detail_of(entry).SetInParent()


def put(message: Message, name: str, value: Any) -> None:
    """Set a field to a new value."""
    if isinstance(value, list):
        del getattr(message, name)[:]
        getattr(message, name).extend(value)
    elif isinstance(value, Message):
        getattr(message, name).CopyFrom(value)
    else:
        setattr(message, name, value)
