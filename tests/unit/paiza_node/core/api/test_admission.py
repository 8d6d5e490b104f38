"""Budgets of calls: no class and no caller takes another's places, and what nothing may hold up is let through."""

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paiza.core.v1 import message_pb2 as pb
from paiza.core.v1 import outcome_pb2
from paiza.officer.v1 import approval_pb2, officer_pb2
from paiza.peer.v1 import exchange_pb2
from paiza_node.core.api.admission import (
    FREE_GARBAGE,
    LONGEST_PAUSE_SECONDS,
    MAX_REFUSED,
    WATCH,
    Admission,
    garbage_in,
)
from paiza_node.core.caller import CallerKey
from paiza_node.core.limits import Limits
from paiza_wire.errors import Unavailable
from paiza_wire.message import new_message_id
from paiza_wire.message.header import parse_header

SUBMIT = "/paiza.officer.v1.OfficerService/Submit"
LIST = "/paiza.officer.v1.OfficerService/ListMessages"
DELIVER = "/paiza.peer.v1.ExchangeService/Deliver"
OFFICER = "spiffe://kaz.paiza.example/officer/liaison"
HEALTH = "/grpc.health.v1.Health/Watch"
METHODS = {"officer": [LIST, WATCH, SUBMIT], "peer": [DELIVER, HEALTH]}
CALLERS = [CallerKey("officer", name) for name in "abcdefgh"] + [CallerKey("peer", name) for name in ("tjk", "uzb")]

calls = st.lists(
    st.sampled_from(CALLERS).flatmap(lambda caller: st.tuples(st.just(caller), st.sampled_from(METHODS[caller.kind]))),
    max_size=400,
)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def held(admission: Admission, stack: ExitStack, caller: CallerKey, method: str) -> bool:
    """Begin a call that is held open; return whether it was admitted with a place."""
    try:
        return not stack.enter_context(admission.place(caller, method))
    except Unavailable:
        return False


def submit(kind: str = "free-message", urgency: pb.Urgency.ValueType = pb.URGENCY_ROUTINE) -> officer_pb2.SubmitRequest:
    """Return a Submit of one message whose header says this, well formed and signed by nobody."""
    now = datetime.now(UTC)
    message_id = new_message_id(now)
    header = pb.Header(
        suite=pb.SUITE_1,
        message_id=message_id,
        thread_id=message_id,
        kind=kind,
        kind_version=1,
        author="kaz",
        required_signers=[pb.RequiredSigner(id=OFFICER, role="liaison")],
        recipients=[pb.Recipient(member="tjk")],
        urgency=urgency,
        urgency_reason="because" if urgency == pb.URGENCY_FLASH else "",
        handling=pb.Handling(code="H0", tlp="AMBER"),
        register_version=bytes(32),
        subject_sha256=bytes(32),
        parts=[pb.PartDescription(kind=pb.PART_KIND_MAIN, ciphertext_sha256=bytes(32), ciphertext_size=100)],
    )
    header.author_time.FromDatetime(now)
    header.review_time.FromDatetime(now + timedelta(days=9))
    parse_header(header.SerializeToString())
    signed = pb.SignedMessage(header=header.SerializeToString())
    return officer_pb2.SubmitRequest(items=[officer_pb2.SubmitItem(message=signed.SerializeToString())])


@given(calls)
def test_there_is_room_for_everyone_whatever_others_hold(held_open: Sequence[tuple[CallerKey, str]]) -> None:
    """A caller of whom nothing is under way is admitted to every class, whatever calls others hold open."""
    admission = Admission(Limits())
    with ExitStack() as stack:
        for caller, method in held_open:
            held(admission, stack, caller, method)
        for newcomer, method in [("officer", LIST), ("officer", WATCH), ("peer", DELIVER), ("peer", HEALTH)]:
            assert held(admission, stack, CallerKey(newcomer, "newcomer"), method)  # type: ignore[arg-type]
    assert all(use.used == 0 for use in admission.uses())


