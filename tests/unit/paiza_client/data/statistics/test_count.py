"""A count over the pages of a node: all of it is counted, or said to be left out, with the reason."""

from datetime import UTC, datetime
from typing import Any

import pytest

from paiza.core.v1 import message_pb2
from paiza_client.data.exports.records import Record
from paiza_client.data.statistics import count_seizures
from paiza_client.sdk.model import MessageSummary, Page
from paiza_client.verify.model import OpenedPart, Proof
from paiza_officer.errors import Misused, NotProven, Refused
from paiza_wire.message import VerifiedMessage
from tests.unit.paiza_client.data.statistics.test_tabulation import notice

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
PROOF = Proof("OPENED_TOGETHER", "tjk", "", NOW, "o", "", "tjk.log", 7, 8, b"", None, bytes(32))
PAGE = 2


def opened(digest: bytes, record: Record, plaintext: bytes | None = None) -> OpenedPart:
    """Return a record as the node hands it over."""
    content = record.content.SerializeToString() if plaintext is None else plaintext
    message = VerifiedMessage(digest, record.header, message_pb2.SignedMessage(), ())
    return OpenedPart(message, 0, content, "KAZ-2026-1", PROOF, (), ())


class Node:
    """Stands for a session: lists what it has, some at a time, and opens it."""

    def __init__(self, parts: list[OpenedPart | Refused | Exception], recalled: frozenset[int] = frozenset()) -> None:
        self.parts, self.recalled = parts, recalled
        self.asked: list[tuple[str, str]] = []

    async def list_messages(self, *, page_token: str = "", **_filters: object) -> Page:
        """Return a page."""
        first = int(page_token or 0)
        numbers = range(first, min(first + PAGE, len(self.parts)))
        more = str(first + PAGE) if first + PAGE < len(self.parts) else ""
        return Page(tuple(_listed(number, recalled=number in self.recalled) for number in numbers), more)

    async def open_together(self, digests: list[bytes], reason: str, purpose: str) -> dict[bytes, Any]:
        """Return what there is to each."""
        self.asked.append((reason, purpose))
        found = {digest: self.parts[int.from_bytes(digest)] for digest in digests}
        for each in found.values():
            if isinstance(each, NotProven):
                raise each
        return found


def _listed(number: int, *, recalled: bool) -> MessageSummary:
    header = message_pb2.Header(message_id=number.to_bytes(16), kind="seizure-notice")
    recalls = (bytes(32),) if recalled else ()
    return MessageSummary(
        digest=number.to_bytes(32),
        header=header,
        thread_name="",
        stored_time=NOW,
        received=True,
        opened_by_caller=False,
        opened=False,
        deliveries=(),
        sequence=number,
        recalled_by=recalls,
    )


def parts(count: int) -> list[OpenedPart | Refused | Exception]:
    """Return so many notices."""
    return [opened(number.to_bytes(32), notice(str(number))) for number in range(count)]


async def test_what_is_not_counted_is_counted_apart() -> None:
    """A limit of purposes, a lost key and a content that is none leave one out each; the result is incomplete."""
    found = parts(8)
    found[1] = Refused("policy_denied", "", "opening-for-other-purpose")
    found[3] = Refused("cannot_open", "", "")
    found[5] = opened((5).to_bytes(32), notice("5"), b"\xff")
    session: Any = Node(found, frozenset({7}))
    told: list[tuple[int, int]] = []
    counted = await count_seizures(session, "group", on_progress=lambda *counts: told.append(counts))
    assert (counted.notices, counted.superseded, counted.complete) == (4, 1, False)
    assert {reason: count for (reason, _detail), count in counted.left_out.counts.items()} == {
        "policy_denied": 1,
        "cannot_open": 1,
        "malformed": 1,
    }
    assert counted.tabulation.figures[-1][-1].count == 2 * 4
    assert [note.partition(":")[0] for note in counted.table.notes] == ["1 message left out"] * 3
    assert set(session.asked) == {("statistics", "statistics")}
    assert told == [(2, 0), (4, 0), (6, 0), (7, 0), (7, 7)]


async def test_a_whole_count_is_complete() -> None:
    """Nothing is said where nothing is left out."""
    session: Any = Node(parts(5))
    counted = await count_seizures(session, "substance")
    assert (counted.notices, counted.complete, counted.table.notes) == (5, True, ())


async def test_no_part_of_a_count_is_returned() -> None:
    """What is not proven ends the count, on whatever page it stands; so do rows that are columns."""
    session: Any = Node([*parts(3), NotProven("bad_proof")])
    with pytest.raises(NotProven):
        await count_seizures(session, "substance")
    with pytest.raises(Misused):
        await count_seizures(session, "place", "place")
