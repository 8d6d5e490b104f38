"""Prometheus metrics. They contain numbers and member ids only: no message, no officer."""

from collections.abc import Mapping
from typing import Final
from wsgiref.simple_server import WSGIServer

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from paiza_node.core.errors import N_, NodeStopped

CALLS: Final = Counter(
    "paiza_calls_total", "Calls answered, by RPC and reason code (ok for success).", ["rpc", "reason"]
)
SECONDS: Final = Histogram(
    "paiza_call_seconds",
    "Time to answer a call.",
    ["rpc"],
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
)
REQUEST_BYTES: Final = Gauge(
    "paiza_request_bytes", "Bytes of large requests that are being handled; at most 16 MiB, 8 MiB of one caller."
)
UNSENT_BYTES: Final = Gauge(
    "paiza_unread_answer_bytes", "Bytes of large answers that callers have not read yet; at most 16 MiB of one caller."
)
COMMIT_AGE: Final = Gauge(
    "paiza_commit_running_seconds", "For how long the running commit has waited for the database; 0 if none runs."
)
STANDBY: Final = Gauge("paiza_standby", "1 while this process waits for the one that is the writer of the database.")
DATABASE_STANDBYS: Final = Gauge(
    "paiza_database_standbys", "Standbys of the database that follow it, by sync, quorum, potential or async.", ["sync"]
)
DATABASE_STANDBY_LACKS: Final = Gauge(
    "paiza_database_standby_lacks_bytes", "Bytes of the database's log that a standby has not on its disk.", ["standby"]
)
SYNCHRONOUS_MISSING: Final = Gauge(
    "paiza_database_synchronous_standby_missing",
    "1 if the database names synchronous standbys and none of them follows it; NaN if the node's role may not see it.",
)
LOG_SIZE: Final = Gauge("paiza_log_entries", "Entries of the own log.")
WITNESSED_SIZE: Final = Gauge("paiza_witnessed_entries", "Entries of the own log that a quorum has cosigned.")
UNWITNESSED_SECONDS: Final = Gauge(
    "paiza_unwitnessed_seconds", "Age of the oldest entry that no quorum has cosigned; 0 for none."
)
COSIGNED_SIZE: Final = Gauge("paiza_cosigned_entries", "Entries of the own log that a member has cosigned.", ["peer"])
UNCOSIGNED: Final = Gauge(
    "paiza_uncosigned_proofs", "Entries of a member's log whose proofs do not lead to a cosigned checkpoint.", ["peer"]
)
WAITING: Final = Gauge("paiza_deliveries_waiting", "Waiting deliveries, by recipient.", ["recipient"])
ATTACHMENT_BYTES: Final = Counter(
    "paiza_attachment_bytes_total", "Bytes of attachments uploaded by officers or downloaded from peers.", ["way"]
)
ATTACHMENTS_PENDING: Final = Gauge(
    "paiza_attachments_pending", "Attachments to download from a peer, or to serve to one.", ["way", "member"]
)
LIMIT_USED: Final = Gauge(
    "paiza_limit_used", "How much of a limit is used by the caller who uses most of it, or by all of it.", ["limit"]
)
LIMIT: Final = Gauge("paiza_limit", "A limit on callers.", ["limit"])
ATTACHMENT_ROOM: Final = Gauge(
    "paiza_attachment_disk_bytes",
    "Bytes of the disk of attachments: free, and granted to uploads and downloads; 256 MiB stay free.",
    ["which"],
)
PEER_UP: Final = Gauge("paiza_peer_reachable", "1 when the peer answered the last attempt.", ["peer"])
PEER_BLOCKED: Final = Gauge("paiza_peer_blocked", "1 while the operator blocks the member.", ["peer"])
MISBEHAVIOUR: Final = Gauge(
    "paiza_log_misbehaviour",
    "1 if this misbehaviour of a member's log is open: log_forked, log_in_default or log_stale.",
    ["peer", "reason"],
)
CLOCK_OFFSET: Final = Gauge(
    "paiza_clock_offset_seconds",
    "How far the own clock is ahead of the median of the peers' clocks; NaN with fewer than three.",
)
CLOCK_SOURCES: Final = Gauge("paiza_clock_sources", "Peers whose clocks were compared lately.")
PEER_CLOCK: Final = Gauge(
    "paiza_peer_clock_offset_seconds",
    "How far a peer's clock is ahead of the own one; NaN if it was not compared lately.",
    ["peer"],
)
ENROLMENT_OPEN: Final = Gauge("paiza_enrolment_open", "1 while the address for enrolment is open.")
INVITATION_ALARMS: Final = Gauge(
    "paiza_invitation_alarms", "Invitations that were shown with other keys or guessed at, and not invited anew."
)
CONNECTIONS: Final = Gauge(
    "paiza_connections", "Open connections: known after their first call that was admitted, else unknown.", ["caller"]
)
CONNECTIONS_LIMIT: Final = Gauge("paiza_connections_limit", "Connections that the listeners take together.")
CONNECTIONS_GIVEN_UP: Final = Counter(
    "paiza_connections_given_up_total",
    "Connections given up: too many unknown ones of an address, too few places, too many of a caller, unread, headers.",
    ["why"],
)
HANDSHAKES_REFUSED: Final = Counter(
    "paiza_handshakes_refused_total", "TLS handshakes refused, by the TLS library's code for the cause.", ["cause"]
)
LINES_LEFT_OUT: Final = Counter(
    "paiza_program_log_lines_left_out_total",
    "Lines of the program's log that were not written, by event: the callers caused too many.",
    ["event"],
)
DESCRIPTORS: Final = Gauge("paiza_descriptors", "Descriptors in use.")
DESCRIPTORS_LIMIT: Final = Gauge("paiza_descriptors_limit", "Descriptors that the process may use.")
OFFICERS: Final = Gauge(
    "paiza_officers", "Officers of the own member: active, unconfirmed, suspended, invited or on_hold.", ["state"]
)
REGISTER_EXPIRY: Final = Gauge("paiza_register_expiry_timestamp_seconds", "Time at which the register expires.")
TIMESTAMP_VERSION: Final = Gauge("paiza_register_timestamp_version", "Version of the register's timestamp.")
PEER_TIMESTAMP: Final = Gauge(
    "paiza_peer_register_timestamp_version",
    "Version of the register's timestamp that a peer announced last; 0 for none.",
    ["peer"],
)
PUBLISHED: Final = Gauge(
    "paiza_register_published", "1 for the member whose node signed the register's timestamp.", ["member"]
)
DISQUALIFIED: Final = Gauge(
    "paiza_register_publisher_disqualified", "1 if the member's publishing key contradicted itself.", ["member"]
)
REGISTER_FORKED: Final = Gauge(
    "paiza_register_forked", "1 if custodians signed two roots of one version: the members stay as they were."
)
REGISTER_ISSUED: Final = Gauge("paiza_register_issued_timestamp_seconds", "Time at which the register was signed.")
EXPIRY: Final = Gauge(
    "paiza_expiry_timestamp_seconds",
    "Time at which something expires: what, and the member whose it is; the earliest of all officers seen.",
    ["what", "member"],
)
UNUSABLE: Final = Gauge("paiza_member_unusable", "1 if the register's files of the member cannot be used.", ["member"])
PROPOSALS: Final = Gauge("paiza_proposals_waiting", "Proposals to change the register that wait for signatures.")
OLDEST_PROPOSAL: Final = Gauge(
    "paiza_proposal_age_seconds", "Age of the oldest proposal that waits for signatures; 0 for none."
)


