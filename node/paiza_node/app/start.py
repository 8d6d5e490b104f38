"""Starts a node from its configuration, serves, and stops without loss."""

import asyncio
import gc
import math
import os
import signal
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from typing import Any, Final

import structlog

from paiza.admin.v1 import admin_pb2
from paiza_node.app.wiring import Dependencies, build_services
from paiza_node.core.access import store as access_store
from paiza_node.core.access.denials import Denials
from paiza_node.core.access.model import Officer
from paiza_node.core.access.need_to_know import UnitDirectory
from paiza_node.core.access.officers import load_officers, note_officers
from paiza_node.core.access.operator import operator
from paiza_node.core.api import metrics
from paiza_node.core.api.authentication import Authenticator
from paiza_node.core.api.server import admin_server, public_server
from paiza_node.core.dependencies import Core
from paiza_node.core.errors import N_
from paiza_node.core.executors.executors import Executors
from paiza_node.core.executors.periodic import PeriodicTask
from paiza_node.core.log.checkpoint_file import CheckpointSlots
from paiza_node.core.log.ledger import Ledger, LogTransaction
from paiza_node.core.log.notifier import Notifier
from paiza_node.core.messages.decryption import DecryptionKeys
from paiza_node.core.peers import store as peers_store
from paiza_node.core.peers.channels import ChannelKeys
from paiza_node.core.peers.clocks import ClockLog
from paiza_node.core.peers.directory import PeerDirectory
from paiza_node.core.peers.log_views import PeerLogViews
from paiza_node.core.peers.startup_comparison import StartupComparison
from paiza_node.core.policy import member_rules
from paiza_node.core.register.refresh import RegisterRefresh
from paiza_node.core.register.sync import RegisterCache
from paiza_node.core.storage import Store, open_store
from paiza_node.core.storage import settings as settings_store
from paiza_node.core.version import VERSION
from paiza_node.features.attachments.download import AttachmentDownloads
from paiza_node.features.attachments.upload import Upload
from paiza_node.features.ceremonies import store as proposals_store
from paiza_node.features.peer_audit.grants import AuditGrants
from paiza_node.features.search.index import TokenKey
from paiza_node.features.witness.consistency_monitor import FORKED, IN_DEFAULT, STALE
from paiza_node.ops.admin.misbehaviour_service import MisbehaviourService
from paiza_node.ops.admin.operate import Operate
from paiza_node.ops.admin.register_service import RegisterAdminService
from paiza_node.ops.admin.service import AdminService
from paiza_node.ops.backup.record import note_backup, read_record
from paiza_node.ops.config import Config
from paiza_node.ops.data_folder import open_reader, prepare_data
from paiza_node.ops.expiries import (
    earliest,
    member_expiries,
    node_certificate,
    of_others,
    officer_certificates,
    shared_expiries,
)
from paiza_node.ops.keys import Keys, bad_key, load_keys, load_revocations_key, log_key_path
from paiza_register import RegisterReader
from paiza_register.publisher import Publisher
from paiza_register.publishing import OpenSet
from paiza_wire import log_entries
from paiza_wire.errors import Unavailable
from paiza_wire.identity import SpiffeId
from paiza_wire.tlog.notes import SignerKey

COLLECT_AFTER: Final = 10_000  # objects allocated before a collection of cycles
DRAIN_SECONDS: Final = 10.0  # for calls in progress when the node is stopped
METRICS_SECONDS: Final = 5.0
CLOCK_SECONDS: Final = 10.0  # between two judgements of the clocks
STANDBY_SECONDS: Final = 1.0  # between two attempts of a standby to become the writer
STANDBY_TOLD: Final = 60  # one in so many attempts is logged
SETTING_CONFIG: Final = "config"
SETTING_LOG_KEY: Final = "log_key"

log = structlog.get_logger("paiza.node")


def note_start(tx: LogTransaction, config: Config, log_key: SignerKey, officers: dict[str, Officer]) -> None:
    """Log changes since the last start: the log's key, the configuration, officers."""
    vkey = log_key.verifier_key.to_vkey().encode()
    if settings_store.setting(tx.conn, SETTING_LOG_KEY) != vkey:
        tx.append(log_entries.key_added(actor=operator(), vkey_sha256=sha256(vkey).digest()))
        settings_store.put_setting(tx.conn, SETTING_LOG_KEY, vkey)
    rules = config.policy.read_bytes() if config.policy is not None else b""
    settings = sha256(config.path.read_bytes() + rules).digest()
    if settings_store.setting(tx.conn, SETTING_CONFIG) != settings:
        tx.append(log_entries.config_changed(actor=operator(), config_sha256=settings))
        settings_store.put_setting(tx.conn, SETTING_CONFIG, settings)
    note_officers(tx, officers)


