"""Cosignatures: what is signed, who is believed, and what is ignored."""

import struct
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from paiza_wire.errors import Rejected
from paiza_wire.identity import keys
from paiza_wire.tlog import checkpoint, cosignatures, notes
from paiza_wire.tlog.checkpoint import Checkpoint, VerifiedCheckpoint
from paiza_wire.tlog.cosignatures import WitnessKey, WitnessSigner
from paiza_wire.tlog.notes import NoteSignature, SignerKey

ORIGIN = "kaz.example/log/1"
LOG = SignerKey.from_ed25519(ORIGIN, keys.generate_ed25519())
HEAD = Checkpoint(ORIGIN, 7, sha256(b"root").digest())
NOTE = checkpoint.sign(HEAD, LOG)
VERIFIED = checkpoint.verify(NOTE, [LOG.verifier_key], ORIGIN)
TJK, UZB, KGZ = (
    WitnessSigner.from_seed(f"{member}.example/witness/1", sha256(member.encode()).digest())
    for member in ("tjk", "uzb", "kgz")
)
AT = datetime(2026, 3, 1, 12, 0, 0, 987_654, tzinfo=UTC)
SECOND = AT.replace(microsecond=0)


def outcome(note: bytes) -> object:
    """Return what tjk's witness said in a note, or the reason for which the note is refused."""
    try:
        return cosignatures.cosignatures(note, [TJK.witness_key])
    except Rejected as refusal:
        return refusal.reason


def refused(reason: str, act: object, *arguments: object) -> None:
    """See that the call is refused for this reason."""
    assert callable(act)
    with pytest.raises(Rejected) as caught:
        act(*arguments)
    assert caught.value.reason == reason


def test_a_cosignature_is_over_the_message_of_the_specification() -> None:
    """The signed bytes are label, name, time, origin, start, end and hash, and the time stands before the signature."""
    signature = cosignatures.cosign(VERIFIED, TJK, AT)
    seconds = int(SECOND.timestamp())
    message = (
        b"subtree/v1\n\x00"
        b"\x15tjk.example/witness/1"
        + struct.pack(">Q", seconds)
        + b"\x11kaz.example/log/1"
        + struct.pack(">QQ", 0, 7)
        + HEAD.root
    )
    assert signature.signature[:8] == struct.pack(">Q", seconds)
    assert len(signature.signature) == 8 + 2420
    public = MLDSA44PrivateKey.from_seed_bytes(sha256(b"tjk").digest()).public_key()
    public.verify(signature.signature[8:], message)
    digest = sha256(b"tjk.example/witness/1\n\x06" + public.public_bytes_raw()).digest()
    assert (signature.name, signature.key_id) == ("tjk.example/witness/1", digest[:4])


def test_what_known_witnesses_said_is_given_with_its_time() -> None:
    """Every known witness's cosignature is returned, with its time to the second, among any others."""
    signatures = [
        cosignatures.cosign(VERIFIED, one, AT + timedelta(minutes=at)) for at, one in enumerate((TJK, UZB, KGZ))
    ]
    note = cosignatures.add_signatures(NOTE, signatures)
    found = cosignatures.cosignatures(note, [UZB.witness_key, TJK.witness_key])
    assert [(one.name, one.time) for one in found] == [
        ("tjk.example/witness/1", SECOND),
        ("uzb.example/witness/1", SECOND + timedelta(minutes=1)),
    ]
    assert [one.signature for one in found] == signatures[:2]
    assert checkpoint.verify(note, [LOG.verifier_key], ORIGIN).note == note


def test_a_key_goes_through_its_vkey() -> None:
    """A witness key read from its vkey text is the same key, and verifies."""
    key = WitnessKey.from_vkey(TJK.witness_key.to_vkey())
    assert key == TJK.witness_key
    assert key.verify(HEAD, cosignatures.cosign(VERIFIED, TJK, AT).signature) == SECOND


@pytest.mark.parametrize(
    "vkey",
    [
        LOG.verifier_key.to_vkey(),
        TJK.witness_key.to_vkey()[:-8],
        TJK.witness_key.to_vkey().replace("tjk", "uzb", 1),
        notes.format_vkey("a", notes.key_id("a", 6, bytes(1311)), 6, bytes(1311)),
        notes.format_vkey("a", notes.key_id("a", 4, bytes(32)), 4, bytes(32)),
        notes.format_vkey(
            "ж" * 128, notes.key_id("ж" * 128, 6, TJK.witness_key.public_key), 6, TJK.witness_key.public_key
        ),
        "",
        "a+b",
    ],
    ids=["Ed25519", "cut", "renamed", "short key", "Ed25519 cosigner", "name too long", "empty", "two parts"],
)
def test_what_is_no_witness_key_is_refused(vkey: str) -> None:
    """A vkey of another type, length, name or id is no witness's."""
    refused("bad_key", WitnessKey.from_vkey, vkey)


