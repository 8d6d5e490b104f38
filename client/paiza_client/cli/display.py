"""Lists of messages, and the description of a message at this terminal."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from paiza.core.v1 import message_pb2
from paiza_client.cli import classification
from paiza_client.cli.terminal import Terminal, lang
from paiza_client.language import N_, _
from paiza_client.sdk import wording
from paiza_client.sdk.model import Delivery, MessageSummary
from paiza_client.sdk.wording import (
    event,
    kind_of,
    kind_title,
    part_name,
    part_number,
    proof_rows,
    proof_text,
    recipients,
    sender,
    urgency,
    when,
)
from paiza_domain.schema import subjects

__all__ = [
    "SHORT_ID",
    "attachments",
    "delivery",
    "event",
    "header_rows",
    "kind_of",
    "kind_title",
    "listing",
    "mark",
    "part_name",
    "part_number",
    "proof_rows",
    "proof_text",
    "recipients",
    "sender",
    "urgency",
    "when",
]

SHORT_ID: Final = 18  # hex digits shown in lists: 48 bits of time, and 20 bits that are random
_STATES: Final = {
    "waiting": N_("waiting"),
    "delivered": N_("delivered"),
    "refused": N_("refused"),
    "rejected": N_("rejected"),
    "expired": N_("expired"),
    "dropped": N_("dropped"),
    "unknown": N_("unknown"),
}


def header_rows(header: message_pb2.Header, thread_name: str) -> list[tuple[str, str]]:
    """Describe a header for reading, with the own member's name of its level."""
    level = classification.name(header.handling.classification) if header.handling.classification else ""
    return wording.header_rows(header, thread_name, level)


def listing(
    terminal: Terminal,
    messages: Sequence[MessageSummary],
    *,
    sent: bool = False,
    remarks: Mapping[bytes, str] = MappingProxyType({}),
) -> None:
    """Print messages as a table; ``remarks`` are told of the message with that digest beside its state."""
    columns = [_("Id"), _("Thread"), _("Stored"), _("Urgency"), _("Kind"), _("Subject"), _("From"), _("To")]
    columns.append(_("Delivery") if sent else _("State"))
    rows = [
        (
            each.id[:SHORT_ID],
            each.thread_name,
            when(each.stored_time),
            urgency(each.header),
            kind_title(each.header),
            subjects.text(each.subject, lang()),
            sender(each.header),
            recipients(each.header),
            "; ".join(
                filter(
                    None,
                    (
                        mark(each),
                        _deliveries(each) if not each.received else _state(each),
                        remarks.get(each.digest, ""),
                        attachments(each),
                    ),
                )
            ),
        )
        for each in messages
    ]
    terminal.table(columns, rows, empty=_("No messages."))


def attachments(message: MessageSummary) -> str:
    """Return how many of a message's attachments are where they should be; nothing where it has none."""
    if not message.attachments:
        return ""
    whole = sum(each.state == "received" for each in message.attachments)
    failed = sum(each.state in ("refused", "expired") for each in message.attachments)
    text = _("attachments: {whole} of {all}").format(whole=whole, all=len(message.attachments))
    return text + (" " + _("({n} failed)").format(n=failed) if failed else "")


def delivery(at: Delivery) -> str:
    """Return where a message stands at one recipient."""
    state = _(_STATES[at.state])
    return f"{at.recipient}: {state} ({at.reason})" if at.reason else f"{at.recipient}: {state}"


def mark(message: MessageSummary) -> str:
    """Return in capitals whether a message was erased, recalled or corrected; empty if none."""
    if message.erased:
        return _("ERASED")
    if message.recalled_by:
        return _("RECALLED")
    if message.replaced_by:
        return _("REPLACED")
    return _("CORRECTED") if message.corrected_by else ""


def _deliveries(message: MessageSummary) -> str:
    return "; ".join(delivery(at) for at in message.deliveries)


def _state(message: MessageSummary) -> str:
    state = _("opened by a colleague") if message.opened else _("new")
    if message.opened_by_caller:
        state = _("read")
    return "; ".join((state, _("linked"))) if message.linked else state
