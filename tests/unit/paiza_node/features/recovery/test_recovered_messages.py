"""A message of ours that is given back counts only with its own signatures, our lost release, and a proven answer."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from paiza.content.v1.erasure_pb2 import ErasureRequest
from paiza.content.v1.free_message_pb2 import FreeMessage
from paiza.core.v1 import log_pb2, message_pb2
from paiza.peer.v1 import recovery_pb2
from paiza_node.core.exchange.reactions import Reaction
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.decryption import DecryptionKeys
from paiza_node.core.messages.model import MessageRow, MessageState
from paiza_node.core.storage import Store, open_store
from paiza_node.features.attachments.files import AttachmentFiles
from paiza_node.features.recovery.model import RecoveredEntry
from paiza_node.features.recovery.recovered_messages import Lost, RecoveredMessages, Regained
from paiza_node.features.retention import store as retention_store
from paiza_node.features.retention.model import ErasureStep
from paiza_node.features.retention.requests import erasure_reaction
from paiza_node.features.search import store as search_store
from paiza_node.features.search.index import Index, MessagesReplaced, NewMessages, TokenKey
from paiza_node.ops.config import load
from paiza_node.ops.keys import load_keys
from paiza_trust import dev
from paiza_wire import log_entries, message, receipts
from paiza_wire.errors import PaizaError, Rejected, Unavailable
from paiza_wire.identity import keys
from paiza_wire.message import VerifiedMessage
from paiza_wire.tlog import checkpoint as checkpoints
from paiza_wire.tlog import merkle
from paiza_wire.tlog.checkpoint import Checkpoint, VerifiedCheckpoint
from paiza_wire.tlog.notes import SignerKey
from tests import attaching
from tests.log_entries import entry_of, turn_into
from tests.officer import Officer
from tests.registers import read_register
from tests.unit.paiza_node.room import MEMBER, Room

OURS = SignerKey.from_ed25519("kaz.paiza.example/log/1", keys.generate_ed25519())
THEIRS = SignerKey.from_ed25519("tjk.paiza.example/log/1", keys.generate_ed25519())


def logged(entry: log_pb2.LogEntry, signer: SignerKey) -> tuple[log_pb2.ProvenEntry, VerifiedCheckpoint]:
    """Return a log of one entry: the entry, and the checkpoint it is proven to."""
    entry.salt = receipts.new_salt()
    entry.entry_time.FromDatetime(datetime.now(UTC))
    raw = entry.SerializeToString()
    name, root = signer.verifier_key.name, merkle.leaf_hash(raw)
    note = checkpoints.sign(Checkpoint(name, 1, root), signer)
    return log_pb2.ProvenEntry(entry=raw, index=0), VerifiedCheckpoint(name, 1, root, note)


class Scene:
    """A message of kaz to tjk and uzb, its lost release to tjk, and tjk's receipt; a test changes one of them."""

    def __init__(self, folder: Path, store: Store) -> None:
        self.register = read_register(folder)
        self.officer = Officer(folder, "kaz-liaison", self.register)
        self.signed = self.officer.compose(["tjk", "uzb"])
        register_cache: Any = SimpleNamespace(archived=lambda _version: self.register, check_known=self.check_known)
        own = load_keys(load(folder / "nodes/kaz/node.toml", {}), self.register.member("kaz")).decryption
        self.store = store
        core: Any = SimpleNamespace(
            member="kaz", register_cache=register_cache, decryption_keys=DecryptionKeys("kaz", own), store=store
        )
        nobody: Any = None
        self.known = True
        self.files = AttachmentFiles(folder / "attachments")
        self.recovered_messages = RecoveredMessages(
            core,
            officers=dict,
            unit_directory=nobody,
            reactions=(),
            files=self.files,
            delivery_life=nobody,
        )
        self.lose(self.signed)

    def lose(self, signed: bytes) -> None:
        """Let this message be the one that was released, received, and lost."""
        self.signed = signed
        verified = message.verify(signed, self.register.certificate_verifier(), at=datetime.now(UTC))
        self.digest = verified.digest
        self.release = entry_of(
            log_pb2.LOG_EVENT_RELEASED,
            counterpart="tjk",
            message_digest=self.digest,
            signers=receipts.logged_signers(verified),
            register_version=self.register.version,
        )
        self.receipt = entry_of(
            log_pb2.LOG_EVENT_RECEIVED,
            counterpart="kaz",
            message_digest=self.digest,
            register_version=self.register.version,
        )

    def hold(self, signed: bytes) -> None:
        """Store this copy of the message that was lost, in place of an earlier one."""
        with self.store.transaction() as conn:
            if messages_store.message(conn, self.digest) is not None:
                messages_store.replace_signed(conn, self.digest, signed)
                return
            held = message.parse_message(signed)
            row = MessageRow(
                seq=1,
                digest=self.digest,
                author="kaz",
                message_id=held.header.message_id,
                thread_id=held.header.thread_id,
                thread_name="KAZ-2026-00001",
                kind=held.header.kind,
                urgency=held.header.urgency,
                state=MessageState.RELEASED,
                header=held.signed.header,
                stored_time=datetime.now(UTC),
                signed=signed,
                parents=(),
            )
            messages_store.add_messages(conn, [row])

    def check_known(self, _version: bytes) -> None:
        """Know the register of the release, or not."""
        if not self.known:
            raise Unavailable("register_unknown", "to be fetched first")

    def checked(self, *, other_root: bool = False) -> Regained | None:
        """Check what is given back."""
        released, ours = logged(self.release, OURS)
        answer, theirs = logged(self.receipt, THEIRS)
        if other_root:
            _entry, theirs = logged(log_entries.searched(actor=""), THEIRS)
        row = RecoveredEntry(ours.origin, 0, "tjk", self.digest, released.entry, b"", ours.note)
        lost = Lost(row, receipts.verify_entry(released, ours))
        item = recovery_pb2.GivenBack(message=self.signed, answer=answer)
        return self.recovered_messages.check(item, lost, "tjk", theirs)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a federation; no node of it runs."""
    made = tmp_path_factory.mktemp("regained") / "f"
    dev.create(made, ("kaz", "tjk", "uzb"))
    return made


@pytest.fixture
def scene(folder: Path, tmp_path: Path) -> Iterator[Scene]:
    """Return a message that is given back rightly."""
    store = open_store(f"sqlite:///{tmp_path / 'paiza.db'}")
    yield Scene(folder, store)
    store.close()


def altered(scene: Scene) -> None:
    """Change a byte of the signed header."""
    signed = message_pb2.SignedMessage.FromString(scene.signed)
    signature = signed.signatures[0].signature
    signed.signatures[0].signature = signature[:-1] + bytes([signature[-1] ^ 1])
    scene.signed = signed.SerializeToString()


CHANGES: dict[str, Callable[[Scene], object]] = {
    "an altered signature": altered,
    "another message than was released": lambda s: setattr(s, "signed", s.officer.compose(["tjk", "uzb"])),
    "bytes that are none": lambda s: setattr(s, "signed", b"\xff" * 40),
    "a release to another": lambda s: setattr(s.release, "counterpart", "uzb"),
    "no release": lambda s: turn_into(s.release, log_pb2.LOG_EVENT_RECEIVED),
    "a release by others": lambda s: s.release.released.ClearField("signers"),
    "a receipt of another message": lambda s: setattr(s.receipt, "message_digest", bytes(32)),
    "a receipt to another": lambda s: setattr(s.receipt, "counterpart", "uzb"),
    "no receipt": lambda s: turn_into(s.receipt, log_pb2.LOG_EVENT_OPENED),
    "a refusal without reason": lambda s: turn_into(s.receipt, log_pb2.LOG_EVENT_REFUSED),
}


def test_what_holds_is_taken(scene: Scene) -> None:
    """The message, its lost release and the answer belong together; without content nothing is regained."""
    found = scene.checked()
    assert found is not None
    assert found.message.digest == scene.digest
    assert found.is_needed
    scene.signed = b""
    assert scene.checked() is None


@pytest.mark.parametrize("change", CHANGES)
def test_what_does_not_hold_is_refused(scene: Scene, change: str) -> None:
    """One thing that is not as it was refuses the whole."""
    CHANGES[change](scene)
    with pytest.raises(PaizaError):
        scene.checked()


def test_an_answer_must_stand_in_the_log_of_who_gives_it(scene: Scene) -> None:
    """A receipt that the answerer's checkpoint does not lead to is none."""
    with pytest.raises(Rejected):
        scene.checked(other_root=True)