@pytest.mark.parametrize("length", [0, 31, 33, 2560])
def test_what_is_no_seed_is_refused(length: int) -> None:
    """A witness's key is 32 bytes of seed and nothing else."""
    refused("bad_key", WitnessSigner.from_seed, "a", bytes(length))


@pytest.mark.parametrize("field", ["origin", "size", "root", "name", "time", "signature"])
def test_one_wrong_cosignature_of_a_known_witness_refuses_the_note(field: str) -> None:
    """A cosignature over another origin, size, root, name or time, or changed, does not pass beside a good one."""
    good = cosignatures.cosign(VERIFIED, UZB, AT)
    other = VerifiedCheckpoint(
        "kaz.example/log/2" if field == "origin" else ORIGIN,
        8 if field == "size" else 7,
        bytes(32) if field == "root" else HEAD.root,
        b"",
    )
    signer = TJK
    if field == "name":
        signer = WitnessSigner.from_seed("tjk.example/witness/2", sha256(b"tjk").digest())
    signature = bytearray(cosignatures.cosign(other, signer, AT).signature)
    if field == "time":
        signature[7] ^= 1
    if field == "signature":
        signature[-1] ^= 1
    bad = NoteSignature(TJK.witness_key.name, TJK.witness_key.key_id, bytes(signature))
    note = cosignatures.add_signatures(NOTE, [good, bad])
    refused("bad_checkpoint", cosignatures.cosignatures, note, [UZB.witness_key, TJK.witness_key])
    assert [one.name for one in cosignatures.cosignatures(note, [UZB.witness_key])] == [UZB.witness_key.name]


@pytest.mark.parametrize("length", [1, 8, 64, 72, 2420, 2427, 2429])
def test_a_known_witness_with_another_length_refuses_the_note(length: int) -> None:
    """A signature under a known name and id that has not the length of its kind refuses the note."""
    bad = NoteSignature(TJK.witness_key.name, TJK.witness_key.key_id, bytes(length))
    refused("bad_checkpoint", cosignatures.cosignatures, cosignatures.add_signatures(NOTE, [bad]), [TJK.witness_key])


def test_a_time_beyond_the_calendar_refuses_the_note() -> None:
    """A cosignature after the year 9999 is refused, however well it is signed; the last second is not."""
    for seconds, holds in ((253_402_300_799, True), (253_402_300_800, False), (1 << 63, False), ((1 << 64) - 1, False)):
        message = cosignatures.cosigned_message(TJK.witness_key.name, seconds, HEAD)
        signature = struct.pack(">Q", seconds) + TJK.private_key.sign(message)
        note = cosignatures.add_signatures(
            NOTE, [NoteSignature(TJK.witness_key.name, TJK.witness_key.key_id, signature)]
        )
        if holds:
            (found,) = cosignatures.cosignatures(note, [TJK.witness_key])
            assert found.time == datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
        else:
            refused("bad_checkpoint", cosignatures.cosignatures, note, [TJK.witness_key])


def test_a_cosignature_without_a_time_is_not_given() -> None:
    """Time 0 says nothing of when: the signature must match, and is left out."""
    message = cosignatures.cosigned_message(TJK.witness_key.name, 0, HEAD)
    timeless = NoteSignature(TJK.witness_key.name, TJK.witness_key.key_id, bytes(8) + TJK.private_key.sign(message))
    assert cosignatures.cosignatures(cosignatures.add_signatures(NOTE, [timeless]), [TJK.witness_key]) == ()
    wrong = NoteSignature(TJK.witness_key.name, TJK.witness_key.key_id, bytes(2428))
    refused("bad_checkpoint", cosignatures.cosignatures, cosignatures.add_signatures(NOTE, [wrong]), [TJK.witness_key])


def test_a_logs_own_signature_by_its_witness_key_is_a_cosignature() -> None:
    """A member's node cosigns its own log with its one witness key; who counts is not asked here."""
    own = WitnessSigner.from_seed("kaz.example/witness/1", bytes(32))
    note = cosignatures.add_signatures(NOTE, [cosignatures.cosign(VERIFIED, own, AT)])
    assert [one.name for one in cosignatures.cosignatures(note, [own.witness_key])] == ["kaz.example/witness/1"]


def test_of_one_witness_the_newest_stays() -> None:
    """Adding keeps the newest cosignature of each key, never an older one, and leaves the text and the log's own."""
    first, second = (cosignatures.cosign(VERIFIED, TJK, AT + timedelta(seconds=at)) for at in (0, 5))
    for order in ([first, second], [second, first]):
        note = cosignatures.add_signatures(NOTE, order)
        assert [one.signature for one in notes.parse_note(note).signatures[1:]] == [second.signature]
    again = cosignatures.add_signatures(cosignatures.add_signatures(NOTE, [second]), [first])
    assert again == cosignatures.add_signatures(NOTE, [second])
    assert again.startswith(NOTE)
    impostor = NoteSignature(ORIGIN, LOG.verifier_key.key_id, bytes(2428))
    assert cosignatures.add_signatures(NOTE, [impostor]) == NOTE


