"""Threads made in a line each, for the tests of what is folded from them."""

from datetime import datetime, timedelta
from hashlib import sha256

from google.protobuf.message import Message

from paiza.core.v1.message_pb2 import URGENCY_ROUTINE, Header, Recipient, Urgency
from paiza_domain.threads.thread import ThreadMessage
from tests.unit.paiza_domain.conftest import NOW

THREAD = b"thread".ljust(16)


def name(text: str) -> bytes:
    """Return the digest of the message of that name."""
    return sha256(text.encode()).digest()


def said(
    text: str,
    kind: str,
    author: str,
    *parents: str,
    to: str = "kaz tjk uzb",
    hours: float = 0,
    content: Message | None = None,
    urgency: "Urgency.ValueType" = URGENCY_ROUTINE,
    opens: bool = False,
) -> ThreadMessage:
    """Make the message of that name, released so many hours after `NOW`."""
    header = Header(
        message_id=THREAD if opens else name(text)[:16],
        thread_id=THREAD,
        kind=kind,
        kind_version=1,
        author=author,
        parent_digests=[name(each) for each in parents],
        recipients=[Recipient(member=each) for each in to.split() if each != author],
        urgency=urgency,
    )
    return ThreadMessage(name(text), header, at(hours), content)


def at(hours: float) -> datetime:
    """Return the time so many hours after `NOW`."""
    return NOW + timedelta(hours=hours)
