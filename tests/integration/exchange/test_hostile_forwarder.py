"""A member's node that passes messages on as an attacker would: nothing can be forged, no mark be got around."""

import random
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio
from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp

from paiza.content.v1.free_message_pb2 import FreeMessage
from paiza.content.v1.release_pb2 import ReleaseGrant
from paiza.core.v1 import log_pb2, message_pb2
from paiza.peer.v1 import exchange_pb2
from paiza_node.core.exchange.rewrap import wrap_for
from paiza_node.core.messages.decryption import DecryptionKeys
from paiza_node.ops.config import load
from paiza_node.ops.keys import load_keys
from paiza_register import Register
from paiza_wire import message
from paiza_wire.message import key_wrapping, message_digest
from tests.federation import Federation
from tests.integration.exchange.hostile import HostilePeer
from tests.officer import Officer, subject_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

FLIPS: Final = 60  # fewer than the garbage after which a peer has to wait (`admission`); `fuzz` tries far more
SEED: Final = 20300101
GREEN: Final = message_pb2.Handling(code="H0", tlp="GREEN")
AMBER: Final = message_pb2.Handling(code="H2", tlp="AMBER")


class Scene:
    """The hostile forwarder tjk, and uzb, the author, honest unless a test says otherwise."""

    def __init__(self, folder: Path, register: Register, peer: HostilePeer, author_log: HostilePeer) -> None:
        self.register = register
        self.peer = peer
        self.author_log = author_log
        self.author = Officer(folder, "uzb-liaison", register)
        self.second = Officer(folder, "uzb-authoriser", register)
        own = register.member("tjk")
        self.keys: dict[bytes, key_wrapping.DecryptionKey] = dict(
            load_keys(load(folder / "nodes/tjk/node.toml", {}), own).decryption
        )

    def write(self, handling: message_pb2.Handling = GREEN) -> bytes:
        """Send a message from uzb to tjk."""
        header = self.author.header(["tjk"])
        header.handling.CopyFrom(handling)
        return self.author.seal(header, FreeMessage(subject="Exercise", text="Invented.").SerializeToString())

    def grant(self, of: bytes, *, recipient: str = "kaz", purpose: str = "investigate", signers: int = 2) -> bytes:
        """Grant kaz a message, as uzb."""
        first = message_pb2.Header.FromString(message_pb2.SignedMessage.FromString(of).header)
        header = self.author.header(["tjk"])
        header.kind = "release-grant"
        header.thread_id = first.thread_id
        header.parent_digests.append(digest_of(of))
        content = ReleaseGrant(reference="EX", scope="whole", recipients=[recipient], purposes=[purpose])
        content.until_time.FromDatetime(datetime.now(UTC) + timedelta(days=1))
        if signers > 1:
            header.required_signers.add(id=self.second.id, role="authoriser")
        moment = header.author_time.ToDatetime(tzinfo=UTC)
        keys = [self.author.recipient_key(each, moment) for each in ("tjk", "uzb")]
        parts = [message.PlainPart(message_pb2.PART_KIND_MAIN, content.SerializeToString())]
        sealed = message.seal(header, parts, keys, subject=subject_of(header, parts[0].plaintext))
        return message.sign(sealed, [self.author.signer, self.second.signer][:signers])

    def wrapped(self, signed: bytes) -> bytes:
        """Wrap a message for kaz, as an honest forwarder does."""
        return wrap_for(
            signed,
            "kaz",
            decryption_keys=DecryptionKeys("tjk", self.keys),
            register=self.register,
            now=datetime.now(UTC),
        )

    def released(self, signed: bytes, **changes: object) -> log_pb2.LogProof:
        """Prove uzb's release of a message to tjk."""
        thread = message_pb2.Header.FromString(message_pb2.SignedMessage.FromString(signed).header)
        name = "UZB-2026-00001" if thread.thread_id == thread.message_id else ""
        given = {"counterpart": "tjk", **({} if "event" in changes else {"thread_name": name}), **changes}
        index = self.author_log.release(signed, **given)
        size = len(self.author_log.log.entries)
        proven = log_pb2.ProvenEntry(
            entry=self.author_log.log.entries[index],
            index=index,
            inclusion_hashes=self.author_log.log.inclusion(index, size),
        )
        return log_pb2.LogProof(proven=proven, checkpoint=self.author_log.note(size))

    def forward(
        self, signed: bytes, *, origin: log_pb2.LogProof | None = None, grant: bytes = b"", **changes: object
    ) -> tuple[exchange_pb2.Dispatch, int]:
        """Build the dispatch of a message that is passed on, but for its proof; gives the index of FORWARDED too."""
        shown = origin or self.released(signed)
        given = {
            "event": log_pb2.LOG_EVENT_FORWARDED,
            "actor": "spiffe://tjk." + self.register.federation + "/officer/liaison",
            "purpose": "investigate",
            "grant_digest": digest_of(grant) if grant else b"",
            **changes,
        }
        index = self.peer.release(signed, **given)
        forwarding = exchange_pb2.Forwarding(message=self.wrapped(signed), origin=shown)
        if grant:
            shown_grant = exchange_pb2.ForwardingGrant(message=self.wrapped(grant), released=self.released(grant))
            forwarding.grant.CopyFrom(shown_grant)
        forwarding.certificates.extend(self.certificates(signed, *([grant] if grant else [])))
        return exchange_pb2.Dispatch(forwarding=forwarding), index

    def certificates(self, *signed: bytes) -> list[log_pb2.LogProof]:
        """Prove the certificates of uzb's officers who sign these messages."""
        log = self.author_log
        proven = [each for one in signed for each in log.certificates(one)]
        return [log_pb2.LogProof(proven=each, checkpoint=log.note()) for each in proven]

    def proven(self, dispatch: exchange_pb2.Dispatch, index: int) -> exchange_pb2.Dispatch:
        """Add the proof of FORWARDED to the log as it is now."""
        proof = self.peer.dispatch(b"", index).release.released
        (dispatch.forwarding if dispatch.HasField("forwarding") else dispatch.notice).forwarded.CopyFrom(proof)
        return dispatch

    async def answer(self, dispatch: exchange_pb2.Dispatch, index: int) -> tuple[str, str]:
        """Deliver one and give how it is answered."""
        return (await self.peer.deliver(self.proven(dispatch, index))).reason()


