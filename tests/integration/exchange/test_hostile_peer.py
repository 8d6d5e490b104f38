"""A hostile node with valid keys causes nothing but proven refusals and retries."""

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import grpc
import pytest

from paiza.content.v1.free_message_pb2 import FreeMessage
from paiza.core.v1 import log_pb2
from paiza.core.v1 import message_pb2 as pb
from paiza_node.core.log import store as log_store
from paiza_node.core.log.waiting import SHORT_GROUP_ITEMS
from paiza_node.core.storage import Store
from paiza_register import Register
from paiza_wire import message
from paiza_wire.identity import keys
from paiza_wire.identity.spiffe import SpiffeId
from paiza_wire.message import key_wrapping
from paiza_wire.tlog.notes import SignerKey
from tests.federation import Federation
from tests.integration.exchange.hostile import HostilePeer, RefusedError
from tests.officer import Officer
from tests.system.minting import Mint

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONTENT: Final = FreeMessage(subject="Exercise", text="Nothing of this is real.").SerializeToString()
SKEW: Final = timedelta(hours=1)


async def test_honest_message_is_received(peer: HostilePeer, author: Officer) -> None:
    """The fake is accepted where it does not lie, so that its lies are what is refused below."""
    answer = await peer.deliver(peer.dispatch(author.compose(["kaz"])))
    assert answer.reason() == ("received", "")
    assert answer.entry().entry.counterpart == "tjk"


async def test_repeat_gets_the_same_entry(peer: HostilePeer, author: Officer) -> None:
    """A replayed batch, and a message twice in one batch, get the same entry at the same index."""
    signed = author.compose(["kaz"])
    first = await peer.deliver(peer.dispatch(signed))
    other = peer.dispatch(author.compose(["kaz"]))
    again = await peer.deliver(
        peer.dispatch(signed, len(peer.log.entries) - 2), other, peer.dispatch(signed, 0 + len(peer.log.entries) - 2)
    )
    assert [again.entry(at).raw for at in (0, 2)] == [first.entry().raw] * 2
    assert again.entry(0).index == again.entry(2).index == first.entry().index
    assert again.checkpoint.size > first.checkpoint.size


async def test_batch_in_several_commits_is_answered_as_in_one(peer: HostilePeer, author: Officer) -> None:
    """While urgent messages come a batch is committed in pieces: each answer is at its place, proven to one checkpoint.

    A message that stands in two pieces has one entry, and a refused one costs its piece nothing.
    """
    flash = author.compose(["kaz"], urgency=pb.URGENCY_FLASH, urgency_reason="consignment-moving")
    assert (await peer.deliver(peer.dispatch(flash))).reason() == ("received", "")
    messages = [author.compose(["kaz"]) for _ in range(SHORT_GROUP_ITEMS + 6)]
    messages[3] = author.compose(["uzb"])
    messages.append(messages[0])
    answer = await peer.deliver(*peer.dispatch_all(messages))
    assert [answer.reason(at)[0] for at in range(len(messages))] == [
        "rejection" if at == 3 else "received" for at in range(len(messages))
    ]
    digests = [message.message_digest(pb.SignedMessage.FromString(each).header) for each in messages]
    assert all(answer.entry(at).entry.message_digest == digests[at] for at in range(len(messages)) if at != 3)
    assert answer.entry(len(messages) - 1).raw == answer.entry(0).raw


async def test_same_id_with_other_content_is_a_conflict(peer: HostilePeer, author: Officer) -> None:
    """A second content under one message id is refused, logged, and refused with the same entry when repeated."""
    header = author.header(["kaz"])
    await peer.deliver(peer.dispatch(author.seal(header, CONTENT)))
    other = author.seal(header, FreeMessage(subject="Exercise", text="Other.").SerializeToString())
    refused = await peer.deliver(peer.dispatch(other))
    assert refused.reason() == ("refused", "conflict")
    assert (await peer.deliver(peer.dispatch(other))).entry().raw == refused.entry().raw


