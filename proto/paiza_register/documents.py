"""The parser of the register's signed files: federation.json, member.json, revoked.json.

Types, ids, lengths and encodings are strict, and a key may occur only once. Unknown keys are ignored,
so that a later version may add some. Every refusal is ``Rejected("register_invalid")`` with file and field.
"""

import json
import re
import unicodedata
from base64 import b64decode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from types import MappingProxyType
from typing import Any, Final, Literal, TypeVar

from paiza_register import carried
from paiza_register.model import EncryptionKey, LogKey, Member, WitnessKey
from paiza_wire.errors import Rejected
from paiza_wire.identity import (
    FEDERATION_NAME,
    MEMBER_ID,
    CertificateAuthority,
    MemberAuthority,
    check_authority,
)
from paiza_wire.message import key_wrapping
from paiza_wire.tlog import cosignatures
from paiza_wire.tlog.notes import VerifierKey

FORMAT: Final = 1
"""The version of all three formats."""

MAX_MEMBERS: Final = 64
"""Members of a federation, removed ones included; six times the states and organisations in view."""

MAX_LIST: Final = 32
"""Endpoints or encryption keys of one member; of those, expired ones leave the register.

Lists of log keys, witness keys and their pins only ever grow; their bound is that of the file.
"""

MAX_REVOKED: Final = 5_000
"""Revoked certificates of one member: decades of a large service."""

MAX_LEGAL_BASES: Final = 500
"""Legal bases that the parties' agreements name."""

MAX_LIFE_HOURS: Final = 720
"""Hours that a timestamp may live."""

MAX_GRACE_HOURS: Final = 168
"""Hours for which an expired register may be used."""

MAX_TEXT: Final = 300
"""Characters of a name or a title."""

LANGUAGES: Final = ("ru", "en")
"""Every name stands in these."""

MAX_VKEY: Final = 2100
"""Characters of a witness's vkey: 1,752 of them are the key, the rest is its name."""

MAX_CA_BYTES: Final = 2048
"""A CA certificate of our profile has about 600 bytes."""

MAX_CAS: Final = 8
"""CAs of one member for one role: the present and the next one, and those that ended a short time ago."""

