"""Makes the folder of a new node: configuration, keys, signing request, and the node's own part of member.json.

It is here because two programs make such folders, `paiza-node init` and `paiza-trust dev`, and because member.json is a
file of the register. Nothing in the folder depends on a register: `paiza-trust apply` makes the member's application of
it, and `paiza-node join` adds the root and the register that name the member.
"""

import json
import os
import secrets
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from paiza_register.documents import FORMAT
from paiza_register.node_toml import node_toml
from paiza_register.pair_key import key_files as pair_files
from paiza_wire.identity import SpiffeId, certificates, keys
from paiza_wire.identity.key_files import write_key
from paiza_wire.identity.private_keys import ED25519, INDEX, MLDSA44, P256, SEED_BYTES, X_WING
from paiza_wire.identity.sealing import Sealer
from paiza_wire.message import key_wrapping
from paiza_wire.tlog.cosignatures import WitnessSigner
from paiza_wire.tlog.notes import SignerKey

KEY_LIFE: Final = timedelta(days=365)
"""Life of an encryption key; a new one overlaps it."""

BACKDATED: Final = timedelta(hours=1)
"""Validity begins this long before the folder is made, for machines whose clocks are behind."""


def log_key_file(folder: Path, origin: str) -> Path:
    """Return the file of a log's first key: `log.key`, or for a later log of the member `log-<n>.key` if it exists."""
    own = folder / f"log-{number_of(origin)}.key"
    return own if own.exists() else folder / "log.key"


def log_key_files(folder: Path, origin: str) -> list[Path]:
    """Return the key files of a log: its first key's, if it is there, and `log-<n>-<key id>.key` of those after it."""
    first, later = log_key_file(folder, origin), sorted(folder.glob(f"log-{number_of(origin)}-*.key"))
    return [first, *later] if first.exists() else later


def witness_key_file(folder: Path, name: str) -> Path:
    """Return the file of a witness key: `witness-<n>.key` if it exists, else that of the first one, `witness.key`."""
    own = folder / f"witness-{number_of(name)}.key"
    return own if own.exists() else folder / "witness.key"


def number_of(name: str) -> int:
    """Return the number of a log or a witness, at the end of its name."""
    return int(name.rpartition("/")[2])


@dataclass(frozen=True)
class NewNode:
    """A node to be made: ``listen`` is where it serves, ``endpoints`` where others reach it, each "host:port".

    ``passphrase_file`` is named in node.toml; None if the passphrase comes from elsewhere.
    """

    member: str
    federation: str
    listen: str
    endpoints: Sequence[str]
    admin_socket: str
    passphrase_file: Path | None = None


def make_node_folder(folder: Path, node: NewNode, sealer: Sealer | None, now: datetime) -> dict[str, Any]:
    """Fill an empty folder; return the part of member.json that only this node can fill. No sealer: unsealed keys."""
    own = folder / "keys"
    own.mkdir(mode=0o700)
    tls_key = keys.generate_p256()
    write_key(own / "tls.key", P256, tls_key, sealer)
    _write(folder / "node.csr", _pem(certificates.create_csr(SpiffeId(node.member, node.federation, "node"), tls_key)))
    log_key = keys.generate_ed25519()
    write_key(own / "log.key", ED25519, log_key, sealer)
    witness_key = keys.generate_mldsa44()
    write_key(own / "witness.key", MLDSA44, witness_key, sealer)
    witness = WitnessSigner.from_private_key(f"{node.member}.{node.federation}/witness/1", witness_key).witness_key
    seed = key_wrapping.generate_seed()
    write_key(own / "encryption.seed", X_WING, seed, sealer)
    write_key(own / "publisher.key", MLDSA44, keys.generate_mldsa44(), sealer)
    first, second = pair_files(own / "revocations")
    write_key(first, P256, keys.generate_p256(), sealer)
    write_key(second, MLDSA44, keys.generate_mldsa44(), sealer)
    # Here and not at the first start: a service that is shut in cannot write into its key folder.
    write_key(own / "index.key", INDEX, secrets.token_bytes(SEED_BYTES), sealer)
    origin = f"{node.member}.{node.federation}/log/1"
    public = key_wrapping.private_key_from_seed(seed).public_key
    begin = now.astimezone(UTC) - BACKDATED
    published = {
        "format": FORMAT,
        "id": node.member,
        "endpoints": [{"address": each} for each in node.endpoints],
        "log_keys": [{"origin": origin, "vkey": SignerKey.from_ed25519(origin, log_key).verifier_key.to_vkey()}],
        "witness_keys": [{"name": witness.name, "vkey": witness.to_vkey()}],
        "encryption_keys": [
            {
                "key_id": public.key_id.hex(),
                "public_key": b64encode(public.public_key_bytes).decode(),
                "not_before": _time(begin),
                "not_after": _time(begin + KEY_LIFE),
            }
        ],
    }
    settings = node_toml(
        node.member,
        node.federation,
        node.listen,
        node.admin_socket,
        node.passphrase_file,
        sealed=sealer is not None,
    )
    _write(folder / "node.toml", settings.encode())
    _write(folder / "member.json", json.dumps(published, indent=1, ensure_ascii=False).encode() + b"\n")
    return published


def _pem(csr: bytes) -> bytes:
    body = b64encode(csr).decode()
    lines = "\n".join(body[at : at + 64] for at in range(0, len(body), 64))
    return f"-----BEGIN CERTIFICATE REQUEST-----\n{lines}\n-----END CERTIFICATE REQUEST-----\n".encode()


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _write(path: Path, data: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
