"""Request states of a thread cover requests settled by one answer, and no steps of a workflow."""

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from paiza.core.v1 import message_pb2
from paiza_client.sdk import threads
from paiza_client.sdk.approvals import WaitingSummary
from paiza_client.sdk.model import MessageSummary, Page
from paiza_domain import kinds
from paiza_domain.threads.thread import ThreadMessage
from paiza_officer.errors import NotProven, Refused, Unreachable
from paiza_wire.errors import PaizaError

ASKED = datetime(2026, 5, 4, 12, tzinfo=UTC)
REQUEST = b"\1" * 32


@pytest.mark.parametrize("name", sorted(kinds.all_kinds()))
def test_only_requests_outside_a_workflow_stand_by_themselves(name: str) -> None:
    """A workflow step has no request state of its own, and is not opened for one."""
    kind = kinds.all_kinds()[name]
    header = message_pb2.Header(kind=name, kind_version=1, author="kaz")
    header.recipients.add(member="tjk")
    session: Any = SimpleNamespace(profile=SimpleNamespace(member="tjk"))
    found = asyncio.run(
        threads.request_statuses(session, [ThreadMessage(b"\1" * 32, header, ASKED, None, recalled=False)])
    )
    assert [each.without_answer for each in found] == ([("tjk",)] if kind.answered_by and not kind.workflow else [])
    assert not (kind.workflow and threads.is_of_requests(header))


@pytest.mark.parametrize(
    ("error", "stays_closed"),
    [
        (Refused("policy_denied"), True),
        (NotProven("bad_proof"), False),
        (Unreachable("node_unreachable"), False),
    ],
    ids=["not for this officer", "a proof fails", "the node goes away"],
)
def test_only_what_may_not_be_opened_is_left_out_of_a_thread(error: PaizaError, *, stays_closed: bool) -> None:
    """What is counted later must not lack a message for any other reason."""

    async def open_part(*_arguments: object) -> None:
        raise error

    listed: Any = SimpleNamespace(
        digest=b"\1" * 32, header=message_pb2.Header(kind="free-message"), stored_time=ASKED, recalled_by=()
    )
    session: Any = SimpleNamespace(open_part=open_part)
    reading = threads.open_messages(session, [listed], lambda _header: True)
    if stays_closed:
        assert [each.content for each in asyncio.run(reading)] == [None]
    else:
        with pytest.raises(type(error)):
            asyncio.run(reading)


def listed(kind: str, author: str, to: str, *parents: bytes, recalled: bool = False, replaced: bool = False) -> Any:
    """Return a message as the node lists it; its digest counts only for the request."""
    header = message_pb2.Header(kind=kind, kind_version=1, author=author, parent_digests=parents)
    header.recipients.add(member=to)
    return SimpleNamespace(
        digest=REQUEST,
        header=header,
        recalled_by=(b"\2" * 32,) if recalled else (),
        replaced_by=b"\3" * 32 if replaced else b"",
    )


def in_outbox(*, refused: str = "", second: bool = False) -> Any:
    """Return an answer in the outbox."""
    return SimpleNamespace(header=ANSWER.header, refused=refused, second=second)


ASKING = listed("information-request", "kaz", "tjk")
ANSWER = listed("information-answer", "tjk", "kaz", REQUEST)


@pytest.mark.parametrize(
    ("received", "sent", "waiting", "outbox", "found"),
    [
        (ASKING, [], [], [], 1),
        (ASKING, [ANSWER], [], [], 0),
        (ASKING, [listed("information-answer", "tjk", "kaz", REQUEST, recalled=True)], [], [], 1),
        (ASKING, [listed("information-answer", "tjk", "kaz", REQUEST, replaced=True)], [], [], 1),
        (ASKING, [listed("information-answer", "tjk", "kaz", b"\4" * 32)], [], [], 1),
        (ASKING, [listed("free-message", "tjk", "kaz", REQUEST)], [], [], 1),
        (ASKING, [], [ANSWER], [], 0),
        (ASKING, [], [], [in_outbox()], 0),
        (ASKING, [], [], [in_outbox(refused="policy_denied"), in_outbox(second=True)], 1),
        (listed("information-request", "kaz", "tjk", recalled=True), [], [], [], 0),
        (listed("information-request", "kaz", "uzb"), [], [], [], 0),
        (listed("free-message", "kaz", "tjk"), [], [], [], 0),
        (listed("cd-conditions", "kaz", "tjk"), [], [], [], 0),
    ],
    ids=[
        "no answer", "released", "recalled answer", "replaced answer", "answer to another", "no answering kind",
        "at the second officer", "in the outbox", "refused or declined", "recalled request", "asked of another member",
        "no request", "workflow",
    ],
)  # fmt: skip
def test_a_request_is_unanswered_until_an_answer_is_on_its_way(
    received: Any, sent: list[Any], waiting: list[Any], outbox: list[Any], found: int
) -> None:
    """Answers in the log, at a second officer and in the outbox count, from headers alone."""

    async def list_messages(*, box: str, kind: str, **_asked: object) -> Page:
        of_box = [received] if box == "inbox" else sent
        return Page(tuple(each for each in of_box if kind in ("", each.header.kind)), "")

    async def pending() -> list[Any]:
        return waiting

    async def collect() -> list[MessageSummary]:
        return [each async for each in threads.unanswered(session)]

    session: Any = SimpleNamespace(
        profile=SimpleNamespace(member="tjk"),
        list_messages=list_messages,
        approvals=SimpleNamespace(waiting=pending),
        outbox=SimpleNamespace(listing=lambda: outbox),
    )
    assert asyncio.run(collect()) == [received] * found


def test_a_waiting_message_is_named_by_its_thread() -> None:
    """Of several in a thread the newest is meant that waits for this officer, not one of their own."""
    thread, other = b"\1" * 16, b"\2" * 16

    def waiting(number: int, thread_id: bytes, *missing: str) -> WaitingSummary:
        header = message_pb2.Header(message_id=bytes([number]) * 16, thread_id=thread_id)
        time = ASKED + timedelta(minutes=number)
        return WaitingSummary(bytes([number]) * 32, header, "someone", time, time, missing)

    found = [waiting(1, thread, "me"), waiting(2, thread, "me"), waiting(3, thread, "another"), waiting(4, other, "me")]
    listed: Any = SimpleNamespace(header=message_pb2.Header(thread_id=thread), thread_name="KAZ-2026-00001")

    async def list_messages(**_options: object) -> Page:
        return Page((listed,), "")

    async def all_waiting() -> list[WaitingSummary]:
        return found

    async def find(text: str) -> WaitingSummary:
        return next(each for each in found if each.id == text)

    session: Any = SimpleNamespace(
        list_messages=list_messages,
        approvals=SimpleNamespace(waiting=all_waiting, find=find),
        profile=SimpleNamespace(id="me"),
    )
    assert asyncio.run(threads.waiting_for_signature(session, "kaz-2026-1")) == found[1]
    assert asyncio.run(threads.waiting_for_signature(session, found[3].id)) == found[3]
    found[:3] = []
    with pytest.raises(Refused, match="unknown_id"):
        asyncio.run(threads.waiting_for_signature(session, "KAZ-2026-00001"))