async def test_another_members_message_is_not_taken(peer: HostilePeer, folder: Path, register: Register) -> None:
    """A node that forwards another member's authentic message as its own is told so, and nothing is logged."""
    foreign = Officer(folder, "uzb-liaison", register).compose(["kaz"])
    assert (await peer.deliver(peer.dispatch(foreign))).reason() == ("rejection", "wrong_member")


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ({"counterpart": "uzb"}, ("rejection", "bad_proof")),
        ({"message_digest": bytes(32)}, ("rejection", "bad_proof")),
        ({"event": 5}, ("rejection", "bad_proof")),
        ({"signers": []}, ("rejection", "wrong_signers")),
        ({"thread_name": "KAZ-2026-00001"}, ("rejection", "malformed")),
        ({"thread_name": ""}, ("rejection", "malformed")),
        ({"register_version": b""}, ("rejection", "malformed")),
        ({"salt": b"short"}, ("rejection", "malformed")),
        ({"entry_time": datetime(2001, 1, 1, tzinfo=UTC)}, ("rejection", "certificate_expired")),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
async def test_wrong_release_is_not_believed(
    peer: HostilePeer, author: Officer, change: dict[str, object], outcome: tuple[str, str]
) -> None:
    """A release of something else, to somebody else, or at an impossible time releases nothing."""
    signed = author.compose(["kaz"])
    at = peer.release(signed, **change)
    assert (await peer.deliver(peer.dispatch(signed, at))).reason() == outcome


async def test_release_in_the_future_decides_nothing(peer: HostilePeer, author: Officer) -> None:
    """One of two clocks is wrong: with a right release the same message is received."""
    signed = author.compose(["kaz"])
    at = peer.release(signed, entry_time=datetime.now(UTC) + SKEW)
    assert (await peer.deliver(peer.dispatch(signed, at))).reason() == ("retry", "clock_skew")
    assert (await peer.deliver(peer.dispatch(signed))).reason() == ("received", "")


async def test_release_of_another_message_proves_nothing(peer: HostilePeer, author: Officer) -> None:
    """The proven release of one message does not carry another; nor does a proof that leads elsewhere."""
    one, other = author.compose(["kaz"]), author.compose(["kaz"])
    at = peer.release(one)
    assert (await peer.deliver(peer.dispatch(other, at))).reason() == ("rejection", "bad_proof")
    bent = peer.dispatch(one, at)
    bent.release.released.inclusion_hashes[0] = bytes(32)
    assert (await peer.deliver(bent)).reason() == ("rejection", "bad_proof")
    unlogged = peer.dispatch(one, at)
    unlogged.release.released.index += 1
    assert (await peer.deliver(unlogged)).reason() == ("rejection", "bad_proof")


@pytest.mark.parametrize(
    ("change", "content", "outcome"),
    [
        (lambda _: None, b"\xff\xff", ("refused", "invalid_content")),
        (lambda _: None, FreeMessage(subject="", text="x").SerializeToString(), ("refused", "invalid_content")),
        (lambda h: setattr(h, "kind", "no-such-kind"), CONTENT, ("refused", "unknown_kind")),
        (lambda h: setattr(h, "kind_version", 99), CONTENT, ("refused", "unsupported_version")),
        (lambda h: setattr(h.handling, "classification", 3), CONTENT, ("refused", "policy_denied")),
        (lambda h: setattr(h.required_signers[0], "role", "auditor"), CONTENT, ("refused", "policy_denied")),
        (lambda h: setattr(h, "register_version", bytes(32)), CONTENT, ("retry", "register_unknown")),
        (lambda h: setattr(h, "urgency", pb.URGENCY_FLASH), CONTENT, ("refused", "invalid_header")),
        (lambda h: h.author_time.FromDatetime(datetime.now(UTC) + 48 * SKEW), CONTENT, ("refused", "invalid_header")),
    ],
    ids=["garbage", "empty-subject", "kind", "version", "classification", "role", "register", "urgency", "author-time"],
)
async def test_message_against_the_rules_is_refused_with_proof(
    peer: HostilePeer,
    author: Officer,
    change: Callable[[pb.Header], object],
    content: bytes,
    outcome: tuple[str, str],
) -> None:
    """An authentic message that breaks a rule gets a REFUSED entry with the reason, again and again the same."""
    header = author.header(["kaz"])
    change(header)
    signed = author.seal(header, content)
    answer = await peer.deliver(peer.dispatch(signed))
    assert answer.reason() == outcome
    if outcome[0] == "refused":
        assert (await peer.deliver(peer.dispatch(signed))).entry().raw == answer.entry().raw