_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Controls, marks of direction, halves of characters, breaks: no name has them, and few programs can write them."""

_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_ENDPOINT: Final = re.compile(r"[A-Za-z0-9.-]{1,253}:[1-9][0-9]{0,4}|\[[0-9a-f:]{2,39}\]:[1-9][0-9]{0,4}")
_CODE: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_HEX_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_MAX_PORT: Final = 65535
_MAX_CEILING: Final = 9

Status = Literal["active", "suspended"]

REMOVED: Final = "removed"
"""The status in federation.json of a member that belonged before."""

_Parsed = TypeVar("_Parsed")


class Fields:
    """One JSON object, read field by field; every refusal names the file and the field."""

    def __init__(self, where: str, values: object) -> None:
        if not isinstance(values, dict):
            raise Rejected("register_invalid", f"{where} is not an object")
        self.where = where
        self._values: dict[str, Any] = values

    @classmethod
    def load(cls, path: str, data: bytes) -> "Fields":
        """Parse a file; duplicate keys, non-numbers and other formats are refused."""
        if carried.is_crowded(data):
            raise Rejected("register_invalid", f"{path} has too many values for its size")
        try:
            fields = cls(path, json.loads(data, object_pairs_hook=_unique, parse_constant=_no_constant))
        except (ValueError, RecursionError) as error:
            raise Rejected("register_invalid", f"{path} is not JSON") from error
        if fields.number("format", 0, FORMAT) != FORMAT:
            raise Rejected("register_invalid", f"{path} has a format this version does not know")
        return fields

    def has(self, name: str) -> bool:
        """Return whether the object has this field."""
        return name in self._values

    def refuse(self, name: str, why: str) -> Rejected:
        """Build the refusal of one field."""
        return Rejected("register_invalid", f"{self.where}: {name} {why}")

    def text(self, name: str, pattern: re.Pattern[str] | None = None, most: int = MAX_TEXT) -> str:
        """Read a string of bounded length and visible characters, matching the whole pattern if there is one."""
        value = self._values.get(name)
        if not isinstance(value, str) or not 0 < len(value) <= most:
            raise self.refuse(name, f"is not a text of 1 to {most} characters")
        if pattern is not None and not pattern.fullmatch(value):
            raise self.refuse(name, "is not well formed")
        if not value.isprintable() and any(unicodedata.category(each) in _UNSEEN for each in value):
            raise self.refuse(name, "has characters that cannot be seen")
        return value

    def number(self, name: str, least: int, most: int) -> int:
        """Read an integer in a range."""
        value = self._values.get(name)
        if type(value) is not int or not least <= value <= most:
            raise self.refuse(name, f"is not a whole number from {least} to {most}")
        return value

    def flag(self, name: str) -> bool:
        """Read true or false."""
        value = self._values.get(name)
        if type(value) is not bool:
            raise self.refuse(name, "is neither true nor false")
        return value

    def base64(self, name: str, most: int) -> bytes:
        """Read bytes in base64."""
        value = self._values.get(name)
        if not isinstance(value, str) or not 0 < len(value) <= (most + 2) // 3 * 4:
            raise self.refuse(name, f"is not base64 of 1 to {most} bytes")
        try:
            return b64decode(value, validate=True)
        except ValueError as error:
            raise self.refuse(name, "is not base64") from error

    def time(self, name: str) -> datetime:
        """Read a time in UTC, to the second."""
        try:
            return datetime.strptime(self.text(name, _TIME), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        except ValueError as error:
            raise self.refuse(name, "is not a time") from error

    def names(self, name: str) -> Mapping[str, str]:
        """Read a text in every language."""
        values = self.inner(name)
        return MappingProxyType({language: values.text(language) for language in LANGUAGES})

    def inner(self, name: str) -> "Fields":
        """Read an object in this one."""
        return Fields(f"{self.where}: {name}", self._values.get(name))

    def inner_each(self, name: str, most: int) -> Mapping[str, "Fields"]:
        """Read an object whose values are objects."""
        values = self._values.get(name)
        if not isinstance(values, dict) or len(values) > most:
            raise self.refuse(name, f"is not an object of at most {most} entries")
        return {key: Fields(f"{self.where}: {name}.{key}", value) for key, value in values.items()}

    def each(
        self, name: str, least: int, most: int | None, parse: Callable[["Fields"], _Parsed]
    ) -> tuple[_Parsed, ...]:
        """Read a list of objects; ``most`` is None where the size of the file is the only bound."""
        values = self._values.get(name)
        if not isinstance(values, list) or len(values) < least or (most is not None and len(values) > most):
            raise self.refuse(name, f"is not a list of {least} to {most or 'any number of'} entries")
        return tuple(parse(Fields(f"{self.where}: {name}[{at}]", value)) for at, value in enumerate(values))


class Federation:
    """The content of federation.json: name, members with their status, who signs, keys ever admitted, legal bases.

    ``exercise``: all its messages are exercises.

    ``removed`` are the ids of those that belonged before; ``members`` does not hold them.
    ``custodians``, ``publishers`` (in the order in which they publish) and ``reference`` map a member to the id of its
    key. A member describes itself, except for its logs and witnesses: the members together admit each of their keys.
    ``key_pins`` are all that ever were, by name and SHA-256 of the vkey, those of removed members included: nobody can
    abandon a log that showed two histories, and an old key in evidence can still be judged. ``life`` is that of a
    timestamp, ``grace`` the use of a register after its expiry. ``former_node_keys`` are the pairs, by member and key
    id, that members' nodes signed revocations with before.
    """

    def __init__(self, data: bytes) -> None:
        fields = Fields.load("federation.json", data)
        self.name = fields.text("name", FEDERATION_NAME)
        self.names = fields.names("names")
        self.exercise = fields.has("exercise") and fields.flag("exercise")
        self.life = timedelta(hours=fields.number("timestamp_life_hours", 1, MAX_LIFE_HOURS))
        self.grace = timedelta(hours=fields.number("grace_hours", 0, MAX_GRACE_HOURS))
        listed = fields.inner_each("members", MAX_MEMBERS)
        statuses = {member: _status(member, values) for member, values in listed.items()}
        self.members: Mapping[str, Status] = {member: status for member, status in statuses.items() if status}
        self.removed = frozenset(statuses.keys() - self.members.keys())
        self.custodians = self._holders(fields, "custodians")
        self.publishers = self._holders(fields, "publishers")
        self.reference = self._holders(fields, "reference")
        former = fields.each("former_node_keys", 0, None, _holder) if fields.has("former_node_keys") else ()
        self.former_node_keys = frozenset(former)
        for member, status in self.members.items():
            if status == "active" and not (member in self.custodians and member in self.publishers):
                raise fields.refuse("custodians or publishers", f"lack {member}, which is active")
        pins = (
            *fields.each("log_keys", 0, None, partial(_pin, "origin", self._name_of("log"))),
            *fields.each("witness_keys", 0, None, partial(_pin, "name", self._name_of("witness"))),
        )
        self.key_pins = frozenset(pins)
        if len(self.key_pins) != len(pins):
            raise fields.refuse("log_keys or witness_keys", "pin one key twice")
        self.legal_bases = MappingProxyType(
            {
                code: _legal_base(code, values)
                for code, values in fields.inner_each("legal_bases", MAX_LEGAL_BASES).items()
            }
        )

    def _name_of(self, what: str) -> re.Pattern[str]:
        # Of any member, also one that is no longer in the register.
        return re.compile(rf"{MEMBER_ID.pattern}\.{re.escape(self.name)}/{what}/[1-9][0-9]{{0,5}}")

    def _holders(self, fields: Fields, name: str) -> Mapping[str, str]:
        holders = fields.each(name, 1, MAX_MEMBERS, _holder)
        if len(dict(holders)) != len(holders):
            raise fields.refuse(name, "name one member twice")
        if not dict(holders).keys() <= self.members.keys():
            raise fields.refuse(name, "name what is no member")
        return MappingProxyType(dict(holders))


def vkey_digest(vkey: str) -> bytes:
    """Return the 32 bytes by which federation.json pins a log's or a witness's key: SHA-256 of its vkey."""
    return sha256(vkey.encode()).digest()


def parse_member(member_id: str, federation: Federation, data: bytes, revoked: frozenset[bytes]) -> Member:
    """Parse members/<id>/member.json; refuse an id other than the path's, and one that lacks a key that was admitted.

    A key that was not admitted is left out: its member named it before the custodians pinned it.
    """
    status = federation.members[member_id]
    trust_domain = f"{member_id}.{federation.name}"
    fields = Fields.load(f"members/{member_id}/member.json", data)
    if fields.text("id", MEMBER_ID) != member_id:
        raise fields.refuse("id", "is not the member whose file this is")
    authority = MemberAuthority(
        member=member_id,
        federation=federation.name,
        node_cas=fields.each("node_cas", 1, MAX_CAS, _certificate_authority),
        officer_cas=fields.each("officer_cas", 1, MAX_CAS, _certificate_authority),
        revoked=revoked,
    )
    try:
        check_authority(authority)
    except Rejected as error:
        raise fields.refuse("node_cas or officer_cas", f"is refused: {error.detail}") from error
    pins = federation.key_pins
    named_logs = fields.each("log_keys", 1, None, lambda key: _log_key(key, trust_domain))
    named_witnesses = fields.each("witness_keys", 1, None, lambda key: _witness_key(key, trust_domain))
    log_keys = tuple(key for key in named_logs if (key.origin, vkey_digest(key.vkey)) in pins)
    witness_keys = tuple(key for key in named_witnesses if (key.name, vkey_digest(key.vkey)) in pins)
    if not log_keys or not witness_keys:
        raise fields.refuse("log_keys or witness_keys", "hold no key that the members admitted")
    if len({(key.origin, key.key.key_id) for key in log_keys}) != len(log_keys):
        # Of two keys with one name and key id, the second would hide what the first one signed.
        raise fields.refuse("log_keys", "name one key twice, or two with one key id")
    if list(log_keys) != sorted(log_keys, key=_log_number):  # the last is the one in use
        raise fields.refuse("log_keys", "do not stand in the order of their numbers")
    if len({key.name for key in witness_keys}) != len(witness_keys):
        raise fields.refuse("witness_keys", "have one name twice")
    held = {(key.origin, vkey_digest(key.vkey)) for key in log_keys}
    held |= {(key.name, vkey_digest(key.vkey)) for key in witness_keys}
    # A dropped key would hide a log that showed two histories, or a witness that saw both.
    for name, _ in sorted(pin for pin in pins - held if pin[0].startswith(f"{trust_domain}/")):
        raise fields.refuse("log_keys or witness_keys", f"lack a key of {name} that the members admitted")
    return Member(
        id=member_id,
        names=fields.names("names"),
        status=status,
        authority=authority,
        endpoints=fields.each("endpoints", 1, MAX_LIST, _endpoint),
        log_keys=log_keys,
        witness_keys=witness_keys,
        encryption_keys=fields.each("encryption_keys", 1, MAX_LIST, _encryption_key),
        classification_ceiling=fields.number("classification_ceiling", 0, _MAX_CEILING),
    )


def parse_revoked(member_id: str, data: bytes) -> frozenset[bytes]:
    """Parse members/<id>/revoked.json: the hashes of revoked certificates and of their keys."""
    fields = Fields.load(f"members/{member_id}/revoked.json", data)
    entries = fields.each("certificates", 0, MAX_REVOKED, _revoked)
    return frozenset(digest for pair in entries for digest in pair)


def _status(member_id: str, fields: Fields) -> Status | None:
    """Return the status of a member; None if it was removed."""
    if not MEMBER_ID.fullmatch(member_id):
        raise fields.refuse("the member id", "is not well formed")
    status = fields.text("status")
    if status == "active":
        return "active"
    if status == "suspended":
        return "suspended"
    if status == REMOVED:
        return None
    raise fields.refuse("status", "is neither active nor suspended nor removed")


def _pin(label: str, pattern: re.Pattern[str], fields: Fields) -> tuple[str, bytes]:
    return fields.text(label, pattern), bytes.fromhex(fields.text("vkey_sha256", _HEX_SHA256))


def _holder(fields: Fields) -> tuple[str, str]:
    return fields.text("member", MEMBER_ID), fields.text("key", _HEX_SHA256)


def _legal_base(code: str, fields: Fields) -> Mapping[str, str]:
    if not _CODE.fullmatch(code):
        raise fields.refuse("the code", "is not well formed")
    return MappingProxyType({language: fields.text(language) for language in LANGUAGES})


def _endpoint(fields: Fields) -> str:
    address = fields.text("address", _ENDPOINT)
    if int(address.rpartition(":")[2]) > _MAX_PORT:
        raise fields.refuse("address", "has no such port")
    return address


def _origin(trust_domain: str, fields: Fields) -> str:
    return fields.text("origin", re.compile(re.escape(trust_domain) + r"/log/[1-9][0-9]{0,5}"))


def _log_number(key: LogKey) -> int:
    return int(key.origin.rpartition("/")[2])


def _log_key(fields: Fields, trust_domain: str) -> LogKey:
    origin = _origin(trust_domain, fields)
    vkey = fields.text("vkey")
    try:
        key = VerifierKey.from_vkey(vkey)
    except Rejected as error:
        raise fields.refuse("vkey", f"is refused: {error.detail}") from error
    if key.name != origin:
        raise fields.refuse("vkey", "is another log's")
    return LogKey(origin, vkey, _until(fields), key)


def _witness_key(fields: Fields, trust_domain: str) -> WitnessKey:
    name = fields.text("name", re.compile(re.escape(trust_domain) + r"/witness/[1-9][0-9]{0,5}"))
    vkey = fields.text("vkey", most=MAX_VKEY)
    try:
        key = cosignatures.WitnessKey.from_vkey(vkey)
    except Rejected as error:
        raise fields.refuse("vkey", f"is refused: {error.detail}") from error
    if key.name != name:
        raise fields.refuse("vkey", "is another witness's")
    return WitnessKey(name, vkey, _until(fields), key)


def _until(fields: Fields) -> datetime | None:
    return fields.time("until") if fields.has("until") else None


def _revoked(fields: Fields) -> tuple[bytes, bytes]:
    certificate = fields.text("certificate_sha256", _HEX_SHA256)
    key = fields.text("key_sha256", _HEX_SHA256)
    return bytes.fromhex(certificate), bytes.fromhex(key)


def _certificate_authority(fields: Fields) -> CertificateAuthority:
    begins, ends = fields.time("from"), fields.time("until")
    if begins >= ends:
        raise fields.refuse("until", "is not after from")
    return CertificateAuthority(fields.base64("certificate", MAX_CA_BYTES), begins, ends)


def _encryption_key(fields: Fields) -> EncryptionKey:
    public = fields.base64("public_key", key_wrapping.PUBLIC_KEY_BYTES)
    try:
        key = key_wrapping.public_key_from_bytes(public)
    except Rejected as error:
        raise fields.refuse("public_key", f"is refused: {error.detail}") from error
    if fields.text("key_id", _HEX_SHA256) != key.key_id.hex():
        raise fields.refuse("key_id", "is not the SHA-256 of the public key")
    not_before, not_after = fields.time("not_before"), fields.time("not_after")
    if not_before >= not_after:
        raise fields.refuse("not_after", "is not after not_before")
    return EncryptionKey(key.key_id, public, not_before, not_after, key)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("a key stands twice")
    return values


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