async def run(config: Config) -> None:
    """Run the node until it receives SIGTERM or SIGINT.

    It verifies, signs and listens only once this process is the writer of the database: a standby takes over with the
    register of that moment.
    """
    os.umask(0o077)
    prepare_data(config)
    store = await _become_writer(config.database)
    try:
        await _run_with(config, store)
    finally:
        store.close()
    log.info("stopped")


async def _become_writer(database: str) -> Store:
    """Open the database; if another process is its writer, wait until that one has ended."""
    waited = 0
    while True:
        try:
            store = await asyncio.to_thread(open_store, database)
        except Unavailable as error:
            if error.reason != "standby":
                raise
            if waited % STANDBY_TOLD == 0:
                log.info("standby", detail=error.detail)
        else:
            if waited:
                log.warning("took_over", database=store.describe())
            return store
        waited += 1
        await asyncio.sleep(STANDBY_SECONDS)


async def _run_with(config: Config, store: Store) -> None:
    reader = await asyncio.to_thread(open_reader, config)
    own_rules = [member_rules.read(config.policy)] if config.policy is not None else []
    # Expired or not: with an expired one the node serves and fetches the register, and nothing else.
    register_cache = await asyncio.to_thread(RegisterCache, reader, _now, own_rules)
    own = register_cache.last.described_member(config.member)
    node_keys = load_keys(config, own)
    _check_keys(config, node_keys, register_cache)
    checkpoint_file = CheckpointSlots(config.data / "checkpoint")
    try:
        ledger = await asyncio.to_thread(Ledger, store, node_keys.log, checkpoint_file, lambda: register_cache.version)
        try:
            await _serve(config, reader, register_cache, node_keys, store, ledger)
        finally:
            await asyncio.to_thread(ledger.close)
    finally:
        checkpoint_file.close()


def _check_keys(config: Config, node_keys: Keys, register_cache: RegisterCache) -> None:
    """Raise NodeStopped if the register does not name these keys: nobody could verify or reach us."""
    member = register_cache.last.described_member(config.member)
    if node_keys.log.verifier_key.to_vkey() != member.log_keys[-1].vkey:
        path = log_key_path(config.keys, member.log_keys[-1].origin)
        raise bad_key(N_("The register names another log key for this member."), path)
    if node_keys.witness.witness_key.to_vkey() != member.witness_keys[-1].vkey:
        raise bad_key(N_("The register names another witness key for this member."), config.keys / "witness.key")
    published = {key.key_id for key in member.encryption_keys}
    if not published & set(node_keys.decryption):
        raise bad_key(N_("The register names another encryption key for this member."), config.keys / "encryption.seed")


