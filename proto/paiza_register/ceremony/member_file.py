"""The text of member.json: what a member announces of its CAs."""

from base64 import b64encode

from paiza_register.ceremony.times import time_text
from paiza_wire.identity import CertificateAuthority


def ca_entry(ca: CertificateAuthority) -> dict[str, str]:
    """Return a CA as an entry of ``node_cas`` or ``officer_cas``; its times are to the second."""
    return {
        "certificate": b64encode(ca.certificate).decode(),
        "from": time_text(ca.begins),
        "until": time_text(ca.ends),
    }
