"""Checkpoints: the specification's example, our own, every change of them, and arbitrary input."""

import base64
import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from paiza_wire.errors import Rejected
from paiza_wire.identity import keys
from paiza_wire.tlog import checkpoint, merkle, notes
from paiza_wire.tlog.checkpoint import Checkpoint
from paiza_wire.tlog.notes import SignerKey, VerifierKey
from tests.unit.paiza_wire.tlog.twins import TWINS

# The example of C2SP tlog-checkpoint; the specification publishes no key for it.
EXAMPLE = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
).encode()

ORIGIN = "kaz.example/log/1"
LOG = SignerKey.from_ed25519(ORIGIN, keys.generate_ed25519())
WITNESS = SignerKey.from_ed25519("tjk.example/log/1", keys.generate_ed25519())
HEAD = Checkpoint(ORIGIN, 5, merkle.leaf_hash(b"root"))
ROOT = base64.b64encode(HEAD.root).decode()


def test_the_example_of_the_specification_is_read() -> None:
    """The published checkpoint has the published origin, size and root, and is written back unchanged."""
    text = notes.parse_note(EXAMPLE).text
    read = Checkpoint.parse(text)
    assert (read.origin, read.size) == ("example.com/behind-the-sofa", 20852163)
    assert base64.b64encode(read.root) == b"CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
    assert read.format() == text


def test_a_signed_checkpoint_verifies() -> None:
    """A log's signature verifies with its key, and the note is kept unchanged."""
    note = checkpoint.sign(HEAD, LOG)
    verified = checkpoint.verify(note, [WITNESS.verifier_key, LOG.verifier_key], ORIGIN)
    assert (verified.origin, verified.size, verified.root, verified.note) == (ORIGIN, 5, HEAD.root, note)


def test_every_one_byte_change_of_a_checkpoint_is_refused() -> None:
    """Each byte of a signed checkpoint changed in each bit, or left out, is refused with the one reason."""
    note = checkpoint.sign(HEAD, LOG)
    for place in range(len(note)):
        for bit in range(8):
            changed = note[:place] + bytes([note[place] ^ 1 << bit]) + note[place + 1 :]
            with pytest.raises(Rejected, match="bad_checkpoint"):
                checkpoint.verify(changed, [LOG.verifier_key], ORIGIN)
        with pytest.raises(Rejected, match="bad_checkpoint"):
            checkpoint.verify(note[:place] + note[place + 1 :], [LOG.verifier_key], ORIGIN)


def test_a_checkpoint_counts_only_for_its_own_log() -> None:
    """Another origin, another log's key, or the right key under another name do not verify."""
    note = checkpoint.sign(HEAD, LOG)
    witnessed = notes.sign_note(HEAD.format(), [WITNESS])
    renamed = SignerKey.from_ed25519("uzb.example/log/1", LOG.private_key)
    for refused, known, origin in (
        (note, [LOG.verifier_key], "tjk.example/log/1"),
        (note, [WITNESS.verifier_key], ORIGIN),
        (note, [], ORIGIN),
        (note, [renamed.verifier_key], ORIGIN),
        (witnessed, [WITNESS.verifier_key], ORIGIN),
        (witnessed, [WITNESS.verifier_key], "tjk.example/log/1"),
    ):
        with pytest.raises(Rejected, match="bad_checkpoint"):
            checkpoint.verify(refused, known, origin)


def test_signing_under_another_origin_is_our_own_defect() -> None:
    """A log cannot by mistake sign another log's checkpoint, nor one that cannot be read back."""
    for wrong, signer in ((HEAD, WITNESS), (Checkpoint(ORIGIN, 0, HEAD.root), LOG)):
        with pytest.raises((AssertionError, Rejected)):
            checkpoint.sign(wrong, signer)


