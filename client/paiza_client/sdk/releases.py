"""Leave to pass a message on to others: asked of its author, granted by two officers, or denied.

Each function returns a message that `sending.send` sends.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from paiza.content.v1.release_pb2 import ReleaseDenial, ReleaseGrant, ReleaseRequest
from paiza_client.language import _
from paiza_client.sdk import messages, replies
from paiza_client.sdk.drafts import UNCHANGED, Overrides, Prepared
from paiza_client.sdk.model import MessageSummary
from paiza_client.sdk.session import Session
from paiza_officer.errors import misused

REQUEST: Final = "release-request"


def request(
    session: Session,
    message: MessageSummary,
    *,
    recipients: Sequence[str],
    purposes: Sequence[str],
    reason: str,
    scope: str = "without-annex",
    extract: str = "",
    until: datetime | None = None,
    reference: str = "",
    overrides: Overrides = UNCHANGED,
) -> Prepared:
    """Return the request to the author of a message for leave to pass it on to ``recipients``.

    ``scope`` is "whole", "without-annex" or "extract" (then ``extract`` says which), ``purposes`` are codes of the list
    purpose, ``reference`` is the thread's name unless it is given. Refused("not_addressed") for a message of our own.
    """
    replies.check_foreign(session, message, "your own member is the author")
    content = ReleaseRequest(
        reference=reference or message.thread_name,
        scope=scope,
        extract=extract,
        recipients=recipients,
        purposes=purposes,
        reason=reason,
    )
    if until is not None:
        content.until_time.FromDatetime(until)
    return replies.prepare(content, message.header, [message.digest], [message.header.author], overrides)


async def grant(
    session: Session,
    asked: MessageSummary,
    *,
    until: datetime | None = None,
    recipients: Sequence[str] = (),
    scope: str = "",
    extract: str = "",
    purposes: Sequence[str] = (),
    conditions: str = "",
    reference: str = "",
    overrides: Overrides = UNCHANGED,
) -> Prepared:
    """Return the grant of a release request: as it asks, or less where a parameter says so; two officers sign.

    The request is opened, which the node logs as OPENED. Misused where ``asked`` is no release request, or where
    neither it nor ``until`` names an end.
    """
    wanted = await opened_request(session, asked)
    content = as_asked(wanted, asked)
    if reference:
        content.reference = reference
    if scope:
        content.scope = scope
        content.extract = wanted.extract if scope == "extract" else ""
    if extract:
        content.extract = extract
    if recipients:
        content.recipients[:] = recipients
    if purposes:
        content.purposes[:] = purposes
    content.conditions = conditions
    if until is not None:
        content.until_time.FromDatetime(until)
    elif not content.HasField("until_time"):
        raise misused("--until", _("the request names no end: say until when the release holds"))
    return replies.prepare(content, asked.header, concerned(asked), [asked.header.author], overrides)


async def opened_request(session: Session, asked: MessageSummary) -> ReleaseRequest:
    """Return the content of a release request, opened now; Misused where the message is none."""
    _check(asked)
    wanted = messages.content(await session.open_part(asked.digest))
    assert isinstance(wanted, ReleaseRequest)
    return wanted


def as_asked(wanted: ReleaseRequest, asked: MessageSummary) -> ReleaseGrant:
    """Return the content of a grant that grants everything that a request asks for."""
    content = ReleaseGrant(
        reference=asked.thread_name,
        scope=wanted.scope,
        extract=wanted.extract if wanted.scope == "extract" else "",
        recipients=wanted.recipients,
        purposes=wanted.purposes,
    )
    if wanted.HasField("until_time"):
        content.until_time.CopyFrom(wanted.until_time)
    return content


def denial(
    asked: MessageSummary, *, refusal: str, note: str = "", reference: str = "", overrides: Overrides = UNCHANGED
) -> Prepared:
    """Return the denial of a release request, with a reason code such as "essential-interests".

    Misused where ``asked`` is no release request.
    """
    _check(asked)
    content = ReleaseDenial(reference=reference or asked.thread_name, refusal=refusal, note=note)
    return replies.prepare(content, asked.header, concerned(asked), [asked.header.author], overrides)


def _check(asked: MessageSummary) -> None:
    if asked.header.kind != REQUEST:
        raise misused(asked.id, _("this is no release request"))


def concerned(asked: MessageSummary) -> Sequence[bytes]:
    """Return the parents of the answer to a request: the request, then the message that it is about."""
    return [asked.digest, *asked.header.parent_digests[:1]]
