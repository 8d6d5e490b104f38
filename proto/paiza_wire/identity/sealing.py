"""Sealed keys: PKCS #8 under a passphrase, in the standard envelope that OpenSSL opens too.

A sealed key is a PEM block ENCRYPTED PRIVATE KEY (RFC 5958 §3, RFC 7468 §11) under PBES2 with scrypt and AES-256-CBC
(RFC 8018 §6.2, RFC 7914 §7). The encryption library's own choice for this envelope counts 2,048 rounds of PBKDF2, far
too few for what a person can remember, so the envelope is written here. An unsealed key is a PEM block PRIVATE KEY.

The standard envelope has no checksum: a changed file is refused like a wrong passphrase, or opens as another key. So a
caller compares what was opened with the certificate or the register that names its public key.
"""

import os
from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Final

from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from paiza_wire.errors import Rejected
from paiza_wire.identity import der

MAX_KEY_FILE_BYTES: Final = 4096
"""A sealed key in PEM takes below 600 bytes; more is not a key of ours."""

# scrypt (RFC 7914): 16 MiB and about 0.2 s for one guess. With twice the memory OpenSSL's own tools would refuse to
# open the key.
SCRYPT_COST: Final = 1 << 14
SCRYPT_BLOCK_SIZE: Final = 8
SCRYPT_PARALLELISM: Final = 5

SALT_BYTES: Final = 16
_IV_BYTES: Final = 16  # one block of AES

_SEQUENCE: Final = 0x30
_OCTETS: Final = 0x04

_SEALED: Final = b"ENCRYPTED PRIVATE KEY"
_UNSEALED: Final = b"PRIVATE KEY"

# DER object identifiers of RFC 8018 §A.4 (PBES2), RFC 7914 §7.1 (scrypt) and RFC 8018 §B.2.5 (AES-256-CBC).
_PBES2: Final = bytes.fromhex("06092a864886f70d01050d")
_SCRYPT: Final = bytes.fromhex("06092b06010401da47040b")
_AES256_CBC: Final = bytes.fromhex("060960864801650304012a")
_WORK: Final = b"".join(map(der.encode_integer, (SCRYPT_COST, SCRYPT_BLOCK_SIZE, SCRYPT_PARALLELISM)))


class Sealer:
    """Seals and opens keys under one passphrase, which is asked for when it is first needed.

    One salt serves all that one sealer seals, each under an initialisation vector of its own, and it is that of a key
    opened before. So a folder costs one run of scrypt to open, however many keys it holds.
    """

    def __init__(self, passphrase: Callable[[], bytes]) -> None:
        self._ask = passphrase
        self._passphrase: bytes | None = None
        self._keys: dict[bytes, bytes] = {}
        self._salt = os.urandom(SALT_BYTES)

    def passphrase(self) -> bytes:
        """Return the passphrase, asked for once; ``Rejected("passphrase_missing")`` if it is empty."""
        if self._passphrase is None:
            self._passphrase = self._ask()
        if not self._passphrase:
            raise Rejected("passphrase_missing", "the passphrase is empty")
        return self._passphrase

    def seal(self, pkcs8: bytes) -> bytes:
        """Return this key (DER) as a sealed PEM block."""
        iv = os.urandom(_IV_BYTES)
        padder = PKCS7(AES256.block_size).padder()
        encryptor = Cipher(AES256(self._key(self._salt)), CBC(iv)).encryptor()
        ciphertext = encryptor.update(padder.update(pkcs8) + padder.finalize()) + encryptor.finalize()
        return _pem(_SEALED, _envelope(self._salt, iv, ciphertext))

    def open(self, pem: bytes) -> bytes:
        """Return the key (DER) of a PEM block, sealed or not; an unsealed one does not ask for the passphrase.

        ``Rejected("bad_passphrase")`` if the passphrase does not open it, ``Rejected("bad_key")`` if it is no private
        key. Sealed keys that other programs made open if the encryption library knows their kind.
        """
        if len(pem) > MAX_KEY_FILE_BYTES:
            raise Rejected("bad_key", "the key file is too large")
        if b"PRIVATE KEY-----" not in pem.partition(b"-----END ")[2]:
            raise Rejected("bad_key", "not a key in PEM, or cut off")
        if not is_sealed(pem):
            plain = _body(_UNSEALED, pem)
            return _foreign(pem, None) if plain is None else plain
        envelope = _body(_SEALED, pem)
        parts = None if envelope is None else _parts(envelope)
        return _foreign(pem, self.passphrase()) if parts is None else self._decrypt(*parts)

    def _decrypt(self, salt: bytes, iv: bytes, ciphertext: bytes) -> bytes:
        decryptor = Cipher(AES256(self._key(salt)), CBC(iv)).decryptor()
        unpadder = PKCS7(AES256.block_size).unpadder()
        try:
            padded = decryptor.update(ciphertext) + decryptor.finalize()
            plain = unpadder.update(padded) + unpadder.finalize()
        except ValueError:
            raise Rejected("bad_passphrase", "the passphrase does not open the key") from None
        # A wrong key passes the padding once in 256 times, but what comes out then is not one SEQUENCE of that length.
        if der.content(_SEQUENCE, plain) is None:
            raise Rejected("bad_passphrase", "the passphrase does not open the key")
        self._salt = salt
        return plain

    def _key(self, salt: bytes) -> bytes:
        if salt not in self._keys:
            derivation = Scrypt(salt, 32, SCRYPT_COST, SCRYPT_BLOCK_SIZE, SCRYPT_PARALLELISM)
            self._keys[salt] = derivation.derive(self.passphrase())
        return self._keys[salt]


