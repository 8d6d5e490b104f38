"""Starts a node from its configuration: the database, the keys, the register and the log; then it serves."""

import asyncio
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

import structlog

from paiza_domain.loading import load_all
from paiza_node.app.serve import serve
from paiza_node.app.standby import become_writer
from paiza_node.core.api.descriptors import reserve
from paiza_node.core.errors import N_
from paiza_node.core.executors.fair_threads import FairThreads
from paiza_node.core.log.checkpoint_file import CheckpointSlots
from paiza_node.core.log.disk_reserve import free_bytes
from paiza_node.core.log.ledger import Ledger
from paiza_node.core.log.signer import LogSigner
from paiza_node.core.register.sync import RegisterCache
from paiza_node.core.storage import Store
from paiza_node.core.storage.server_disk import server_folder
from paiza_node.ops.config import Config
from paiza_node.ops.data_folder import open_reader, prepare_data
from paiza_node.ops.keys import Keys, bad_key, load_keys
from paiza_node.ops.reload import own_rules

SWITCH_SECONDS: Final = 0.001  # Python's 5 ms at every step of one message add up while threads compute
READ_THREADS: Final = 8  # for queries and files (`asyncio.to_thread`)
READ_THREADS_OF_ONE: Final = 2  # of one peer or officer: others find threads, and connections to the database

log = structlog.get_logger("paiza.node")


async def run(config: Config, read_config: Callable[[], Config]) -> None:
    """Run the node until it receives SIGTERM or SIGINT; ``read_config`` reads its configuration again on SIGHUP.

    It verifies, signs and listens only once this process is the writer of the database: a standby takes over with the
    register of that moment.
    """
    os.umask(0o077)
    sys.setswitchinterval(SWITCH_SECONDS)
    places = reserve(config.limits.connections)
    asyncio.get_running_loop().set_default_executor(
        FairThreads(READ_THREADS, "asyncio", most_threads_of_one=READ_THREADS_OF_ONE)
    )
    load_all()
    prepare_data(config)
    store = await become_writer(config, places)
    try:
        await _run_with(config, read_config, store, places)
    finally:
        store.close()
    log.info("stopped")


async def _run_with(config: Config, read_config: Callable[[], Config], store: Store, places: int) -> None:
    reader = await asyncio.to_thread(open_reader, config)
    # Expired or not: with an expired one the node serves and fetches the register, and nothing else.
    register_cache = await asyncio.to_thread(RegisterCache, reader, _now, own_rules(config))
    own = register_cache.last.described_member(config.member)
    node_keys = load_keys(config, own)
    _check_keys(config, node_keys, register_cache)
    checkpoint_file = CheckpointSlots(config.data / "checkpoint")
    disks = await asyncio.to_thread(_disks, config, store)
    try:
        signer = LogSigner(node_keys.log, own.log_keys)
        ledger = await asyncio.to_thread(
            partial(
                Ledger,
                store,
                signer,
                checkpoint_file,
                lambda: register_cache.version,
                limits=config.limits,
                free_bytes=partial(free_bytes, *disks),
            )
        )
        try:
            await serve(config, read_config, reader, register_cache, node_keys, store, ledger, signer, _now, places)
        finally:
            await asyncio.to_thread(ledger.close)
    finally:
        checkpoint_file.close()


def _disks(config: Config, store: Store) -> list[Path]:
    """Return folders on the disks that messages fill."""
    with store.reads() as reads:
        folder = server_folder(reads)
    return [config.data] if folder is None else [config.data, folder]


def _check_keys(config: Config, node_keys: Keys, register_cache: RegisterCache) -> None:
    """Raise NodeStopped if the register does not name these keys: nobody could verify or reach us."""
    member = register_cache.last.described_member(config.member)
    published = {key.key_id for key in member.encryption_keys}
    if not published & set(node_keys.decryption):
        raise bad_key(N_("The register names another encryption key for this member."), config.keys / "encryption.seed")


def _now() -> datetime:
    return datetime.now(UTC)
