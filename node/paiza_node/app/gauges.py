"""The gauges: what the metrics show of a running node, set anew every few seconds."""

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from paiza.admin.v1 import admin_pb2
from paiza_node.app.services import Services
from paiza_node.core.access import store as access_store
from paiza_node.core.access.ends import within_ca
from paiza_node.core.access.officers import OfficerDirectory
from paiza_node.core.api import metrics
from paiza_node.core.dependencies import Core
from paiza_node.core.executors.periodic import PeriodicTask
from paiza_node.core.peers.tls_identity import TlsIdentity
from paiza_node.core.register.sync import RegisterCache
from paiza_node.core.storage import Store
from paiza_node.features.attachments.download import AttachmentDownloads
from paiza_node.features.attachments.upload import Upload
from paiza_node.features.ceremonies import store as proposals_store
from paiza_node.features.witness.consistency_monitor import FORKED, IN_DEFAULT, STALE
from paiza_node.ops.admin.operate import Operate
from paiza_node.ops.expiries import (
    earliest,
    member_expiries,
    node_certificate,
    of_others,
    officer_certificates,
    shared_expiries,
)
from paiza_register import RegisterReader

METRICS_SECONDS: Final = 5.0


def tasks(
    core: Core,
    services: Services,
    operate: Operate,
    reader: RegisterReader,
    identity: TlsIdentity,
    officers: OfficerDirectory,
) -> list[Coroutine[Any, Any, None]]:
    """Return the tasks that set the gauges as long as the node runs."""
    counted = {"uploaded": 0, "downloaded": 0}
    metrics.COMMIT_AGE.set_function(lambda: core.ledger.commit_age)
    return [
        _metrics(partial(_note_status, core, operate)),
        _metrics(partial(_note_register, core, identity, officers)),
        _metrics(partial(_note_replication, core.store)),
        _metrics(partial(_note_publishers, core.register_cache, reader)),
        _metrics(partial(_count_attachments, services.upload, services.downloads, counted)),
    ]


def _metrics(round_: Callable[[], Coroutine[Any, Any, None]]) -> Coroutine[Any, Any, None]:
    return PeriodicTask(round_, period=METRICS_SECONDS, failed="no_metrics").run()


async def _note_status(core: Core, operate: Operate) -> None:
    status = await operate.status(admin_pb2.GetStatusRequest())
    metrics.LOG_SIZE.set(core.ledger.checkpoint.size)
    metrics.WITNESSED_SIZE.set(status.witnessed_size)
    metrics.UNWITNESSED_SECONDS.set(_age(status, core.clock()))
    metrics.REGISTER_EXPIRY.set(core.register_cache.expiry_time.timestamp())
    metrics.CLOCK_SOURCES.set(status.clock_sources)
    for state in status.officers.DESCRIPTOR.fields:
        metrics.OFFICERS.labels(state.name).set(getattr(status.officers, state.name))
    for use in status.limits:
        metrics.LIMIT_USED.labels(use.name).set(use.used)
        metrics.LIMIT.labels(use.name).set(use.limit)
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


async def _note_register(core: Core, identity: TlsIdentity, officers: OfficerDirectory) -> None:
    """Set the gauges of the register, of what expires, and of the proposals that wait."""
    register, now = core.register_cache.last, core.clock()
    expiries = [
        *shared_expiries(register),
        *member_expiries(register, core.member),
        *of_others(register, core.member),
        node_certificate(core.member, identity.keys.certificate),
        *officer_certificates(officers.officers(), within_ca(officers.certificates().values(), register)),
    ]
    ends: dict[tuple[str, ...], float] = {
        (kind.value, owner): time.timestamp() for (kind, owner), time in earliest(expiries).items()
    }
    metrics.set_labelled(metrics.EXPIRY, ends)
    metrics.REGISTER_ISSUED.set(register.issued_time.timestamp())
    known = register.members.keys() | register.unusable.keys()
    metrics.set_labelled(metrics.UNUSABLE, {(each,): float(each in register.unusable) for each in known})
    metrics.INVITATION_ALARMS.set(await asyncio.to_thread(_alarms, core.store))
    waiting = await asyncio.to_thread(_waiting_proposals, core.store)
    metrics.PROPOSALS.set(len(waiting))
    metrics.OLDEST_PROPOSAL.set(max([0.0, *((now - since).total_seconds() for since in waiting)]))


async def _note_replication(store: Store) -> None:
    """Set the gauges of the database's standbys; a SQLite database has none."""
    found = await asyncio.to_thread(store.replication)
    if found is None:
        return
    following = Counter(each.synchronous for each in found.standbys if each.state == "streaming")
    metrics.set_labelled(
        metrics.DATABASE_STANDBYS, {(kind,): float(count) for kind, count in following.items() if kind is not None}
    )
    lacks: dict[tuple[str, ...], float] = {
        (each.name,): float(each.lacks) for each in found.standbys if each.lacks is not None
    }
    metrics.set_labelled(metrics.DATABASE_STANDBY_LACKS, lacks)
    missing = bool(found.named) and not any(each.confirms for each in found.standbys)
    metrics.SYNCHRONOUS_MISSING.set(math.nan if found.is_hidden else missing)


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


def _alarms(store: Store) -> int:
    """Return how many invitations somebody else may hold."""
    with store.reads() as reads:
        return len(access_store.alarms(reads))


def _waiting_proposals(store: Store) -> list[datetime]:
    """Return since when each proposal has waited."""
    with store.reads() as reads:
        return [each.received_time for each in proposals_store.proposals(reads) if each.is_waiting]


async def _count_attachments(upload: Upload, downloads: AttachmentDownloads, counted: dict[str, int]) -> None:
    """Add the uploaded and downloaded bytes to the counters; set the room on the disk and the pending attachments.

    ``counted`` holds the totals of the previous round, and is updated.
    """
    for way, total in (("uploaded", upload.bytes_taken), ("downloaded", downloads.bytes_taken)):
        metrics.ATTACHMENT_BYTES.labels(way).inc(total - counted[way])
        counted[way] = total
    metrics.ATTACHMENT_ROOM.labels("granted").set(upload.room.granted)
    metrics.ATTACHMENT_ROOM.labels("free").set(upload.room.free)
    for (way, member), count in (await asyncio.to_thread(downloads.pending)).items():
        metrics.ATTACHMENTS_PENDING.labels(way, member).set(count)


def _seconds_or_nan(status: admin_pb2.GetStatusResponse | admin_pb2.PeerStatus) -> float:
    """Return the offset of a clock in seconds; NaN if it is not known."""
    known = status.HasField("clock_offset")
    return status.clock_offset.ToTimedelta().total_seconds() if known else math.nan


def _age(status: admin_pb2.GetStatusResponse, now: datetime) -> float:
    """Return for how many seconds the oldest unwitnessed entry has waited; 0 if there is none."""
    if not status.HasField("unwitnessed_since_time"):
        return 0.0
    return max(0.0, (now - status.unwitnessed_since_time.ToDatetime(tzinfo=UTC)).total_seconds())
