"""What follows from a message and is written by the program: content and envelope, taken from what it follows from."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from google.protobuf.message import Message

from paiza.core.v1 import message_pb2
from paiza_client.cli import drafting
from paiza_client.cli.drafting import Overrides, Prepared
from paiza_client.sdk.model import MessageSummary
from paiza_domain import kinds
from paiza_domain.drafts.drafts import Draft
from paiza_domain.schema.kind import Kind

if TYPE_CHECKING:
    from paiza_client.sdk import Session


def prepared(
    kind: Kind,
    content: Message,
    about: message_pb2.Header,
    parents: Sequence[bytes],
    recipients: Sequence[str],
    overrides: Overrides,
    annex: Message | None = None,
) -> Prepared:
    """Make a message in the thread of another, under its marks and legal bases; the command line wins."""
    draft = Draft(
        kind=kind,
        content=content,
        annex=annex,
        recipients=tuple(message_pb2.Recipient(member=member) for member in recipients),
        handling=about.handling,
        legal_bases=tuple(about.legal_bases),
    )
    made = drafting.prepare(draft, kind.name, overrides, drafting.now())
    return drafting.in_thread(made, about.thread_id, parents)


def kind(name: str) -> Kind:
    """Return the newest version of a kind."""
    return kinds.all_kinds()[name]


async def holders(session: "Session", concerned: Sequence[MessageSummary]) -> list[str]:
    """Name everyone but ourselves who holds any of these messages."""
    named: dict[str, None] = {}
    for message in concerned:
        named.update(dict.fromkeys(each.member for each in await session.forwarding.holders(message.digest)))
    active = {each.id for each in session.register().active_members()} - {session.profile.member}
    return [member for member in named if member in active]
