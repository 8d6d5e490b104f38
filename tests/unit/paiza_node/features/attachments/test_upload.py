"""Uploads that no message names: given up in time, with their files, and nothing else is."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from paiza.core.v1 import message_pb2 as pb
from paiza.officer.v1 import attachment_pb2
from paiza_node.core.access.model import Officer
from paiza_node.core.log.ledger import Ledger
from paiza_node.core.log.signer import LogSigner
from paiza_node.core.storage import Store, open_store
from paiza_node.features.approvals import store as approvals_store
from paiza_node.features.approvals.model import ApprovalRow, ApprovalState
from paiza_node.features.approvals.pending import named_ciphertexts
from paiza_node.features.attachments import disk_room
from paiza_node.features.attachments import store as attachments_store
from paiza_node.features.attachments.attached import check_uploaded
from paiza_node.features.attachments.disk_room import Holder
from paiza_node.features.attachments.files import AttachmentFiles
from paiza_node.features.attachments.model import AttachmentRow
from paiza_node.features.attachments.upload import MAX_OFFICER_BYTES, MAX_OFFICER_UPLOADS, ORPHAN_LIFE, Upload
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.identity import keys
from paiza_wire.message import MAX_CIPHERTEXT_BYTES, MIN_CIPHERTEXT_BYTES, new_message_id
from paiza_wire.tlog.notes import SignerKey

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
OFFICER = Officer("spiffe://kaz.paiza.example/officer/one", frozenset({"liaison"}), "exercise")
STRANGER = Officer("spiffe://kaz.paiza.example/officer/two", frozenset({"liaison"}), "exercise")
DATA = b"ciphertext of nothing real" * 10
NAME = sha256(DATA).digest()
SLOW_SECONDS = 0.1


class NoFile:
    """A checkpoint file that remembers nothing."""

    def load(self) -> bytes | None:
        """Return nothing."""

    def save(self, note: bytes) -> None:
        """Forget it."""


class Desk:
    """The verb over a real store and folder, and a clock that a test sets."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.now = NOW
        self.store = store
        self.stopped: set[str] = set()
        signer = SignerKey.from_ed25519("kaz.paiza.example/log/1", keys.generate_ed25519())
        self.ledger = Ledger(store, LogSigner([signer]), NoFile(), lambda: bytes(32), lambda: self.now)
        files = AttachmentFiles(folder)
        self.files = files.uploaded_by(OFFICER.id)
        self.upload = Upload(
            ledger=self.ledger,
            store=store,
            files=files,
            clock=lambda: self.now,
            unreleased=named_ciphertexts,
            may_act=lambda officer: officer not in self.stopped,
        )

    async def start(self, officer: Officer = OFFICER) -> attachment_pb2.StartUploadResponse:
        """Announce the ciphertext."""
        request = attachment_pb2.StartUploadRequest(ciphertext_sha256=NAME, ciphertext_size=len(DATA))
        return await self.upload.start(officer, request)

    async def bring(self, offset: int, *pieces: bytes, officer: Officer = OFFICER) -> attachment_pb2.UploadResponse:
        """Bring these bytes."""

        async def requests() -> AsyncIterator[attachment_pb2.UploadRequest]:
            yield attachment_pb2.UploadRequest(ciphertext_sha256=NAME, offset=offset)
            for piece in pieces:
                yield attachment_pb2.UploadRequest(data=piece)

        return await self.upload.receive(officer, requests())


def naming(ciphertext: bytes) -> pb.Header:
    """Write the header of a message with one attachment, for two officers to sign."""
    names = [f"spiffe://kaz.paiza.example/officer/{name}" for name in ("one", "two")]
    header = pb.Header(
        subject_sha256=bytes(32),
        suite=pb.SUITE_1,
        message_id=new_message_id(NOW),
        kind="free-message",
        kind_version=1,
        author="kaz",
        required_signers=[pb.RequiredSigner(id=name, role="liaison") for name in names],
        recipients=[pb.Recipient(member="tjk")],
        urgency=pb.URGENCY_ROUTINE,
        handling=pb.Handling(code="H0", tlp="AMBER"),
        register_version=bytes(32),
        parts=[
            pb.PartDescription(kind=pb.PART_KIND_MAIN, ciphertext_sha256=bytes(32), ciphertext_size=100),
            pb.PartDescription(kind=pb.PART_KIND_ATTACHMENT, ciphertext_sha256=ciphertext, ciphertext_size=len(DATA)),
        ],
    )
    header.thread_id = header.message_id
    header.author_time.FromDatetime(NOW)
    header.review_time.FromDatetime(NOW + timedelta(days=1))
    return header


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """The verb, and its ledger closed at the end."""
    store = open_store(f"sqlite:///{tmp_path}/node.db")
    made = Desk(store, tmp_path / "attachments")
    yield made
    made.ledger.close()
    store.close()


