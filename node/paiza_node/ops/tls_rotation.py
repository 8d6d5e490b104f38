"""The replacement of the node's TLS key, in steps each of which may be the last before a crash.

1. `tls-next.key` is made, and a signing request for it. It is in use for nothing.
2. Its certificate takes the place of `tls.crt`, whose former content is added to `tls-old.crt` before. From here on the
   node opens the key that the certificate names, at a start as at a reload.
3. The signing request takes the place of `node.csr`, and `tls-next.key` that of `tls.key`.

The same call goes on after a crash. A new certificate of the present key is put in place in the same way.

Every former certificate that has not expired stays in `tls-old.crt`: others accept it until it is revoked, and any of
them may be the stolen one.
"""

import re
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from paiza_node.core.errors import N_, NodeStopped
from paiza_node.ops.config import Config
from paiza_node.ops.given_files import MAX_CERTIFICATE_FILE, read_given
from paiza_node.ops.keys import (
    NEXT_TLS_KEY,
    TLS_CERTIFICATE,
    TLS_KEY,
    certified_key,
    make_key,
    node_certificate_file,
    open_key,
)
from paiza_register import Register
from paiza_register.archive import write_durably
from paiza_wire.errors import Rejected
from paiza_wire.identity import SpiffeId, certificates, keys, load_certificate
from paiza_wire.identity.certificate_profiles import p256_key
from paiza_wire.identity.private_keys import P256

OLD_CERTIFICATE: Final = "tls-old.crt"
"""Every former certificate that has not expired, oldest first; `paiza-node rotate tls --stolen` revokes them all."""

_PEM: Final = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n?", re.DOTALL)

REQUEST: Final = "tls-next.csr"
PRESENT_REQUEST: Final = "node.csr"
"""The signing request for the present key, with which an application has it certified."""


@dataclass(frozen=True, slots=True)
class Request:
    """A signing request (PEM file) for the next key, and SHA-256 of that key."""

    file: Path
    key_sha256: bytes


@dataclass(frozen=True, slots=True)
class Installed:
    """The certificate (DER) that is in place now, and until when it is valid."""

    certificate: bytes
    expiry_time: datetime


def request(config: Config) -> Request:
    """Make the next key, or open the one that waits for its certificate; write a signing request for it: step 1."""
    settle(config)
    if not (config.keys / NEXT_TLS_KEY).exists():
        make_key(config, NEXT_TLS_KEY, P256, keys.generate_p256())
    key = open_key(config, NEXT_TLS_KEY, P256)
    csr = certificates.create_csr(SpiffeId(config.member, config.federation, "node"), key)
    file = config.path.parent / REQUEST
    write_durably(file, certificates.csr_to_pem(csr))
    return Request(file, keys.fingerprint(key.public_key()))


def install(config: Config, file: Path, register: Register, now: datetime) -> Installed:
    """Put a certificate in place that the member's node CA issued for the next key, or the present one: step 2.

    NodeStopped, and nothing is changed, if it is of another key, or other members would refuse it.
    """
    try:
        pem = read_given(file, MAX_CERTIFICATE_FILE)
    except OSError as error:
        raise _refused(
            "file_unreadable", N_("The file cannot be read: {error}."), file, error=error.strerror
        ) from error
    if certified_key(pem, file) not in _own(config):
        raise _refused("bad_certificate", N_("The certificate is of none of the node's own keys."), file)
    der = ssl.PEM_cert_to_DER_cert(pem.decode("ascii"))
    try:
        register.certificate_verifier().node(der, expected_member=config.member, at=now)
    except Rejected as error:
        what = N_("Other members would refuse the certificate: {error}.")
        raise _refused(error.reason, what, file, error=error.detail) from error
    present = node_certificate_file(config)
    if present != pem:
        former = [*_kept(config, now), ssl.PEM_cert_to_DER_cert(present.decode("ascii"))]
        # A crash after this leaves the present certificate twice.
        write_durably(config.keys / OLD_CERTIFICATE, "".join(map(ssl.DER_cert_to_PEM_cert, former)).encode())
        write_durably(config.keys / TLS_CERTIFICATE, pem)
    return Installed(der, load_certificate(der).not_valid_after_utc)


def settle(config: Config) -> None:
    """Let the next key take the place of the present one if the certificate in place names it: step 3."""
    path = config.keys / NEXT_TLS_KEY
    if not path.exists():
        return
    certified = certified_key(node_certificate_file(config), config.keys / TLS_CERTIFICATE)
    if keys.fingerprint(open_key(config, NEXT_TLS_KEY, P256).public_key()) == certified:
        request = config.path.parent / REQUEST
        if request.exists():  # of a crash before the next line only the key is left to be moved
            request.replace(config.path.parent / PRESENT_REQUEST)
        path.replace(config.keys / TLS_KEY)


def former_certificates(config: Config, now: datetime) -> list[bytes]:
    """Return the former certificates (DER) that have not expired, oldest first.

    Without those of the present key: a revocation would end that too. NodeStopped if the file cannot be read.
    """
    return of_other_keys(config, _kept(config, now), now)


def of_other_keys(config: Config, issued: Iterable[bytes], now: datetime) -> list[bytes]:
    """Return those certificates (DER) that have not expired and are not of the present key."""
    present = certified_key(node_certificate_file(config), config.keys / TLS_CERTIFICATE)
    found = [(each, load_certificate(each)) for each in issued]
    return [
        der
        for der, certificate in found
        if certificate.not_valid_after_utc > now and keys.fingerprint(p256_key(certificate)) != present
    ]


def _kept(config: Config, now: datetime) -> list[bytes]:
    """Return what `tls-old.crt` holds and has not expired; not the present certificate, there after a crash."""
    path = config.keys / OLD_CERTIFICATE
    try:
        found = [ssl.PEM_cert_to_DER_cert(each) for each in _PEM.findall(path.read_text("ascii"))]
        present = ssl.PEM_cert_to_DER_cert(node_certificate_file(config).decode("ascii"))
        return [each for each in found if each != present and load_certificate(each).not_valid_after_utc > now]
    except FileNotFoundError:
        return []
    except (Rejected, ValueError) as error:
        remedy = N_("Revoke the former certificates from another copy of it (`paiza-node register revoke`); remove it.")
        raise NodeStopped(
            "bad_certificate", what=N_("The file holds no certificates."), where="{path}", remedy=remedy, path=path
        ) from error


def _own(config: Config) -> set[bytes]:
    """Return SHA-256 of the present key and of the next one."""
    names = [name for name in (TLS_KEY, NEXT_TLS_KEY) if (config.keys / name).exists()]
    return {keys.fingerprint(open_key(config, name, P256).public_key()) for name in names}


def _refused(reason: str, what: str, file: Path, **values: object) -> NodeStopped:
    remedy = N_("Have {request} certified by a CA that the register names for this member.")
    return NodeStopped(reason, what=what, where="{path}", remedy=remedy, path=file, request=REQUEST, **values)
