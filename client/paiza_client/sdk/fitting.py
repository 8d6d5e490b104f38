"""Which message of a thread a command can be about, where the thread is named and not the message."""

from collections.abc import Callable, Collection
from typing import Final

from paiza_client.sdk.model import MessageSummary
from paiza_domain import kinds
from paiza_domain.threads.request_status import ACKNOWLEDGEMENT
from paiza_domain.threads.thread import CORRECTION, RECALL

Fits = Callable[[MessageSummary], bool]
"""Whether a message, as listed, is one that a command can be about."""

_REMARKS: Final = frozenset({ACKNOWLEDGEMENT, RECALL, CORRECTION})  # on another message of the thread


def of_all(_message: MessageSummary) -> bool:
    """Fit every message."""
    return True


def received(message: MessageSummary) -> bool:
    """Fit a message of another member that says more than that one of ours arrived."""
    return message.received and message.header.kind != ACKNOWLEDGEMENT


def asks(message: MessageSummary) -> bool:
    """Fit a message of another member that expects an answer and was not recalled."""
    kind = kinds.all_kinds().get(message.header.kind)
    return message.received and kind is not None and bool(kind.answered_by) and not message.recalled_by


def answered_by(name: str) -> Fits:
    """Fit a message of another member that a message of the kind ``name`` answers, and that was not recalled."""

    def fits(message: MessageSummary) -> bool:
        kind = kinds.all_kinds().get(message.header.kind)
        return message.received and kind is not None and name in kind.answered_by and not message.recalled_by

    return fits


def of_kind(name: str) -> Fits:
    """Fit a message of one kind; of every kind for an empty name."""
    return lambda message: name in ("", message.header.kind)


def has_content(message: MessageSummary) -> bool:
    """Fit a message with content of its own that was not erased."""
    return message.header.kind not in _REMARKS and not message.erased


def stands(message: MessageSummary) -> bool:
    """Fit a message with content of its own that was not recalled, replaced or erased."""
    return has_content(message) and not message.recalled_by and not message.replaced_by


def with_attachments(message: MessageSummary) -> bool:
    """Fit a message that has attachments."""
    return bool(message.attachments)


def among(digests: Collection[bytes]) -> Fits:
    """Fit the messages with these digests."""
    return lambda message: message.digest in digests