def test_a_note_that_holds_two_of_one_witness_gives_the_newest() -> None:
    """Both must match; the newest counts, in any order."""
    first, second = (cosignatures.cosign(VERIFIED, TJK, AT + timedelta(seconds=at)) for at in (0, 5))
    for order in ([first, second], [second, first]):
        (found,) = cosignatures.cosignatures(notes.format_note(HEAD.format(), order), [TJK.witness_key])
        assert found.time == SECOND + timedelta(seconds=5)
    broken = NoteSignature(first.name, first.key_id, first.signature[:-1] + bytes([first.signature[-1] ^ 1]))
    refused(
        "bad_checkpoint",
        cosignatures.cosignatures,
        notes.format_note(HEAD.format(), [second, broken]),
        [TJK.witness_key],
    )


def test_too_many_signatures_are_refused() -> None:
    """A note takes up to its limit of signatures, and one more is refused whole."""
    others = [NoteSignature(f"w{at}.example", b"1234", bytes(2428)) for at in range(notes.MAX_SIGNATURES)]
    full = cosignatures.add_signatures(NOTE, others[:-1])
    assert len(notes.parse_note(full).signatures) == notes.MAX_SIGNATURES
    refused("bad_note", cosignatures.add_signatures, NOTE, others)
    refused("bad_note", cosignatures.add_signatures, b"", [])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.builds(
            NoteSignature,
            name=st.one_of(
                st.sampled_from([ORIGIN, TJK.witness_key.name, UZB.witness_key.name]),
                st.from_regex(r"[a-z./]{1,40}", fullmatch=True),
            ),
            key_id=st.one_of(
                st.sampled_from([TJK.witness_key.key_id, UZB.witness_key.key_id]), st.binary(min_size=4, max_size=4)
            ),
            signature=st.one_of(st.binary(min_size=1, max_size=100), st.sampled_from([64, 72, 2428, 4700]).map(bytes)),
        ),
        max_size=20,
    ),
    st.randoms(use_true_random=False),
)
def test_grease_is_ignored(grease: list[NoteSignature], shuffle: object) -> None:
    """Signatures by unknown keys change nothing: unknown names, known names with other ids, other types and lengths."""
    known = {
        (ORIGIN, LOG.verifier_key.key_id),
        *((one.witness_key.name, one.witness_key.key_id) for one in (TJK, UZB)),
    }
    signatures = [cosignatures.cosign(VERIFIED, TJK, AT), cosignatures.cosign(VERIFIED, UZB, AT)]
    lines = [*signatures, LOG.sign(HEAD.format()), *(one for one in grease if (one.name, one.key_id) not in known)]
    shuffle.shuffle(lines)  # type: ignore[attr-defined]
    note = notes.format_note(HEAD.format(), lines)
    stranger = notes.VerifierKey.from_ed25519("x", LOG.verifier_key.public_key)
    assert checkpoint.verify(note, [LOG.verifier_key, stranger], ORIGIN).root == HEAD.root
    found = cosignatures.cosignatures(note, [TJK.witness_key, UZB.witness_key])
    assert {one.signature.signature for one in found} == {one.signature for one in signatures}


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 7))
def test_no_flipped_bit_of_a_cosigned_note_makes_another_word(at: int, bit: int) -> None:
    """A flipped bit in a note is refused, changes nothing, or makes one witness unknown."""
    note = cosignatures.add_signatures(NOTE, [COSIGNED_BY_TJK])
    changed = bytearray(note)
    changed[at % len(note)] ^= 1 << bit
    assert outcome(bytes(changed)) in ("bad_checkpoint", (), cosignatures.cosignatures(note, [TJK.witness_key]))


COSIGNED_BY_TJK = cosignatures.cosign(VERIFIED, TJK, AT)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_escape_as_another_error(note: bytes) -> None:
    """Any invalid note is refused, and raises nothing else."""
    refused("bad_checkpoint", cosignatures.cosignatures, note, [TJK.witness_key])


@pytest.mark.parametrize(
    ("others", "needed"), [(1, 1), (2, 2), (3, 3), (4, 3), (5, 4), (6, 5), (7, 5), (9, 7), (63, 43)]
)
def test_a_quorum_is_more_than_two_thirds(others: int, needed: int) -> None:
    """The quorum is all of up to three witnesses, and more than two thirds of more."""
    assert cosignatures.quorum(others) == needed
    assert 3 * needed > 2 * others
    assert others <= 3 or 3 * (needed - 1) <= 2 * others


def test_nobody_else_is_never_a_quorum() -> None:
    """A log that nobody can witness has no quorum."""
    assert cosignatures.quorum(0) > 0
