"""The only place that builds things: from a configuration to a node that serves, and down again without loss."""

import asyncio
import gc
import os
import signal
import stat
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import structlog

from paiza.v1 import admin_pb2, log_pb2
from paiza_node.audit import Audit
from paiza_node.config import Config
from paiza_node.deliver import Deliver
from paiza_node.disclose import Disclose
from paiza_node.edge import metrics
from paiza_node.edge.gate import Gate
from paiza_node.edge.officer_service import OfficerService
from paiza_node.edge.other_services import audit_behaviours, exchange_behaviours, register_behaviours
from paiza_node.edge.server import admin_server, public_server
from paiza_node.errors import N_, NodeStopped
from paiza_node.growth import KnownLogs
from paiza_node.lanes import Lane, quick_threads
from paiza_node.ledger import Ledger, Pen
from paiza_node.model import Officer
from paiza_node.news import News
from paiza_node.operate import Operate, operator
from paiza_node.peers import ChannelKeys, GrpcPeer, PeersFetch, PeersSets
from paiza_node.receive import PROTOCOL_VERSION, Receive
from paiza_node.refresh import Registers
from paiza_node.settle import Context
from paiza_node.store import SqlStore, open_store
from paiza_node.store.checkpoint_file import CheckpointSlots
from paiza_node.submit import Submit
from paiza_register import RegisterReader, folder_fetch
from paiza_wire import hpke, keys
from paiza_wire.errors import PaizaError, Unavailable
from paiza_wire.identity import SpiffeId
from paiza_wire.notes import SignerKey

VERSION: Final = version("paiza")
COLLECT_AFTER: Final = 10_000  # objects made and kept before cycles are looked for
DRAIN_SECONDS: Final = 10.0  # calls under way may take this long after a stop was asked for
METRICS_SECONDS: Final = 5.0
STANDBY_SECONDS: Final = 1.0  # a standby looks this often whether the writer is gone
STANDBY_TOLD: Final = 60  # and says once in so many looks that it still waits
SETTING_CONFIG: Final = "config"
SETTING_LOG_KEY: Final = "log_key"

log = structlog.get_logger("paiza.node")


@dataclass(frozen=True, slots=True)
class Keys:
    """The node's own keys, as read from its key folder."""

    certificate: bytes
    private_key: bytes
    log: SignerKey
    decryption: dict[bytes, hpke.DecryptionKey]


def load_keys(config: Config, origin: str) -> Keys:
    """Read the key files; NodeStopped where one is missing, damaged or open to others."""
    return Keys(
        certificate=_key_file(config.keys / "tls.crt", secret=False),
        private_key=_key_file(config.keys / "tls.key"),
        log=SignerKey.from_ed25519(origin, _parsed(config.keys / "log.key", keys.private_key_from_pem)),
        decryption=_decryption_keys(config.keys),
    )


def _decryption_keys(folder: Path) -> dict[bytes, hpke.DecryptionKey]:
    """Read every encryption seed: the current one, and old ones that messages on their way may still be wrapped for."""
    found = [_parsed(path, _seed) for path in sorted(folder.glob("encryption*.seed"))]
    if not found:
        raise _bad_key(N_("There is no encryption seed."), folder / "encryption.seed")
    return {key.public_key.key_id: key for key in found}


def _seed(data: bytes) -> hpke.DecryptionKey:
    return hpke.private_key_from_seed(data if len(data) == hpke.SEED_BYTES else bytes.fromhex(data.decode().strip()))


def _parsed(path: Path, parse: Callable[[bytes], Any]) -> Any:
    try:
        return parse(_key_file(path))
    except (PaizaError, ValueError) as error:
        raise _bad_key(N_("The key cannot be read: {error}."), path, error=error) from error


def _key_file(path: Path, *, secret: bool = True) -> bytes:
    try:
        mode = path.stat().st_mode
        data = path.read_bytes()
    except OSError as error:
        raise _bad_key(N_("The file cannot be read: {error}."), path, error=error.strerror) from error
    if secret and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise NodeStopped(
            "key_exposed",
            what=N_("Others than the node's own user may read this key."),
            where="{path}",
            remedy=N_("chmod 600 {path}; if others could read it for long, make a new key."),
            path=path,
        )
    return data


