"""Signature keys: published vectors, and every way a key, signature or passphrase can be wrong."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import cryptography_vectors
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from paiza_wire.errors import Rejected
from paiza_wire.identity import keys

ASYMMETRIC = Path(cryptography_vectors.__file__).parent / "asymmetric"
PASSPHRASE = b"correct horse battery staple"
ED25519 = keys.generate_ed25519()
P256 = keys.generate_p256()
SEALED = keys.private_key_to_pem(P256, PASSPHRASE)
BOTH = pytest.mark.parametrize("private_key", [ED25519, P256], ids=["ed25519", "p256"])


def ecdsa_vectors() -> Iterator[dict[str, str]]:
    """Yield the P-256 with SHA-256 section of NIST's SigVer file, one dictionary a case."""
    section = (ASYMMETRIC / "ECDSA" / "FIPS_186-3" / "SigVer.rsp").read_text()
    section = section.split("[P-256,SHA-256]")[1].split("[")[0]
    for block in section.strip().split("\n\n"):
        yield dict(line.split(" = ", 1) for line in block.splitlines() if " = " in line)


def test_ed25519_agrees_with_the_published_vectors() -> None:
    """All 1,024 published signatures are made and verified alike, and refused with one bit changed."""
    lines = (ASYMMETRIC / "Ed25519" / "sign.input").read_text().splitlines()
    assert len(lines) == 1024
    for line in lines:
        secret, public, message, signed = (bytes.fromhex(part) for part in line.split(":")[:4])
        private_key, signature = Ed25519PrivateKey.from_private_bytes(secret[:32]), signed[:64]
        assert keys.sign(private_key, message) == signature
        public_key = keys.ed25519_public_key(public)
        keys.verify(public_key, signature, message)
        with pytest.raises(Rejected, match="bad_signature"):
            keys.verify(public_key, signature[:-1] + bytes([signature[-1] ^ 1]), message)


def test_ecdsa_agrees_with_the_published_vectors() -> None:
    """NIST's P-256 with SHA-256 signatures are accepted and refused as the file says."""
    results = []
    for case in ecdsa_vectors():
        x, y, r, s = (int(case[name], 16) for name in ("Qx", "Qy", "R", "S"))
        public_key = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
        passes = case["Result"].startswith("P")
        results.append(passes)
        if passes:
            keys.verify(public_key, encode_dss_signature(r, s), bytes.fromhex(case["Msg"]))
        else:
            with pytest.raises(Rejected, match="bad_signature"):
                keys.verify(public_key, encode_dss_signature(r, s), bytes.fromhex(case["Msg"]))
    assert (len(results), sum(results)) == (15, 3)


@BOTH
def test_a_signature_holds_for_its_bytes_and_key_only(private_key: keys.PrivateKey) -> None:
    """Other bytes, another key of the same kind, a key of the other kind and a changed signature are refused."""
    signature = keys.sign(private_key, b"data")
    keys.verify(private_key.public_key(), signature, b"data")
    other = keys.generate_ed25519() if private_key is ED25519 else keys.generate_p256()
    unlike = P256 if private_key is ED25519 else ED25519
    for public_key, wrong, data in (
        (private_key.public_key(), signature, b"date"),
        (other.public_key(), signature, b"data"),
        (unlike.public_key(), signature, b"data"),
        (private_key.public_key(), signature[:-1], b"data"),
        (private_key.public_key(), signature + b"\x00" * 9, b"data"),
        (private_key.public_key(), b"", b"data"),
    ):
        with pytest.raises(Rejected, match="bad_signature"):
            keys.verify(public_key, wrong, data)


@given(st.binary(max_size=80))
def test_arbitrary_bytes_are_no_signature(signature: bytes) -> None:
    """The verification raises only the refusal."""
    for private_key in (ED25519, P256):
        with pytest.raises(Rejected, match="bad_signature"):
            keys.verify(private_key.public_key(), signature, b"data")


@BOTH
def test_a_public_key_is_given_back(private_key: keys.PrivateKey) -> None:
    """A public key read from its encoding has the same encoding and fingerprint."""
    spki = keys.public_key_to_spki(private_key.public_key())
    read = keys.public_key_from_spki(spki)
    assert keys.public_key_to_spki(read) == spki
    assert keys.fingerprint(read) == keys.fingerprint(private_key.public_key())
    assert len(keys.fingerprint(read)) == 32


def test_other_kinds_of_public_key_are_refused() -> None:
    """RSA, other curves, compressed points, trailing bytes and oversized input are no keys of ours."""
    rsa_key = rsa.generate_private_key(65537, 2048).public_key()
    p384 = ec.generate_private_key(ec.SECP384R1()).public_key()
    encoding = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    spki = keys.public_key_to_spki(P256.public_key())
    point = P256.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    compressed = bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200") + point
    for wrong in (
        rsa_key.public_bytes(*encoding),
        p384.public_bytes(*encoding),
        compressed,
        spki + b"\x00",
        spki[:-1],
        b"",
        bytes(5000),
    ):
        with pytest.raises(Rejected, match="bad_key"):
            keys.public_key_from_spki(wrong)
    with pytest.raises(Rejected, match="bad_key"):
        keys.ed25519_public_key(bytes(31))


@given(st.binary(max_size=120))
def test_arbitrary_bytes_are_no_public_key(spki: bytes) -> None:
    """The reader of public keys raises only the refusal."""
    with pytest.raises(Rejected, match="bad_key"):
        keys.public_key_from_spki(spki)


@BOTH
@pytest.mark.parametrize("passphrase", [None, PASSPHRASE])
def test_a_stored_private_key_opens(private_key: keys.PrivateKey, passphrase: bytes | None) -> None:
    """A private key stored with or without a passphrase is the same key when read."""
    read = keys.private_key_from_pem(keys.private_key_to_pem(private_key, passphrase), passphrase)
    assert keys.fingerprint(read.public_key()) == keys.fingerprint(private_key.public_key())
    keys.verify(private_key.public_key(), keys.sign(read, b"data"), b"data")


def test_a_passphrase_is_demanded() -> None:
    """A protected key does not open without a passphrase or with an empty or wrong one, and the error says why."""
    for wrong in (None, b"", b"wrong"):
        with pytest.raises(Rejected, match="bad_passphrase"):
            keys.private_key_from_pem(SEALED, wrong)


def test_openssl_opens_a_protected_key() -> None:
    """The protected form is the standard one: OpenSSL's own tool reads it."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl program on the PATH")
    arguments = [openssl, "pkey", "-passin", f"pass:{PASSPHRASE.decode()}", "-pubout", "-outform", "DER"]
    ran = subprocess.run(arguments, input=SEALED, capture_output=True, check=True)
    assert ran.stdout == keys.public_key_to_spki(P256.public_key())


def test_other_private_keys_are_refused() -> None:
    """Other curves, damaged or oversized files and public keys are no private keys of ours."""
    p384 = ec.generate_private_key(ec.SECP384R1())
    pem = keys.private_key_to_pem(P256)
    for wrong in (
        p384.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        P256.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        pem[:-40],
        pem.replace(b"M", b"N"),
        pem * 100,
        b"",
        b"text",
    ):
        with pytest.raises(Rejected, match="bad_key"):
            keys.private_key_from_pem(wrong)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_no_private_key(pem: bytes) -> None:
    """The reader of private keys raises only the refusal, with and without the marker of encryption."""
    for wrong in (pem, b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n" + pem):
        with pytest.raises(Rejected):
            keys.private_key_from_pem(wrong, PASSPHRASE)