@pytest.mark.parametrize(
    ("version", "outcome"), [(bytes(32), ("retry", "register_unknown")), (b"", ("rejection", "bad_certificate"))]
)
async def test_signer_whom_only_a_newer_register_may_know(
    peer: HostilePeer, folder: Path, register: Register, author: Officer, version: bytes, outcome: tuple[str, str]
) -> None:
    """A signer of an unknown CA is final under a register we know, and a matter of time under one we do not."""
    certified = Mint(folder, register).stranger(SpiffeId.parse(author.id), "signing")
    newcomer = Officer(folder, "tjk-liaison", register)
    newcomer.signer = certified.signer(author.id)
    header = newcomer.header(["kaz"])
    header.register_version = version or register.version
    assert (await peer.deliver(peer.dispatch(newcomer.seal(header, CONTENT)))).reason() == outcome


async def test_message_to_others_is_not_taken(peer: HostilePeer, author: Officer) -> None:
    """A message that does not name us among its recipients is refused, even if the release names us."""
    signed = author.compose(["uzb"])
    assert (await peer.deliver(peer.dispatch(signed))).reason() == ("rejection", "not_addressed")


def _bent(data: bytes) -> bytes:
    """Flip the last bit."""
    return data[:-1] + bytes([data[-1] ^ 1])


@pytest.mark.parametrize(
    ("bend", "outcome"),
    [
        (lambda m: setattr(m.signatures[0], "signature", _bent(m.signatures[0].signature)), "bad_signature"),
        (lambda m: m.signatures.add().CopyFrom(m.signatures[0]), "wrong_signers"),
        (lambda m: m.ClearField("signatures"), "wrong_signers"),
        (lambda m: setattr(m.parts[0], "ciphertext", _bent(m.parts[0].ciphertext)), "part_digest_mismatch"),
        (lambda m: m.ClearField("parts"), "part_missing"),
        (lambda m: setattr(m, "header", b"\xff"), "malformed"),
    ],
    ids=["signature", "twice", "unsigned", "ciphertext", "no-part", "header"],
)
async def test_altered_message_is_not_taken(
    peer: HostilePeer, author: Officer, bend: Callable[[pb.SignedMessage], object], outcome: str
) -> None:
    """A message changed on the way is not ascribed to its author, and claims nothing: the original is received."""
    signed = author.compose(["kaz"])
    at = peer.release(signed)
    altered = pb.SignedMessage.FromString(signed)
    bend(altered)
    dispatch = peer.dispatch(signed, at)
    dispatch.release.message = altered.SerializeToString(deterministic=True)
    assert (await peer.deliver(dispatch)).reason() == ("rejection", outcome)
    assert (await peer.deliver(peer.dispatch(signed, at))).reason() == ("received", "")


