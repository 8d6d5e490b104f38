"""The matrix: how many messages each member sent to each other, from what both sides say. Pure; numbers, not proofs."""

from collections.abc import Sequence
from dataclasses import dataclass

from paiza_client.verify.log_query_checks import Counts, CountsReply


@dataclass(frozen=True, slots=True)
class Cell:
    """The counts of one member's messages to one other. None if the member concerned did not state them.

    ``sent``, ``receipted``, ``refused`` and ``overdue`` are the sender's word; ``received`` is the recipient's.
    ``disputed`` is by how many messages the two cannot both be right: more receipts than were received, or more
    received than were sent. Where a period cuts through messages under way that need not be anybody's fault; which
    messages they are, and what is proven, is `compare`'s to say.
    """

    sender: str
    recipient: str
    sent: int | None = None
    receipted: int | None = None
    refused: int | None = None
    overdue: int | None = None
    received: int | None = None
    disputed: int | None = None


def cells(replies: Sequence[CountsReply]) -> list[Cell]:
    """Put the replies together: one cell for each sender and recipient of whom anything was told, in order of both.

    ``replies``: the asking member's first. What a member did not name, of those whom it told of, is 0.
    """
    told = {(reply.member, each.counterpart): each for reply in replies for each in reply.counts}
    whole = {reply.member for reply in replies if not reply.only_with_asker}
    spoke = {reply.member for reply in replies}
    own = replies[0].member if replies else ""

    def word_of(member: str, counterpart: str) -> Counts | None:
        none_named = member in whole or (member in spoke and counterpart == own)
        return told.get((member, counterpart)) or _nothing(none_named, counterpart)

    pairs = sorted({*told, *((other, member) for member, other in told)})
    made = [
        _cell(sender, recipient, word_of(sender, recipient), word_of(recipient, sender)) for sender, recipient in pairs
    ]
    return [each for each in made if each.sent or each.received or each.disputed]


def _cell(sender: str, recipient: str, sent: Counts | None, received: Counts | None) -> Cell:
    disputed = None
    if sent is not None and received is not None:
        taken = received.received + received.refused_here
        disputed = max(0, sent.receipted - received.received, taken - sent.sent)
    return Cell(
        sender,
        recipient,
        sent.sent if sent is not None else None,
        sent.receipted if sent is not None else None,
        sent.refused if sent is not None else None,
        sent.overdue if sent is not None else None,
        received.received if received is not None else None,
        disputed,
    )


def _nothing(none_named: bool, counterpart: str) -> Counts | None:  # noqa: FBT001 - whether silence is a word
    """Return zeros where a member would have named this one; None where it told nothing."""
    return Counts(counterpart, 0, 0, 0, 0, 0, 0) if none_named else None
