"""The node's status: from its process if it runs, else from its database."""

from datetime import UTC, datetime

from paiza.admin.v1 import admin_pb2
from paiza_node.core.exchange.send import store as deliveries_store
from paiza_node.core.log import store as log_store
from paiza_node.core.log.checkpoint_file import read_checkpoint
from paiza_node.core.peers import store as peers_store
from paiza_node.core.peers.model import FindingState
from paiza_node.core.storage import settings as settings_store
from paiza_node.core.version import VERSION
from paiza_node.features.ceremonies import store as ceremonies_store
from paiza_node.features.ceremonies.model import waiting_for
from paiza_node.features.recovery.progress import SETTING, Progress
from paiza_node.features.witness import store as witness_store
from paiza_node.features.witness.misbehaviour import misbehaviour_message
from paiza_node.features.witness.unwitnessed import unwitnessed
from paiza_node.ops.admin.client import AdminClient
from paiza_node.ops.admin.operate import officer_counts, shown_block
from paiza_node.ops.config import Config
from paiza_node.ops.offline import known_register, read_only
from paiza_wire.errors import PaizaError, Unavailable


def node_status(config: Config) -> tuple[admin_pb2.GetStatusResponse, bool]:
    """Return the status and whether the node runs."""
    try:
        with AdminClient(config.admin_socket) as client:
            return client.status(), True
    except Unavailable as error:
        if error.reason != "node_unreachable":
            raise
    return _stored(config), False


def _stored(config: Config) -> admin_pb2.GetStatusResponse:
    with read_only(config) as store, store.reads() as reads:
        head = log_store.head(reads)
        queue = {summary.recipient: summary for summary in deliveries_store.queue_summary(reads)}
        known = peers_store.known_logs(reads)
        blocks = peers_store.peer_blocks(reads)
        stands = [misbehaviour_message(each) for each in peers_store.findings(reads) if each.state is FindingState.OPEN]
        database = store.describe()
        uncosigned = witness_store.uncosigned_counts(reads)
        recovering_from = Progress.from_bytes(settings_store.setting(reads, SETTING)).members
        witnessed, since = unwitnessed(reads, head.size)
        proposals_waiting, proposals_for_own = waiting_for(ceremonies_store.proposals(reads), config.member)
        officers = officer_counts(reads, datetime.now(UTC))
    response = admin_pb2.GetStatusResponse(
        member=config.member,
        version=VERSION,
        checkpoint=read_checkpoint(config.data / "checkpoint") or b"",
        messages=head.messages,
        waiting=sum(summary.waiting for summary in queue.values()),
        database=database,
        recovering_from=sorted(recovering_from),
        proposals_waiting=proposals_waiting,
        proposals_for_own=proposals_for_own,
        officers=officers,
    )
    if witnessed is not None:
        response.witnessed_size = witnessed.size
        response.witnessed_time.FromDatetime(witnessed.time)
    if since is not None:
        response.unwitnessed_since_time.FromDatetime(since)
    members = set(queue) | set(known) | set(blocks) | {each.member for each in stands}
    try:
        _reader, register = known_register(config)
    except PaizaError:
        pass  # `doctor` reports on the register itself
    else:
        response.register_version = register.version
        response.register_expiry_time.FromDatetime(register.expiry_time)
        members |= register.active_ids - {config.member}
    for member in sorted(members):
        peer = response.peers.add(
            member=member,
            uncosigned_proofs=uncosigned.get(member, 0),
            misbehaviour=[each.reason for each in stands if each.member == member],
        )
        if member in blocks:
            peer.block.CopyFrom(shown_block(blocks[member]))
        if member in known:
            peer.known_log_size = known[member].size
        if member in queue:
            peer.waiting = queue[member].waiting
            if (oldest := queue[member].oldest_time) is not None:
                peer.oldest_waiting_time.FromDatetime(oldest)
    return response