async def test_key_that_does_not_open_is_asked_for_again(peer: HostilePeer, author: Officer) -> None:
    """A message wrapped for a key we do not have is retried, not refused; wrapped rightly it is received."""
    signed = author.compose(["kaz"])
    at = peer.release(signed)
    wrong = pb.SignedMessage.FromString(signed)
    stranger = key_wrapping.private_key_from_seed(key_wrapping.generate_seed()).public_key
    for wrap in wrong.wraps:
        if wrap.recipient == "kaz":
            digest = message.message_digest(wrong.header)
            wrap.CopyFrom(message.wrap_key(bytes(32), digest, 0, message.RecipientKey("kaz", stranger)))
    dispatch = peer.dispatch(signed, at)
    dispatch.release.message = wrong.SerializeToString(deterministic=True)
    assert (await peer.deliver(dispatch)).reason() == ("retry", "cannot_open")
    assert (await peer.deliver(peer.dispatch(signed, at))).reason() == ("received", "")


async def test_bad_message_does_not_spoil_its_batch(peer: HostilePeer, author: Officer) -> None:
    """Among bad messages the good ones are received, each answered in its place."""
    good, unknown = author.compose(["kaz"]), author.header(["kaz"])
    unknown.kind = "no-such-kind"
    batch = peer.dispatch_all([good, author.seal(unknown, CONTENT), author.compose(["kaz"])])
    batch[2].release.message = b"garbage"
    answer = await peer.deliver(*batch)
    assert [answer.reason(at)[0] for at in range(3)] == ["received", "refused", "rejection"]


async def test_checkpoint_of_another_key_fails_the_call(peer: HostilePeer, author: Officer) -> None:
    """A checkpoint that the log's key did not sign fails the whole call as retry, and nothing is taken."""
    signed = author.compose(["kaz"])
    dispatch = peer.dispatch(signed)
    consistency_claim = peer.consistency_claim()
    stranger = SignerKey.from_ed25519(peer.key.verifier_key.name, keys.generate_ed25519())
    consistency_claim.checkpoint = peer.note(key=stranger)
    with pytest.raises(RefusedError) as refused:
        await peer.deliver(dispatch, consistency_claim=consistency_claim)
    assert (refused.value.code, refused.value.reason) == (grpc.StatusCode.UNAVAILABLE, "bad_checkpoint")
    assert (await peer.deliver(dispatch)).reason() == ("received", "")


async def test_growth_that_is_not_proven_fails_the_call(peer: HostilePeer, author: Officer) -> None:
    """A log that does not prove that it only grew is not followed."""
    dispatch = peer.dispatch(author.compose(["kaz"]))
    consistency_claim = peer.consistency_claim()
    assert consistency_claim.from_size
    consistency_claim.consistency_hashes[0] = bytes(32)
    with pytest.raises(RefusedError) as refused:
        await peer.deliver(dispatch, consistency_claim=consistency_claim)
    assert (refused.value.code, refused.value.reason) == (grpc.StatusCode.UNAVAILABLE, "consistency_not_proven")
    assert (await peer.deliver(dispatch)).reason() == ("received", "")


async def test_smaller_checkpoint_with_proof_is_accepted(peer: HostilePeer, author: Officer) -> None:
    """A batch that was overtaken is taken where its smaller checkpoint is proven to the known one, and only there."""
    signed = author.compose(["kaz"])
    at = peer.release(signed)
    size = len(peer.log.entries)
    await peer.deliver(peer.dispatch(author.compose(["kaz"])))
    late = peer.dispatch(signed, at, size)
    consistency_claim = peer.consistency_claim(size)
    assert peer.known > size
    unproven = peer.consistency_claim(size)
    del unproven.consistency_hashes[:]
    with pytest.raises(RefusedError) as refused:
        await peer.deliver(late, consistency_claim=unproven)
    assert refused.value.reason == "consistency_not_proven"
    assert (await peer.deliver(late, consistency_claim=consistency_claim)).reason() == ("received", "")