def test_watches_and_other_calls_have_places_of_their_own() -> None:
    """An officer with all watches that they may hold lists messages, and has as many calls as the limit says."""
    limits = Limits(calls_per_officer=10, watches_per_officer=3)
    admission = Admission(limits)
    with ExitStack() as stack:
        assert [held(admission, stack, CALLERS[0], WATCH) for _ in range(4)] == [True] * 3 + [False]
        assert [held(admission, stack, CALLERS[0], LIST) for _ in range(11)] == [True] * 10 + [False]


@pytest.mark.parametrize(
    ("request_", "passes"),
    [
        (submit(), False),
        (submit(urgency=pb.URGENCY_URGENT), False),
        (submit(urgency=pb.URGENCY_FLASH), True),
        (submit(kind="recall"), True),
        (submit(kind="cd-stop"), True),
        (officer_pb2.SubmitRequest(items=[*submit().items, *submit(kind="recall").items]), True),
        (officer_pb2.SubmitRequest(items=[*submit(kind="recall").items] * 9), False),
        (approval_pb2.ApproveRequest(), True),
        (exchange_pb2.DeliverRequest(), False),
    ],
)
def test_what_nothing_may_hold_up_passes_when_all_places_are_taken(request_: object, passes: bool) -> None:  # noqa: FBT001
    """The request of a call beyond all places is read, and refused unless it must pass."""
    admission = Admission(Limits())
    with ExitStack() as stack:
        while held(admission, stack, CALLERS[0], LIST):
            pass
        assert stack.enter_context(admission.place(CALLERS[0], SUBMIT))
        refusal = admission.refusal(CALLERS[0], SUBMIT, request_)
        assert (refusal is None) is passes
        assert passes or (refusal is not None and refusal.reason == "busy")


def test_garbage_makes_its_sender_wait_longer_and_longer() -> None:
    """After the free garbage each further piece doubles the pause; others and urgent messages are not held up."""
    clock = Clock()
    admission = Admission(Limits(), clock)
    sender, other = CALLERS[:2]
    admission.note_garbage(sender, FREE_GARBAGE)
    with admission.place(sender, LIST) as only_unhindered:
        assert not only_unhindered
    waits = []
    for _ in range(8):
        admission.note_garbage(sender)
        with pytest.raises(Unavailable, match="busy") as busy, admission.place(sender, LIST):
            pass
        waits.append(busy.value.retry_after_seconds)
        with admission.place(sender, SUBMIT) as only_unhindered:
            assert only_unhindered
        with admission.place(other, LIST) as only_unhindered:
            assert not only_unhindered
        clock.now += waits[-1] or 0
    assert waits == [1, 2, 4, 8, 16, 32, LONGEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS]
    clock.now += 1000
    admission.note_garbage(sender)
    with admission.place(sender, LIST) as only_unhindered:
        assert not only_unhindered, "forgiven after a quiet minute"


def test_only_what_no_conforming_program_sends_is_garbage() -> None:
    """A message that the policy refuses is a mistake; one whose signature is false is garbage."""
    reasons = ["bad_signature", "policy_denied", "malformed"]
    results = [officer_pb2.SubmitResult(rejection=outcome_pb2.Rejection(reason=reason)) for reason in reasons]
    assert garbage_in(officer_pb2.SubmitResponse(results=[*results, officer_pb2.SubmitResult()])) == 2
    assert garbage_in(officer_pb2.GetSessionResponse()) == 0
    tried = [officer_pb2.TryMessageResponse(rejection=each.rejection) for each in results]
    assert sum(map(garbage_in, tried)) == 2
    assert garbage_in(officer_pb2.TryMessageResponse()) == 0


async def test_a_bounded_number_of_refusals_waits() -> None:
    """A caller that asks again at once is told to wait a few times a second; more refusals than that do not pile up."""
    admission = Admission(Limits())
    waiting = [asyncio.create_task(admission.before_refusal()) for _ in range(MAX_REFUSED + 2)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert [each.done() for each in waiting] == [False] * MAX_REFUSED + [True] * 2
    waiting[0].cancel()
    await asyncio.sleep(0)
    waiting.append(asyncio.create_task(admission.before_refusal()))
    await asyncio.sleep(0)
    assert not waiting[-1].done(), "a caller that has hung up leaves room for another"
    async with asyncio.timeout(30):
        await asyncio.gather(*waiting, return_exceptions=True)
