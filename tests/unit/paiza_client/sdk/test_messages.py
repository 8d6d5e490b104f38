"""A short name means the newest message that a command can be about, and the officer is told which."""

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from paiza.core.v1 import message_pb2
from paiza_client.sdk import fitting, messages
from paiza_client.sdk.model import MessageSummary, Page
from paiza_officer.errors import Refused

STORED = datetime(2026, 11, 29, 14, tzinfo=UTC)
THREAD = "TJK-2026-00012"


def message(number: int, kind: str, author: str, **more: Any) -> MessageSummary:
    """Return the message of this number in a thread at kaz."""
    header = message_pb2.Header(kind=kind, kind_version=1, author=author, message_id=bytes([1, 2, number]) + bytes(13))
    header.required_signers.add(id=f"spiffe://{author}.paiza.example/officer/petrov")
    return MessageSummary(
        digest=bytes([number]) * 32,
        header=header,
        thread_name=THREAD,
        stored_time=STORED + timedelta(minutes=number),
        received=author != "kaz",
        opened_by_caller=False,
        opened=False,
        deliveries=(),
        sequence=number,
        **more,
    )


REQUEST = message(1, "information-request", "tjk")
ACKNOWLEDGED = message(2, "acknowledgement", "kaz")
ANSWER = message(3, "information-answer", "kaz")
REMARK = message(4, "free-message", "tjk")
READ = message(5, "acknowledgement", "tjk")
STORED_HERE = [REQUEST, ACKNOWLEDGED, ANSWER, REMARK, READ]


def session_with(stored: list[MessageSummary]) -> tuple[Any, list[tuple[str, str]]]:
    """Return a session of kaz that lists these messages, and the names that it was told the meaning of."""
    told: list[tuple[str, str]] = []

    async def list_messages(*, id_prefix: str, **_more: object) -> Page:
        found = [each for each in stored if each.thread_name == id_prefix or each.id.startswith(id_prefix)]
        return Page(tuple(found[::-1]), "")

    tell: Any = lambda text, meant: told.append((text, meant.id))  # noqa: E731 - one line says it
    return SimpleNamespace(list_messages=list_messages, tell_meant=tell, profile=SimpleNamespace(member="kaz")), told


@pytest.mark.parametrize(
    ("wanted", "meant"),
    [
        ((), READ),
        ((fitting.received,), REMARK),
        ((fitting.asks, fitting.received), REQUEST),
        ((fitting.answered_by("information-answer"), fitting.received), REQUEST),
        ((fitting.answered_by("sample-receipt"), fitting.received), REMARK),
        ((fitting.with_attachments,), READ),
    ],
)
@pytest.mark.parametrize("text", [THREAD, "tjk-2026-12", "ТJК-2026-12", "0102"])
def test_the_newest_that_fits_is_meant_and_told(
    text: str, wanted: tuple[fitting.Fits, ...], meant: MessageSummary
) -> None:
    """It holds for the name of a thread and for a beginning of several ids; nobody has to choose."""
    session, told = session_with(STORED_HERE)
    assert asyncio.run(messages.find(session, text, *wanted)) == meant
    assert told == [(text, meant.id)]


@pytest.mark.parametrize("text", [REQUEST.id, REQUEST.id[:6]])
def test_an_id_means_its_message_whether_it_fits_or_not(text: str) -> None:
    """So the officer learns why the command cannot be about it, and nothing is told."""
    session, told = session_with(STORED_HERE)
    assert asyncio.run(messages.find(session, text, fitting.with_attachments)) == REQUEST
    assert not told


def test_what_cannot_be_undone_needs_one_message_or_a_thread() -> None:
    """A beginning of several own ids shows them by kind, sender and time; the thread's name means the newest."""
    session, told = session_with(STORED_HERE)
    with pytest.raises(Refused) as caught:
        asyncio.run(messages.find_own(session, "0102", fitting.stands))
    assert caught.value.reason == "ambiguous_id"
    assert [each.where for each in caught.value.problems] == [ANSWER.id, ACKNOWLEDGED.id]
    day = f"{ANSWER.stored_time.astimezone():%Y-%m-%d}"
    assert caught.value.problems[0].what.startswith(f"Answer to an information request, kaz (petrov), {day}")
    assert asyncio.run(messages.find_own(session, THREAD, fitting.stands)) == ANSWER
    assert told == [(THREAD, ANSWER.id)]


def test_a_recall_means_the_newest_that_stands() -> None:
    """What was recalled before, and the recall itself, are passed over."""
    recalled = message(6, "free-message", "kaz", recalled_by=(b"\x07" * 32,))
    session, _told = session_with([*STORED_HERE, recalled, message(7, "recall", "kaz")])
    assert asyncio.run(messages.find_own(session, THREAD, fitting.stands)) == ANSWER


def test_a_thread_without_own_messages_is_refused_as_anothers() -> None:
    """The refusal names the message and its author."""
    session, _told = session_with([REQUEST, REMARK])
    with pytest.raises(Refused) as caught:
        asyncio.run(messages.find_own(session, THREAD))
    assert caught.value.reason == "not_author"


def test_an_id_that_is_too_short_is_named_as_such() -> None:
    """“Nothing was found” alone would be believed."""
    session, _told = session_with(STORED_HERE)
    with pytest.raises(Refused) as caught:
        asyncio.run(messages.find(session, "01"))
    assert [each.code for each in caught.value.problems] == ["too_short"]
