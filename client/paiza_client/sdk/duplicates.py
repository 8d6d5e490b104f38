"""Earlier requests that may make a new one superfluous: a colleague asked the same, or an answer is still owed.

Two questions to the own node: which of our requests of the last year share an identifier or the subject (its search
index answers), and which of the same kind to the same addressees are still without an answer (headers say). Nothing is
opened. Whether to send all the same is the officer's decision.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from paiza_client.sdk import threads
from paiza_client.sdk.drafts import Prepared
from paiza_client.sdk.search import Criterion
from paiza_client.sdk.session import Session
from paiza_domain.terms import index_terms
from paiza_domain.threads import request_status

MAX_CRITERIA: Final = 200  # things compared; a request speaks of fewer
MAX_LOOKED_AT: Final = 20  # requests of the same kind, the newest, whose threads are looked at


@dataclass(frozen=True, slots=True)
class Earlier:
    """An earlier request of the own member: about the same, or not answered yet.

    ``digest`` is its message digest, 32 bytes, ``id`` its message id as 32 hex digits; ``officer`` the id of who sent
    it, ``time`` when the own node stored it. Either ``silent`` are the addressees that have not answered with a word,
    or it asks about the same: in the fields ``same`` ("plate", "subject" …). Where the officer may not see that
    request, ``digest``, ``id``, ``officer`` and ``same`` are empty.
    """

    digest: bytes
    id: str
    thread_name: str
    time: datetime
    officer: str
    same: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()


async def find(session: Session, prepared: Prepared) -> list[Earlier]:
    """Return earlier requests that may be the same, each once, those about the same first.

    ``prepared`` is a message that was resolved (`drafts.resolve`) and not sent; its own parents are left out. Empty for
    what is no request, and for steps of a workflow. The node logs the search as SEARCHED where it leads to a person.
    """
    if not prepared.kind.answered_by or prepared.kind.needs_parent or prepared.kind.workflow:
        return []
    same = [
        Earlier(
            each.digest, each.message_id.hex(), each.thread_name, each.stored_time, each.officer_id, same=each.fields
        )
        for each in await session.search.similar(prepared.kind.name, _criteria(prepared))
    ]
    known = {each.digest for each in same}
    still_open = [each for each in await _still_open(session, prepared) if each.digest not in known]
    return [each for each in (*same, *still_open) if each.digest not in prepared.envelope.parent_digests]


def _criteria(prepared: Prepared) -> Sequence[Criterion]:
    found = index_terms.terms(prepared.kind, prepared.content, prepared.annex)
    return [(each.field, each.text) for each in sorted(found) if each.links or each.field == "subject"][:MAX_CRITERIA]


async def _still_open(session: Session, prepared: Prepared) -> list[Earlier]:
    """Return our requests of this kind to one of these addressees that it has not answered with a word."""
    addressed = {each.member for each in prepared.envelope.recipients}
    page = await session.list_messages(box="sent", kind=prepared.kind.name, page_size=MAX_LOOKED_AT)
    found: list[Earlier] = []
    for request in page.messages:
        if not addressed & {each.member for each in request.header.recipients}:
            continue
        listed = await threads.list_messages(session, request.header.thread_id)
        thread = await threads.open_messages(session, listed)
        asked = next(each for each in thread if each.digest == request.digest)
        status = request_status.of_request(asked, thread)
        if status is None or status.withdrawn:
            continue
        silent = addressed & set(status.without_answer)
        if silent:
            officer = request.header.required_signers[0].id
            found.append(
                Earlier(
                    request.digest,
                    request.id,
                    request.thread_name,
                    request.stored_time,
                    officer,
                    silent=tuple(sorted(silent)),
                )
            )
    return found
