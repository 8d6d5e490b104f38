"""Signed notes: the specification's own example, every change of it, and arbitrary input."""

import base64

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from paiza_wire.errors import Rejected
from paiza_wire.identity import keys
from paiza_wire.tlog import notes
from paiza_wire.tlog.notes import NoteSignature, SignerKey, VerifierKey

# The example of C2SP signed-note, section "Verifier keys".
VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
TEXT = b"This is an example message.\n"
NOTE = (
    "This is an example message.\n\n"
    "— example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
).encode()
# The example at the head of that specification, whose key it does not publish.
POEM = (
    "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n\n"
    "— quasimodo.example/salvatore "
    "NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n"
).encode()

EXAMPLE_KEY = VerifierKey.from_vkey(VKEY)
ALICE = SignerKey.from_ed25519("alice.example/log", keys.generate_ed25519())
BORIS = SignerKey.from_ed25519("boris.example/log", keys.generate_ed25519())


def test_the_example_of_the_specification_verifies() -> None:
    """The published note verifies under the published key and gives its text."""
    verified = notes.verify_note(NOTE, [EXAMPLE_KEY])
    assert (verified.text, verified.signers, verified.note) == (TEXT, (EXAMPLE_KEY,), NOTE)


def test_every_one_byte_change_of_the_example_is_refused() -> None:
    """Each byte of the example replaced by each other value is refused."""
    for place in range(len(NOTE)):
        for value in range(256):
            if value != NOTE[place]:
                changed = NOTE[:place] + bytes([value]) + NOTE[place + 1 :]
                with pytest.raises(Rejected):
                    notes.verify_note(changed, [EXAMPLE_KEY])


def test_every_shortening_and_lengthening_of_the_example_is_refused() -> None:
    """Each byte left out, and a byte of each kind put in anywhere, is refused."""
    for place in range(len(NOTE)):
        with pytest.raises(Rejected):
            notes.verify_note(NOTE[:place] + NOTE[place + 1 :], [EXAMPLE_KEY])
        with pytest.raises(Rejected):
            notes.verify_note(NOTE[:place], [EXAMPLE_KEY])
    for place in range(len(NOTE) + 1):
        for value in (b"\n", b" ", b"A", b"=", b"\xe2\x80\x94", b"\n\n"):
            with pytest.raises(Rejected):
                notes.verify_note(NOTE[:place] + value + NOTE[place:], [EXAMPLE_KEY])


def test_the_text_may_hold_empty_lines() -> None:
    """The last blank line separates, so the specification's poem keeps its own."""
    parsed = notes.parse_note(POEM)
    assert parsed.text.endswith("\n\ned è subito sera.\n".encode())
    assert [one.name for one in parsed.signatures] == ["quasimodo.example/salvatore"]


def test_the_vkey_text_is_given_back() -> None:
    """Reading and writing a verifier key changes nothing."""
    assert EXAMPLE_KEY.to_vkey() == VKEY
    assert (EXAMPLE_KEY.name, EXAMPLE_KEY.signature_type) == ("example.com/foo", 1)


def test_every_one_character_change_of_a_vkey_is_refused() -> None:
    """A key id that does not belong to name and key is noticed wherever the change is."""
    for place, old in enumerate(VKEY):
        for new in "+ 0aA/=\x00é\ud800":
            if new != old:
                with pytest.raises(Rejected):
                    VerifierKey.from_vkey(VKEY[:place] + new + VKEY[place + 1 :])


@pytest.mark.parametrize("vkey", ["", "a", "a+b", "a+b+", "+530d903a+AQ==", VKEY + "=", VKEY.upper()])
def test_what_is_no_vkey_is_refused(vkey: str) -> None:
    """Missing parts, an empty name and other cases of hex are refused as no key."""
    with pytest.raises(Rejected, match=r"bad_key|bad_note"):
        VerifierKey.from_vkey(vkey)


def test_another_signature_type_is_refused() -> None:
    """A verifier key of a type this software does not verify is refused, its right key id notwithstanding."""
    material = b"\x06" + bytes(1312)
    key_id = notes.key_id("a.example", 6, bytes(1312)).hex()
    with pytest.raises(Rejected, match="bad_key"):
        VerifierKey.from_vkey(f"a.example+{key_id}+{base64.b64encode(material).decode()}")


def test_a_note_by_two_keys_verifies_under_either() -> None:
    """A note signed twice verifies with one key or both, in the order of its lines."""
    note = notes.sign_note(b"text\n", [ALICE, BORIS])
    alice, boris = ALICE.verifier_key, BORIS.verifier_key
    assert notes.verify_note(note, [alice]).signers == (alice,)
    assert notes.verify_note(note, [boris]).signers == (boris,)
    assert notes.verify_note(note, [boris, alice]).signers == (alice, boris)


