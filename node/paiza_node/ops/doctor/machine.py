"""The doctor's checks of this machine: keys, certificates, register, database, disk, log, queue."""

import os
import socket
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from hashlib import sha256
from typing import Any, Final

from paiza.core.v1 import log_pb2
from paiza_node.core.errors import N_
from paiza_node.core.exchange.send import store as deliveries_store
from paiza_node.core.log import store as log_store
from paiza_node.core.log.checkpoint_file import read_checkpoint
from paiza_node.core.log.checks import check_head
from paiza_node.core.log.disk_reserve import free_bytes
from paiza_node.core.storage import ReadConnection
from paiza_node.core.storage.findings import Part
from paiza_node.core.storage.scanning import open_scan
from paiza_node.features.witness.unwitnessed import unwitnessed
from paiza_node.ops.config import Config
from paiza_node.ops.doctor.store import database_facts, is_empty
from paiza_node.ops.language import _, number_text, span_text
from paiza_node.ops.offline import check_database, database_file
from paiza_node.ops.terminal import shown_bytes
from paiza_register import Register
from paiza_wire.tlog.cosignatures import quorum
from paiza_wire.tlog.tiles import TILE_WIDTH

LEAST_FREE: Final = 256 * 1024 * 1024  # bytes; below, a burst of messages fills the disk
LITTLE_FREE: Final = 5 * 1024 * 1024 * 1024
DAYS_OF_GROWTH: Final = 30
OLD_QUEUE: Final = timedelta(hours=1)
STUCK_QUEUE: Final = timedelta(hours=24)
LONG_UNWITNESSED: Final = timedelta(minutes=10)  # a log is cosigned within seconds if its witnesses answer
ISSUER_SECONDS: Final = 5.0  # it listens on this machine
TAIL_ENTRIES: Final = 4096  # last entries that are re-hashed; `verify` checks all


class Level(IntEnum):
    """The level of a check's result."""

    OK = 0
    WARN = 1
    FAIL = 2


@dataclass(frozen=True)
class Check:
    """One check's result: templates for cause and remedy, filled with ``values``; no remedy if all is well."""

    name: str
    level: Level
    what: str
    remedy: str
    values: dict[str, Any]

    def in_words(self) -> tuple[str, str]:
        """Return cause and remedy in the language in use."""
        what = _(self.what)
        remedy = _(self.remedy)
        return (what.format(**self.values), remedy.format(**self.values)) if self.values else (what, remedy)


def ok(name: str, what: str, /, **values: Any) -> Check:
    """Return the result of a check that found nothing wrong."""
    return Check(name, Level.OK, what, "", values)


def warn(name: str, what: str, remedy: str, /, **values: Any) -> Check:
    """Return the result of a check that needs an operator soon."""
    return Check(name, Level.WARN, what, remedy, values)


def fail(name: str, what: str, remedy: str, /, **values: Any) -> Check:
    """Return the result of a check that needs an operator now."""
    return Check(name, Level.FAIL, what, remedy, values)


def lacks_database(config: Config) -> bool:
    """Return whether there is no database yet: no SQLite file, which opening it would create, or one without tables."""
    file = database_file(config)
    return (file is not None and not file.exists()) or is_empty(config.database)


def check_missing_database(config: Config) -> Iterator[Check]:
    """Check that a node without a database has never run: a checkpoint shows that it had one."""
    name = N_("database")
    if read_checkpoint(config.data / "checkpoint") is None:
        remedy = N_("Start it: paiza-node run --config {path}")
        yield warn(name, N_("There is no database yet: the first `run` makes it."), remedy, path=config.path)
        return
    yield fail(
        name,
        N_("The database is missing or empty, but {path} shows that this node has run."),
        N_("Correct `data` or `database` in node.toml, or restore the newest backup."),
        path=config.data / "checkpoint",
    )


def check_database_settings(config: Config) -> Iterator[Check]:
    """Check the database's version, schema and durability."""
    name = N_("database")
    check_database(config)
    facts = database_facts(config.database)
    values = {"kind": facts.kind, "version": facts.version, "revision": facts.revision, "size": shown_bytes(facts.size)}
    if not facts.newest:
        yield fail(
            name,
            N_("{kind} {version}: the schema has revision {revision}, which is not this program's."),
            N_("Start the node with `paiza-node run`, which brings it up to date; or install the newer program."),
            **values,
        )
        return
    yield ok(name, N_("{kind} {version}, schema {revision}, {size}."), **values)
    if facts.kind == "sqlite":
        journal = facts.settings["journal_mode"]
        if journal != "wal":
            yield fail(
                name, N_("The journal mode is {mode}, not WAL."), N_("Start the node, which sets it."), mode=journal
            )
        return
    for setting in ("fsync", "full_page_writes"):
        if facts.settings.get(setting) != "on":
            yield fail(
                name,
                N_("{setting} is off: a loss of power may damage the database."),
                N_("Set {setting} = on in postgresql.conf and restart PostgreSQL."),
                setting=setting,
            )