def _bad_key(what: str, path: Path, **values: object) -> NodeStopped:
    remedy = N_("Put the key back. If it is lost, make a new one and have the register's holders publish it.")
    return NodeStopped("bad_key", what=what, where="{path}", remedy=remedy, path=path, **values)


def load_officers(path: Path, member: str, federation: str) -> dict[str, Officer]:
    """Read officers.toml: the officers this node knows, with roles, unit and certificate."""
    try:
        rows = tomllib.loads(path.read_text()).get("officer", [])
        officers = [
            Officer(
                id=str(SpiffeId.parse(row["id"])),
                roles=frozenset(str(role) for role in row["roles"]),
                unit=str(row.get("unit", "")),
                certificate_sha256=bytes.fromhex(row["certificate_sha256"]),
                suspended=bool(row.get("suspended", False)),
            )
            for row in rows
        ]
    except (OSError, KeyError, TypeError, ValueError, PaizaError) as error:
        raise NodeStopped(
            "bad_configuration",
            what=N_("The list of officers cannot be read: {error}."),
            where="{path}",
            remedy=N_("Mend the file: each [[officer]] has id, roles, unit and certificate_sha256."),
            error=error,
            path=path,
        ) from error
    for officer in officers:
        identity = SpiffeId.parse(officer.id)
        if (identity.member, identity.federation, identity.role) != (member, federation, "officer"):
            raise NodeStopped(
                "bad_configuration",
                what=N_("{officer} is not an officer of {member}."),
                where="{path}",
                remedy=N_("Remove the entry; every member knows only its own officers."),
                officer=officer.id,
                member=member,
                path=path,
            )
    return {officer.id: officer for officer in officers}


def note_start(pen: Pen, config: Config, log_key: SignerKey, officers: dict[str, Officer]) -> None:
    """Log what is new at a start: the log's key, the configuration, officers. Nothing where nothing changed."""
    vkey = log_key.verifier_key.to_vkey().encode()
    if pen.tx.setting(SETTING_LOG_KEY) != vkey:
        pen.append(
            log_pb2.LogEntry(event=log_pb2.LOG_EVENT_KEY_ADDED, actor=operator(), evidence_sha256=sha256(vkey).digest())
        )
        pen.tx.put_setting(SETTING_LOG_KEY, vkey)
    settings = sha256(config.path.read_bytes()).digest()
    if pen.tx.setting(SETTING_CONFIG) != settings:
        pen.append(log_pb2.LogEntry(event=log_pb2.LOG_EVENT_CONFIG_CHANGED, actor=operator(), evidence_sha256=settings))
        pen.tx.put_setting(SETTING_CONFIG, settings)
    known = pen.tx.officers()
    for officer in officers.values():
        before = known.get(officer.id)
        if before == officer:
            continue
        pen.append(
            log_pb2.LogEntry(
                event=_officer_event(before, officer), actor=operator(), evidence_sha256=officer.certificate_sha256
            ),
            text=f"{officer.id} {' '.join(sorted(officer.roles))} {officer.unit}",
        )
        pen.tx.put_officer(officer)
    for gone in set(known) - set(officers):
        if not known[gone].suspended:
            pen.append(log_pb2.LogEntry(event=log_pb2.LOG_EVENT_OFFICER_SUSPENDED, actor=operator()), text=gone)
            pen.tx.put_officer(
                Officer(gone, known[gone].roles, known[gone].unit, known[gone].certificate_sha256, suspended=True)
            )


def _officer_event(before: Officer | None, officer: Officer) -> log_pb2.LogEvent.ValueType:
    if before is None or before.certificate_sha256 != officer.certificate_sha256:
        return log_pb2.LOG_EVENT_OFFICER_CERTIFIED
    return log_pb2.LOG_EVENT_OFFICER_SUSPENDED if officer.suspended else log_pb2.LOG_EVENT_OFFICER_CHANGED


def prepare_data(config: Config) -> None:
    """Make the data folder, for the node's own user only."""
    try:
        config.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        config.admin_socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise NodeStopped(
            "file_unwritable",
            what=N_("The data folder cannot be made: {error}."),
            where="{path}",
            remedy=N_("Choose a folder the node's user may write to."),
            error=error.strerror,
            path=config.data,
        ) from error