def test_a_message_of_another_member_is_not_ours(scene: Scene, folder: Path) -> None:
    """Nobody has us release what another has written."""
    foreign = Officer(folder, "uzb-liaison", scene.register)
    scene.signed = foreign.compose(["tjk", "kaz"])
    verified = message.verify(scene.signed, scene.register.certificate_verifier(), at=datetime.now(UTC))
    for entry in (scene.release, scene.receipt):
        entry.message_digest = verified.digest
    del scene.release.released.signers[:]
    scene.release.released.signers.extend(receipts.logged_signers(verified))
    with pytest.raises(Rejected, match="wrong_member"):
        scene.checked()


def test_a_register_that_is_not_here_yet_is_waited_for(scene: Scene) -> None:
    """A message is verified by the register of its release only: unavailable until that is fetched."""
    scene.known = False
    with pytest.raises(Unavailable, match="register_unknown"):
        scene.checked()


@pytest.mark.parametrize("wrapped_key", [b"", bytes(1200)])
def test_wraps_that_do_not_open_are_noticed(scene: Scene, wrapped_key: bytes) -> None:
    """No signature covers the wraps: a member may give a message back without ours, or with another."""
    signed = message_pb2.SignedMessage.FromString(scene.signed)
    others = [each for each in signed.wraps if each.recipient != "kaz"]
    (own,) = (each for each in signed.wraps if each.recipient == "kaz")
    own.wrapped_key = wrapped_key
    spoilt = message_pb2.SignedMessage(
        header=signed.header, signatures=signed.signatures, subject=signed.subject, parts=signed.parts
    )
    spoilt.wraps.extend([*others, own] if wrapped_key else others)
    scene.signed = spoilt.SerializeToString()
    found = scene.checked()
    assert found is not None
    assert not found.is_needed


