"""Profiles: who the officer is, at which node, with which keys. One folder each under PAIZA_HOME.

profile.toml names the officer (`id`), the `member`, the `federation`, the `node` ("host:port", or a list of them where
the member has several processes, one of which serves), and files, relative to the folder: `authentication_key` and
`authentication_certificate` for TLS alone, `signing_key` and `signing_certificate`
for signatures alone, and `root` (the bootstrap root of the register). The signing key may be on a token: its PKCS #11
URI stands in place of a file. `lang` may be "ru" or "en". `sealed = false` accepts keys that are under no passphrase,
for exercises.
The folder also holds what the client writes: the outbox, and the cache of the verified register.
"""

import contextlib
import json
import os
import re
import secrets
import ssl
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from difflib import get_close_matches
from functools import partial
from gettext import gettext as _  # these texts are in the catalogue of paiza_cli
from pathlib import Path
from typing import BinaryIO, Final

from paiza_cli.toml_text import parse_toml
from paiza_officer.errors import FieldProblem, Misused, ProfileProblem, located
from paiza_wire.identity import CertificateUse, SpiffeId, key_files, keys, load_certificate
from paiza_wire.identity.certificate_profiles import is_for_use, p256_key
from paiza_wire.identity.key_files import open_key
from paiza_wire.identity.private_keys import P256
from paiza_wire.identity.sealing import Sealer
from paiza_wire.identity.token_uri import TokenUri
from paiza_wire.identity.tokens import Tokens
from paiza_wire.message import OfficerSigner

PROFILE_FILE: Final = "profile.toml"
ROLES_FILE: Final = "roles.json"
NODE_FILE: Final = "node"  # the address that answered last, of several
MAX_PROFILE_BYTES: Final = 64 * 1024  # a profile is ten lines
MAX_CREDENTIAL_BYTES: Final = 1024 * 1024  # a key or certificate is a few kilobytes, a root a few hundred

_REQUIRED: Final = (
    "id",
    "member",
    "federation",
    "node",
    "authentication_key",
    "authentication_certificate",
    "signing_key",
    "signing_certificate",
    "root",
)
_OPTIONAL: Final = ("lang", "sealed")
_URI_SCHEME: Final = "pkcs11:"  # of a key on a token
_ADDRESS: Final = re.compile(r"(?P<host>[A-Za-z0-9.:\[\]-]+):(?P<port>[0-9]{1,5})\Z")