def test_the_sizes_at_both_ends_are_read() -> None:
    """The empty tree and the largest tree have checkpoints."""
    for head in (Checkpoint(ORIGIN, 0, merkle.EMPTY_ROOT), Checkpoint(ORIGIN, 2**63 - 1, HEAD.root)):
        assert Checkpoint.parse(head.format()) == head


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n\n",
        f"{ORIGIN}\n5\n{ROOT}",
        f"{ORIGIN}\n5\n{ROOT}\n\n",
        f"{ORIGIN}\n5\n{ROOT}\nextension\n",
        f"{ORIGIN}\n05\n{ROOT}\n",
        f"{ORIGIN}\n-5\n{ROOT}\n",
        f"{ORIGIN}\n+5\n{ROOT}\n",
        f"{ORIGIN}\n5 \n{ROOT}\n",
        f"{ORIGIN}\n٥\n{ROOT}\n",
        f"{ORIGIN}\n1_0\n{ROOT}\n",
        f"{ORIGIN}\n\n{ROOT}\n",
        f"{ORIGIN}\n0\n{ROOT}\n",
        f"{ORIGIN}\n{2**63}\n{ROOT}\n",
        f"{ORIGIN}\n{'9' * 5000}\n{ROOT}\n",
        f"{ORIGIN}\n5\n{ROOT[:-1]}\n",
        f"{ORIGIN}\n5\n{ROOT} \n",
        f"{ORIGIN}\n5\nAAAA\n",
        f"\n5\n{ROOT}\n",
        f"two words\n5\n{ROOT}\n",
        f"{ORIGIN}+\n5\n{ROOT}\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    """Other spellings of a size, loose base64, other lengths, more or fewer lines are no checkpoint."""
    with pytest.raises(Rejected, match="bad_checkpoint"):
        Checkpoint.parse(text.encode())


@given(st.one_of(st.binary(max_size=100), st.text(max_size=100).map(lambda text: text.encode())))
@example(HEAD.format())
def test_arbitrary_bytes_are_a_checkpoint_or_refused(text: bytes) -> None:
    """The parser raises only the refusal, and accepted text is written back unchanged."""
    try:
        parsed = Checkpoint.parse(text)
    except Rejected:
        return
    assert parsed.format() == text


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_no_signed_checkpoint(note: bytes) -> None:
    """The verification raises only the refusal."""
    with pytest.raises(Rejected, match="bad_checkpoint"):
        checkpoint.verify(note, [LOG.verifier_key], ORIGIN)


KEYS = [SignerKey.from_ed25519(ORIGIN, keys.generate_ed25519()) for _ in range(3)]


@pytest.mark.parametrize("signed", list(itertools.product(("not", "well", "badly"), repeat=3)))
def test_what_counts_for_each_combination_of_keys(signed: tuple[str, ...]) -> None:
    """Every known key that signed must hold, and one of them must not be abandoned; unknown keys change nothing."""
    lines = [
        key.sign(HEAD.format() if how == "well" else b"another text\n")
        for key, how in zip(KEYS, signed, strict=True)
        if how != "not"
    ]
    stranger = SignerKey.from_ed25519(ORIGIN, keys.generate_ed25519())
    note = notes.format_note(HEAD.format(), [*lines, stranger.sign(HEAD.format())])
    for roles in itertools.product(("unknown", "known", "abandoned"), repeat=3):
        known = [key.verifier_key for key, role in zip(KEYS, roles, strict=True) if role != "unknown"]
        abandoned = [key.verifier_key for key, role in zip(KEYS, roles, strict=True) if role == "abandoned"]
        hows = [how for how, role in zip(signed, roles, strict=True) if role != "unknown"]
        fresh = [how for how, role in zip(signed, roles, strict=True) if role == "known"]
        held = "well" in hows and "badly" not in hows
        assert accepts(note, known, []) == held
        assert accepts(note, known, abandoned) == (held and "well" in fresh)


def accepts(note: bytes, known: list[VerifierKey], abandoned: list[VerifierKey]) -> bool:
    """Return whether a checkpoint is accepted."""
    try:
        verified = checkpoint.verify(note, known, ORIGIN, abandoned=abandoned)
    except Rejected:
        return False
    return (verified.size, verified.root, verified.note) == (HEAD.size, HEAD.root, note)


def test_both_keys_of_an_overlap_sign_one_note() -> None:
    """Who knows either key alone accepts the note, and so does a reader of both; the text is the same."""
    note = checkpoint.sign(HEAD, *KEYS[:2])
    assert len(notes.parse_note(note).signatures) == 2
    for known in ([KEYS[0]], [KEYS[1]], KEYS[:2], KEYS):
        assert accepts(note, [key.verifier_key for key in known], [])


def test_two_keys_with_one_key_id_are_not_known_together() -> None:
    """Four bytes tell keys apart: whoever makes a second key with the same ones could hide what the first signed."""
    twins = [SignerKey.from_ed25519("kaz.paiza.example/log/1", key) for key in TWINS]
    first, second = (key.verifier_key for key in twins)
    assert (first.key_id, first.name) == (second.key_id, second.name)
    assert first != second
    note = checkpoint.sign(Checkpoint(first.name, 5, HEAD.root), twins[0])
    assert checkpoint.verify(note, [first, first], first.name).size == 5
    for known in ([first, second], [second, first], [second]):
        with pytest.raises(Rejected, match="bad_checkpoint"):
            checkpoint.verify(note, known, first.name)