def with_another_key(scene: Scene, part: int) -> bytes:
    """Return the message that was lost with a wrap for us that opens, and holds another key than that of the part."""
    signed = message_pb2.SignedMessage.FromString(scene.signed)
    own = next(each for each in signed.wraps if (each.recipient, each.part_number) == ("kaz", part))
    own.CopyFrom(message.wrap_key(bytes(32), scene.digest, part, scene.officer.recipient_key("kaz", datetime.now(UTC))))
    return signed.SerializeToString()


def test_a_wrap_that_opens_with_another_key_is_noticed(scene: Scene, tmp_path: Path) -> None:
    """Anybody can wrap a key for us: the part shows whether it is its own, or the file of the attachment."""
    scene.signed = with_another_key(scene, 0)
    found = scene.checked()
    assert found is not None
    assert not found.is_needed
    header = scene.officer.header(["tjk", "uzb"])
    film = attaching.seal(tmp_path, header, 1000)
    scene.lose(attaching.signed(scene.officer, header, [film.said]))
    whole, spoilt = scene.signed, with_another_key(scene, attaching.FIRST_PART)
    for is_here, signed_anew, is_needed in ((False, spoilt, True), (True, spoilt, False), (True, whole, True)):
        if is_here:
            (scene.files._folder / film.said.ciphertext_sha256.hex()).write_bytes(film.path.read_bytes())
        scene.signed = signed_anew
        found = scene.checked()
        assert found is not None
        assert found.is_needed is is_needed


