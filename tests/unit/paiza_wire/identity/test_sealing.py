"""Sealed keys: what was sealed opens under the same passphrase alone, whichever kind of key it is."""

import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from paiza_wire.errors import Rejected
from paiza_wire.identity import der, keys, sealing
from paiza_wire.identity.private_keys import ED25519, INDEX, MLDSA44, P256, X_WING, KeyKind
from paiza_wire.identity.sealing import Sealer

PASSPHRASE = b"correct horse battery staple"
SEALER = Sealer(lambda: PASSPHRASE)
"""Shared, so that a property test runs scrypt once."""

SECRETS: dict[KeyKind[Any], Any] = {
    P256: keys.generate_p256(),
    ED25519: keys.generate_ed25519(),
    MLDSA44: MLDSA44PrivateKey.generate(),
    X_WING: bytes(range(32)),
    INDEX: bytes(32),
}
EVERY_KIND = pytest.mark.parametrize("kind", SECRETS, ids=[kind.name for kind in SECRETS])


@cache
def sealed(kind: KeyKind[Any]) -> bytes:
    """Return the secret of this kind, sealed."""
    return SEALER.seal(kind.write(SECRETS[kind]))


@EVERY_KIND
def test_a_sealed_key_opens(kind: KeyKind[Any]) -> None:
    """A key of every kind is the same one after it was sealed and opened by another sealer."""
    opened = kind.read(Sealer(lambda: PASSPHRASE).open(sealed(kind)))
    assert kind.write(opened) == kind.write(SECRETS[kind])
    assert sealing.is_sealed(sealed(kind))


@EVERY_KIND
def test_an_unsealed_key_opens_without_a_passphrase(kind: KeyKind[Any]) -> None:
    """A key that is not sealed opens, and nobody is asked for a passphrase."""

    def never() -> bytes:
        raise AssertionError

    plain = sealing.unsealed(kind.write(SECRETS[kind]))
    assert not sealing.is_sealed(plain)
    assert kind.write(kind.read(Sealer(never).open(plain))) == kind.write(SECRETS[kind])


@EVERY_KIND
def test_a_key_of_another_kind_is_refused(kind: KeyKind[Any]) -> None:
    """A reader of one kind refuses the keys of all others."""
    for other, secret in SECRETS.items():
        if other is not kind:
            with pytest.raises(Rejected, match="bad_key"):
                kind.read(other.write(secret))


@EVERY_KIND
def test_a_wrong_passphrase_is_refused(kind: KeyKind[Any]) -> None:
    """Another passphrase and an empty one are refused, each with its reason."""
    with pytest.raises(Rejected, match="bad_passphrase"):
        Sealer(lambda: b"wrong").open(sealed(kind))
    with pytest.raises(Rejected, match="passphrase_missing"):
        Sealer(lambda: b"").open(sealed(kind))


@given(st.data())
@settings(deadline=None)
def test_a_cut_file_is_refused(data: st.DataObject) -> None:
    """Cut at either end, a sealed key is no key."""
    pem = sealed(data.draw(st.sampled_from(list(SECRETS))))
    at = data.draw(st.integers(1, len(pem) - 2))
    for cut in (pem[:at], pem[at:]):
        with pytest.raises(Rejected):
            SEALER.open(cut)


@given(st.data())
@settings(deadline=None)
def test_a_changed_file_is_refused_or_another_key(data: st.DataObject) -> None:
    """With one bit changed nothing but a refusal comes out, or a key: the envelope has no checksum, as documented."""
    kind = data.draw(st.sampled_from(list(SECRETS)))
    pem = sealed(kind)
    at, bit = data.draw(st.integers(0, len(pem) - 1)), data.draw(st.sampled_from([1 << n for n in range(8)]))
    try:
        opened = kind.read(SEALER.open(pem[:at] + bytes([pem[at] ^ bit]) + pem[at + 1 :]))
    except Rejected:
        return
    assert len(kind.write(opened)) == len(kind.write(SECRETS[kind]))


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_no_key(content: bytes) -> None:
    """The readers raise only the refusal, for files, envelopes and keys."""
    body = sealing.unsealed(content)
    for pem in (content, body, body.replace(b"PRIVATE", b"ENCRYPTED PRIVATE")):
        for kind in SECRETS:
            with pytest.raises(Rejected):
                kind.read(SEALER.open(pem))


@given(st.binary(min_size=1, max_size=300))
@settings(deadline=None)
def test_what_is_sealed_is_what_is_opened(content: bytes) -> None:
    """A DER value of any length survives; the same one twice gives two files."""
    value = der.encode(0x30, content)
    first, second = SEALER.seal(value), SEALER.seal(value)
    assert SEALER.open(first) == SEALER.open(second) == value
    assert first != second


def test_one_folder_costs_one_derivation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys of a folder are opened with one run of scrypt, those too that were added after others were opened."""
    made, added = Sealer(lambda: PASSPHRASE), Sealer(lambda: PASSPHRASE)
    pems = [made.seal(kind.write(secret)) for kind, secret in SECRETS.items()]
    added.open(pems[0])
    pems.append(added.seal(INDEX.write(bytes(32))))
    runs = []

    def counted(*work: Any) -> Any:
        runs.append(work)
        return Scrypt(*work)

    monkeypatch.setattr(sealing, "Scrypt", counted)
    opener = Sealer(lambda: PASSPHRASE)
    for pem in pems:
        opener.open(pem)
    assert len(runs) == 1


def test_openssl_writes_and_reads_sealed_keys(tmp_path: Path) -> None:
    """OpenSSL's tool opens a sealed P-256 key, and what it seals, with scrypt or not, opens here."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl program on the PATH")
    file, phrase = tmp_path / "key.pem", f"pass:{PASSPHRASE.decode()}"
    file.write_bytes(sealed(P256))
    for scrypt in (["-scrypt"], []):
        run = [openssl, "pkcs8", "-topk8", "-in", str(file), "-passin", phrase, "-passout", phrase, *scrypt]
        written = subprocess.run(run, capture_output=True, check=True).stdout
        assert P256.read(SEALER.open(written)).private_numbers() == SECRETS[P256].private_numbers()
        with pytest.raises(Rejected, match="bad_passphrase"):
            Sealer(lambda: b"wrong").open(written)


def test_the_librarys_own_encryption_opens() -> None:
    """A key that the encryption library sealed itself opens too."""
    private_key = Ed25519PrivateKey.generate()
    pem = private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(PASSPHRASE))
    assert ED25519.read(SEALER.open(pem)).private_bytes_raw() == private_key.private_bytes_raw()


def test_lattice_keys_are_kept_as_seeds() -> None:
    """An ML-DSA-44 key is written as its 32-byte seed in the form of RFC 9881."""
    head = bytes.fromhex("3034020100300b060960864801650304031104228020")
    private_key = MLDSA44.read(head + b"\x07" * 32)
    assert private_key.private_bytes_raw() == b"\x07" * 32