def set_labelled(gauge: Gauge, values: Mapping[tuple[str, ...], float]) -> None:
    """Set a gauge for exactly these label values; it has no others afterwards."""
    gone = _LABELLED.get(gauge, frozenset()) - values.keys()
    for labels, value in values.items():
        gauge.labels(*labels).set(value)
    for labels in gone:
        gauge.remove(*labels)
    _LABELLED[gauge] = frozenset(values)


_LABELLED: Final[dict[Gauge, frozenset[tuple[str, ...]]]] = {}


def serve(listen: str, registry: CollectorRegistry = REGISTRY) -> WSGIServer:
    """Serve the metrics over plain HTTP at "host:port"; meant for loopback or a management network.

    NodeStopped if the address cannot be listened on.
    """
    host, _, port = listen.rpartition(":")
    try:
        server, _thread = start_http_server(int(port), addr=host.strip("[]"), registry=registry)
    except OSError as error:
        raise NodeStopped(
            "bad_configuration",
            what=N_("The address {address} cannot be listened on."),
            where=N_("metrics_listen in node.toml"),
            remedy=N_("Stop what listens there, or choose another port."),
            address=listen,
        ) from error
    return server


def serve_standby(listen: str) -> WSGIServer:
    """Serve the metrics of a process that waits: that it does. Every other would be a zero that means nothing."""
    registry = CollectorRegistry()
    registry.register(STANDBY)
    STANDBY.set(1)
    return serve(listen, registry)


def close(server: WSGIServer) -> None:
    """Stop serving metrics, as the process waits no longer. Blocking."""
    server.shutdown()
    server.server_close()
    STANDBY.set(0)