def test_a_copy_is_needed_in_place_of_one_that_does_not_open(scene: Scene) -> None:
    """Every recipient gives back the same messages: what opens already is not written and indexed anew for each."""
    whole = scene.signed
    for held, is_needed in ((with_another_key(scene, 0), True), (whole, False)):
        scene.hold(held)
        found = scene.checked()
        assert found is not None
        assert found.is_needed is is_needed


async def test_another_copy_takes_the_place_of_one_that_does_not_open(database_url: str) -> None:
    """The first member to give a message back cannot keep us from opening and finding it; nor can the last."""
    with Room(database_url) as room:
        new = NewMessages()
        index = Index(room.core, token_key=TokenKey(bytes(32)), new_messages=new)
        note = room.message(MEMBER, "free-message", FreeMessage(subject="Exercise", text="Its plate is 123 ABC 02."))
        spoilt = replace(note, signed=message_pb2.SignedMessage())
        spoilt.signed.CopyFrom(note.signed)
        for wrap in spoilt.signed.wraps:
            wrap.wrapped_key = bytes(len(wrap.wrapped_key))
        for copy, is_needed in ((spoilt, False), (note, True), (spoilt, False)):
            given_back(room, [copy], new.reaction, is_needed=is_needed)
            index.notify([MessagesReplaced()])
            await index.index_stored()
        assert messages_store.read_signed(room.store, note.digest) == note.signed.SerializeToString()
        with room.store.reads() as reads:
            assert search_store.tokens_at(reads, 1)


@pytest.mark.parametrize("together", [True, False])
def test_request_to_erase_that_is_back_before_what_it_names_has_it_erased(
    database_url: str,
    together: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """Our own message that comes back after our request is to be erased, whether both are given in one page or not."""
    with Room(database_url) as room:
        note = room.message(MEMBER, "free-message", FreeMessage(subject="Exercise", text="Nothing of this is real."))
        content = ErasureRequest(reason="review", explanation="Exercise")
        thread = note.header.thread_id
        request = room.message(MEMBER, "erasure-request", content, thread=thread, parents=[note.digest], two=True)
        for page in [[request, note]] if together else [[request], [note]]:
            given_back(room, page)
        with room.store.reads() as reads:
            steps = [each.step for each in retention_store.erasures_of(reads, [note.digest])[note.digest]]
        assert steps == [ErasureStep.ASKED]
        assert room.events(note.digest).count("NEVER_HELD") == (0 if together else 1)


def given_back(room: Room, page: list[VerifiedMessage], *reactions: Reaction, is_needed: bool = True) -> None:
    """Write messages of ours that tjk gives back, each with its receipt."""
    everything: Any = SimpleNamespace(holds=lambda _sha256, _size: True)
    nobody: Any = None
    recovered_messages = RecoveredMessages(
        room.core,
        officers=dict,
        unit_directory=nobody,
        reactions=(erasure_reaction(MEMBER, room.core.node_id), *reactions),
        files=everything,
        delivery_life=timedelta(days=1),
    )
    regained: list[Regained] = []
    for each in page:
        parts = {"counterpart": "tjk", "message_digest": each.digest}
        released, ours = logged(entry_of(log_pb2.LOG_EVENT_RELEASED, **parts), OURS)
        answer, theirs = logged(entry_of(log_pb2.LOG_EVENT_RECEIVED, **{**parts, "counterpart": MEMBER}), THEIRS)
        row = RecoveredEntry(ours.origin, 0, "tjk", each.digest, released.entry, b"", ours.note)
        lost = Lost(row, receipts.verify_entry(released, ours))
        raw = each.signed.SerializeToString()
        regained.append(Regained(each, raw, lost, receipts.verify_entry(answer, theirs), b"", is_needed))
    room.ledger.commit_now(lambda tx: recovered_messages.write(tx, regained, "tjk"))