async def test_half_an_upload_of_an_officer_who_may_not_act_is_given_up_at_once(desk: Desk) -> None:
    """No file and no place in a quota are left; what came whole waits for its message."""
    await desk.start()
    await desk.bring(0, DATA[:100])
    await desk.upload.clean()
    assert desk.files.offset(NAME) == 100
    desk.stopped.add(OFFICER.id)
    await desk.upload.clean()
    assert desk.files.offset(NAME) == 0
    desk.stopped.clear()
    with pytest.raises(Rejected) as refused:
        await desk.bring(0, DATA)
    assert refused.value.reason == "unknown_id"
    await desk.start()
    await desk.bring(0, DATA)
    desk.stopped.add(OFFICER.id)
    await desk.upload.clean()
    assert desk.files.holds(NAME, len(DATA))


async def test_what_no_message_names_is_given_up_with_its_file(desk: Desk) -> None:
    """An upload lives for its time, whole or not, and then nothing of it is left."""
    await desk.start()
    assert (await desk.bring(0, DATA)).whole
    desk.now = NOW + ORPHAN_LIFE - timedelta(seconds=1)
    await desk.upload.clean()
    assert desk.files.holds(NAME, len(DATA))
    desk.now = NOW + ORPHAN_LIFE + timedelta(seconds=1)
    await desk.upload.clean()
    assert not desk.files.holds(NAME, len(DATA))
    assert (await desk.start()).offset == 0


async def test_what_a_message_names_is_kept(desk: Desk) -> None:
    """The file of an attachment stays when an old upload of the same bytes is given up."""
    await desk.start()
    await desk.bring(0, DATA)
    named = AttachmentRow(bytes(32), 1, "tjk", "", NAME, len(DATA), NOW)
    await desk.ledger.commit(lambda tx: attachments_store.put_attachments(tx.conn, [named]))
    desk.now = NOW + 2 * ORPHAN_LIFE
    await desk.upload.clean()
    assert desk.files.holds(NAME, len(DATA))


async def test_what_a_waiting_message_names_is_kept_as_long_as_it_waits(desk: Desk) -> None:
    """An upload outlives any wait for the second officer; its own lifetime then starts again."""
    await desk.start()
    await desk.bring(0, DATA)
    header = naming(NAME)
    waiting = ApprovalRow(
        digest=bytes(32),
        message_id=bytes(16),
        drafter=OFFICER.id,
        header=header.SerializeToString(deterministic=True),
        submitted_index=0,
        submitted_time=NOW,
        expires_time=NOW + 9 * ORPHAN_LIFE,
        missing=("spiffe://kaz.paiza.example/officer/two",),
        signed=b"sealed",
    )
    await desk.ledger.commit(lambda tx: approvals_store.add_approval(tx.conn, waiting))
    desk.now = NOW + 2 * ORPHAN_LIFE
    await desk.upload.clean()
    assert desk.files.holds(NAME, len(DATA))
    assert (await desk.start()).whole
    await desk.ledger.commit(lambda tx: approvals_store.end_approval(tx.conn, waiting.digest, ApprovalState.DECLINED))
    desk.now = NOW + 4 * ORPHAN_LIFE
    await desk.upload.clean()
    assert not desk.files.holds(NAME, len(DATA))


async def test_a_crash_before_the_digest_was_checked_loses_nothing(desk: Desk) -> None:
    """All bytes on disk and nobody told: the next announcement checks them, and they need not come again."""
    await desk.start()
    writer = desk.files.writer(NAME, 0, len(DATA))
    writer.write(DATA)
    desk.files.release(NAME, writer)
    assert (await desk.start()).whole


async def test_a_crash_before_the_commit_loses_no_upload(desk: Desk) -> None:
    """The file is whole and the database does not know whose it is: the next announcement takes the bytes again."""
    await desk.start()
    writer = desk.files.writer(NAME, 0, len(DATA))
    writer.write(DATA)
    desk.files.release(NAME, writer)
    desk.files.check(NAME)
    desk.files.complete(NAME)
    started = await desk.start()
    assert (started.offset, started.whole) == (0, False)
    assert (await desk.bring(0, DATA)).whole


async def test_nobody_learns_what_another_officer_uploads(desk: Desk) -> None:
    """The answers are those for bytes that are not here, and neither officer disturbs the other."""
    strangers = await desk.start(STRANGER)
    await desk.bring(0, DATA[:100], officer=STRANGER)
    assert await desk.start() == strangers == attachment_pb2.StartUploadResponse()
    with pytest.raises(Rejected, match="part_digest_mismatch"):
        await desk.bring(0, bytes(len(DATA)))
    assert (await desk.start(STRANGER)).offset == 100
    assert (await desk.bring(100, DATA[100:], officer=STRANGER)).whole
    assert await desk.start() == attachment_pb2.StartUploadResponse()
    with desk.store.reads() as reads, pytest.raises(Unavailable, match="attachment_incomplete"):
        check_uploaded(reads, naming(NAME), {OFFICER.id})
    assert (await desk.bring(0, DATA)).whole
    with desk.store.reads() as reads:
        assert [each.officer for each in check_uploaded(reads, naming(NAME), {OFFICER.id})] == [OFFICER.id]
    desk.now = NOW + ORPHAN_LIFE + timedelta(seconds=1)
    await desk.upload.clean()
    assert not desk.files.holds(NAME, len(DATA))


