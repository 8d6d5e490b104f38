"""The node's own keys, in its key folder: sealed, and readable by its own user alone."""

import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from ssl import PEM_cert_to_DER_cert
from typing import Final

from securesystemslib.signer import CryptoSigner

from paiza_node.core.errors import N_, NodeStopped
from paiza_node.core.peers.tls_identity import TlsKeys
from paiza_node.ops.config import Config
from paiza_node.ops.passphrase import node_sealer
from paiza_register import Member
from paiza_register.node_folder import log_key_file, log_key_files, number_of, witness_key_file
from paiza_register.pair_key import PairSigner
from paiza_register.pair_key import key_files as pair_files
from paiza_wire.errors import Rejected
from paiza_wire.identity import key_files, keys, load_certificate, private_keys, sealing
from paiza_wire.identity.certificate_profiles import p256_key
from paiza_wire.identity.pair import PairPrivateKey
from paiza_wire.identity.private_keys import ED25519, INDEX, MLDSA44, P256, X_WING, Key, KeyKind
from paiza_wire.identity.sealing import Sealer
from paiza_wire.message import key_wrapping
from paiza_wire.tlog.cosignatures import WitnessSigner
from paiza_wire.tlog.notes import SignerKey

TLS_CERTIFICATE: Final = "tls.crt"
TLS_KEY: Final = "tls.key"
NEXT_TLS_KEY: Final = "tls-next.key"
"""The key whose certificate is awaited; in use as soon as `TLS_CERTIFICATE` certifies it."""

_LOST: Final = N_("Restore the key. If it is lost, make a new one and ask the register's holders to publish it.")
_WRONG_CERTIFICATE: Final = N_("Put the certificate of the node's own key there: `paiza-node rotate tls`.")
_INDEX_LOST: Final = N_("Delete the file: a new key is made at the next start, and the index anew.")
_REFUSALS: Final = {
    "bad_passphrase": (
        N_("The passphrase does not open this key."),
        N_("Look at passphrase_file or the credential of the service; one passphrase opens all keys of a node."),
    ),
    "key_exposed": (
        N_("Others than the node's own user may read or replace this key: {error}."),
        N_("Run as the owner; chmod 600 {path}; if others could read it for long, make a new key."),
    ),
    "key_unsealed": (
        N_("This key is not under a passphrase: a copy of the file is the key."),
        N_("Make it anew with `paiza-node init`; only where nothing is secret, write sealed = false in node.toml."),
    ),
}


@dataclass(frozen=True, slots=True)
class Keys:
    """The node's own keys, as read from its key folder. ``publisher`` is None if it has no publisher.key.

    ``log`` are those of the log in use, the newest one last.
    """

    tls: TlsKeys
    log: tuple[SignerKey, ...]
    witness: WitnessSigner
    decryption: dict[bytes, key_wrapping.DecryptionKey]
    publisher: CryptoSigner | None
    index: bytes


def load_keys(config: Config, own: Member) -> Keys:
    """Read the key files under the names of the register; NodeStopped if one is missing or refused."""
    sealer = node_sealer(config)
    return Keys(
        tls=load_tls_keys(config, sealer),
        log=load_log_signers(config, own, own.origin, sealer),
        witness=load_witness_signer(config, own, sealer),
        decryption=load_decryption_keys(config, sealer),
        publisher=_publisher(config, sealer),
        index=_index_key(config, sealer),
    )


def load_tls_keys(config: Config, sealer: Sealer) -> TlsKeys:
    """Read the node's certificate, and its key from the file that holds it.

    During a rotation there are two keys; the certificate alone decides which one is in use, so that no crash between
    two files leaves a node that cannot start.
    """
    path = config.keys / TLS_CERTIFICATE
    certificate = _certificate(path)
    named = certified_key(certificate, path)
    for name in (TLS_KEY, NEXT_TLS_KEY):
        if name == TLS_KEY or (config.keys / name).exists():
            key = _open(config, config.keys / name, P256, sealer)
            if keys.fingerprint(key.public_key()) == named:
                return TlsKeys(certificate, sealing.unsealed(P256.write(key)))
    raise bad_key(N_("The certificate is of another key than {key}."), path, _WRONG_CERTIFICATE, key=TLS_KEY)


