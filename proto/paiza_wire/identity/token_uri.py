"""Names of keys on tokens: PKCS #11 URIs (RFC 7512), of which one module, one token and one private key are read."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from typing_extensions import override

from paiza_wire.errors import Rejected

SCHEME: Final = "pkcs11:"
MAX_URI_CHARACTERS: Final = 2048
"""Labels have 32 bytes at most (PKCS #11), an id and two paths some hundreds."""

_PATH: Final = frozenset({"token", "serial", "manufacturer", "model", "object", "id", "type"})
_QUERY: Final = frozenset({"module-path", "pin-source"})
_ATTRIBUTE: Final = re.compile(r"([a-z-]+)=([A-Za-z0-9._~\-:\[\]@!$'()*+,=&/?%]*)")
_ESCAPES: Final = re.compile(r"(?:[^%]|%[0-9A-Fa-f]{2})*")


@dataclass(frozen=True, slots=True)
class TokenUri:
    """One private key on one token. What is empty or None is not asked for; ``pin_source`` None asks for the PIN."""

    module: Path
    token: str = ""
    serial: str = ""
    manufacturer: str = ""
    model: str = ""
    label: str = ""
    key_id: bytes = b""
    pin_source: Path | None = None

    @classmethod
    def parse(cls, uri: str) -> "TokenUri":
        """Read a URI; ``Rejected("bad_token_uri")`` names the part that is wrong.

        ``module-path`` is required, so is ``token`` or ``serial``, and ``object`` or ``id``. A PIN in the URI
        (``pin-value``) would be seen by everybody who sees the URI, and is refused.
        """
        if not uri.startswith(SCHEME) or len(uri) > MAX_URI_CHARACTERS:
            raise _bad("it does not begin with pkcs11:, or is too long")
        path, _, query = uri.removeprefix(SCHEME).partition("?")
        parts = _attributes(path, ";", _PATH)
        asked = _attributes(query, "&", _QUERY)
        if parts.get("type", b"private") != b"private":
            raise _bad("type is not private")
        if not (parts.get("token") or parts.get("serial")):
            raise _bad("neither token nor serial is named")
        if not (parts.get("object") or parts.get("id")):
            raise _bad("neither object nor id is named")
        return cls(
            module=_file(asked, "module-path"),
            token=_text(parts, "token"),
            serial=_text(parts, "serial"),
            manufacturer=_text(parts, "manufacturer"),
            model=_text(parts, "model"),
            label=_text(parts, "object"),
            key_id=parts.get("id", b""),
            pin_source=_file(asked, "pin-source") if "pin-source" in asked else None,
        )

    @override
    def __str__(self) -> str:
        """Return the URI."""
        named = {
            "token": self.token.encode(),
            "serial": self.serial.encode(),
            "manufacturer": self.manufacturer.encode(),
            "model": self.model.encode(),
            "object": self.label.encode(),
            "id": self.key_id,
        }
        path = ";".join(f"{name}={quote(value, safe='')}" for name, value in named.items() if value)
        pin = "" if self.pin_source is None else f"&pin-source=file:{quote(bytes(self.pin_source))}"
        return f"{SCHEME}{path}?module-path={quote(bytes(self.module))}{pin}"


def _attributes(text: str, separator: str, known: frozenset[str]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for part in text.split(separator) if text else ():
        match = _ATTRIBUTE.fullmatch(part)
        if match is None or not _ESCAPES.fullmatch(match[2]):
            raise _bad(f"{part.partition('=')[0]!r} is not written as name=value")
        name, value = match[1], match[2]
        if name == "pin-value":
            raise _bad("a PIN must not stand in the URI: name a file with pin-source")
        if name not in known:
            raise _bad(f"there is no {name} in our use of these names")
        if name in found:
            raise _bad(f"{name} is named twice")
        found[name] = unquote_to_bytes(value)
    return found


def _text(parts: dict[str, bytes], name: str) -> str:
    try:
        return parts.get(name, b"").decode()
    except UnicodeDecodeError:
        raise _bad(f"{name} is not UTF-8") from None


def _file(asked: dict[str, bytes], name: str) -> Path:
    path = Path(_text(asked, name).removeprefix("file:"))
    if not path.is_absolute() or "\0" in str(path):
        raise _bad(f"{name} is missing, or no absolute path")
    return path


def _bad(detail: str) -> Rejected:
    return Rejected("bad_token_uri", detail)
