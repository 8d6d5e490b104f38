"""The keys that an agent holds: opened once, used and renewed without asking again."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from paiza_officer import new_keys, profiles
from paiza_officer.profiles import Profile
from paiza_wire.identity import keys, load_certificate
from paiza_wire.identity.certificate_profiles import p256_key
from paiza_wire.identity.sealing import Sealer
from paiza_wire.identity.token_uri import TokenUri
from paiza_wire.identity.tokens import Tokens

PAE_PREFIX = b"DSSEv1 "
"""Beginning of all that officers sign (DSSE v1, protocol.md); no certificate, request or handshake begins so."""


class HeldKeys:
    """Both keys of a profile, named by fingerprint (`paiza_wire.identity.keys.fingerprint`)."""

    def __init__(self, folder: Path, passphrase: Callable[[], bytes], tokens: Tokens) -> None:
        """Open the keys; ``passphrase`` is called at most once, as long as they are held."""
        self._folder = folder
        self._passphrase = cache(passphrase)
        self._tokens = tokens
        self.open()

    def open(self) -> None:
        """Open the keys that the profile names now. ProfileProblem as `profiles.open_credentials` and `open_signer`."""
        self._profile = profiles.load(self._folder)
        credentials = profiles.open_credentials(self._profile, self._passphrase)
        signer = profiles.open_signer(self._profile, self._passphrase, self._tokens, datetime.now(UTC))
        self._authentication = {_fingerprint(credentials.certificate_der): credentials.key_pem}
        self._signing = {_fingerprint(signer.certificate): signer.sign}

    def authentication_key(self, name: bytes) -> bytes | None:
        """Return the authentication key (PEM, not sealed); None if it is another one."""
        return self._authentication.get(name)

    def signs_with(self, name: bytes) -> bool:
        """Return whether this is the signing key."""
        return name in self._signing

    def sign(self, name: bytes, data: bytes) -> bytes | None:
        """Return a signature; None for another key, or for what officers do not sign."""
        sign = self._signing.get(name)
        return sign(data) if sign is not None and data.startswith(PAE_PREFIX) else None

    def make(self, label: str) -> bytes:
        """Make the next keys in the profile's folder, under the same passphrase; return `new_keys.to_json` of them."""
        return new_keys.to_json(make_next(self._profile, label, self._passphrase, self._tokens))


def make_next(profile: Profile, label: str, passphrase: Callable[[], bytes], tokens: Tokens) -> new_keys.NewKeys:
    """Make the keys that replace those of a profile; one on a token stays the same."""
    sealer = Sealer(passphrase) if profile.sealed else None
    token = profile.signing_key if isinstance(profile.signing_key, TokenUri) else None
    return new_keys.make(profile.folder, label, profile.id, sealer, tokens, token)


def _fingerprint(certificate: bytes) -> bytes:
    return keys.fingerprint(p256_key(load_certificate(certificate)))
