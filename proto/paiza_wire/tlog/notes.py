"""Signed notes (C2SP signed-note): a text, and lines that sign it, each under a key named by name and key id.

`parse_note` only parses a note; its result is unverified. `verify_note` returns the text of a note that known keys have
signed. Signatures by unknown keys are ignored; one invalid signature by a known key refuses the note.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from paiza_wire.errors import Rejected
from paiza_wire.identity import keys

ED25519: Final = 0x01
"""Signature type of Ed25519 over the note's text, the only one verified here; `cosignatures` has the other."""

KEY_ID_BYTES: Final = 4
"""Length of a key id: it tells keys apart and protects nothing."""

MAX_NOTE_BYTES: Final = 256 * 1024
"""Room for the text and a cosignature of 3.3 kB by each of `MAX_SIGNATURES` witnesses."""

MAX_SIGNATURES: Final = 64
"""More than twice the members and observers a federation has; the specification asks for at least 16."""

MAX_NAME_CHARACTERS: Final = 255
"""Longest key name; ours are a DNS name and a short path."""

_SIGNATURE_PREFIX: Final = "\N{EM DASH} "
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")
_NOT_IN_NAME: Final = re.compile(r"[\s+\x00-\x1f]")  # whitespace as of `str.isspace`
_HEX_KEY_ID: Final = re.compile(r"[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line of a note, unverified."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class SignedNote:
    """A parsed note, unverified; ``text`` ends with its newline."""

    text: bytes
    signatures: tuple[NoteSignature, ...]


@dataclass(frozen=True, slots=True)
class ParsedVkey:
    """A parsed vkey: its key id is checked, its key not yet parsed."""

    name: str
    key_id: bytes
    public_key: bytes


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A key that verifies notes (C2SP signed-note, "Verifier keys"); the register publishes it as vkey text."""

    name: str
    key_id: bytes
    signature_type: int
    public_key: bytes
    handle: Ed25519PublicKey = field(repr=False, compare=False)

    @classmethod
    def from_ed25519(cls, name: str, public_key: bytes) -> "VerifierKey":
        """Build the key from a name and the 32 bytes of an Ed25519 public key."""
        handle = keys.ed25519_public_key(public_key)
        return cls(checked_name(name), key_id(name, ED25519, public_key), ED25519, public_key, handle)

    @classmethod
    def from_vkey(cls, vkey: str) -> "VerifierKey":
        """Parse ``<name>+<hex key id>+<base64 of type and key>``; the key id must match the rest."""
        parsed = parse_vkey(vkey, ED25519)
        return cls.from_ed25519(parsed.name, parsed.public_key)

    def to_vkey(self) -> str:
        """Return the vkey text."""
        return format_vkey(self.name, self.key_id, self.signature_type, self.public_key)

    def verify(self, text: bytes, signature: bytes) -> None:
        """Check one signature over a note's text; ``Rejected("bad_signature")`` otherwise."""
        keys.verify(self.handle, signature, text)


@dataclass(frozen=True, slots=True, eq=False)
class SignerKey:
    """A key that signs notes: an Ed25519 private key under a name."""

    verifier_key: VerifierKey
    private_key: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def from_ed25519(cls, name: str, private_key: Ed25519PrivateKey) -> "SignerKey":
        """Build the key from a name and a private key."""
        return cls(VerifierKey.from_ed25519(name, private_key.public_key().public_bytes_raw()), private_key)

    def sign(self, text: bytes) -> NoteSignature:
        """Sign a note's text."""
        verifier = self.verifier_key
        return NoteSignature(verifier.name, verifier.key_id, keys.sign(self.private_key, text))


@dataclass(frozen=True, slots=True)
class VerifiedNote:
    """The text of a note that every key in ``signers`` has signed; ``note`` is the note as received."""

    text: bytes
    signers: tuple[VerifierKey, ...]
    note: bytes


def sign_note(text: bytes, signers: Sequence[SignerKey]) -> bytes:
    """Return a signed note; ``Rejected("bad_note")`` if the text cannot be part of a note."""
    assert signers, "a note has at least one signature"
    note = format_note(text, [signer.sign(text) for signer in signers])
    parse_note(note)
    return note


def format_note(text: bytes, signatures: Iterable[NoteSignature]) -> bytes:
    """Return a note of a text and signatures, unchecked."""
    lines = [f"{_SIGNATURE_PREFIX}{one.name} {b64encode(one.key_id + one.signature).decode()}\n" for one in signatures]
    return text + b"\n" + "".join(lines).encode()


def verify_note(note: bytes, verifier_keys: Iterable[VerifierKey]) -> VerifiedNote:
    """Return the text of a note with a valid signature by one of these keys and no invalid one.

    ``Rejected("bad_note")`` if it is not a note, ``Rejected("bad_signature")`` if a signature by a known key is invalid
    or there is none, and if two known keys have one name and key id. The caller checks the signer's authority over the
    text.
    """
    parsed = parse_note(note)
    known: dict[tuple[str, bytes], VerifierKey] = {}
    for key in verifier_keys:
        # A second key of the same name and key id would otherwise hide what the first one signed.
        if known.setdefault((key.name, key.key_id), key) != key:
            raise Rejected("bad_signature", "two known keys have one name and key id")
    signers: dict[tuple[str, bytes], VerifierKey] = {}
    for signature in parsed.signatures:
        identity = (signature.name, signature.key_id)
        signer = known.get(identity)
        if signer is None:
            continue
        signer.verify(parsed.text, signature.signature)
        signers[identity] = signer
    if not signers:
        raise Rejected("bad_signature", "no known key has signed the note")
    return VerifiedNote(parsed.text, tuple(signers.values()), note)


def parse_note(note: bytes) -> SignedNote:
    """Parse a note (C2SP signed-note, "Format"), unverified; ``Rejected("bad_note")`` if it is not a note."""
    if len(note) > MAX_NOTE_BYTES:
        raise Rejected("bad_note", "the note is too large")
    try:
        decoded = note.decode("utf-8")
    except UnicodeDecodeError:
        raise Rejected("bad_note", "the note is not UTF-8") from None
    if _CONTROL.search(decoded):
        raise Rejected("bad_note", "the note has a control character")
    # The text may have empty lines itself: the LAST blank line is the one that ends it.
    text, blank, signature_block = decoded.rpartition("\n\n")
    if not blank or not signature_block.endswith("\n"):
        raise Rejected("bad_note", "the note has no signatures, or its last line does not end")
    lines = signature_block[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise Rejected("bad_note", "the note has too many signatures")
    return SignedNote((text + "\n").encode(), tuple(map(_parse_signature, lines)))


def checked_name(name: str) -> str:
    """Return the name if it is a valid key name (C2SP signed-note, "Format"); ``Rejected("bad_note")`` otherwise."""
    if not 0 < len(name) <= MAX_NAME_CHARACTERS:
        raise Rejected("bad_note", "a key name is empty or too long")
    if _SURROGATE.search(name):
        raise Rejected("bad_note", "a key name is not Unicode text")
    if _NOT_IN_NAME.search(name):
        raise Rejected("bad_note", "a key name has a space, a plus or a control character")
    return name


def _parse_signature(line: str) -> NoteSignature:
    if not line.startswith(_SIGNATURE_PREFIX):
        raise Rejected("bad_note", "a signature line does not begin with a dash")
    name, space, encoded = line.removeprefix(_SIGNATURE_PREFIX).partition(" ")
    if not space:
        raise Rejected("bad_note", "a signature line has no signature")
    content = strict_base64(encoded)
    if len(content) <= KEY_ID_BYTES:
        raise Rejected("bad_note", "a signature is empty")
    return NoteSignature(checked_name(name), content[:KEY_ID_BYTES], content[KEY_ID_BYTES:])


def strict_base64(encoded: str, reason: str = "bad_note") -> bytes:
    """Decode the one canonical encoding of RFC 4648 §4: padded, and spare bits zero (§3.5)."""
    try:
        content = b64decode(encoded, validate=True)
    except (Base64Error, ValueError):
        raise Rejected(reason, "not base64") from None
    if b64encode(content).decode() != encoded:
        raise Rejected(reason, "not canonical base64")
    return content


def parse_vkey(vkey: str, signature_type: int) -> ParsedVkey:
    """Parse ``<name>+<hex key id>+<base64 of type and key>``; the caller parses the key itself.

    ``Rejected("bad_key")`` if it has another type, or its key id does not match the rest.
    """
    parts = vkey.split("+", 2)
    if len(parts) != 3:  # noqa: PLR2004 - the three parts named above
        raise Rejected("bad_key", "a verifier key has three parts")
    name, hex_key_id, encoded = parts
    material = strict_base64(encoded, "bad_key")
    if not material or material[0] != signature_type:
        raise Rejected("bad_key", "the verifier key is not of the expected type")
    computed = key_id(checked_name(name), signature_type, material[1:])
    if not _HEX_KEY_ID.fullmatch(hex_key_id) or hex_key_id != computed.hex():
        raise Rejected("bad_key", "the verifier key's id is not the one its key has")
    return ParsedVkey(name, computed, material[1:])


def format_vkey(name: str, computed: bytes, signature_type: int, public_key: bytes) -> str:
    """Return the vkey text of a key and its key id."""
    return f"{name}+{computed.hex()}+{b64encode(bytes([signature_type]) + public_key).decode()}"


def key_id(name: str, signature_type: int, public_key: bytes) -> bytes:
    """Compute the 4 bytes that identify this key under its name (C2SP signed-note, "Signatures")."""
    return sha256(name.encode() + b"\n" + bytes([signature_type]) + public_key).digest()[:KEY_ID_BYTES]