def check_disk(config: Config, now: datetime) -> Iterator[Check]:
    """Check the free space, and for how long it lasts at the present growth of the store."""
    name = N_("disk")
    facts = database_facts(config.database)
    free = free_bytes(config.data, *([] if facts.folder is None else [facts.folder]))
    with open_scan(config.database) as scan:
        growth = _growth(scan, facts.size, now)
    seen = database_file(config) is not None or facts.folder is not None
    lasts = free / growth if growth and seen else None
    values = {
        "free": shown_bytes(free),
        "growth": "-" if growth is None else shown_bytes(growth),
        "days": "-" if lasts is None else number_text(round(min(lasts, 99_999))),
    }
    if growth is None:
        what = (
            N_("{free} free. How fast the store grows is shown once it is a day old.")
            if seen
            else N_("{free} free for attachments. The database is on a disk that is not looked at.")
        )
    else:
        what = (
            N_("{free} free. The store grows by {growth} a day: enough for {days} days.")
            if seen
            else N_(
                "{free} free for attachments. The database grows by {growth} a day on a disk that is not looked at."
            )
        )
    remedy = N_("Free some space, or move the data folder to a larger disk while the node is stopped.")
    if free < LEAST_FREE:
        yield fail(name, what, remedy, **values)
    elif free < LITTLE_FREE or (lasts is not None and lasts < DAYS_OF_GROWTH):
        yield warn(name, what, remedy, **values)
    else:
        yield ok(name, what, **values)


def _growth(scan: ReadConnection, size: int, now: datetime) -> float | None:
    """Return the growth in bytes a day over the life of the store; None of one that is not a day old."""
    first = log_store.entries(scan, 0, 1)
    if not first:
        return None
    age = now - log_pb2.LogEntry.FromString(first[0].entry).entry_time.ToDatetime(tzinfo=UTC)
    return size / (age / timedelta(days=1)) if age >= timedelta(days=1) else None


def check_log(config: Config, register: Register) -> Iterator[Check]:
    """Check the log's head, checkpoint and last entries; `verify` checks all of it."""
    name = N_("log")
    note = read_checkpoint(config.data / "checkpoint")
    part = Part("log")
    with open_scan(config.database) as scan:
        head = log_store.head(scan)
        check_head(scan, register.described_member(config.member), note, part)
        first = max(0, (head.size - TAIL_ENTRIES) // TILE_WIDTH * TILE_WIDTH)
        leaves = [
            row[2] if row[1] is None else sha256(b"\x00" + row[1]).digest()
            for rows in log_store.entry_rows(scan, first, head.size)
            for row in rows
        ]
        tiles = log_store.tiles(scan, 0, first // TILE_WIDTH, head.size // TILE_WIDTH)
    if b"".join(tiles[index] for index in sorted(tiles)) != b"".join(leaves):
        part.find("log_damaged", N_("The last entries do not have the hashes in the tiles."), "log_tile")
    for finding in part.findings:
        what, where, _remedy = finding.translated(_)
        yield fail(
            name,
            "{where}: {what}",
            N_("Run `paiza-node verify`, keep the present data, and restore the newest backup."),
            where=where,
            what=what,
        )
    if part.passed:
        yield ok(
            name,
            N_("{size} entries; head, checkpoint and the last {tail} entries agree."),
            size=number_text(head.size),
            tail=number_text(len(leaves)),
        )


def check_witnesses(config: Config, register: Register, now: datetime) -> Iterator[Check]:
    """Check for how long the log has not been cosigned by a quorum of the other members."""
    name = N_("witnesses")
    others = len(register.active_ids - {config.member})
    with open_scan(config.database) as scan:
        _last, since = unwitnessed(scan, log_store.head(scan).size)
    if not others:
        yield warn(
            name,
            N_("The register names no other member that could witness the log."),
            N_("There is nothing to do here."),
        )
    elif since is None:
        yield ok(name, N_("All of the log is cosigned by {needed} of {others}."), needed=quorum(others), others=others)
    elif (age := now - since) < LONG_UNWITNESSED:
        yield ok(name, N_("The newest entries wait for their cosignatures for {age}."), age=span_text(age))
    else:
        yield warn(
            name,
            N_("Entries have waited for {age} for the cosignatures of {needed} of {others} members."),
            N_("`paiza-node peers` shows which members do not cosign, and why. Deliveries do not wait for it."),
            age=span_text(age),
            needed=quorum(others),
            others=others,
        )


def check_queue(config: Config, now: datetime) -> Iterator[Check]:
    """Check for how long deliveries wait."""
    name = N_("queue")
    with open_scan(config.database) as scan:
        queue = deliveries_store.queue_summary(scan)
    for summary in queue:
        if summary.oldest_time is None or (age := now - summary.oldest_time) < OLD_QUEUE:
            continue
        judge = fail if age >= STUCK_QUEUE else warn
        yield judge(
            name,
            N_("{waiting} deliveries wait for {member}, the oldest for {age}."),
            N_("See `paiza-node peers` for the cause; tell that member's operator."),
            waiting=number_text(summary.waiting),
            member=summary.recipient,
            age=span_text(age),
        )
        return
    yield ok(
        name,
        N_("{waiting} deliveries wait, none for long."),
        waiting=number_text(sum(summary.waiting for summary in queue)),
    )


def check_issuer(config: Config) -> Iterator[Check]:
    """Check that the issuer listens at its socket, if one is configured, and that not everybody can open it."""
    name = N_("issuer")
    if config.issuer_socket is None:
        return
    try:
        with socket.socket(socket.AF_UNIX) as issuer:
            issuer.settimeout(ISSUER_SECONDS)
            issuer.connect(os.fspath(config.issuer_socket))
    except OSError as error:
        yield warn(
            name,
            N_("It does not answer at {path}: {error}. No officer can enrol, and no certificate is renewed."),
            N_("Start it: paiza-node issuer run. If it runs, compare issuer_socket with socket in issuer.toml."),
            path=config.issuer_socket,
            error=error.strerror or str(error),
        )
        return
    if config.issuer_socket.stat().st_mode & stat.S_IWOTH:
        yield fail(
            name,
            N_("Every user of this machine can open {path}."),
            N_("Start the issuer again: it makes the socket for its group. Find out who changed it."),
            path=config.issuer_socket,
        )
    else:
        yield ok(name, N_("It listens at {path}."), path=config.issuer_socket)


Look = Callable[[], Iterator[Check]]
