"""The originator's consent to forwarding: a release grant among the messages that follow from the message.

A grant is a message of the author like any other, signed by two of its officers; its content is opened with the node's
own key when it is needed and not stored.
"""

from dataclasses import dataclass
from datetime import UTC
from typing import Final

from paiza_domain import kinds, validation
from paiza_node.core.exchange.consent import MAX_GRANT_BYTES, GrantQuery
from paiza_node.core.exchange.markings import followers, is_recalled
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.decryption import DecryptionKeys, stored
from paiza_node.core.messages.model import MessageRow
from paiza_node.core.storage import ReadConnection, Store
from paiza_wire.errors import Rejected
from paiza_wire.message import VerifiedMessage

GRANT: Final = "release-grant"
WITHOUT_ANNEX: Final = "without-annex"
WHOLE: Final = "whole"
MAX_GRANTS: Final = 32  # of one message, the newest: each is opened to read its content


@dataclass(frozen=True, slots=True)
class Grant:
    """A grant that covers an intended use."""

    digest: bytes
    signed: bytes


def find(store: Store, query: GrantQuery, decryption_keys: DecryptionKeys) -> Grant | None:
    """Return the newest stored grant that covers an intended use; None if there is none."""
    with store.reads() as reads:
        rows = _in_force(reads, query)
    for row in rows:
        signed = messages_store.read_signed(store, row.digest)
        if signed is None or len(signed) > MAX_GRANT_BYTES:
            continue
        try:
            check(stored(signed), query, decryption_keys)
        except Rejected:
            continue
        return Grant(row.digest, signed)
    return None


def check(message: VerifiedMessage, query: GrantQuery, decryption_keys: DecryptionKeys) -> None:
    """Raise Rejected("grant_missing") unless a message is the originator's grant and covers the intended use.

    1. It is a grant by the author of the message concerned, which is one of its parents, signed by two officers.
    2. It names the recipient and the purpose, covers the parts, and has not expired.

    The caller must check that the message verifies, and that its author's log holds its release.
    """
    header = message.header
    # 1.
    if (header.kind, header.author) != (GRANT, query.author) or query.digest not in header.parent_digests:
        raise Rejected("grant_missing", "what is shown is no grant of the originator for this message")
    kind = kinds.get(header.kind, header.kind_version)
    validation.check_four_eyes(header, kind)
    # 2.
    try:
        content = decryption_keys.content(message, kind)
    except Rejected as error:
        raise Rejected("grant_missing", f"the grant cannot be read: {error.detail}") from error
    if query.recipient not in content.recipients:
        raise Rejected("grant_missing", "the grant does not name the recipient")
    if query.purpose not in content.purposes:
        raise Rejected("grant_missing", "the grant does not name the purpose")
    if content.scope != WHOLE and (content.scope != WITHOUT_ANNEX or query.with_annex):
        raise Rejected("grant_missing", "the grant does not cover so much of the message")
    if not content.HasField("until_time") or query.at > content.until_time.ToDatetime(tzinfo=UTC):
        raise Rejected("grant_missing", "the grant was over")


def is_in_force(reads: ReadConnection, grant: bytes, author: str) -> bool:
    """Return whether a grant that `find` returned is still stored and was not recalled."""
    return (
        not messages_store.erased(reads, [grant])
        and messages_store.message(reads, grant) is not None
        and not is_recalled(reads, grant, author)
    )


def _in_force(reads: ReadConnection, query: GrantQuery) -> list[MessageRow]:
    """Return the author's grants for a message that were not recalled, the newest first."""
    found = [row for row in followers(reads, query.digest, GRANT) if row.author == query.author]
    return [row for row in found[:MAX_GRANTS] if not is_recalled(reads, row.digest, query.author)]