def open_reader(config: Config, fetch: Callable[[str, int], bytes]) -> RegisterReader:
    """Open the register's cache and archive in the data folder."""
    try:
        root = config.bootstrap_root.read_bytes()
    except OSError as error:
        raise NodeStopped(
            "bad_configuration",
            what=N_("The bootstrap root cannot be read: {error}."),
            where="{path}",
            remedy=N_("Get the root file from the federation, by a way you trust, and name it as bootstrap_root."),
            error=error.strerror,
            path=config.bootstrap_root,
        ) from error
    return RegisterReader(config.data / "register", root, fetch)


async def run(config: Config) -> None:
    """Run the node until it is asked to stop (SIGTERM, SIGINT).

    Nothing is believed, signed or listened on before this process is the writer of the database: a standby takes over
    with the register of that moment.
    """
    os.umask(0o077)
    prepare_data(config)
    store = await _become_writer(config.database)
    try:
        await _run_with(config, store)
    finally:
        store.close()
    log.info("stopped")


async def _become_writer(database: str) -> SqlStore:
    """Open the database; where another process is its writer, wait until that one is gone."""
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


async def _run_with(config: Config, store: SqlStore) -> None:
    loop = asyncio.get_running_loop()
    peers_fetch = PeersFetch(config.member, loop) if config.register is None else None
    fetch = peers_fetch if peers_fetch is not None else folder_fetch(config.register or config.data)
    reader = await asyncio.to_thread(open_reader, config, fetch)
    turn = (lambda: 1) if peers_fetch is None else peers_fetch.turn
    registers = await asyncio.to_thread(Registers, reader, _now, turn)
    own = registers.current.member(config.member)
    node_keys = load_keys(config, own.log_keys[-1].origin)
    _check_keys(config, node_keys, registers)
    checkpoint_file = CheckpointSlots(config.data / "checkpoint")
    try:
        ledger = await asyncio.to_thread(Ledger, store, node_keys.log, checkpoint_file, lambda: registers.version)
        try:
            await _serve(config, reader, registers, node_keys, store, ledger, peers_fetch)
        finally:
            await asyncio.to_thread(ledger.close)
    finally:
        checkpoint_file.close()


def _check_keys(config: Config, node_keys: Keys, registers: Registers) -> None:
    """Refuse to start with keys the register does not name: nobody could verify or reach us."""
    member = registers.current.member(config.member)
    if node_keys.log.verifier_key.to_vkey() != member.log_keys[-1].vkey:
        raise _bad_key(N_("The register names another log key for this member."), config.keys / "log.key")
    published = {key.key_id for key in member.encryption_keys}
    if not published & set(node_keys.decryption):
        raise _bad_key(
            N_("The register names another encryption key for this member."), config.keys / "encryption.seed"
        )


async def _serve(
    config: Config,
    reader: RegisterReader,
    registers: Registers,
    node_keys: Keys,
    store: SqlStore,
    ledger: Ledger,
    peers_fetch: PeersFetch | None,
) -> None:
    quick = quick_threads()
    lanes = {verb: Lane(verb, quick) for verb in ("submit", "receive", "deliver")}
    officers = load_officers(config.officers, config.member, config.federation)
    await ledger.commit(registers.note)
    await ledger.commit(lambda pen: note_start(pen, config, node_keys.log, officers))
    with store.reads() as reads:
        officers = reads.officers()
        logs = KnownLogs(reads.known_logs(), _now)
    news = News()
    context = Context(
        member=config.member,
        node_id=str(SpiffeId(config.member, config.federation, "node")),
        registers=registers,
        ledger=ledger,
        store=store,
        logs=logs,
        news=news,
        lane=lanes["deliver"],
        private_keys=node_keys.decryption,
        clock=_now,
    )
    channel_keys = ChannelKeys(node_keys.certificate, node_keys.private_key)
    deliver = Deliver(context, lambda member: GrpcPeer(member, channel_keys, lambda: registers.current))
    operate = Operate(
        member=config.member,
        version=VERSION,
        registers=registers,
        ledger=ledger,
        store=store,
        logs=logs,
        news=news,
        deliver=deliver,
        clock=_now,
    )
    gate = Gate(config.member, registers, lambda: officers, _now)
    server, health = public_server(
        listen=config.listen,
        gate=gate,
        behaviours=_behaviours(config, reader, context, deliver, lanes, lambda: officers),
        certificate=node_keys.certificate,
        private_key=node_keys.private_key,
        member=config.member,
        register=lambda: registers.current,
        with_reflection=config.reflection,
    )
    prefix = "/paiza.v1.AdminService/"
    admin = admin_server(
        config.admin_socket,
        {
            prefix + "GetStatus": operate.status,
            prefix + "ListQueue": operate.list_queue,
            prefix + "RetryDelivery": operate.retry,
            prefix + "DropDelivery": operate.drop,
        },
    )
    if peers_fetch is not None:
        peers_fetch.connect(lambda: registers.last, channel_keys)
    if config.metrics_listen:
        metrics.serve(config.metrics_listen)
    await server.start()
    await admin.start()
    await health.serve()
    # What a start made lives as long as the process, and what a batch makes goes with its last reference: looking for
    # cycles among them at every 700 objects, as Python does by default, finds nothing and costs a twentieth.
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 20, 20)
    log.info("serving", member=config.member, listen=config.listen, version=VERSION, database=store.describe())
    try:
        fetch_set = PeersSets(config.member, channel_keys, lambda: registers.current)
        duties = [deliver.run(), registers.keep_fresh(ledger, fetch_set), _keep_metrics(operate, ledger, registers)]
        await _until_stopped([*duties, asyncio.wrap_future(ledger.stopped)])
    finally:
        log.info("stopping")
        await health.stop()
        news.close()
        await server.stop(DRAIN_SECONDS)
        await admin.stop(1.0)
        config.admin_socket.unlink(missing_ok=True)
        for lane in lanes.values():
            lane.close()
        quick.shutdown()


