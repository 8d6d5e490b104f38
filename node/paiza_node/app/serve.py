"""Serves: builds the services of a node, listens, runs their background tasks, and stops without loss."""

import asyncio
import gc
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any, Final

import structlog

from paiza.enrolment.v1 import enrolment_pb2
from paiza_node.app import allocator, gauges, standard_error
from paiza_node.app.database_health import DatabaseHealth
from paiza_node.app.services import Dependencies, Services
from paiza_node.app.wiring import build_services
from paiza_node.core.access.denials import Denials
from paiza_node.core.access.need_to_know import UnitDirectory, in_common_unit, leave_common_unit
from paiza_node.core.access.officers import OfficerDirectory
from paiza_node.core.api import enrolment_server, metrics
from paiza_node.core.api.admission import Admission
from paiza_node.core.api.authentication import Authenticator
from paiza_node.core.api.connections import Connections, Listener
from paiza_node.core.api.server import UNKNOWN_PER_ADDRESS, admin_server, public_server
from paiza_node.core.dependencies import Core
from paiza_node.core.executors import check_workers
from paiza_node.core.executors.executors import Executors
from paiza_node.core.executors.periodic import PeriodicTask
from paiza_node.core.log.ledger import Ledger
from paiza_node.core.log.notifier import Notifier
from paiza_node.core.log.signer import LogSigner
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages.decryption import DecryptionKeys
from paiza_node.core.messages.model import MessageRow
from paiza_node.core.peers import store as peers_store
from paiza_node.core.peers.clocks import ClockLog
from paiza_node.core.peers.directory import PeerDirectory
from paiza_node.core.peers.log_views import PeerLogViews
from paiza_node.core.peers.startup_comparison import StartupComparison
from paiza_node.core.peers.tls_identity import TlsIdentity
from paiza_node.core.register.refresh import RegisterRefresh
from paiza_node.core.register.revoking import revoking
from paiza_node.core.register.sync import RegisterCache
from paiza_node.core.storage import Store
from paiza_node.core.version import VERSION
from paiza_node.features.enrolment.invitation_envelope import invitation_envelope
from paiza_node.features.officers.revoke import Revocations
from paiza_node.features.peer_audit.grants import AuditGrants
from paiza_node.features.search.index import TokenKey
from paiza_node.ops.admin.misbehaviour_service import MisbehaviourService
from paiza_node.ops.admin.officer_service import OfficerAdminService
from paiza_node.ops.admin.operate import Operate
from paiza_node.ops.admin.register_service import RegisterAdminService
from paiza_node.ops.admin.rotation_service import RotationService
from paiza_node.ops.admin.service import AdminService
from paiza_node.ops.backup.begin import BeginBackup
from paiza_node.ops.backup.record import note_backup, read_record
from paiza_node.ops.config import Config
from paiza_node.ops.keys import Keys, load_revocations_key
from paiza_node.ops.reload import Reload, config_digest, note_config
from paiza_node.ops.signing_keys import SigningKeys, note_log_keys
from paiza_register import RegisterReader
from paiza_register.open_set import OpenSet
from paiza_register.publisher import Publisher
from paiza_wire.identity import SpiffeId

COLLECT_AFTER: Final = 10_000  # objects allocated before a collection of cycles
DRAIN_SECONDS: Final = 10.0  # for calls in progress when the node is stopped
CLOCK_SECONDS: Final = 10.0  # between two judgements of the clocks

log = structlog.get_logger("paiza.node")


def note_start(tx: LogTransaction, config: Config, signer: LogSigner) -> None:
    """Log changes since the last start: the log's keys and the configuration."""
    note_log_keys(tx, signer.signers)
    note_config(tx, config_digest(config), config.duty_unit)