def digest_of(signed: bytes) -> bytes:
    """Return a message's digest."""
    return message_digest(message_pb2.SignedMessage.FromString(signed).header)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(federation: Federation, register: Register, peer: HostilePeer, folder: Path) -> AsyncIterator[Scene]:
    """Return the forwarder and the author."""
    author_log = HostilePeer(folder, "uzb", federation.node("kaz"), register)
    async with author_log.channel:
        yield Scene(folder, register, peer, author_log)


async def test_what_the_marks_allow_is_taken_once(scene: Scene) -> None:
    """A GREEN message with all proofs is received; the same dispatch again gets the same entry."""
    dispatch, index = scene.forward(scene.write())
    first = await scene.peer.deliver(scene.proven(dispatch, index))
    assert first.reason() == ("received", "")
    again = await scene.peer.deliver(scene.proven(dispatch, index), scene.proven(dispatch, index))
    assert [again.entry(0).index, again.entry(1).index] == [first.entry().index] * 2


async def test_limited_material_is_refused_without_a_grant_and_taken_with_one(scene: Scene) -> None:
    """H2 that is passed on without the author's consent is refused here as well; with it, it is received."""
    signed = scene.write(AMBER)
    assert await scene.answer(*scene.forward(signed)) == ("rejection", "grant_missing")
    assert await scene.answer(*scene.forward(signed, grant=scene.grant(signed))) == ("received", "")


GRANTS: Final[dict[str, Callable[[Scene, bytes], tuple[exchange_pb2.Dispatch, int]]]] = {
    "for another member": lambda s, m: s.forward(m, grant=s.grant(m, recipient="tjk")),
    "for another purpose": lambda s, m: s.forward(m, grant=s.grant(m, purpose="statistics")),
    "for another message": lambda s, m: s.forward(m, grant=s.grant(s.write(AMBER))),
    "by one officer": lambda s, m: s.forward(m, grant=s.grant(m, signers=1)),
    "that is another kind": lambda s, m: s.forward(m, grant=s.write()),
    "not relied on by the entry": lambda s, m: s.forward(m, grant=s.grant(m), grant_digest=bytes(32)),
    "relied on and not shown": lambda s, m: s.forward(m, grant_digest=b"\x01" * 32),
}