async def _serve(
    config: Config,
    reader: RegisterReader,
    register_cache: RegisterCache,
    node_keys: Keys,
    store: Store,
    ledger: Ledger,
) -> None:
    officers = load_officers(config.officers, config.member, config.federation)
    await ledger.commit(register_cache.note)
    await ledger.commit(lambda tx: note_start(tx, config, node_keys.log, officers))
    await _note_backup(config, ledger)
    with store.reads() as reads:
        officers = access_store.officers(reads)
        logs = PeerLogViews(
            peers_store.known_logs(reads), _now, peers_store.findings(reads), register_cache.newest_origin
        )
    executors = Executors()
    core = Core(
        member=config.member,
        node_id=str(SpiffeId(config.member, config.federation, "node")),
        register_cache=register_cache,
        ledger=ledger,
        store=store,
        logs=logs,
        notifier=Notifier(),
        executors=executors,
        decryption_keys=DecryptionKeys(config.member, node_keys.decryption),
        clock=_now,
    )
    unit_directory = UnitDirectory(config.member, config.duty_unit, lambda: officers)
    channel_keys = ChannelKeys(node_keys.certificate, node_keys.private_key)
    dependencies = Dependencies(
        config, core, lambda: officers, unit_directory, TokenKey(node_keys.index), reader, node_keys.witness
    )
    services = build_services(dependencies, channel_keys)
    seen_certificates: dict[str, datetime] = {}
    operate = Operate(
        core,
        version=VERSION,
        peers=services.peers,
        blocks=services.blocks,
        queues=services.queues,
        checkpoint_exchange=services.witness.checkpoint_exchange,
        misbehaviour=services.witness.monitor.misbehaviour,
        recovering_from=lambda: services.restore_from_peers.progress.members,
        officer_certificates=seen_certificates,
    )

    comparison = StartupComparison(services.peers)

    async def compared(member: str, method: str, request: Any) -> None:
        await comparison.check_compared(member, method, request, ledger.checkpoint.size)

    refresh = RegisterRefresh(
        register_cache,
        reader,
        ledger,
        sources=lambda: services.peers.register_files,
        publisher=await asyncio.to_thread(_publisher, config, reader, node_keys),
        clock=_now,
        revocations_key=partial(load_revocations_key, config),
        changes=lambda: tuple(services.proposals.complete.values()),
    )
    server, health = public_server(
        listen=config.listen,
        authenticator=Authenticator(
            config.member,
            register_cache,
            lambda: officers,
            _now,
            compared,
            Denials(ledger, _now).note,
            services.blocks,
            seen_certificates,
        ),
        handlers=services.handlers,
        certificate=node_keys.certificate,
        private_key=node_keys.private_key,
        member=config.member,
        register=lambda: register_cache.last,
        with_reflection=config.reflection,
    )
    admin = admin_server(
        config.admin_socket,
        (
            AdminService(operate, AuditGrants(core), partial(_note_backup, config, ledger)),
            MisbehaviourService(services.witness.misbehaviour),
            RegisterAdminService(config.member, register_cache, refresh),
        ),
    )
    if config.metrics_listen:
        metrics.serve(config.metrics_listen)
    await server.start()
    await admin.start()
    await health.serve()
    # Objects of the start live as long as the process, and those of a batch are freed with their last reference.
    # Collecting cycles at every 700 objects, Python's default, would find nothing and cost a twentieth of the time.
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 20, 20)
    log.info("serving", member=config.member, listen=config.listen, version=VERSION, database=store.describe())
    judge_clocks = partial(_judge_clocks, services.peers, ClockLog())
    try:
        running = [
            *(task() for task in services.background_tasks),
            refresh.run(),
            PeriodicTask(judge_clocks, period=CLOCK_SECONDS, failed="clocks_not_judged").run(),
            _metrics(partial(_note_status, operate, ledger, register_cache)),
            _metrics(
                partial(_note_register, config.member, register_cache, store, node_keys.certificate, seen_certificates)
            ),
            _metrics(partial(_note_publishers, register_cache, reader)),
            _metrics(
                partial(_count_attachments, services.upload, services.downloads, {"uploaded": 0, "downloaded": 0})
            ),
        ]
        await _until_stopped([*running, asyncio.wrap_future(ledger.stopped)])
    finally:
        log.info("stopping")
        await health.stop()
        core.notifier.close()
        await server.stop(DRAIN_SECONDS)
        await admin.stop(1.0)
        with suppress(OSError):  # a failed disk must not hide why the node stops
            config.admin_socket.unlink(missing_ok=True)
        executors.close()


def _publisher(config: Config, reader: RegisterReader, node_keys: Keys) -> Publisher | None:
    """Return what decides when this node publishes; None without a key. A key that is not listed publishes nothing."""
    last = reader.last
    if node_keys.publisher is None or last is None:
        log.warning("not_a_publisher", detail="there is no publisher.key")
        return None
    if last.publishers.get(config.member) != node_keys.publisher.public_key.keyid:
        log.warning("not_a_publisher", detail="the register does not name publisher.key")
    held = OpenSet.verify(reader.archived_files(last.version), reader.bootstrap_root, None)
    publisher = Publisher(config.member, node_keys.publisher, held)
    if (ahead := reader.ahead) is not None:  # of the root that people decided for after a fork
        other = OpenSet.verify(reader.archived_files(ahead), reader.bootstrap_root, None)
        publisher.could_not_accept(other, _now())
    return publisher


async def _note_backup(config: Config, ledger: Ledger) -> bool:
    """Log the last backup, also one made while this node did not run; return whether it was logged now."""
    record = await asyncio.to_thread(read_record, config.data)
    return (await ledger.commit(lambda tx: note_backup(tx, record))).result


