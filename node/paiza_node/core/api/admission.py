"""Budgets of calls: how many may be under way at once, of each class and of each caller in it.

The classes are apart, so that none takes the places of another: calls of peers' nodes, officers' calls, officers'
watches, and questions about the node's health. Every caller of a class has places of its own, so there is room for
everyone who is known though all others use up theirs; what a caller uses beyond them comes from places that the class
shares. The register bounds the peers, and the operator the officers.

A call is counted once its caller is known, before its request arrives: TLS has verified its certificate by then, and
the checks before this one take no time in which the caller could hold anything. It is counted until it has ended: a
caller who is slow to send, or leaves the answer unread, holds a place of their own.

A call that is refused for want of a place waits a moment first, and its request is not read: a caller that asks again
at once would otherwise occupy the event loop with nothing but refusals.

A caller who has used up its places may still hand over what nothing may hold up (`precedence.unhindered`, an approval):
the request is read, and refused if it is anything else. So it is for a caller that sent garbage, which costs this node
more than its sender: all else of theirs is refused for a pause that grows.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

import structlog
from google.protobuf.message import Message

from paiza.officer.v1 import approval_pb2, officer_pb2
from paiza.peer.v1 import exchange_pb2
from paiza_node.core.api.services import HEALTH
from paiza_node.core.caller import CallerKey
from paiza_node.core.exchange import precedence
from paiza_node.core.limits import Limits, LimitUse
from paiza_wire.errors import Unavailable

OWN_CALLS: Final = 4  # of each officer; a console makes about so many at once
SHARED_CALLS: Final = 128  # of all officers beyond those
OWN_WATCHES: Final = 1  # of each officer
SHARED_WATCHES: Final = 64
HEALTH_CALLS: Final = 4  # of each caller: its questions are answered at once, and one of them may be a watch
UNHINDERED_CALLS: Final = 2  # of each caller, beyond all its places
BUSY_SECONDS: Final = 0.5
REFUSED_SECONDS: Final = 0.25  # before a call is refused for want of a place
MAX_REFUSED: Final = 32  # calls that wait so, of all callers; each may hold a megabyte that was not read
HELD_SECONDS: Final = 0.5  # before such a call is refused: its request had to be read, and the next one waits so long

_OFFICERS: Final = "/paiza.officer.v1.OfficerService/"
WATCH: Final = f"{_OFFICERS}Watch"
UNHINDERED: Final = frozenset({
    f"{_OFFICERS}Submit",
    "/paiza.officer.v1.ApprovalService/Approve",
    "/paiza.peer.v1.ExchangeService/Deliver",
})  # fmt: skip
"""Calls that may hand over what no budget may hold up."""

GARBAGE: Final = frozenset({"malformed", "bad_signature", "bad_checkpoint", "bad_proof", "part_altered", "too_large"})
"""Refusals of what conforming software never sends."""
FREE_GARBAGE: Final = 64  # items before the first pause: a programmer's mistake is no attack
FIRST_PAUSE_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 60.0
FORGIVEN_SECONDS: Final = 60.0  # after the last pause, or the last garbage

log = structlog.get_logger("paiza.api")


@dataclass(frozen=True, slots=True)
class Budget:
    """The places of one class: ``own`` for each caller, and ``shared`` for those who need up to ``most``."""

    own: int
    most: int
    shared: int


class _Places:
    """The places of one class."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.taken: Counter[CallerKey] = Counter()
        self.shared_taken = 0

    def enter(self, caller: CallerKey) -> bool:
        """Occupy a place; return whether there was one."""
        if self.taken[caller] >= self.budget.own:
            if self.taken[caller] >= self.budget.most or self.shared_taken >= self.budget.shared:
                return False
            self.shared_taken += 1
        self.taken[caller] += 1
        return True

    def leave(self, caller: CallerKey) -> None:
        """Free a place."""
        if self.taken[caller] > self.budget.own:
            self.shared_taken -= 1
        self.taken[caller] -= 1
        if not self.taken[caller]:
            del self.taken[caller]


@dataclass(slots=True)
class _Garbage:
    """What a caller sent of garbage lately, and until when it waits."""

    items: int = 0
    forgiven: float = 0.0
    pause: float = 0.0
    until: float = 0.0