async def serve(
    config: Config,
    read_config: Callable[[], Config],
    reader: RegisterReader,
    register_cache: RegisterCache,
    node_keys: Keys,
    store: Store,
    ledger: Ledger,
    signer: LogSigner,
    clock: Callable[[], datetime],
    places: int,
) -> None:
    """Build the services, listen, and run until a signal comes; then stop without loss.

    ``places`` is how many connections of officers and peers are taken at once.
    """
    await ledger.commit(register_cache.note)
    await ledger.commit(lambda tx: note_start(tx, config, signer))
    await _bring_up_to_date(config, store, ledger)
    officers = OfficerDirectory(store, clock)
    with store.reads() as reads:
        logs = PeerLogViews(
            peers_store.known_logs(reads), clock, peers_store.findings(reads), register_cache.newest_origin
        )
    executors = Executors(workers=check_workers.spare_cores())
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
        clock=clock,
        limits=config.limits,
    )
    unit_directory = UnitDirectory(config.member, config.duty_unit, officers.officers)
    identity = TlsIdentity(node_keys.tls)
    dependencies = Dependencies(
        config, core, officers, unit_directory, TokenKey(node_keys.index), reader, node_keys.witness
    )
    connections = _connections(config, places)
    services = build_services(dependencies, identity, connections)
    operate = Operate(
        core,
        version=VERSION,
        peers=services.peers,
        blocks=services.blocks,
        queues=services.queues,
        checkpoint_exchange=services.witness.checkpoint_exchange,
        misbehaviour=services.witness.monitor.misbehaviour,
        room=services.upload.room,
        recovering_from=lambda: services.restore_from_peers.progress.members,
        calls=lambda: [*authenticator.uses(), *connections.uses()],
    )

    comparison = StartupComparison(services.peers)

    async def compared(member: str, method: str, request: Any) -> None:
        await comparison.check_compared(member, method, request, ledger.checkpoint.size)

    refresh = RegisterRefresh(
        register_cache,
        reader,
        ledger,
        sources=lambda: services.peers.register_files,
        publisher=await asyncio.to_thread(_publisher, config, reader, node_keys, clock),
        clock=clock,
        revocations_key=partial(load_revocations_key, config),
        directory=lambda: services.directory.last,
        changes=lambda: tuple(services.proposals.complete.values()),
        revoking=await asyncio.to_thread(revoking, store),
    )
    revocations = Revocations(
        officers,
        refresh.revoke,
        lambda: register_cache.last.revocations.get(config.member, frozenset()),
        clock,
    )
    authenticator = _followed(
        Authenticator(
            config.member,
            register_cache,
            officers,
            clock,
            compared,
            Denials(ledger, clock).note,
            services.blocks,
            Admission(config.limits),
        ),
        register_cache,
        services,
        officers,
    )
    server, health = public_server(
        listen=config.listen,
        authenticator=authenticator,
        handlers=services.handlers,
        identity=identity,
        member=config.member,
        register=lambda: register_cache.last,
        with_reflection=config.reflection,
        connections=connections,
        places=places,
    )
    signing_keys = SigningKeys(config, register_cache, ledger, signer, services.witness.checkpoint_exchange.use)
    reload = Reload(
        config,
        read_config,
        identity=identity,
        decryption_keys=core.decryption_keys,
        register_cache=register_cache,
        ledger=ledger,
        clock=clock,
        signing_keys=signing_keys,
    )
    admin = admin_server(
        config.admin_socket,
        (
            AdminService(
                operate,
                AuditGrants(core),
                BeginBackup(
                    ledger,
                    services.witness.checkpoint_exchange.rounds,
                    lambda: register_cache.last.active_ids - {config.member},
                ),
            ),
            MisbehaviourService(services.witness.misbehaviour),
            RegisterAdminService(config.member, register_cache, refresh),
            OfficerAdminService(
                core,
                officers,
                revocations,
                federation=config.federation,
                duty_unit=config.duty_unit,
                envelope=None if services.enrolment is None else partial(_envelope, config, core, reader),
                issuer=services.issuer,
            ),
            RotationService(reload, ledger, services.proposals, services.issuer),
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
    try:
        running = [
            *(task() for task in services.background_tasks),
            refresh.run(),
            signing_keys.task.run(),
            revocations.task.run(),
            authenticator.task.run(),
            connections.run(),
            _judging_clocks(services.peers).run(),
            allocator.trimming().run(),
            DatabaseHealth(ledger, store, health).task.run(),
            *gauges.tasks(core, services, operate, reader, identity, officers),
        ]
        await _until_stopped([*running, asyncio.wrap_future(ledger.stopped)], reload)
    finally:
        log.info("stopping")
        await health.stop()
        core.notifier.close()
        await server.stop(DRAIN_SECONDS)
        await admin.stop(1.0)
        if services.enrolment is not None:
            await services.enrolment.close()
        if services.issuer is not None:
            await services.issuer.close()
        with suppress(OSError):  # a failed disk must not hide why the node stops
            config.admin_socket.unlink(missing_ok=True)
        executors.close()


def _connections(config: Config, places: int) -> Connections:
    connections = Connections(_listeners(config, places))
    standard_error.REFUSED.addresses = connections.unknown_addresses
    return connections


def _listeners(config: Config, places: int) -> Iterator[Listener]:
    yield Listener(_port(config.listen), places, UNKNOWN_PER_ADDRESS)
    if config.enrol_listen:
        yield Listener(_port(config.enrol_listen), enrolment_server.MAX_CONNECTIONS, enrolment_server.MAX_PER_ADDRESS)


def _port(listen: str) -> int:
    return int(listen.rpartition(":")[2])


def _followed(
    authenticator: Authenticator, register_cache: RegisterCache, services: Services, officers: OfficerDirectory
) -> Authenticator:
    """Return the authenticator; what another register or a change of an officer admits no more ends at once."""
    register_cache.when_replaced(authenticator.cut)
    register_cache.when_replaced(services.peers.follow_register)
    register_cache.when_replaced(services.upload.task.wake)
    officers.follow(services.upload.task.wake)
    return authenticator


def _publisher(
    config: Config, reader: RegisterReader, node_keys: Keys, clock: Callable[[], datetime]
) -> Publisher | None:
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
        publisher.could_not_accept(other, clock())
    return publisher


def _envelope(config: Config, core: Core, reader: RegisterReader, officer_id: str) -> enrolment_pb2.Invitation:
    """Return an officer's invitation without secret and statement."""
    return invitation_envelope(
        officer_id,
        member=config.member,
        register=core.register_cache.last,
        first_root=reader.bootstrap_root,
        enrol_address=config.enrol_address,
    )


async def _leave_common_unit(config: Config, store: Store, ledger: Ledger) -> None:
    """Move what was stored before a duty unit was named out of the unit of all officers."""

    def batch() -> list[MessageRow]:
        with store.reads() as reads:
            return in_common_unit(reads)

    moved = 0
    while config.duty_unit and (rows := await asyncio.to_thread(batch)):
        await ledger.commit(partial(leave_common_unit, rows=rows, duty_unit=config.duty_unit))
        moved += len(rows)
    if moved:
        log.info("common_unit_left", messages=moved, duty_unit=config.duty_unit)


async def _bring_up_to_date(config: Config, store: Store, ledger: Ledger) -> None:
    """Do what is left to do since the last run: a backup was made, or a duty unit was named."""
    await _note_backup(config, ledger)
    await _leave_common_unit(config, store, ledger)


async def _note_backup(config: Config, ledger: Ledger) -> None:
    """Log the last backup if it was made while this node did not run."""
    record = await asyncio.to_thread(read_record, config.data)
    await ledger.commit(lambda tx: note_backup(tx, record))


async def _until_stopped(background_tasks: list[Any], reload: Reload) -> None:
    """Run the background tasks until a signal to stop comes; one that fails ends the node with its error.

    SIGHUP reloads. A reload that fails is said in the log, and the node goes on as it was.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    reloads: set[asyncio.Task[None]] = set()

    def reload_soon() -> None:
        task = asyncio.create_task(reload.on_signal())
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    loop.add_signal_handler(signal.SIGHUP, reload_soon)
    tasks = [asyncio.ensure_future(each) for each in background_tasks]
    waiting = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait([waiting, *tasks], return_when=asyncio.FIRST_COMPLETED)
    for task in (waiting, *tasks):
        task.cancel()
    await asyncio.gather(waiting, *tasks, return_exceptions=True)
    for task in done:
        if task is not waiting and (error := task.exception()) is not None:
            raise error


def _judging_clocks(peers: PeerDirectory) -> PeriodicTask:
    judge = partial(_judge_clocks, peers, ClockLog())
    return PeriodicTask(judge, period=CLOCK_SECONDS, failed="clocks_not_judged")


async def _judge_clocks(peers: PeerDirectory, clock_log: ClockLog) -> None:
    clock_log.note(peers.clocks())
