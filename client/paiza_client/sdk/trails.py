"""The trail of a message: what the own log, and what other members' logs, say of it, each entry proven."""

import re
from dataclasses import dataclass
from typing import Final

from paiza_client.sdk import messages
from paiza_client.sdk.session import Session
from paiza_client.verify.model import Proof, Trail
from paiza_officer.errors import Refused

_COORDINATOR: Final = "coordinator"
_CONSULTED: Final = "CONSULTED"
_FULL_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class FoundTrail:
    """The trail of one message; ``silent`` are the members that gave no answer, each with the reason code.

    ``id`` is the message id as hex digits, or the digest's where the own member has no part in the message.
    """

    id: str
    digest: bytes
    trail: Trail
    silent: tuple[tuple[str, str], ...] = ()

    @property
    def entries(self) -> tuple[Proof, ...]:
        """All entries, each proven, by time, log and index."""
        every = (*self.trail.own, *self.trail.foreign)
        return tuple(sorted(every, key=lambda each: (each.time, each.origin, each.index)))


async def find(session: Session, text: str, *, own_only: bool = False) -> FoundTrail:
    """Return the trail of the message that a text names, as `messages.find`.

    For a coordinator other members are asked too, unless ``own_only``: those concerned, or for a whole digest every
    member, also where our own has no part in it. Each log that is asked logs CONSULTED. Refused("unknown_id") where no
    log knows the message; NotProven where an answer does not hold.
    """
    asks_others = not own_only and _COORDINATOR in (await session.whoami()).roles
    active = {each.id for each in session.register().active_members()}
    if asks_others and _FULL_DIGEST.fullmatch(text):
        return await _of_digest(session, bytes.fromhex(text), sorted(active))
    found = await messages.find(session, text)
    said = await session.trail(found.digest)
    if not asks_others:
        return FoundTrail(found.id, found.digest, said)
    members = {found.header.author, *(each.member for each in found.header.recipients)}
    members |= {each.counterpart for each in said.own if each.counterpart}
    whole, silent = await session.ask_others(said, found.digest, sorted(members & active))
    return FoundTrail(found.id, found.digest, whole, tuple(silent))


async def _of_digest(session: Session, digest: bytes, members: list[str]) -> FoundTrail:
    try:
        said = await session.trail(digest)
    except Refused as error:
        if error.reason != "unknown_id":
            raise
        said = Trail((), ())
    whole, silent = await session.ask_others(said, digest, members)
    # That we asked before is all that some logs say.
    if all(each.event == _CONSULTED for each in (*whole.own, *whole.foreign)):
        raise Refused("unknown_id", digest.hex()[:16])
    return FoundTrail(digest.hex(), digest, whole, tuple(silent))
