"""The issuer's one configuration file, issuer.toml, checked whole before anything is opened."""

import re
from base64 import b64decode
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

from paiza_node.core.errors import N_
from paiza_node.ops.config import SettingsReader, read_toml
from paiza_wire.errors import Rejected
from paiza_wire.identity import FEDERATION_NAME, MEMBER_ID, keys
from paiza_wire.identity.keys import PublicKey
from paiza_wire.identity.token_uri import SCHEME, TokenUri

_SHA256: Final = re.compile(r"[0-9a-f]{64}")

MAX_ADMINISTRATORS: Final = 16


@dataclass(frozen=True, slots=True)
class IssuerSettings:
    """The content of issuer.toml, with defaults filled in and paths made absolute.

    A CA's key is a file or a token's. ``root_sha256`` is of the first root, 32 bytes. ``administrators`` are public
    keys; without any no administrator's signature is demanded.
    """

    path: Path
    member: str
    federation: str
    root: Path
    root_sha256: bytes
    officer_ca: Path | TokenUri
    node_ca: Path | TokenUri
    register: Path
    journal: Path
    socket: Path
    socket_group: str
    sealed: bool
    passphrase_file: Path | None
    administrators: tuple[PublicKey, ...]
    log_level: str


def load_settings(path: Path) -> IssuerSettings:
    """Read and check the file; NodeStopped("bad_configuration") names the line and the remedy."""
    return _IssuerReader(path.resolve(), *read_toml(path), {}).settings()


class _IssuerReader(SettingsReader):
    required: ClassVar[Collection[str]] = ("member", "federation", "root_sha256")
    defaults: ClassVar[Mapping[str, Any]] = {
        "root": "root.json",
        "officer_ca": "officer-ca.key",
        "node_ca": "node-ca.key",
        "register": "register",
        "journal": "journal.jsonl",
        "socket": "issuer.sock",
        "socket_group": "",
        "sealed": True,
        "passphrase_file": "",
        "administrators": (),
        "log_level": "info",
    }

    def settings(self) -> IssuerSettings:
        self._check_names()
        remedy = N_("Copy the line that `paiza-node issuer init` wrote.")
        return IssuerSettings(
            path=self._path,
            member=self._matching("member", MEMBER_ID, N_("Write a member id such as kaz.")),
            federation=self._matching("federation", FEDERATION_NAME, N_("Write a name such as paiza.example.")),
            root=self._file("root"),
            root_sha256=bytes.fromhex(self._matching("root_sha256", _SHA256, remedy)),
            officer_ca=self._key("officer_ca"),
            node_ca=self._key("node_ca"),
            register=self._file("register"),
            journal=self._file("journal"),
            socket=self._socket("socket"),
            socket_group=self._text("socket_group"),
            sealed=self._switch("sealed"),
            passphrase_file=self._unresolved("passphrase_file") if self._text("passphrase_file") else None,
            administrators=self._public_keys("administrators"),
            log_level=self._one_of("log_level", ("debug", "info", "warning", "error")),
        )

    def _key(self, name: str) -> Path | TokenUri:
        text = self._text(name)
        if not text.startswith(SCHEME):
            return self._unresolved(name)
        try:
            return TokenUri.parse(text)
        except Rejected as error:
            raise self._bad(
                name,
                N_("{value!r} is not well formed."),
                N_("Write pkcs11:token=…;object=…?module-path=… as in RFC 7512."),
                value=text,
            ) from error

    def _public_keys(self, name: str) -> tuple[PublicKey, ...]:
        value = self._value(name)
        if not isinstance(value, list | tuple) or len(value) > MAX_ADMINISTRATORS:
            raise self._bad(
                name,
                N_("It is not a list of at most {most} public keys."),
                N_("Write the keys in quotation marks, in [ ], with commas between them."),
                most=MAX_ADMINISTRATORS,
            )
        try:
            return tuple(keys.public_key_from_spki(b64decode(each, validate=True)) for each in value)
        except (Rejected, ValueError, TypeError) as error:
            raise self._bad(
                name,
                N_("It holds something else than a public key."),
                N_("Copy the line that `paiza-node issuer administrator` prints."),
            ) from error