@dataclass(frozen=True, slots=True)
class Profile:
    """One officer at one node, as profile.toml describes it. Holds no secret."""

    name: str
    folder: Path
    id: SpiffeId
    node: str  # the address that is dialled
    authentication_key: Path
    authentication_certificate: Path
    signing_key: Path | TokenUri
    signing_certificate: Path
    root: Path
    lang: str | None = None
    sealed: bool = True
    nodes: tuple[str, ...] = ()  # all addresses of the member's node

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses to dial one after the other: first the one that answered last, in any process."""
        listed = self.nodes or (self.node,)
        try:
            last = (self.folder / NODE_FILE).read_text()
        except (OSError, UnicodeDecodeError):
            return listed
        return tuple(sorted(listed, key=lambda address: address != last))

    def at(self, address: str) -> "Profile":
        """Return the profile with another address of its node."""
        return replace(self, node=address)

    @property
    def member(self) -> str:
        """Member id of the officer."""
        return self.id.member

    @property
    def outbox(self) -> Path:
        """The folder of waiting sealed messages."""
        return self.folder / "outbox"

    @property
    def register_cache(self) -> Path:
        """The folder of the verified register."""
        return self.folder / "register"


@dataclass(frozen=True, slots=True)
class Credentials:
    """An officer's opened authentication key with its certificate: TLS alone.

    ``key_pem`` is not encrypted and never written.
    """

    key_pem: bytes
    certificate_der: bytes
    certificate_pem: bytes


def home(environ: Mapping[str, str] | None = None) -> Path:
    """Return the folder of all profiles: PAIZA_HOME, else the platform's place for configuration.

    ``environ`` are environment variables by name, those of this process by default.
    """
    environ = os.environ if environ is None else environ
    if named := environ.get("PAIZA_HOME"):
        return Path(named)
    if sys.platform == "darwin":
        return Path.home() / "Library/Application Support/paiza"
    return Path(environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "paiza"


def names(folder: Path) -> list[str]:
    """Name the profiles of a home folder, in order."""
    if not folder.is_dir():
        return []
    return sorted(entry.parent.name for entry in folder.glob(f"*/{PROFILE_FILE}"))


def find(name: str | None, environ: Mapping[str, str] | None = None) -> Profile:
    """Load the profile named here or by PAIZA_PROFILE; where there is only one, that one.

    ``environ`` as `home`. ProfileProblem("unknown_profile") where there is none of that name, Misused
    ("profile_ambiguous") where there are several and none is named; otherwise as `load`.
    """
    environ = os.environ if environ is None else environ
    folder = home(environ)
    known = names(folder)
    wanted = name or environ.get("PAIZA_PROFILE")
    if not wanted:
        if not known:
            raise ProfileProblem("unknown_profile", str(folder), "there is no profile in this folder")
        if len(known) > 1:
            raise Misused("profile_ambiguous", str(folder), ", ".join(known))
        wanted = known[0]
    if wanted not in known:
        near = get_close_matches(wanted, known, n=3)
        raise ProfileProblem(
            "unknown_profile",
            str(folder / Path(wanted).name),
            f"{'nearest' if near else 'known'}: {', '.join(near or known)}",
        )
    return load(folder / wanted)


def load(folder: Path) -> Profile:
    """Read one profile folder. ProfileProblem names the file and the setting that is wrong."""
    source = folder / PROFILE_FILE
    try:
        settings = parse_toml(_read(source, MAX_PROFILE_BYTES))
    except ValueError as error:
        raise ProfileProblem("bad_configuration", str(source), str(error)) from error
    problems = [
        FieldProblem(f"{source}: {key}", _("There is no such setting."), "unknown_setting")
        for key in settings
        if key not in (*_REQUIRED, *_OPTIONAL)
    ]
    problems += [
        FieldProblem(f"{source}: {key}", _("The setting is missing, or not a text."), "missing_setting")
        for key in _REQUIRED
        if key != "node" and not isinstance(settings.get(key), str)
    ]
    nodes = _nodes(settings.get("node"))
    if not nodes:
        problems.append(FieldProblem(f"{source}: node", _("The setting is missing, or not a text."), "missing_setting"))
    if problems:
        raise ProfileProblem("bad_configuration", problems[0].where, problems[0].code, problems)
    with located(f"{source}: id", ProfileProblem):
        officer = SpiffeId.parse(settings["id"])
    if (officer.role, officer.member, officer.federation) != ("officer", settings["member"], settings["federation"]):
        raise ProfileProblem("bad_configuration", f"{source}: id", "not an officer of this member and federation")
    if not all(_ADDRESS.match(each) for each in nodes):
        raise ProfileProblem("bad_configuration", f"{source}: node", "not HOST:PORT")
    signing_key: Path | TokenUri = folder / settings["signing_key"]
    if settings["signing_key"].startswith(_URI_SCHEME):
        with located(f"{source}: signing_key", ProfileProblem):
            signing_key = TokenUri.parse(settings["signing_key"])
    return Profile(
        name=folder.name,
        folder=folder,
        id=officer,
        node=nodes[0],
        authentication_key=folder / settings["authentication_key"],
        authentication_certificate=folder / settings["authentication_certificate"],
        signing_key=signing_key,
        signing_certificate=folder / settings["signing_certificate"],
        root=folder / settings["root"],
        lang=settings.get("lang") if settings.get("lang") in {"ru", "en"} else None,
        sealed=settings.get("sealed", True) is not False,
        nodes=nodes,
    )


def _nodes(setting: object) -> tuple[str, ...]:
    """Return the addresses that a profile names; none if it names something else."""
    listed = setting if isinstance(setting, list) else [setting]
    return tuple(each for each in listed if isinstance(each, str)) if all(isinstance(e, str) for e in listed) else ()


def open_credentials(profile: Profile, passphrase: Callable[[], bytes]) -> Credentials:
    """Read what TLS needs; ``passphrase`` is called at most once, and only where the key is encrypted."""
    certificate_pem, certificate_der = read_certificate(profile.authentication_certificate)
    with located(str(profile.authentication_key), ProfileProblem):
        key = open_key(profile.authentication_key, P256, Sealer(passphrase), sealed=profile.sealed)
    return Credentials(keys.private_key_to_pem(key), certificate_der, certificate_pem)


def open_signer(profile: Profile, passphrase: Callable[[], bytes], tokens: Tokens, now: datetime) -> OfficerSigner:
    """Return what signs as the officer, until ``tokens`` is closed if a token holds the key.

    ``passphrase`` is called at most once, and only where a file holds the key encrypted.

    ProfileProblem names the key or the certificate, which has expired, or does not belong to the key.
    """
    _certificate_pem, certificate = read_certificate(profile.signing_certificate)
    check_certificate(profile.signing_certificate, certificate, "signing", now)
    with located(str(profile.signing_key), ProfileProblem):
        key = (
            tokens.signer(profile.signing_key)
            if isinstance(profile.signing_key, TokenUri)
            else open_key(profile.signing_key, P256, Sealer(passphrase), sealed=profile.sealed)
        )
    with located(str(profile.signing_certificate), ProfileProblem):
        if p256_key(load_certificate(certificate)) != key.public_key():
            raise ProfileProblem("bad_key", str(profile.signing_certificate), "the certificate is of another key")
    return OfficerSigner(str(profile.id), certificate, partial(keys.sign, key))


def check_certificate(file: Path, certificate: bytes, use: CertificateUse, now: datetime) -> None:
    """Refuse a certificate (DER) that has expired or is for another use.

    A node would only close the connection, without a reason.
    """
    with located(str(file), ProfileProblem):
        parsed = load_certificate(certificate)
        if not is_for_use(parsed, "officer", use):
            raise ProfileProblem("wrong_certificate", str(file), f"no certificate for {use}")
        if not parsed.not_valid_before_utc <= now <= parsed.not_valid_after_utc:
            until = parsed.not_valid_after_utc.isoformat(timespec="minutes")
            raise ProfileProblem("certificate_expired", str(file), f"valid until {until}")


def remember_roles(profile: Profile, roles: Sequence[str]) -> None:
    """Keep the roles the node last named, so that a message can be made while the node is away."""
    with contextlib.suppress(OSError):
        # A convenience: where it cannot be written, the node is simply needed to send.
        write_private(profile.folder / ROLES_FILE, json.dumps({"roles": list(roles)}).encode())


def remember_node(profile: Profile) -> None:
    """Keep the address that answered, of several: the next connection begins with it."""
    if len(profile.nodes) > 1 and profile.addresses[0] != profile.node:
        with contextlib.suppress(OSError):
            write_private(profile.folder / NODE_FILE, profile.node.encode())


def remembered_roles(profile: Profile) -> tuple[str, ...]:
    """Return the roles the node last named; empty where it never did. The node decides in any case."""
    try:
        roles = json.loads((profile.folder / ROLES_FILE).read_bytes())["roles"]
    except (OSError, ValueError, KeyError, TypeError):
        return ()
    return tuple(role for role in roles if isinstance(role, str))


def write_private(path: Path, data: bytes) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    unfinished = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    with new_private(unfinished) as file:
        file.write(data)
    unfinished.replace(path)


def new_private(path: Path) -> BinaryIO:
    """Open a new file that only its owner can read; FileExistsError where there is one, or a link."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def passphrase_from_file(path: Path) -> bytes:
    """Read a passphrase file: its first line, without the line end. It must be as private as a key."""
    with located(str(path), ProfileProblem):
        return key_files.passphrase_from_file(path)


def read_certificate(path: Path) -> tuple[bytes, bytes]:
    """Return a certificate of the profile, in PEM and in DER; ProfileProblem names the file."""
    pem = _read(path, MAX_CREDENTIAL_BYTES)
    try:
        return pem, ssl.PEM_cert_to_DER_cert(pem.decode("ascii"))
    except ValueError as error:
        raise ProfileProblem("bad_key", str(path), "not a certificate in PEM") from error


def _read(path: Path, limit: int) -> bytes:
    """Read a small file of the profile; ProfileProblem where it is missing, unreadable or too large."""
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise ProfileProblem("file_unreadable", str(path), error.strerror or "") from error
    if len(data) > limit:
        raise ProfileProblem("too_large", str(path), f"over {limit} bytes")
    return data
