"""Two Ed25519 keys that have one key id under the name of the first log of kaz: found by trying 60,591 seeds."""

from hashlib import sha256
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

TWINS: Final = tuple(Ed25519PrivateKey.from_private_bytes(sha256(seed).digest()) for seed in (b"60067", b"60590"))
"""The key id under kaz.paiza.example/log/1 is acffa882."""
