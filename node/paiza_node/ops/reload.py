"""Reloads what may change while the node runs: its TLS certificate, encryption seeds, own rules, and the log's level.

A reload takes these steps. One that fails leaves everything as it was.

1. node.toml is read. Settings that need a restart are named and left as they are.
2. Certificate, TLS key and encryption seeds are opened. A certificate that is not the one in use passes the checks of
   every member. No seed in use is missing: a message may still be wrapped for it.
3. The member's own rules fit the policy.
4. The configuration is logged (CONFIG_CHANGED). A crash here leaves an entry about what the next start does.
5. All of it is put into force together. Keys of log and witness are opened next: they count as the register names them.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from datetime import datetime
from hashlib import sha256
from ssl import PEM_cert_to_DER_cert
from typing import Final

import structlog

from paiza_node.core.access.need_to_know import duty_unit_text
from paiza_node.core.access.operator import operator
from paiza_node.core.errors import N_, NodeStopped
from paiza_node.core.log.ledger import Ledger
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages.decryption import DecryptionKeys
from paiza_node.core.peers.tls_identity import TlsIdentity, TlsKeys
from paiza_node.core.policy import member_rules
from paiza_node.core.register.sync import RegisterCache
from paiza_node.core.storage import settings as settings_store
from paiza_node.ops import log_level
from paiza_node.ops.config import Config
from paiza_node.ops.keys import TLS_CERTIFICATE, bad_key, load_decryption_keys, load_tls_keys
from paiza_node.ops.passphrase import node_sealer
from paiza_node.ops.signing_keys import SigningKeys
from paiza_wire import log_entries
from paiza_wire.errors import PaizaError, Rejected
from paiza_wire.message.key_wrapping import DecryptionKey

SETTING_CONFIG: Final = "config"
RELOADED: Final = ("policy", "log_level")
"""The settings that a reload puts into force; all others need a restart."""

log = structlog.get_logger("paiza.node")


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What a reload changed. ``encryption_keys`` are new ones; ``ignored`` names settings that need a restart."""

    certificate: bool
    encryption_keys: tuple[bytes, ...]
    config: bool
    ignored: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Read:
    config: Config
    digest: bytes
    ignored: tuple[str, ...]
    tls: TlsKeys
    decryption: dict[bytes, DecryptionKey]
    rules: list[tuple[str, str]]


def own_rules(config: Config) -> list[tuple[str, str]]:
    """Read the member's own rules; NodeStopped if there is one that permits."""
    return [] if config.policy is None else [member_rules.read(config.policy)]


def config_digest(config: Config) -> bytes:
    """Return SHA-256 of node.toml and the member's own rules."""
    rules = config.policy.read_bytes() if config.policy is not None else b""
    return sha256(config.path.read_bytes() + rules).digest()


def note_config(tx: LogTransaction, digest: bytes, duty_unit: str) -> bool:
    """Log the configuration if it differs from the one logged last; return whether it did.

    The duty unit in force may be another than node.toml says: until a restart, and by the environment.
    """
    noted = digest + duty_unit.encode()
    if settings_store.setting(tx.conn, SETTING_CONFIG) == noted:
        return False
    tx.append(log_entries.config_changed(actor=operator(), config_sha256=digest), text=duty_unit_text(duty_unit))
    settings_store.put_setting(tx.conn, SETTING_CONFIG, noted)
    return True


class Reload:
    """Reloads one node. Belongs to one event loop."""

    def __init__(
        self,
        config: Config,
        read_config: Callable[[], Config],
        *,
        identity: TlsIdentity,
        decryption_keys: DecryptionKeys,
        register_cache: RegisterCache,
        ledger: Ledger,
        clock: Callable[[], datetime],
        signing_keys: SigningKeys,
    ) -> None:
        """Store what changes; ``config`` is what the node runs with, and ``read_config`` reads it again."""
        self._config = config
        self._read_config = read_config
        self._identity = identity
        self._decryption_keys = decryption_keys
        self._register_cache = register_cache
        self._ledger = ledger
        self._clock = clock
        self._signing_keys = signing_keys
        self._lock = asyncio.Lock()

    async def on_signal(self) -> None:
        """Reload, and say in the log what came of it: nobody else is told."""
        try:
            await self()
        except NodeStopped as error:
            log.warning("not_reloaded", reason=error.reason, what=error.what, where=error.where, remedy=error.remedy)
        except PaizaError as error:
            log.warning("not_reloaded", reason=error.reason, what=error.detail)
        except OSError as error:
            log.warning("not_reloaded", reason="file_unreadable", what=error.strerror, where=error.filename)

    async def __call__(self) -> Reloaded:
        """Reload; NodeStopped if something read is refused, Unavailable if it cannot be logged now."""
        async with self._lock:
            read = await asyncio.to_thread(self._read)
            config = (await self._ledger.commit(lambda tx: note_config(tx, read.digest, read.config.duty_unit))).result
            known, keys = self._decryption_keys.by_id.keys(), self._identity.keys
            done = Reloaded(
                certificate=read.tls != keys,
                encryption_keys=tuple(sorted(read.decryption.keys() - known)),
                config=config,
                ignored=read.ignored,
            )
            self._register_cache.use_rules(read.rules)
            self._identity.replace(read.tls)
            self._decryption_keys.add(read.decryption)
            self._signing_keys.look_again()
            log_level.LEVEL.use(read.config.log_level)
            self._config = read.config
        log.warning(
            "reloaded",
            certificate=done.certificate,
            encryption_keys=[each.hex() for each in done.encryption_keys],
            config=done.config,
            ignored=list(done.ignored),
        )
        return done

    def _read(self) -> _Read:
        """Read and check everything: steps 1 to 3."""
        config, ignored = self._settings(self._read_config())
        sealer = node_sealer(config)
        tls = load_tls_keys(config, sealer)
        if tls.certificate != self._identity.keys.certificate:
            self._check_certificate(config, tls)
        decryption = load_decryption_keys(config, sealer)
        for missing in self._decryption_keys.by_id.keys() - decryption.keys():
            what = N_("The seed of an encryption key in use is missing: {key}.")
            raise bad_key(what, config.keys, N_("Put it back: old messages are encrypted for it."), key=missing.hex())
        rules = own_rules(config)
        self._register_cache.policy_with(rules)
        return _Read(config, config_digest(config), ignored, tls, decryption, rules)

    def _settings(self, found: Config) -> tuple[Config, tuple[str, ...]]:
        """Return the configuration in use with what a reload changes, and the other settings that were changed."""
        used = replace(self._config, **{name: getattr(found, name) for name in RELOADED})
        return used, tuple(each.name for each in fields(found) if getattr(found, each.name) != getattr(used, each.name))

    def _check_certificate(self, config: Config, tls: TlsKeys) -> None:
        """Refuse a certificate that other members would refuse."""
        der = PEM_cert_to_DER_cert(tls.certificate.decode("ascii"))
        verifier = self._register_cache.last.certificate_verifier()
        try:
            verifier.node(der, expected_member=config.member, at=self._clock())
        except Rejected as error:
            raise NodeStopped(
                error.reason,
                what=N_("Other members would refuse the certificate: {error}."),
                where="{path}",
                remedy=N_("Have the node's key certified by a CA that the register names for this member."),
                path=config.keys / TLS_CERTIFICATE,
                error=error.detail,
            ) from error
