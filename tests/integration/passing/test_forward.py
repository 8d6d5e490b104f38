"""Passing messages on between real nodes: what the marks allow, what needs a grant, and who learns of it."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from paiza.content.v1.common_pb2 import Question
from paiza.content.v1.information_pb2 import InformationRequest
from paiza.core.v1.message_pb2 import Handling, Header
from tests.federation import Federation
from tests.integration.passing.desk import Desk, until

REQUEST = InformationRequest(
    reference="EX-2",
    subject="Exercise",
    purposes=["investigate"],
    facts="Nothing of this is real.",
    questions=[Question(number=1, text="Is anything of this real?")],
    why_addressee="Exercise",
)
GREEN = Handling(code="H0", tlp="GREEN")
AMBER_H2 = Handling(code="H2", tlp="AMBER")


def thread_of(info: object) -> bytes:
    """Return the thread of a listed message."""
    return bytes(Header.FromString(info.header).thread_id)  # type: ignore[attr-defined]


async def test_what_the_marks_allow_goes_on_and_the_author_learns_of_it(unit_directory: dict[str, Desk]) -> None:
    """A GREEN message reaches a third member whole and with its own marks, and every log says how."""
    kaz, tjk, uzb, kgz = unit_directory.values()
    digest = await kaz.send(["tjk"], GREEN)
    await tjk.arrival(digest)
    assert await tjk.forward(digest, "uzb") == ["forwarded"]
    info = await uzb.arrival(digest)
    assert Header.FromString(info.header).handling == GREEN
    opened = await uzb.open(digest)
    assert len(opened.part_key) == 32
    await until(lambda: _told(kaz, digest, "uzb"))
    assert await kaz.holders(digest) == {"kaz": "", "tjk": "", "uzb": "tjk"}
    assert ("FORWARDED", "uzb") in await tjk.events(digest)
    assert ("RECEIVED", "tjk") in await uzb.events(digest)
    # Another hop: kgz gets it from uzb, and the author learns of that as well.
    assert await uzb.forward(digest, "kgz") == ["forwarded"]
    assert Header.FromString((await kgz.arrival(digest)).header).handling == GREEN
    await until(lambda: _told(kaz, digest, "kgz"))
    assert await kaz.holders(digest) == {"kaz": "", "kgz": "uzb", "tjk": "", "uzb": "tjk"}
    # Once more changes nothing.
    assert await uzb.forward(digest, "kgz") == ["forwarded"]
    assert [event for event, _ in await uzb.events(digest)].count("FORWARDED") == 1


async def _told(desk: Desk, digest: bytes, holder: str) -> bool:
    return holder in await desk.holders(digest)


async def test_limited_material_needs_the_originators_grant(unit_directory: dict[str, Desk]) -> None:
    """H2 and AMBER are passed on with a grant that covers it and not without; every denial is logged."""
    kaz, tjk, uzb, kgz = unit_directory.values()
    digest = await kaz.send(["tjk"], AMBER_H2)
    thread = thread_of(await tjk.arrival(digest))
    assert await tjk.forward(digest, "uzb", "kgz") == ["grant_missing", "grant_missing"]
    assert [event for event, _ in await tjk.events(digest)].count("DENIED") == 2
    grant = await kaz.grant(digest, thread, ["tjk"], ["uzb"])
    await tjk.arrival(grant)
    assert await tjk.forward(digest, "uzb", "kgz") == ["forwarded", "grant_missing"]
    assert await tjk.forward(digest, "uzb", purpose="prosecute") == ["grant_missing"]
    await uzb.arrival(digest)
    forwarded = [entry for entry in await tjk.trail(digest) if entry.counterpart == "uzb" and entry.forwarded.purpose]
    assert [entry.forwarded.grant_digest for entry in forwarded] == [grant]
    assert await kgz.info(digest) is None
    # Who got it by the grant may not pass it on by that grant: it names uzb and is not uzb's to show.
    assert await uzb.forward(digest, "kgz") == ["grant_missing"]


@pytest.mark.parametrize(
    "changes",
    [
        {"recipients": ["kgz"]},
        {"purposes": ["statistics"]},
        {"scope": "extract", "extract": "the second paragraph"},
    ],
    ids=["other-recipient", "other-purpose", "extract-only"],
)
async def test_grant_for_something_else_permits_nothing(
    unit_directory: dict[str, Desk], changes: dict[str, object]
) -> None:
    """A grant that names another recipient or purpose, or an extract, does not let the message be passed on."""
    kaz, tjk, *_ = unit_directory.values()
    digest = await kaz.send(["tjk"], AMBER_H2)
    thread = thread_of(await tjk.arrival(digest))
    await tjk.arrival(await kaz.grant(digest, thread, ["tjk"], ["uzb"], **changes))
    assert await tjk.forward(digest, "uzb") == ["grant_missing"]


async def test_grant_that_is_over_permits_nothing(unit_directory: dict[str, Desk]) -> None:
    """A grant is good until its last moment and not after."""
    kaz, tjk, *_ = unit_directory.values()
    digest = await kaz.send(["tjk"], AMBER_H2)
    thread = thread_of(await tjk.arrival(digest))
    soon = datetime.now(UTC) + timedelta(seconds=8)  # far enough that the grant is released before
    await tjk.arrival(await kaz.grant(digest, thread, ["tjk"], ["uzb"], until_time=soon))

    async def over() -> bool:
        return datetime.now(UTC) > soon

    await until(over)
    assert await tjk.forward(digest, "uzb") == ["grant_missing"]


async def test_nominal_annex_stays_or_goes_by_grant(unit_directory: dict[str, Desk]) -> None:
    """A message with nominal data goes on without them; with them only by the originator's grant."""
    kaz, tjk, uzb, kgz = unit_directory.values()
    digest = await kaz.send(["tjk"], GREEN, kind="information-request", content=REQUEST, annex=True)
    thread = thread_of(await tjk.arrival(digest))
    assert await tjk.forward(digest, "uzb") == ["grant_missing"]
    assert await tjk.forward(digest, "uzb", without_annex=True) == ["forwarded"]
    await uzb.arrival(digest)
    assert (await uzb.open(digest)).part_key
    await tjk.arrival(await kaz.grant(digest, thread, ["tjk"], ["kgz"]))
    assert await tjk.forward(digest, "kgz") == ["forwarded"]
    await kgz.arrival(digest)
    assert (await kgz.open(digest, 1)).part_key


