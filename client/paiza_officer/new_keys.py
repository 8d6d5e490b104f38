"""New keys of an officer: made in the profile's folder, certified by the node, and put into use by profile.toml.

Their files have a label in their names. A crash before `install` leaves the profile as it was, and `make` with the same
label goes on with the same keys; `install` replaces profile.toml in one step.
"""

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from paiza_cli.toml_text import parse_toml
from paiza_officer.errors import NotProven, ProfileProblem, disk_problem, located
from paiza_officer.profiles import PROFILE_FILE, Profile, load
from paiza_register.archive import write_durably
from paiza_wire.identity import SpiffeId, certificates, key_files, keys, load_certificate, uri_san
from paiza_wire.identity.certificate_profiles import p256_key
from paiza_wire.identity.private_keys import P256
from paiza_wire.identity.sealing import Sealer
from paiza_wire.identity.token_uri import TokenUri
from paiza_wire.identity.tokens import Tokens


@dataclass(frozen=True, slots=True)
class NewKeys:
    """Two keys that are safe, with requests (PKCS #10, DER) and public keys (SubjectPublicKeyInfo, DER).

    ``signing_key`` is as in profile.toml: the name of a file, or the URI of a key on a token.
    """

    folder: Path
    label: str
    officer: SpiffeId
    authentication_request: bytes
    signing_request: bytes
    authentication_spki: bytes
    signing_spki: bytes
    signing_key: str

    @property
    def authentication_key(self) -> str:
        """The name of the file."""
        return _name("authentication", self.label, "key")


def are_made(folder: Path, label: str) -> bool:
    """Return whether a key of this label was made: then `make` opens it with its passphrase."""
    return (folder / _name("authentication", label, "key")).exists()


def make(
    folder: Path, label: str, officer: SpiffeId, sealer: Sealer | None, tokens: Tokens, token: TokenUri | None
) -> NewKeys:
    """Return the two keys of this label, made here unless they are there; ``token`` names a signing key on a token.

    Without a sealer they are under no passphrase.

    ProfileProblem: a key file or the token's key cannot be used. Unreachable: the token, or the disk.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = folder / _name("authentication", label, "key")
    try:
        with located(str(file), ProfileProblem):
            authentication = key_files.open_or_make(file, P256, keys.generate_p256, sealer)
        signing_file = folder / _name("signing", label, "key")
        token = _remembered(folder / _name("signing", label, "uri"), token)
        with located(str(token or signing_file), ProfileProblem):
            signing = (
                tokens.signer(token)
                if token is not None
                else key_files.open_or_make(signing_file, P256, keys.generate_p256, sealer)
            )
    except OSError as error:
        raise disk_problem(error, str(folder)) from error
    return NewKeys(
        folder,
        label,
        officer,
        certificates.create_csr(officer, authentication),
        certificates.create_csr(officer, signing),
        keys.public_key_to_spki(authentication.public_key()),
        keys.public_key_to_spki(signing.public_key()),
        str(token) if token is not None else signing_file.name,
    )


def to_json(new: NewKeys) -> bytes:
    """Return what another process needs of new keys; their secrets are not in it."""
    values = (new.authentication_request, new.signing_request, new.authentication_spki, new.signing_spki)
    return json.dumps([*(value.hex() for value in values), new.signing_key]).encode()


def from_json(data: bytes, folder: Path, label: str, officer: SpiffeId) -> NewKeys:
    """Read what an agent of the same user wrote with `to_json`."""
    *values, signing_key = json.loads(data)
    first, second, authentication_spki, signing_spki = (bytes.fromhex(value) for value in values)
    return NewKeys(folder, label, officer, first, second, authentication_spki, signing_spki, signing_key)


def install(new: NewKeys, authentication: bytes, signing: bytes, settings: Mapping[str, str]) -> Profile:
    """Put new keys with their certificates (DER) into use; return the profile.

    ``settings`` are further lines of profile.toml; those that are there stay otherwise.

    NotProven: a certificate is of another key or another officer.
    """
    names = {}
    for use, der, spki in (
        ("authentication", authentication, new.authentication_spki),
        ("signing", signing, new.signing_spki),
    ):
        _check(der, spki, new.officer)
        names[use] = _name(use, new.label, "crt")
    lines = {
        **_present(new.folder / PROFILE_FILE),
        **settings,
        "authentication_key": new.authentication_key,
        "authentication_certificate": names["authentication"],
        "signing_key": new.signing_key,
        "signing_certificate": names["signing"],
    }
    # Strings and truth values of JSON are written in TOML as in JSON.
    text = "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in lines.items())
    try:
        write_durably(new.folder / names["authentication"], _pem(authentication))
        write_durably(new.folder / names["signing"], _pem(signing))
        # A crash here leaves certificates that no profile names, which the same command writes again.
        write_durably(new.folder / PROFILE_FILE, text.encode())
    except OSError as error:
        raise disk_problem(error, str(new.folder)) from error
    return load(new.folder)


def _remembered(file: Path, token: TokenUri | None) -> TokenUri | None:
    """Return the key on a token that was named the first time: a repeat must not ask for another one."""
    if token is None:
        return TokenUri.parse(file.read_text("ascii").strip()) if file.exists() else None
    write_durably(file, f"{token}\n".encode("ascii"))
    return token


def _present(file: Path) -> dict[str, object]:
    """Return the settings of a profile; none where there is no profile yet."""
    try:
        return parse_toml(file.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ProfileProblem("bad_configuration", str(file), str(error)) from error


def _check(der: bytes, spki: bytes, officer: SpiffeId) -> None:
    """Check what can be checked before there is a register: the key and the name."""
    with located(str(officer), NotProven):
        certificate = load_certificate(der)
        if keys.public_key_to_spki(p256_key(certificate)) != spki or uri_san(certificate) != officer:
            raise NotProven("bad_certificate", str(officer), "the node's answer is for another key or another officer")


def _pem(der: bytes) -> bytes:
    return ssl.DER_cert_to_PEM_cert(der).encode("ascii")


def _name(use: str, label: str, ending: str) -> str:
    return f"{use}-{label}.{ending}"