def is_sealed(pem: bytes) -> bool:
    """Return whether this PEM block is encrypted, in whichever way."""
    return b"-----BEGIN ENCRYPTED PRIVATE KEY-----" in pem or b"Proc-Type: 4,ENCRYPTED" in pem


def unsealed(pkcs8: bytes) -> bytes:
    """Return this key (DER) as an unsealed PEM block: for TLS in memory, and for machines without secrets."""
    return _pem(_UNSEALED, pkcs8)


def _foreign(pem: bytes, passphrase: bytes | None) -> bytes:
    """Read what another program wrote, and return it in DER."""
    try:
        private_key = load_pem_private_key(pem, passphrase)
        return private_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    except (ValueError, TypeError, UnsupportedAlgorithm, InternalError):  # the last: scrypt with impossible costs
        raise Rejected("bad_key" if passphrase is None else "bad_passphrase", "the key file does not open") from None


def _envelope(salt: bytes, iv: bytes, ciphertext: bytes) -> bytes:
    derivation = _sequence(_SCRYPT, _sequence(der.encode(_OCTETS, salt), _WORK))
    cipher = _sequence(_AES256_CBC, der.encode(_OCTETS, iv))
    algorithm = _sequence(_PBES2, _sequence(derivation, cipher))
    return _sequence(algorithm, der.encode(_OCTETS, ciphertext))


def _parts(envelope: bytes) -> tuple[bytes, bytes, bytes] | None:
    """Return salt, initialisation vector and ciphertext of an envelope that is written exactly as here, else None."""
    after_scrypt = envelope.partition(_SCRYPT)[2]
    salt = after_scrypt[4 : 4 + SALT_BYTES]  # behind the heads of a SEQUENCE and an OCTET STRING
    after_cipher = envelope.partition(_AES256_CBC)[2]
    iv = after_cipher[2 : 2 + _IV_BYTES]
    ciphertext = der.content(_OCTETS, after_cipher[2 + _IV_BYTES :])
    if ciphertext is None or _envelope(salt, iv, ciphertext) != envelope:
        return None
    return salt, iv, ciphertext


def _sequence(*values: bytes) -> bytes:
    return der.encode(_SEQUENCE, b"".join(values))


def _pem(label: bytes, content: bytes) -> bytes:
    text = b64encode(content)
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return b"\n".join([b"-----BEGIN " + label + b"-----", *lines, b"-----END " + label + b"-----", b""])


def _body(label: bytes, pem: bytes) -> bytes | None:
    """Return the content of a PEM block that is written exactly as here, else None."""
    lines = pem.split(b"\n")[1:-2]
    try:
        content = b64decode(b"".join(lines), validate=True)
    except ValueError:
        return None
    return content if _pem(label, content) == pem else None