def certified_key(certificate: bytes, path: Path) -> bytes:
    """Return SHA-256 of the key that a certificate (PEM) names; NodeStopped if it is no certificate of a P-256 key."""
    try:
        key = p256_key(load_certificate(PEM_cert_to_DER_cert(certificate.decode("ascii"))))
    except (Rejected, ValueError) as error:
        what = N_("The file is no certificate of a node: {error}.")
        raise bad_key(what, path, _WRONG_CERTIFICATE, error=error) from error
    return keys.fingerprint(key)


def node_certificate_file(config: Config) -> bytes:
    """Return the node's certificate, PEM, without opening a key."""
    return _certificate(config.keys / TLS_CERTIFICATE)


def load_revocations_key(config: Config) -> PairSigner:
    """Read the pair that signs the member's revocations; NodeStopped if it is missing or refused."""
    first, second = pair_files(config.keys / "revocations")
    sealer = node_sealer(config)
    classical, lattice = _open(config, first, P256, sealer), _open(config, second, MLDSA44, sealer)
    return PairSigner(PairPrivateKey.from_halves(classical, lattice))


def _publisher(config: Config, sealer: Sealer) -> CryptoSigner | None:
    path = config.keys / "publisher.key"
    return CryptoSigner(_open(config, path, MLDSA44, sealer)) if path.exists() else None


def load_log_signers(config: Config, own: Member, origin: str, sealer: Sealer) -> tuple[SignerKey, ...]:
    """Read the keys of a log that the register names, in its order; NodeStopped without the newest one.

    The file of one that is abandoned may be gone.
    """
    found = {}
    for path in log_key_files(config.keys, origin) or [log_key_file(config.keys, origin)]:
        signer = SignerKey.from_ed25519(origin, _open(config, path, ED25519, sealer))
        found[signer.verifier_key.to_vkey()] = signer
    named = [key.vkey for key in own.log_keys if key.origin == origin]
    if named[-1] not in found:
        raise bad_key(N_("The register names another log key for this member."), log_key_file(config.keys, origin))
    return tuple(found[vkey] for vkey in named if vkey in found)


def load_witness_signer(config: Config, own: Member, sealer: Sealer) -> WitnessSigner:
    """Read the newest witness key that the register names; NodeStopped if it is not the one in its file."""
    newest = own.witness_keys[-1]
    path = witness_key_file(config.keys, newest.name)
    signer = WitnessSigner.from_private_key(newest.name, _open(config, path, MLDSA44, sealer))
    if signer.witness_key != newest.key:
        raise bad_key(N_("The register names another witness key for this member."), path)
    return signer


def make_log_key(config: Config, origin: str) -> SignerKey:
    """Make the key of the next log, or read it if it exists."""
    path, sealer = config.keys / f"log-{number_of(origin)}.key", node_sealer(config)
    if not path.exists():
        _write(config, path, ED25519, keys.generate_ed25519(), sealer)
    return SignerKey.from_ed25519(origin, _open(config, path, ED25519, sealer))


def make_key(config: Config, name: str, kind: KeyKind[Key], key: Key) -> None:
    """Write a new key into the key folder, under the passphrase of the others."""
    _write(config, config.keys / name, kind, key, node_sealer(config))


def open_key(config: Config, name: str, kind: KeyKind[Key]) -> Key:
    """Open one key of the key folder; NodeStopped if it is missing or refused."""
    return _open(config, config.keys / name, kind, node_sealer(config))


def make_next_log_key(config: Config, own: Member) -> SignerKey:
    """Make the key that is to follow in the log in use, or read it if it was made before and is not named yet."""
    origin, sealer = own.origin, node_sealer(config)
    named = {key.vkey for key in own.log_keys}
    for path in log_key_files(config.keys, origin):
        made = SignerKey.from_ed25519(origin, _open(config, path, ED25519, sealer))
        if made.verifier_key.to_vkey() not in named:
            return made
    key = keys.generate_ed25519()
    signer = SignerKey.from_ed25519(origin, key)
    path = config.keys / f"log-{number_of(origin)}-{signer.verifier_key.key_id.hex()}.key"
    _write(config, path, ED25519, key, sealer)
    return signer


