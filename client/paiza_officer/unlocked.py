"""The officer's keys for a command: those that the agent of the profile holds, else opened here.

With an agent nobody is asked for a passphrase or a PIN. An agent that ends while the command runs is done without: the
passphrase is asked for then.
"""

from collections.abc import Callable
from datetime import datetime
from functools import cache

from paiza_officer.agent import client
from paiza_officer.profiles import (
    Credentials,
    Profile,
    check_certificate,
    open_credentials,
    open_signer,
    read_certificate,
)
from paiza_wire.identity import keys, load_certificate
from paiza_wire.identity.certificate_profiles import p256_key
from paiza_wire.identity.tokens import Tokens
from paiza_wire.message import OfficerSigner


def authentication(profile: Profile, passphrase: Callable[[], bytes]) -> Credentials:
    """Return what TLS needs; ``passphrase`` as `profiles.open_credentials`, and not with an agent."""
    pem, der = read_certificate(profile.authentication_certificate)
    held = client.authentication_key(profile.folder, _fingerprint(der))
    return open_credentials(profile, passphrase) if held is None else Credentials(held, der, pem)


def signer(profile: Profile, passphrase: Callable[[], bytes], tokens: Tokens, now: datetime) -> OfficerSigner:
    """Return what signs as the officer; ``passphrase`` and ``tokens`` as `profiles.open_signer`, unless an agent signs.

    ProfileProblem names the key or the certificate, which has expired, or does not belong to the key.
    """

    @cache
    def opened() -> OfficerSigner:
        return open_signer(profile, passphrase, tokens, now)

    der = signing_certificate(profile, now)
    name = _fingerprint(der)
    if not client.signs_with(profile.folder, name):
        return opened()

    def sign(data: bytes) -> bytes:
        signature = client.sign(profile.folder, name, data)
        return opened().sign(data) if signature is None else signature

    return OfficerSigner(str(profile.id), der, sign)


def signing_certificate(profile: Profile, now: datetime) -> bytes:
    """Return the certificate (DER) of the signing key, which stays closed; ProfileProblem if it has expired."""
    _pem, der = read_certificate(profile.signing_certificate)
    check_certificate(profile.signing_certificate, der, "signing", now)
    return der


def signing_key_is_open(profile: Profile) -> bool:
    """Return whether the agent of the profile signs, so that nobody is asked for anything."""
    _pem, der = read_certificate(profile.signing_certificate)
    return client.signs_with(profile.folder, _fingerprint(der))


def _fingerprint(certificate: bytes) -> bytes:
    return keys.fingerprint(p256_key(load_certificate(certificate)))
