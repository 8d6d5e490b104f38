"""The files of an officer's profile: keys and signing requests, and what profile.toml says of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, get_args

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from paiza_wire.identity import CertificateUse, SpiffeId, certificates, keys

USES: Final[tuple[CertificateUse, ...]] = get_args(CertificateUse)

FILES: Final[Mapping[str, str]] = {
    f"{use}_{kind}": f"{use}.{end}" for use in USES for kind, end in (("key", "key"), ("certificate", "crt"))
}
"""The settings of a profile that name its keys and certificates."""


def make_requests(folder: Path, officer: SpiffeId) -> list[Path]:
    """Write a key, and a signing request for it, for each use; return the requests as `ca certify` wants them."""
    requests = []
    for use in USES:
        key, request = keys.generate_p256(), folder / f"{use}.csr"
        (folder / f"{use}.key").write_bytes(keys.private_key_to_pem(key))
        (folder / f"{use}.key").chmod(0o600)
        csr = x509.load_der_x509_csr(certificates.create_csr(officer, key))
        request.write_bytes(csr.public_bytes(Encoding.PEM))
        requests.append(request)
    return requests
