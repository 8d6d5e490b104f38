"""A recall between real nodes: refused where it may not be, effective at the holder, opened only with a reason."""

from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio

from paiza.content.v1.free_message_pb2 import FreeMessage
from paiza.content.v1.recall_pb2 import CorrectedField, Correction, Recall
from paiza.core.v1 import log_pb2
from paiza.core.v1 import message_pb2 as pb
from paiza.officer.v1 import officer_pb2
from paiza_wire import message
from tests.federation import Federation
from tests.integration.exchange.desk import SECONDS, Desk, digest_of
from tests.integration.exchange.lawful_desk import log_entries
from tests.officer import Officer

pytestmark = pytest.mark.asyncio(loop_scope="module")

RECALL: Final = Recall(reason="wrong-recipient", explanation="Exercise", measure="erase").SerializeToString()
BETTER: Final = FreeMessage(subject="Exercise", text="Better.").SerializeToString()
CORRECTION: Final = Correction(
    reason="slip", explanation="Exercise", changes=[CorrectedField(path="text", before="a", after="b")]
).SerializeToString()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Two real nodes, and a third member whose node is away."""
    folder = tmp_path_factory.mktemp("recall") / "federation"
    with Federation.create(folder, ["kaz", "tjk", "uzb"]) as federation:
        federation.start("kaz", "tjk")
        yield folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def kaz(folder: Path) -> AsyncIterator[Desk]:
    """The desk of the author."""
    desk = Desk(folder, "kaz")
    async with desk.channel:
        yield desk


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tjk(folder: Path) -> AsyncIterator[Desk]:
    """The desk of the holder."""
    desk = Desk(folder, "tjk")
    async with desk.channel:
        yield desk


async def sent(kaz: Desk, tjk: Desk, to: Sequence[str] = ("tjk",)) -> tuple[pb.Header, bytes]:
    """Send a message from kaz and wait until it is at tjk."""
    signed = kaz.officer.compose(to)
    assert await kaz.send(signed) == ""
    header = pb.SignedMessage.FromString(signed).header
    digest = message.message_digest(header)
    await tjk.wait_for(digest)
    return pb.Header.FromString(header), digest


async def test_a_recall_reaches_its_holder(kaz: Desk, tjk: Desk) -> None:
    """Both lists show it, both logs say RECALLED, and the content is opened only with a reason."""
    header, digest = await sent(kaz, tjk)
    assert await tjk.open(digest) == ""
    recall = kaz.write("recall", RECALL, [header], [digest], ["tjk"])
    assert await kaz.send(recall) == ""
    await tjk.wait_for(digest_of(recall))
    for desk in (kaz, tjk):
        assert list((await desk.info(digest)).recalled_by) == [digest_of(recall)]
        assert "RECALLED" in await desk.events(digest)
        assert await desk.open(digest) == "recalled"
        assert await desk.open(digest, "needed for the file") == ""


async def test_another_member_recalls_nothing(kaz: Desk, tjk: Desk, folder: Path) -> None:
    """The attempt is refused at its own node and logged there."""
    header, digest = await sent(kaz, tjk)
    attempt = tjk.write("recall", RECALL, [header], [digest], ["kaz"])
    assert await tjk.send(attempt) == "not_author"
    async with Officer(folder, "tjk-auditor").channel() as channel:
        denied = await log_entries(channel, message_digests=[digest_of(attempt)])
    assert [log_pb2.LogEntry.FromString(each.proven.entry).event for each in denied] == [log_pb2.LOG_EVENT_DENIED]
    assert list((await tjk.info(digest)).recalled_by) == []


async def test_a_recall_takes_two_officers_and_goes_to_every_holder(kaz: Desk, tjk: Desk) -> None:
    """One signature is not enough, nor are some of the holders; one whose node is away is a holder too."""
    header, digest = await sent(kaz, tjk, ["tjk", "uzb"])
    alone = kaz.officer.header(["tjk", "uzb"])
    alone.kind, alone.thread_id = "recall", header.thread_id
    alone.parent_digests.append(digest)
    # One signer alone is no recall: it is refused, or waits for the second officer.
    signed = kaz.officer.seal(alone, RECALL)
    request = officer_pb2.SubmitRequest(items=[officer_pb2.SubmitItem(message=signed)])
    (result,) = (await kaz.stub.Submit(request, timeout=SECONDS)).results
    assert result.WhichOneof("result") != "released"
    assert await kaz.send(kaz.write("recall", RECALL, [header], [digest], ["tjk"])) == "holder_missing"
    assert list((await kaz.info(digest)).recalled_by) == []
    assert await kaz.send(kaz.write("recall", RECALL, [header], [digest], ["tjk", "uzb"])) == ""


async def test_a_correction_marks_what_it_corrects(kaz: Desk, tjk: Desk) -> None:
    """The corrected message stays open to readers, marked; a replacement is named."""
    header, digest = await sent(kaz, tjk)
    better = kaz.officer.header(["tjk"])
    better.thread_id = header.thread_id
    better.parent_digests.append(digest)
    replacement = kaz.officer.seal(better, BETTER)
    assert await kaz.send(replacement) == ""
    parents = [digest, digest_of(replacement)]
    correction = kaz.write("correction", CORRECTION, [header], parents, ["tjk"])
    assert await kaz.send(correction) == ""
    await tjk.wait_for(digest_of(correction))
    info = await tjk.info(digest)
    assert list(info.corrected_by) == [digest_of(correction)]
    assert info.replaced_by == digest_of(replacement)
    assert list((await tjk.info(digest_of(replacement))).corrected_by) == []
    assert await tjk.open(digest) == ""
