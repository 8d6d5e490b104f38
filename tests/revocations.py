"""Entries of revoked.json."""

from hashlib import sha256

from paiza_wire.identity import load_certificate
from paiza_wire.identity.certificate_profiles import p256_key
from paiza_wire.identity.keys import fingerprint


def revocation(certificate: bytes) -> dict[str, str]:
    """Return the entry that revokes a certificate (DER) and its key."""
    key = fingerprint(p256_key(load_certificate(certificate)))
    return {"certificate_sha256": sha256(certificate).hexdigest(), "key_sha256": key.hex()}