@pytest.mark.parametrize("offset", [-1, 1, 2**40])
async def test_wrong_assumed_size_is_answered_with_the_known_one(
    peer: HostilePeer, author: Officer, offset: int
) -> None:
    """A caller that assumes a wrong known size gets the right one, and nothing else happens."""
    await peer.deliver(peer.dispatch(author.compose(["kaz"])))
    dispatch = peer.dispatch(author.compose(["kaz"]))
    consistency_claim = peer.consistency_claim()
    consistency_claim.from_size = peer.known + offset
    answer = await peer.deliver(dispatch, consistency_claim=consistency_claim)
    assert answer.response.consistency_mismatch
    assert answer.response.consistency_claim.known_size == peer.known
    assert not answer.response.results
    assert (await peer.deliver(dispatch)).reason() == ("received", "")


async def test_claim_to_know_more_of_our_log_than_there_is(peer: HostilePeer, author: Officer) -> None:
    """A caller that knows more of our log than there is gets no signature: we may have been rolled back."""
    dispatch = peer.dispatch(author.compose(["kaz"]))
    consistency_claim = peer.consistency_claim()
    consistency_claim.known_size = 2**63
    with pytest.raises(RefusedError) as refused:
        await peer.deliver(dispatch, consistency_claim=consistency_claim)
    assert refused.value.reason == "consistency_mismatch"
    assert (await peer.deliver(dispatch)).reason() == ("received", "")


async def test_oversized_and_empty_batches(peer: HostilePeer, author: Officer) -> None:
    """257 messages are refused, 9 MB are not even read, and an empty batch only shows growth."""
    dispatch = peer.dispatch(author.compose(["kaz"]))
    with pytest.raises(RefusedError) as refused:
        await peer.deliver(*[dispatch] * 257)
    assert refused.value.reason == "too_large"
    with pytest.raises(RefusedError) as unread:
        await peer.deliver(dispatch, register_version=bytes(9 * 1024 * 1024))
    assert unread.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    answer = await peer.deliver()
    assert not answer.response.results
    assert not answer.response.consistency_mismatch


async def test_register_nobody_knows_is_tried_again(peer: HostilePeer, author: Officer) -> None:
    """A register version of the wrong length is malformed; what a message names and we do not know is a retry above."""
    with pytest.raises(RefusedError) as refused:
        await peer.deliver(peer.dispatch(author.compose(["kaz"])), register_version=b"short")
    assert refused.value.reason == "malformed"


async def test_node_is_unharmed(peer: HostilePeer, author: Officer, federation: Federation) -> None:
    """The node still serves after all of that, and has logged no internal error."""
    assert (await peer.deliver(peer.dispatch(author.compose(["kaz"])))).reason() == ("received", "")
    node = federation.node("kaz")
    assert node.running
    log = node.log.read_text()
    assert "internal_error" not in log
    assert "Traceback" not in log


async def test_two_roots_of_one_size_are_a_fork(federation: Federation, register: Register) -> None:
    """One size with two signed roots is a fork, wherever it claims to grow from: logged, and not trusted again."""
    forked = HostilePeer(federation.folder, "uzb", federation.node("kaz"), register)
    author = Officer(federation.folder, "uzb-liaison", register)
    async with forked.channel:
        await forked.deliver(forked.dispatch(author.compose(["kaz"])))
        consistency_claim = forked.consistency_claim()
        consistency_claim.checkpoint = forked.note(root=bytes(range(32)))
        consistency_claim.from_size = 0
        for claim in (consistency_claim, None):
            with pytest.raises(RefusedError) as refused:
                await forked.deliver(consistency_claim=claim)
            assert refused.value.reason == "log_forked"
    database = f"sqlite:///{federation.node('kaz').data / 'paiza.db'}"
    with closing(Store(database, read_only=True)) as store, store.reads() as reads:
        entries = [log_pb2.LogEntry.FromString(stored.entry) for stored in log_store.entries(reads, 0, 10_000)]
    found = [entry.counterpart for entry in entries if entry.event == log_pb2.LOG_EVENT_FORK_FOUND]
    assert found == ["uzb"]
