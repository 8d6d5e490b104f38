"""A certificate taken apart and put together again, by hand: no library makes what must be refused."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from paiza_wire.identity import keys
from paiza_wire.identity.der import encode

SEQUENCE, SET, INTEGER, BOOLEAN, OCTETS, BITS, OID = 0x30, 0x31, 0x02, 0x01, 0x04, 0x03, 0x06
UTF8, PRINTABLE, UTC_TIME, GENERALIZED = 0x0C, 0x13, 0x17, 0x18
VERSION, ISSUER_ID, EXTENSIONS = 0xA0, 0x81, 0xA3
TRUE: Final = encode(BOOLEAN, b"\xff")
FALSE: Final = encode(BOOLEAN, b"\0")

ECDSA_SHA256: Final = bytes.fromhex("300a06082a8648ce3d040302")
ECDSA_SHA384: Final = bytes.fromhex("300a06082a8648ce3d040303")
WITH_NULL: Final = bytes.fromhex("300c06082a8648ce3d0403020500")

ORGANIZATION, COMMON_NAME = b"\x55\x04\x0a", b"\x55\x04\x03"
BASIC, USAGE, EXTENDED, NAMES = b"\x55\x1d\x13", b"\x55\x1d\x0f", b"\x55\x1d\x25", b"\x55\x1d\x11"
SUBJECT_KEY, AUTHORITY_KEY, CONSTRAINTS = b"\x55\x1d\x0e", b"\x55\x1d\x23", b"\x55\x1d\x1e"
UNKNOWN: Final = b"\x2b\x06\x01\x04\x01\x82\x37\x01"

Digest = hashes.SHA256 | hashes.SHA384


@dataclass(frozen=True)
class Extension:
    """One extension: the content of its OID, its criticality, and its value (DER).

    ``with_default`` writes critical = FALSE although it is the default: BER, not DER.
    """

    oid: bytes
    critical: bool
    value: bytes
    with_default: bool = False

    @property
    def encoded(self) -> bytes:
        """Return it as it stands in a certificate."""
        critical = TRUE if self.critical else FALSE if self.with_default else b""
        return encode(SEQUENCE, encode(OID, self.oid) + critical + encode(OCTETS, self.value))


@dataclass(frozen=True)
class Parts:
    """The fields of a certificate, each encoded; ``more`` stands between the key and the extensions."""

    version: bytes
    serial_number: bytes
    algorithm: bytes
    issuer: bytes
    validity: bytes
    subject: bytes
    key: bytes
    extensions: tuple[Extension, ...]
    more: bytes = b""
    outer_algorithm: bytes = ECDSA_SHA256

    @classmethod
    def of(cls, certificate: bytes) -> "Parts":
        """Split a certificate into its parts."""
        tbs, outer, _signature = _values(certificate)
        version, serial_number, algorithm, issuer, life, subject, key, extensions = _values(tbs)
        (listed,) = _values(extensions)
        found = tuple(map(_extension, _values(listed)))
        return cls(version, serial_number, algorithm, issuer, life, subject, key, found, outer_algorithm=outer)

    def extension(self, oid: bytes) -> Extension:
        """Return the extension of this kind."""
        (found,) = (each for each in self.extensions if each.oid == oid)
        return found

    def change(
        self, oid: bytes, *, value: bytes | None = None, critical: bool | None = None, with_default: bool = False
    ) -> "Parts":
        """Change the extension of this kind."""
        own = self.extension(oid)
        value, critical = own.value if value is None else value, own.critical if critical is None else critical
        changed = Extension(oid, critical, value, with_default)
        return replace(self, extensions=tuple(changed if each.oid == oid else each for each in self.extensions))

    def without(self, oid: bytes) -> "Parts":
        """Leave the extension of this kind out."""
        return replace(self, extensions=tuple(each for each in self.extensions if each.oid != oid))

    def add(self, *extensions: Extension) -> "Parts":
        """Add extensions behind the others."""
        return replace(self, extensions=self.extensions + extensions)

    def sign(
        self,
        key: ec.EllipticCurvePrivateKey,
        digest: Digest | None = None,
        written: Callable[[bytes], bytes] = lambda signature: encode(BITS, b"\0" + signature),
    ) -> bytes:
        """Return the certificate with a signature of this key; ``written`` encodes the signature."""
        listed = encode(SEQUENCE, b"".join(each.encoded for each in self.extensions))
        extensions = encode(EXTENSIONS, listed) if self.extensions else b""
        fields = (self.version, self.serial_number, self.algorithm, self.issuer, self.validity, self.subject, self.key)
        tbs = encode(SEQUENCE, b"".join(fields) + self.more + extensions)
        signature = keys.sign(key, tbs) if digest is None else key.sign(tbs, ec.ECDSA(digest))
        return encode(SEQUENCE, tbs + self.outer_algorithm + written(signature))


def name(*parts: tuple[bytes, str], tag: int = UTF8) -> bytes:
    """Return a distinguished name of these attributes, by the content of their OIDs."""
    return encode(SEQUENCE, b"".join(encode(SET, _attribute(kind, text, tag)) for kind, text in parts))


def name_in_one_set(*parts: tuple[bytes, str]) -> bytes:
    """Return a distinguished name whose attributes stand in one set."""
    return encode(SEQUENCE, encode(SET, b"".join(sorted(_attribute(kind, text, UTF8) for kind, text in parts))))


def validity(begins: datetime, ends: datetime, tag: int = UTC_TIME, pattern: str = "%y%m%d%H%M%SZ") -> bytes:
    """Return a validity whose times are written so."""
    return encode(SEQUENCE, b"".join(encode(tag, time.strftime(pattern).encode()) for time in (begins, ends)))


def in_long_form(encoded: bytes) -> bytes:
    """Return a value whose length is written in more octets than it needs."""
    _length, content = _header(encoded)
    return encoded[:1] + b"\x83" + len(content).to_bytes(3, "big") + content


def in_indefinite_form(encoded: bytes) -> bytes:
    """Return a constructed value whose end is marked."""
    _length, content = _header(encoded)
    return encoded[:1] + b"\x80" + content + b"\0\0"


def repeated(encoded: bytes) -> bytes:
    """Return a constructed value that holds twice what it holds."""
    _length, content = _header(encoded)
    return encode(encoded[0], content * 2)


def _attribute(kind: bytes, text: str, tag: int) -> bytes:
    return encode(SEQUENCE, encode(OID, kind) + encode(tag, text.encode()))


def _extension(encoded: bytes) -> Extension:
    oid, *critical, value = _values(encoded)
    return Extension(_header(oid)[1], bool(critical), _header(value)[1])


def _header(encoded: bytes) -> tuple[bytes, bytes]:
    """Split one value into its header and its content."""
    octets = encoded[1] & 0x7F if encoded[1] & 0x80 else 0
    return encoded[: 2 + octets], encoded[2 + octets :]


def _values(encoded: bytes) -> list[bytes]:
    """Return the values in a constructed one."""
    return list(_each(_header(encoded)[1]))


def _each(content: bytes) -> Iterator[bytes]:
    while content:
        octets = content[1] & 0x7F if content[1] & 0x80 else 0
        size = int.from_bytes(content[2 : 2 + octets], "big") if octets else content[1]
        yield content[: 2 + octets + size]
        content = content[2 + octets + size :]