async def _until_stopped(background_tasks: list[Any]) -> None:
    """Run the background tasks until a signal comes; one that fails ends the node with its error."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    tasks = [asyncio.ensure_future(each) for each in background_tasks]
    waiting = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait([waiting, *tasks], return_when=asyncio.FIRST_COMPLETED)
    for task in (waiting, *tasks):
        task.cancel()
    await asyncio.gather(waiting, *tasks, return_exceptions=True)
    for task in done:
        if task is not waiting and (error := task.exception()) is not None:
            raise error


def _metrics(round_: Callable[[], Coroutine[Any, Any, None]]) -> Coroutine[Any, Any, None]:
    return PeriodicTask(round_, period=METRICS_SECONDS, failed="no_metrics").run()


async def _judge_clocks(peers: PeerDirectory, clock_log: ClockLog) -> None:
    clock_log.note(peers.clocks())


async def _note_status(operate: Operate, ledger: Ledger, register_cache: RegisterCache) -> None:
    status = await operate.status(admin_pb2.GetStatusRequest())
    metrics.LOG_SIZE.set(ledger.checkpoint.size)
    metrics.WITNESSED_SIZE.set(status.witnessed_size)
    metrics.UNWITNESSED_SECONDS.set(_age(status))
    metrics.REGISTER_EXPIRY.set(register_cache.expiry_time.timestamp())
    metrics.CLOCK_SOURCES.set(status.clock_sources)
    metrics.CLOCK_OFFSET.set(_seconds_or_nan(status))
    for peer in status.peers:
        metrics.PEER_TIMESTAMP.labels(peer.member).set(peer.timestamp_version)
        metrics.PEER_CLOCK.labels(peer.member).set(_seconds_or_nan(peer))
        metrics.WAITING.labels(peer.member).set(peer.waiting)
        metrics.COSIGNED_SIZE.labels(peer.member).set(peer.cosigned_size)
        metrics.UNCOSIGNED.labels(peer.member).set(peer.uncosigned_proofs)
        metrics.PEER_UP.labels(peer.member).set(peer.reachable)
        metrics.PEER_BLOCKED.labels(peer.member).set(peer.HasField("block"))
        for reason in (FORKED, IN_DEFAULT, STALE):
            metrics.MISBEHAVIOUR.labels(peer.member, reason).set(reason in peer.misbehaviour)


async def _note_register(
    member: str, register_cache: RegisterCache, store: Store, certificate: bytes, officers: Mapping[str, datetime]
) -> None:
    """Set the gauges of the register, of what expires, and of the proposals that wait."""
    register, now = register_cache.last, _now()
    expiries = [
        *shared_expiries(register),
        *member_expiries(register, member),
        *of_others(register, member),
        node_certificate(member, certificate),
        *officer_certificates(officers),
    ]
    ends: dict[tuple[str, ...], float] = {
        (kind.value, owner): time.timestamp() for (kind, owner), time in earliest(expiries).items()
    }
    metrics.set_labelled(metrics.EXPIRY, ends)
    metrics.REGISTER_ISSUED.set(register.issued_time.timestamp())
    known = register.members.keys() | register.unusable.keys()
    metrics.set_labelled(metrics.UNUSABLE, {(each,): float(each in register.unusable) for each in known})
    waiting = await asyncio.to_thread(_waiting_proposals, store)
    metrics.PROPOSALS.set(len(waiting))
    metrics.OLDEST_PROPOSAL.set(max([0.0, *((now - since).total_seconds() for since in waiting)]))


async def _note_publishers(register_cache: RegisterCache, reader: RegisterReader) -> None:
    """Set the gauges of who published the register last, and of those whose signatures contradict each other."""
    register, contradicted = register_cache.last, reader.disqualified
    publishers, signed = register.publishers, register.published_by
    metrics.TIMESTAMP_VERSION.set(register.timestamp_version)
    metrics.set_labelled(metrics.PUBLISHED, {(each,): float(each in signed) for each in publishers})
    metrics.set_labelled(
        metrics.DISQUALIFIED, {(each,): float(key in contradicted) for each, key in publishers.items()}
    )
    metrics.REGISTER_FORKED.set(reader.fork is not None)


def _waiting_proposals(store: Store) -> list[datetime]:
    """Return since when each proposal has waited."""
    with store.reads() as reads:
        return [each.received_time for each in proposals_store.proposals(reads) if each.is_waiting]


async def _count_attachments(upload: Upload, downloads: AttachmentDownloads, counted: dict[str, int]) -> None:
    """Add the uploaded and downloaded bytes to the counters, and set the number of pending attachments.

    ``counted`` holds the totals of the previous round, and is updated.
    """
    for way, total in (("uploaded", upload.bytes_taken), ("downloaded", downloads.bytes_taken)):
        metrics.ATTACHMENT_BYTES.labels(way).inc(total - counted[way])
        counted[way] = total
    for (way, member), count in (await asyncio.to_thread(downloads.pending)).items():
        metrics.ATTACHMENTS_PENDING.labels(way, member).set(count)


def _seconds_or_nan(status: admin_pb2.GetStatusResponse | admin_pb2.PeerStatus) -> float:
    """Return the offset of a clock in seconds; NaN if it is not known."""
    known = status.HasField("clock_offset")
    return status.clock_offset.ToTimedelta().total_seconds() if known else math.nan


def _age(status: admin_pb2.GetStatusResponse) -> float:
    """Return for how many seconds the oldest unwitnessed entry has waited; 0 if there is none."""
    if not status.HasField("unwitnessed_since_time"):
        return 0.0
    return max(0.0, (_now() - status.unwitnessed_since_time.ToDatetime(tzinfo=UTC)).total_seconds())


def _now() -> datetime:
    return datetime.now(UTC)