@pytest.mark.parametrize("lie", GRANTS)
async def test_a_grant_that_does_not_cover_it_permits_nothing(scene: Scene, lie: str) -> None:
    """A message with any false consent of its author is refused."""
    which, reason = await scene.answer(*GRANTS[lie](scene, scene.write(AMBER)))
    assert (which, reason) in {("rejection", "grant_missing"), ("rejection", "second_officer_missing")}


def _with_origin(scene: Scene, **changes: object) -> tuple[exchange_pb2.Dispatch, int]:
    signed = scene.write()
    return scene.forward(signed, origin=scene.released(signed, **changes))


def _origin_in_own_log(scene: Scene) -> tuple[exchange_pb2.Dispatch, int]:
    signed = scene.write()
    index = scene.peer.release(signed, counterpart="tjk")
    dispatch, forwarded = scene.forward(signed, origin=log_pb2.LogProof(checkpoint=b"x"))
    proven = scene.peer.dispatch(b"", index).release.released
    dispatch.forwarding.origin.CopyFrom(log_pb2.LogProof(proven=proven, checkpoint=scene.peer.note()))
    return dispatch, forwarded


LIES: Final[dict[str, Callable[[Scene], tuple[exchange_pb2.Dispatch, int]]]] = {
    "no origin": lambda s: s.forward(s.write(), origin=log_pb2.LogProof(checkpoint=b"x")),
    "origin of another message": lambda s: s.forward(s.write(), origin=s.released(s.write())),
    "origin to nobody addressed": lambda s: _with_origin(s, counterpart="kaz"),
    "origin names other signers": lambda s: _with_origin(s, signers=[]),
    "origin is no release": lambda s: _with_origin(s, event=log_pb2.LOG_EVENT_RECEIVED),
    "origin in the forwarder's log": _origin_in_own_log,
    "entry to another member": lambda s: s.forward(s.write(), counterpart="uzb"),
    "entry by another member's officer": lambda s: s.forward(s.write(), actor="spiffe://uzb.x.example/officer/liaison"),
    "entry before the release": lambda s: s.forward(
        s.write(), entry_time=Timestamp(seconds=int(datetime.now(UTC).timestamp()) - 3600)
    ),
    "entry of another message": lambda s: s.forward(s.write(), message_digest=bytes(32)),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
async def test_a_lie_about_the_origin_is_refused(scene: Scene, lie: str) -> None:
    """A message with an invented author, release, recipient or time is refused."""
    dispatch, index = LIES[lie](scene)
    which, reason = await scene.answer(dispatch, index)
    assert which == "rejection"
    assert reason in {"bad_proof", "wrong_signers", "wrong_member", "not_addressed"}


async def test_marks_cannot_be_changed(scene: Scene) -> None:
    """The header with lower marks is not the one the author's officers signed."""
    signed = message_pb2.SignedMessage.FromString(scene.write(AMBER))
    header = message_pb2.Header.FromString(signed.header)
    header.handling.CopyFrom(GREEN)
    origin = scene.released(signed.SerializeToString())
    signed.header = header.SerializeToString(deterministic=True)
    forged = signed.SerializeToString(deterministic=True)
    index = scene.peer.release(
        forged,
        event=log_pb2.LOG_EVENT_FORWARDED,
        actor="spiffe://tjk." + scene.register.federation + "/officer/liaison",
    )
    del signed.wraps[:]
    forwarding = exchange_pb2.Forwarding(message=signed.SerializeToString(), origin=origin)
    dispatch = exchange_pb2.Dispatch(forwarding=forwarding)
    assert (await scene.answer(dispatch, index))[0] == "rejection"


async def test_keys_of_attachments_are_asked_for_anew(scene: Scene) -> None:
    """No signature covers the wraps: one that opens no attachment would have it refused for good once it is here."""
    header = scene.author.header(["tjk"])
    header.handling.CopyFrom(GREEN)
    content = FreeMessage(subject="Exercise", text="Invented.").SerializeToString()
    part = message.PlainPart(message_pb2.PART_KIND_MAIN, content)
    keys = [scene.author.recipient_key(each, datetime.now(UTC)) for each in ("tjk", "uzb")]
    film = message.SealedFile(bytes(32), bytes(32), message.MIN_CIPHERTEXT_BYTES)
    subject = subject_of(header, content)
    signed = message.sign(message.seal(header, [part], keys, [film], subject=subject), [scene.author.signer])
    dispatch, index = scene.forward(signed)
    honest = dispatch.forwarding.message
    spoilt = message_pb2.SignedMessage.FromString(honest)
    spoilt.wraps[1].wrapped_key = spoilt.wraps[0].wrapped_key
    dispatch.forwarding.message = spoilt.SerializeToString(deterministic=True)
    assert await scene.answer(dispatch, index) == ("retry", "cannot_open")
    dispatch.forwarding.message = honest
    assert await scene.answer(dispatch, index) == ("received", "")


async def test_word_of_a_message_that_is_not_ours_is_refused(scene: Scene) -> None:
    """Nobody can make a node log that it has word of a message it never wrote."""
    signed = scene.write()
    _dispatch, index = scene.forward(signed)
    told = exchange_pb2.Dispatch(notice=exchange_pb2.ForwardingNotice())
    assert await scene.answer(told, index) == ("rejection", "unknown_id")


async def test_what_it_is_said_to_be_is_what_its_entry_must_say(scene: Scene) -> None:
    """A release with a FORWARDED entry, a forwarding with a RELEASED one, and what is neither are refused."""
    signed = scene.write()
    dispatch, index = scene.forward(signed)
    forwarded = scene.proven(dispatch, index).forwarding.forwarded
    as_release = exchange_pb2.Dispatch(release=exchange_pb2.Release(message=signed, released=forwarded))
    assert (await scene.peer.deliver(as_release)).reason()[0] == "rejection"
    own = scene.peer.dispatch(scene.write(), scene.peer.release(signed))
    as_forwarding = exchange_pb2.Dispatch(
        forwarding=exchange_pb2.Forwarding(
            message=scene.wrapped(signed), forwarded=own.release.released, origin=scene.released(signed)
        )
    )
    assert (await scene.peer.deliver(as_forwarding)).reason() == ("rejection", "bad_proof")
    as_notice = exchange_pb2.Dispatch(notice=exchange_pb2.ForwardingNotice(forwarded=own.release.released))
    assert (await scene.peer.deliver(as_notice)).reason() == ("rejection", "bad_proof")
    assert (await scene.peer.deliver(exchange_pb2.Dispatch())).reason() == ("rejection", "malformed")
    assert (await scene.answer(dispatch, index)) == ("received", "")


async def test_refusing_does_not_take_the_message_from_its_author(scene: Scene) -> None:
    """The author can still deliver a message that was refused from a forwarder."""
    header = scene.author.header(["tjk", "kaz"])
    header.handling.CopyFrom(AMBER)
    signed = scene.author.seal(header, FreeMessage(subject="Exercise", text="Invented.").SerializeToString())
    dispatch, index = scene.forward(signed, actor="spiffe://uzb.x.example/officer/liaison")
    assert (await scene.answer(dispatch, index))[0] == "rejection"
    answer = await scene.author_log.deliver(scene.author_log.dispatch(signed))
    assert answer.reason() == ("received", "")


async def test_every_byte_counts(scene: Scene) -> None:
    """None of many dispatches with one changed byte is received, and the node is unharmed."""
    draw = random.Random(SEED)
    built = [scene.forward(scene.write()) for _ in range(FLIPS // 20)]
    changed = []
    for at in range(FLIPS):
        dispatch, index = built[at % len(built)]
        data = bytearray(scene.proven(dispatch, index).SerializeToString())
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        try:
            changed.append(exchange_pb2.Dispatch.FromString(bytes(data)))
        except DecodeError:
            continue
    for first in range(0, len(changed), 40):
        answer = await scene.peer.deliver(*changed[first : first + 40])
        taken = [at for at in range(len(answer.response.results)) if answer.reason(at)[0] == "received"]
        assert taken == []
    honest = [scene.proven(*each) for each in built]
    answer = await scene.peer.deliver(*honest)
    assert {answer.reason(at) for at in range(len(honest))} == {("received", "")}