class Admission:
    """Counts the calls under way. Belongs to one event loop."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = monotonic) -> None:
        """Begin without calls; ``clock`` returns seconds that never go back."""
        own_calls, own_watches = min(OWN_CALLS, limits.calls_per_officer), min(OWN_WATCHES, limits.watches_per_officer)
        self._places = {
            "peers": _Places(Budget(limits.calls_per_peer, limits.calls_per_peer, 0)),
            "officers": _Places(Budget(own_calls, limits.calls_per_officer, SHARED_CALLS)),
            "watches": _Places(Budget(own_watches, limits.watches_per_officer, SHARED_WATCHES)),
            "health": _Places(Budget(HEALTH_CALLS, HEALTH_CALLS, 0)),
        }
        self._unhindered: Counter[CallerKey] = Counter()
        self._garbage: dict[CallerKey, _Garbage] = {}
        self._refused = 0
        self._clock = clock

    @contextmanager
    def place(self, caller: CallerKey, method: str) -> Iterator[bool]:
        """Hold a place for a call while the block runs.

        True: there is none, and the call may only hand over what nothing may hold up (`refusal`).
        Unavailable("busy") if it is none that could.
        """
        kind = _class_of(caller, method)
        places = self._places[kind]
        pause = 0.0 if kind == "health" else self._pause(caller)
        if not pause and places.enter(caller):
            try:
                yield False
            finally:
                places.leave(caller)
            return
        if method not in UNHINDERED or self._unhindered[caller] >= UNHINDERED_CALLS:
            raise self._busy(kind, pause)
        self._unhindered[caller] += 1
        try:
            yield True
        finally:
            self._unhindered[caller] -= 1
            if not self._unhindered[caller]:
                del self._unhindered[caller]

    async def before_refusal(self) -> None:
        """Wait before a call without a place is refused, unless too many wait so already."""
        if self._refused < MAX_REFUSED:
            self._refused += 1
            try:
                await asyncio.sleep(REFUSED_SECONDS)
            finally:
                self._refused -= 1

    def refusal(self, caller: CallerKey, method: str, request: Any) -> Unavailable | None:
        """Return why the request of a call without a place is refused; None if nothing may hold it up."""
        return None if _is_unhindered(request) else self._busy(_class_of(caller, method), self._pause(caller))

    def note_garbage(self, caller: CallerKey, items: int = 1) -> None:
        """Count refusals of what conforming software never sends; beyond the free ones the caller has to wait."""
        now = self._clock()
        found = self._garbage.setdefault(caller, _Garbage())
        if now > found.forgiven:
            found.items, found.pause = 0, 0.0
        found.items += items
        if found.items > FREE_GARBAGE:
            found.pause = min(LONGEST_PAUSE_SECONDS, max(FIRST_PAUSE_SECONDS, 2 * found.pause))
            found.until = now + found.pause
            log.warning("caller_paused", caller=caller.id, seconds=found.pause, detail="it sends garbage")
        found.forgiven = max(now, found.until) + FORGIVEN_SECONDS

    def uses(self) -> list[LimitUse]:
        """Return the calls under way: for each class of the caller who has most, and of the shared places."""
        found = []
        for kind, places in self._places.items():
            highest = places.taken.most_common(1)
            caller, calls = (highest[0][0].id, highest[0][1]) if highest else ("", 0)
            found.append(LimitUse(f"calls_{kind}", calls, places.budget.most, caller))
            if places.budget.shared:
                found.append(LimitUse(f"calls_{kind}_shared", places.shared_taken, places.budget.shared))
        return found

    def _pause(self, caller: CallerKey) -> float:
        """Return for how many seconds a caller that sent garbage has to wait."""
        found = self._garbage.get(caller)
        return 0.0 if found is None else max(0.0, found.until - self._clock())

    def _busy(self, kind: str, pause: float) -> Unavailable:
        if pause:
            return Unavailable("busy", "the caller sent what no conforming program sends, and has to wait", pause)
        return Unavailable("busy", f"as many calls are under way as this caller may make ({kind})", BUSY_SECONDS)


def garbage_in(response: Message) -> int:
    """Return how many items of a batch, or whether the one that was tried, were refused as garbage."""
    if isinstance(response, officer_pb2.TryMessageResponse):
        return int(response.rejection.reason in GARBAGE)
    if not isinstance(response, officer_pb2.SubmitResponse | exchange_pb2.DeliverResponse):
        return 0
    return sum(each.HasField("rejection") and each.rejection.reason in GARBAGE for each in response.results)


def _class_of(caller: CallerKey, method: str) -> str:
    if method.startswith(f"/{HEALTH.full_name}/"):
        return "health"
    if caller.kind == "peer":
        return "peers"
    return "watches" if method == WATCH else "officers"


def _is_unhindered(request: Any) -> bool:
    match request:
        case officer_pb2.SubmitRequest():
            messages: Sequence[bytes] = [item.message for item in request.items]
        case exchange_pb2.DeliverRequest():
            messages = [each.release.message or each.forwarding.message for each in request.dispatches]
        case approval_pb2.ApproveRequest():
            return True
        case _:
            return False
    return precedence.claims_unhindered(messages)