def make_next_witness_key(config: Config, own: Member) -> WitnessSigner:
    """Make the key of the next witness, or read it if it was made before."""
    name, sealer = own.witness_keys[-1].name, node_sealer(config)
    following = f"{name.rpartition('/')[0]}/{number_of(name) + 1}"
    path = config.keys / f"witness-{number_of(following)}.key"
    if not path.exists():
        _write(config, path, MLDSA44, keys.generate_mldsa44(), sealer)
    return WitnessSigner.from_private_key(following, _open(config, path, MLDSA44, sealer))


def change_passphrase(config: Config, old: Sealer, new: Sealer) -> int:
    """Seal the key files under another passphrase; return how many were not under it yet. See `key_files`."""
    try:
        return key_files.change_passphrase(config.keys, old, new, sealed=config.sealed)
    except Rejected as error:
        path = error.path if isinstance(error, key_files.KeyFileRejected) else config.keys
        raise refused_key(error, path, _LOST) from error


def unsealed_keys(config: Config) -> list[str]:
    """Return the names of the key files that are not under a passphrase."""
    return [path.name for path in key_files.secret_files(config.keys) if not sealing.is_sealed(path.read_bytes())]


def _index_key(config: Config, sealer: Sealer) -> bytes:
    """Read the key of the search index, or make it: a new key only means a new index."""
    path = config.keys / "index.key"
    if not path.exists():
        _write(config, path, INDEX, secrets.token_bytes(private_keys.SEED_BYTES), sealer)
    return _open(config, path, INDEX, sealer, _INDEX_LOST)


def unsealed_index_key(config: Config) -> bytes | None:
    """Return the key of the search index; None if it is missing, damaged, or under a passphrase."""
    path = config.keys / "index.key"
    with suppress(OSError, Rejected):
        if not sealing.is_sealed(path.read_bytes()):
            return key_files.open_key(path, INDEX, node_sealer(config), sealed=False)
    return None


def load_decryption_keys(config: Config, sealer: Sealer) -> dict[bytes, key_wrapping.DecryptionKey]:
    """Read every encryption seed: the current one, and old ones that messages in flight may still be wrapped for."""
    paths = sorted(config.keys.glob("encryption*.seed"))
    found = [key_wrapping.private_key_from_seed(_open(config, path, X_WING, sealer)) for path in paths]
    if not found:
        raise bad_key(N_("There is no encryption seed."), config.keys / "encryption.seed")
    return {key.public_key.key_id: key for key in found}


def _open(config: Config, path: Path, kind: KeyKind[Key], sealer: Sealer, remedy: str = _LOST) -> Key:
    try:
        return key_files.open_key(path, kind, sealer, sealed=config.sealed)
    except Rejected as error:
        raise refused_key(error, path, remedy) from error


def refused_key(error: Rejected, path: Path, remedy: str) -> NodeStopped:
    """Return the error for a refused key file; ``remedy`` is that of a file that is lost or damaged."""
    if error.reason not in _REFUSALS:
        return bad_key(N_("The key cannot be read: {error}."), path, remedy, error=error.detail)
    what, how = _REFUSALS[error.reason]
    return NodeStopped(error.reason, what=what, where="{path}", remedy=how, path=path, error=error.detail)


def _write(config: Config, path: Path, kind: KeyKind[Key], key: Key, sealer: Sealer) -> None:
    try:
        key_files.write_key(path, kind, key, sealer if config.sealed else None)
    except OSError as error:
        raise bad_key(N_("The file cannot be made: {error}."), path, error=error.strerror) from error


def _certificate(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise bad_key(N_("The file cannot be read: {error}."), path, error=error.strerror) from error


def bad_key(what: str, path: Path, remedy: str = _LOST, **values: object) -> NodeStopped:
    """Return the error for a defect of a key file."""
    return NodeStopped("bad_key", what=what, where="{path}", remedy=remedy, path=path, **values)