async def test_use_is_bound_to_the_purposes(unit_directory: dict[str, Desk]) -> None:
    """A message limited to purposes is forwarded and exported for these only; a reason is always needed."""
    kaz, tjk, *_ = unit_directory.values()
    digest = await kaz.send(["tjk"], Handling(code="H0", tlp="GREEN", purposes=["statistics"]))
    await tjk.arrival(digest)
    assert await tjk.forward(digest, "uzb") == ["policy_denied"]
    assert await tjk.export(digest, "own_unit") == "policy_denied"
    assert await tjk.export(digest, "own_unit", purpose="statistics") == "exported"
    events = [event for event, _ in await tjk.events(digest)]
    assert events.count("EXPORTED") == 1
    assert events.count("DENIED") == 2


async def test_what_follows_from_a_message_carries_at_least_its_marks(unit_directory: dict[str, Desk]) -> None:
    """An answer with a lower mark than the message it follows from is refused, and the denial logged."""
    kaz, tjk, *_ = unit_directory.values()
    digest = await kaz.send(["tjk"], AMBER_H2)
    thread = thread_of(await tjk.arrival(digest))
    answer: dict[str, Any] = {"parents": [digest], "thread_id": thread}
    assert await tjk.refused(["kaz"], GREEN, **answer) == ("marks_lowered", "marks-never-lowered: tlp, code")
    lower_purpose = Handling(code="H2", tlp="AMBER", classification=1)
    assert await tjk.send(["kaz"], lower_purpose, **answer)
    assert await kaz.send(["tjk"], GREEN, **answer), "the author may mark what it wrote itself as it likes"


def test_every_node_verifies_afterwards(unit_directory: dict[str, Desk], federation: Federation) -> None:
    """All logs, rows, bodies and proofs of all four nodes hold, with everything that was passed on."""
    assert unit_directory
    for node in federation.nodes.values():
        command = [sys.executable, "-m", "paiza_node", "verify", "--config", str(node.config)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


async def test_a_node_that_lost_a_certificate_is_shown_it_again(
    federation: Federation, unit_directory: dict[str, Desk]
) -> None:
    """A receiver that knows a signer no more answers with a retry, and the sender attaches the proof."""
    kaz, tjk = unit_directory["kaz"], unit_directory["tjk"]
    await tjk.arrival(await kaz.send(["tjk"], GREEN))
    node = federation.node("tjk")
    node.stop()
    with closing(sqlite3.connect(node.data / "paiza.db")) as database, database:
        assert database.execute("DELETE FROM proven_certificate WHERE member = 'kaz'").rowcount >= 1
    node.start()
    await tjk.arrival(await kaz.send(["tjk"], GREEN))
    with closing(sqlite3.connect(node.data / "paiza.db")) as database:
        assert database.execute("SELECT count(*) FROM proven_certificate WHERE member = 'kaz'").fetchone() == (1,)
    assert "certificate_unproven" in node.log.read_text()