def test_a_note_by_unknown_keys_only_is_refused() -> None:
    """A known name with another key id, or a known id with another name, is not a known key."""
    note = notes.sign_note(b"text\n", [ALICE])
    same_name = VerifierKey.from_ed25519("alice.example/log", BORIS.verifier_key.public_key)
    other_name = VerifierKey.from_ed25519("other.example/log", ALICE.verifier_key.public_key)
    for known in ([], [BORIS.verifier_key], [same_name], [other_name]):
        with pytest.raises(Rejected, match="bad_signature"):
            notes.verify_note(note, known)


def test_one_failing_known_key_refuses_the_whole_note() -> None:
    """A good signature does not cover up a bad one by another known key; an unknown key's bad one is ignored."""
    good = ALICE.sign(b"text\n")
    bad = NoteSignature("boris.example/log", BORIS.verifier_key.key_id, bytes(64))
    note = notes.format_note(b"text\n", [good, bad])
    assert notes.verify_note(note, [ALICE.verifier_key]).text == b"text\n"
    with pytest.raises(Rejected, match="bad_signature"):
        notes.verify_note(note, [ALICE.verifier_key, BORIS.verifier_key])


def test_limits_of_a_note() -> None:
    """The greatest number of signatures is accepted, one more and a note too large are refused."""
    line = ALICE.sign(b"text\n")
    unknown = NoteSignature("witness.example", b"1234", bytes(3000))
    full = notes.format_note(b"text\n", [line, *[unknown] * (notes.MAX_SIGNATURES - 1)])
    assert notes.verify_note(full, [ALICE.verifier_key]).text == b"text\n"
    for refused in (
        notes.format_note(b"text\n", [line] * (notes.MAX_SIGNATURES + 1)),
        notes.format_note(b"x" * notes.MAX_NOTE_BYTES + b"\n", [line]),
    ):
        with pytest.raises(Rejected, match="bad_note"):
            notes.verify_note(refused, [ALICE.verifier_key])


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"\n",
        b"\n\n",
        b"text\n",
        b"text\n\n",
        b"text\n\n\n",
        "text\n\n— a.example AAAAAAA=".encode(),
        "text\n\n— a.example AAAAAAB=\n".encode(),
        "text\n\n— a.example AAAAAA==\n".encode(),
        "text\n\n— a.example AAAAAAA\n".encode(),
        "text\n\n— a.example AAAA AAA=\n".encode(),
        "text\n\n—  AAAAAAA=\n".encode(),
        "text\n\n— a+b AAAAAAA=\n".encode(),
        "text\n\n— a\N{NO-BREAK SPACE}b AAAAAAA=\n".encode(),
        "text\n\n— a.example\n".encode(),
        b"text\n\n- a.example AAAAAAA=\n",
        "text\r\n\n— a.example AAAAAAA=\n".encode(),
        "te\txt\n\n— a.example AAAAAAA=\n".encode(),
        b"\xff" + NOTE,
    ],
)
def test_what_is_no_note_is_refused(note: bytes) -> None:
    """Missing parts, loose base64, bad names, control characters and bytes that are not UTF-8 are no note."""
    with pytest.raises(Rejected, match="bad_note"):
        notes.parse_note(note)


@pytest.mark.parametrize("text", [b"", b"text", b"tab\t\n", b"\xff\n"])
def test_what_cannot_be_the_text_of_a_note_is_not_signed(text: bytes) -> None:
    """A text without its newline, with control characters or not in UTF-8 is refused before it leaves."""
    with pytest.raises(Rejected, match="bad_note"):
        notes.sign_note(text, [ALICE])


@given(st.binary(max_size=300))
@example(NOTE)
def test_arbitrary_bytes_are_a_note_or_refused(data: bytes) -> None:
    """The parser raises only the refusal, and accepted text is written back unchanged."""
    try:
        parsed = notes.parse_note(data)
    except Rejected:
        return
    assert notes.format_note(parsed.text, parsed.signatures) == data


@given(st.lists(st.sampled_from(["\n", "\n\n", "— ", "a", "+", " ", "AAAAAAA=", "\ufeff", "é", "\x85"])))
def test_fragments_of_notes_are_a_note_or_refused(fragments: list[str]) -> None:
    """A note assembled from any pieces is written back unchanged or refused."""
    data = "".join(fragments).encode()
    try:
        parsed = notes.parse_note(data)
    except Rejected:
        return
    assert notes.format_note(parsed.text, parsed.signatures) == data


@given(st.one_of(st.text(), st.text(alphabet="+aA0=/\ud800")))
def test_arbitrary_text_is_no_vkey(vkey: str) -> None:
    """The reader of verifier keys raises only the refusal."""
    with pytest.raises(Rejected):
        VerifierKey.from_vkey(vkey)
