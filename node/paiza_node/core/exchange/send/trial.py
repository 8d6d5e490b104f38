"""Trial: an officer asks what Submit would answer, and nothing is released.

The checks are those of `submit` and `release`, in the same functions and the same order; they end before anything is
written. The state that decides is that of the last commit: what is committed before the message is submitted may decide
otherwise.

A trial carries no signature. With one, the officer's consent to send the message would exist before they gave it, and
every node that has the bytes could release it; the signing key would be opened for what is not sent. So a trial carries
the certificate that would sign, and everything about the signature is checked but itself. Attachments are described in
the header and not uploaded. No source row is reserved, and no quota of messages is used; the quota is asked.

A trial tells its officer nothing that Submit would not tell them, and what Submit would log as denied is logged here as
well: nobody finds out unseen what they may not do. Trials of one officer are bounded by `MAX_TRIALS`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog

from paiza.officer.v1 import officer_pb2
from paiza_node.core.access.model import Officer
from paiza_node.core.caller import CALLER, CallerKey
from paiza_node.core.dependencies import Core
from paiza_node.core.errors import SourceRowKnown, as_result, breaches_of, rejection, retry
from paiza_node.core.exchange import precedence
from paiza_node.core.exchange.send.release import is_denial
from paiza_node.core.exchange.send.submit import Submit
from paiza_node.core.exchange.stages import Submission
from paiza_node.core.quotas.model import Used
from paiza_node.core.rate_limit import RateLimit
from paiza_node.core.storage import ReadConnection
from paiza_wire.errors import PaizaError, Rejected, Unavailable

MAX_TRIALS: Final = 60  # of one officer in a minute: previews of a page, and a script that checks its drafts
METHOD: Final = "TryMessage"

NoteDenial = Callable[[str, str, Rejected], Awaitable[None]]
"""Logs that an officer was denied a call, by the officer's SPIFFE ID, the method and the refusal."""

log = structlog.get_logger("paiza.exchange")


@dataclass(frozen=True, slots=True)
class _View:
    """The database as it is now, and the time."""

    conn: ReadConnection
    now: datetime


class Trial:
    """Judges messages that are only tried. Belongs to one event loop."""

    def __init__(self, core: Core, *, submit: Submit, note_denial: NoteDenial) -> None:
        """Store what checks and what logs."""
        self._store = core.store
        self._ledger = core.ledger
        self._executor = core.executors.submit
        self._clock = core.clock
        self._submit = submit
        self._note_denial = note_denial
        self._trials = RateLimit(MAX_TRIALS)

    async def __call__(self, officer: Officer, given: officer_pb2.SubmitItem) -> officer_pb2.TryMessageResponse:
        """Return what Submit would answer now. Unavailable("busy") beyond `MAX_TRIALS`."""
        now = self._clock().timestamp()
        if wait := self._trials.wait(officer.id, now):
            raise Unavailable("busy", f"an officer tries at most {MAX_TRIALS} messages in a minute", wait)
        self._trials.take(officer.id, now)
        caller = CALLER.get()
        against = await self._executor.run(1, lambda: self._judged(caller, officer, given))
        if isinstance(against, Rejected) and is_denial(against):
            await self._note_denial(officer.id, METHOD, against)
        log.info("tried", officer=officer.id, refused=against.reason if isinstance(against, PaizaError) else "")
        return _answer(against)

    def _judged(
        self, caller: CallerKey, officer: Officer, given: officer_pb2.SubmitItem
    ) -> Rejected | Unavailable | Submission:
        """Return why a message would not be released or held now; the message if it would."""
        now = self._clock()
        try:
            item = self._submit.examine_trial(officer, given)
        except (Rejected, Unavailable) as error:
            return as_result(error)
        with self._store.reads() as reads:
            outcome = self._submit.judge(_View(reads, now), officer, item)
        if isinstance(outcome, Rejected | Unavailable):
            return outcome
        if precedence.unhindered(item.message.header):
            return item
        wanted = Used(message_bytes=len(item.raw)) if item.missing else Used(1, 1, len(item.raw))
        return self._ledger.quotas.refusal(caller, now, wanted) or item


def _answer(found: Rejected | Unavailable | Submission) -> officer_pb2.TryMessageResponse:
    if isinstance(found, Rejected):
        return officer_pb2.TryMessageResponse(
            rejection=rejection(found),
            breaches=breaches_of(found),
            earlier_message_digest=found.earlier if isinstance(found, SourceRowKnown) else b"",
        )
    if isinstance(found, Unavailable):
        return officer_pb2.TryMessageResponse(retry=retry(found))
    return officer_pb2.TryMessageResponse(acceptable=officer_pb2.Acceptable(missing_signers=found.missing))