async def test_what_is_given_up_leaves_what_another_officer_uploads(desk: Desk) -> None:
    """The bytes of the one are gone, those of the other are kept."""
    for officer in (OFFICER, STRANGER):
        await desk.start(officer)
        await desk.bring(0, DATA[:100], officer=officer)
    desk.stopped.add(OFFICER.id)
    await desk.upload.clean()
    assert desk.files.offset(NAME) == 0
    assert (await desk.start(STRANGER)).offset == 100


async def test_a_whole_upload_whose_file_is_gone_is_taken_again(desk: Desk) -> None:
    """It is whole only with its file, and keeps no room once that is here."""
    await desk.start()
    assert (await desk.bring(0, DATA)).whole
    desk.files.remove(NAME)
    assert await desk.start() == attachment_pb2.StartUploadResponse()
    assert desk.files.room.granted == len(DATA)
    assert (await desk.bring(0, DATA)).whole
    assert desk.files.room.granted == 0
    assert (await desk.start()).whole
    assert desk.files.room.granted == 0


async def test_bytes_that_a_power_cut_damaged_are_brought_again(desk: Desk) -> None:
    """As many bytes as there should be, but others, are forgotten, and the upload begins anew."""
    await desk.start()
    writer = desk.files.writer(NAME, 0, len(DATA))
    writer.write(bytes(len(DATA)))
    desk.files.release(NAME, writer)
    started = await desk.start()
    assert (started.offset, started.whole) == (0, False)
    assert (await desk.bring(0, DATA[:100], DATA[100:])).whole


async def test_a_call_that_is_cancelled_keeps_what_came(desk: Desk) -> None:
    """A connection that breaks in mid-call leaves the bytes so far, and the upload goes on from them."""
    await desk.start()
    came, never = asyncio.Event(), asyncio.Event()

    async def requests() -> AsyncIterator[attachment_pb2.UploadRequest]:
        yield attachment_pb2.UploadRequest(ciphertext_sha256=NAME, data=DATA[:50])
        came.set()
        await never.wait()

    call = asyncio.create_task(desk.upload.receive(OFFICER, requests()))
    await came.wait()
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    assert (await desk.start()).offset == 50
    assert (await desk.bring(50, DATA[50:])).whole


async def test_a_caller_that_hangs_up_keeps_no_room(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Room is granted for uploads that the log knows of: no other one counts for the officer's share."""
    asked = asyncio.Event()

    async def never(_work: object) -> None:
        asked.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(desk.ledger, "commit", never)
    call = asyncio.create_task(desk.start())
    await asked.wait()
    assert desk.files.room.granted == len(DATA)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    assert desk.files.room.granted == 0


async def test_a_caller_that_hangs_up_is_granted_nothing_afterwards(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that ends while room is granted to it leaves nothing granted, however slow the disk is."""
    room, loop = desk.files.room, asyncio.get_running_loop()
    call: asyncio.Task[attachment_pb2.StartUploadResponse]
    grant, done = room.grant, threading.Event()

    def slow(holder: Holder, size: int) -> None:
        loop.call_soon_threadsafe(call.cancel)
        time.sleep(SLOW_SECONDS)
        grant(holder, size)
        done.set()

    monkeypatch.setattr(room, "grant", slow)
    call = asyncio.create_task(desk.start())
    await asyncio.gather(call, return_exceptions=True)
    await asyncio.to_thread(done.wait)
    assert room.granted == 0


@pytest.mark.parametrize(
    ("size", "allowed"),
    [(MAX_CIPHERTEXT_BYTES, MAX_OFFICER_BYTES // MAX_CIPHERTEXT_BYTES), (MIN_CIPHERTEXT_BYTES, MAX_OFFICER_UPLOADS)],
)
async def test_an_officer_has_a_bounded_share(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, size: int, allowed: int
) -> None:
    """Uploads that no message names are counted for each officer, in bytes and in files: more of them wait."""
    monkeypatch.setattr(disk_room, "free_bytes", lambda _folder: 2**50)

    async def start(number: int) -> None:
        name = sha256(number.to_bytes(2)).digest()
        await desk.upload.start(
            OFFICER, attachment_pb2.StartUploadRequest(ciphertext_sha256=name, ciphertext_size=size)
        )

    for number in range(allowed):
        await start(number)
    with pytest.raises(Unavailable) as refused:
        await start(allowed)
    assert refused.value.reason == "quota_exceeded"


async def test_only_the_first_request_says_what_it_brings(desk: Desk) -> None:
    """A call that changes its mind is refused; one without any request is malformed."""
    await desk.start()

    async def two() -> AsyncIterator[attachment_pb2.UploadRequest]:
        yield attachment_pb2.UploadRequest(ciphertext_sha256=NAME)
        yield attachment_pb2.UploadRequest(ciphertext_sha256=NAME, data=b"x")

    async def none() -> AsyncIterator[attachment_pb2.UploadRequest]:
        for request in list[attachment_pb2.UploadRequest]():
            yield request

    for requests in (two, none):
        with pytest.raises(Rejected, match="malformed"):
            await desk.upload.receive(OFFICER, requests())