def _behaviours(
    config: Config,
    reader: RegisterReader,
    context: Context,
    deliver: Deliver,
    lanes: Mapping[str, Lane],
    officers: Callable[[], dict[str, Officer]],
) -> dict[str, Any]:
    """Build the verbs and give what each RPC does."""
    submit = Submit(
        member=config.member,
        registers=context.registers,
        ledger=context.ledger,
        news=context.news,
        lane=lanes["submit"],
        officers=officers,
        wake=deliver.wake,
        delivery_life=config.delivery_life,
        clock=_now,
    )
    receive = Receive(
        member=config.member,
        node_id=context.node_id,
        registers=context.registers,
        ledger=context.ledger,
        logs=context.logs,
        news=context.news,
        lane=lanes["receive"],
        private_keys=context.private_keys,
        suspect=deliver.ask,
        clock=_now,
    )
    disclose = Disclose(
        member=config.member,
        registers=context.registers,
        ledger=context.ledger,
        store=context.store,
        news=context.news,
        private_keys=context.private_keys,
        clock=_now,
    )
    officer_service = OfficerService(
        registers=context.registers,
        ledger=context.ledger,
        store=context.store,
        news=context.news,
        submit=submit,
        disclose=disclose,
        version=VERSION,
        protocol_version=PROTOCOL_VERSION,
        clock=_now,
    )
    audit = Audit(registers=context.registers, ledger=context.ledger, store=context.store)
    return {
        **exchange_behaviours(receive),
        **officer_service.behaviours(),
        **audit_behaviours(audit),
        **register_behaviours(reader),
    }


async def _until_stopped(duties: list[Any]) -> None:
    """Run the duties until a signal comes; a duty that fails ends the node with its error."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    tasks = [asyncio.ensure_future(duty) for duty in duties]
    waiting = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait([waiting, *tasks], return_when=asyncio.FIRST_COMPLETED)
    for task in (waiting, *tasks):
        task.cancel()
    await asyncio.gather(waiting, *tasks, return_exceptions=True)
    for task in done:
        if task is not waiting and (error := task.exception()) is not None:
            raise error


async def _keep_metrics(operate: Operate, ledger: Ledger, registers: Registers) -> None:
    while True:
        try:
            status = await operate.status(admin_pb2.GetStatusRequest())
        except Unavailable as error:
            log.warning("no_metrics", reason=error.reason, detail=error.detail)
            await asyncio.sleep(METRICS_SECONDS)
            continue
        metrics.LOG_SIZE.set(ledger.checkpoint.size)
        metrics.REGISTER_EXPIRY.set(registers.expiry_time.timestamp())
        for peer in status.peers:
            metrics.WAITING.labels(peer.member).set(peer.waiting)
            metrics.PEER_UP.labels(peer.member).set(peer.reachable)
        await asyncio.sleep(METRICS_SECONDS)


def _now() -> datetime:
    return datetime.now(UTC)
