"""Takes new keys of the own log and witness into use, while the node runs, as soon as the register names them.

The custodians admit a key, and the register reaches this node as it reaches all others. From then on the log signs with
the keys it had and the new one, until the register says that the former ones are abandoned. A witness cosigns with its
newest key alone.

1. The register in force names other keys than those in use, or ends one.
2. Their files are opened. If one is missing or refused, the node goes on with those it has, and says so.
3. They are put into force together. A crash here changes nothing: the next start opens the same files.
4. The log says with which keys it is signed from here on (KEY_ADDED), so its next checkpoint carries them also if
   nothing else happens.
"""

import asyncio
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Final

import structlog

from paiza_node.core.access.operator import operator
from paiza_node.core.errors import NodeStopped
from paiza_node.core.executors.periodic import PeriodicTask
from paiza_node.core.log.ledger import Ledger
from paiza_node.core.log.signer import LogSigner
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.register.sync import RegisterCache
from paiza_node.core.storage import settings as settings_store
from paiza_node.ops.config import Config
from paiza_node.ops.keys import load_log_signers, load_witness_signer
from paiza_node.ops.passphrase import node_sealer
from paiza_register import LogKey, WitnessKey
from paiza_wire import log_entries
from paiza_wire.tlog.cosignatures import WitnessSigner
from paiza_wire.tlog.notes import SignerKey

LOOK_SECONDS: Final = 1.0  # between two looks at the register in force
SETTING_LOG_KEYS: Final = "log_keys"

log = structlog.get_logger("paiza.node")


def note_log_keys(tx: LogTransaction, signers: Sequence[SignerKey]) -> None:
    """Log each key with which the log was not signed before."""
    noted = (settings_store.setting(tx.conn, SETTING_LOG_KEYS) or b"").splitlines()
    vkeys = [signer.verifier_key.to_vkey().encode() for signer in signers]
    added = [vkey for vkey in vkeys if vkey not in noted]
    for vkey in added:
        tx.append(log_entries.key_added(actor=operator(), vkey_sha256=sha256(vkey).digest()))
    if added:
        settings_store.put_setting(tx.conn, SETTING_LOG_KEYS, b"\n".join([*noted, *added]))


class SigningKeys:
    """Follows the keys that the register names for the own log and witness. Belongs to one event loop."""

    def __init__(
        self,
        config: Config,
        register_cache: RegisterCache,
        ledger: Ledger,
        signer: LogSigner,
        use_witness: Callable[[WitnessSigner], None],
    ) -> None:
        """Begin with the keys that were read at the start."""
        self._config = config
        self._register_cache = register_cache
        self._ledger = ledger
        self._signer = signer
        self._use_witness = use_witness
        self._followed = self._named()
        self.task = PeriodicTask(self.step, period=LOOK_SECONDS, failed="key_not_noted")

    def look_again(self) -> None:
        """Open the key files again: one may have been put where it was missing."""
        self._followed = None
        self.task.wake()

    async def step(self) -> None:
        """Use the keys that the register in force names, if they are others than before."""
        named = self._named()
        if named is None or named == self._followed:
            return
        try:
            signers, witness = await asyncio.to_thread(self._opened)
        except NodeStopped as error:
            log.critical("keys_not_used", reason=error.reason, what=error.what, where=error.where, remedy=error.remedy)
            self._followed = named
            return
        self._signer.use(signers, named[0])
        self._use_witness(witness)
        log.warning(
            "keys_in_use",
            log=[each.verifier_key.key_id.hex() for each in signers],
            witness=witness.witness_key.name,
        )
        await self._ledger.commit(lambda tx: note_log_keys(tx, signers))
        self._followed = named  # not before: a commit that failed is tried again

    def _named(self) -> tuple[tuple[LogKey, ...], tuple[WitnessKey, ...]] | None:
        own = self._register_cache.last.described.get(self._config.member)
        return None if own is None else (own.log_keys, own.witness_keys)

    def _opened(self) -> tuple[tuple[SignerKey, ...], WitnessSigner]:
        own, sealer = self._register_cache.last.described_member(self._config.member), node_sealer(self._config)
        signers = load_log_signers(self._config, own, self._ledger.origin, sealer)
        return signers, load_witness_signer(self._config, own, sealer)
