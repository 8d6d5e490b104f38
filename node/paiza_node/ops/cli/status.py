"""`paiza-node status`: the node's status."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
from google.protobuf.duration_pb2 import Duration

from paiza.admin.v1 import admin_pb2
from paiza_cli.terminal import plain_line
from paiza_node.core.errors import N_
from paiza_node.ops.cli.node_status import node_status
from paiza_node.ops.cli.options import json_option, settings, shared
from paiza_node.ops.language import _, number_text, span_text
from paiza_node.ops.misbehaviour import in_words
from paiza_node.ops.terminal import iso, print_facts, print_json, shown_bytes, shown_time, time_of
from paiza_wire.errors import PaizaError
from paiza_wire.tlog.checkpoint import Checkpoint
from paiza_wire.tlog.notes import parse_note


@click.command("status", help=N_("Show the node's status. If it does not run, the status is read from its database."))
@shared
@json_option
def command(config_path: Path, log_level: str | None, *, as_json: bool) -> None:
    """Show the status."""
    status, runs = node_status(settings(config_path, log_level))
    if as_json:
        print_json(_as_object(status, runs=runs))
        return
    if status.standby:
        since = shown_time(time_of(status.started_time))
        waits = _("waits as standby since {time}; another process serves").format(time=since)
        print_facts([(_("member"), status.member), (_("version"), status.version), (_("node"), waits)])
        return
    print_facts(
        [
            (_("member"), status.member),
            (_("version"), status.version),
            (
                _("node"),
                _("runs since {time}").format(time=shown_time(time_of(status.started_time)))
                if runs
                else _("does not run; read from its database"),
            ),
            (_("database"), status.database),
            *([(_("commit"), commit_text(status))] if status.HasField("commit_age") else []),
            (_("log entries"), number_text(log_size(status.checkpoint))),
            (_("witnessed"), _witnessed(status)),
            *([(_("clock"), _clock(status))] if runs else []),
            *[
                (_("misbehaviour"), f"{peer.member}: {in_words(list(peer.misbehaviour))}")
                for peer in _with_misbehaviour(status)
            ],
            *[(_("blocked"), block_text(peer.block)) for peer in status.peers if peer.HasField("block")],
            (_("officers"), _officers(status.officers)),
            (_("messages"), number_text(status.messages)),
            (_("waiting"), number_text(status.waiting)),
            *[(_("limit"), limit_text(use)) for use in status.limits if 2 * use.used >= use.limit],
            *([(_("disk"), _disk(status))] if runs else []),
            (_("register"), status.register_version.hex()[:16] or "-"),
            (_("renew by"), shown_time(time_of(status.register_expiry_time))),
            *([(_("proposals"), _proposals(status))] if status.proposals_waiting else []),
            *([(_("recovering from"), ", ".join(status.recovering_from))] if status.recovering_from else []),
        ]
    )


def _disk(status: admin_pb2.GetStatusResponse) -> str:
    """Return what the disk of attachments has free, and what of it is granted."""
    free, granted = shown_bytes(status.attachment_bytes_free), shown_bytes(status.attachment_bytes_granted)
    return _("{free} free, {granted} of it granted to attachments").format(free=free, granted=granted)


def commit_text(status: admin_pb2.GetStatusResponse) -> str:
    """Return for how long the database has not answered to a commit, and what that waits for."""
    age = span_text(status.commit_age.ToTimedelta())
    if status.commit_waits_for == "synchronous_standby":
        return _("has waited for {age} for a synchronous standby of the database; nothing is accepted").format(age=age)
    return _("has waited for {age} for the database; nothing is accepted").format(age=age)


def limit_text(use: admin_pb2.LimitUse) -> str:
    """Return how much of a limit is used, and by whom."""
    text = f"{use.name}: {number_text(use.used)} / {number_text(use.limit)}"
    return f"{text} ({use.caller})" if use.caller else text


def _witnessed(status: admin_pb2.GetStatusResponse) -> str:
    """Return how much of the log a quorum has cosigned, and for how long the rest has waited."""
    since = time_of(status.unwitnessed_since_time)
    if since is None:
        return _("all entries")
    age = span_text(datetime.now(UTC) - since)
    return _("the first {size}; the rest waits for {age}").format(size=number_text(status.witnessed_size), age=age)


def _proposals(status: admin_pb2.GetStatusResponse) -> str:
    """Return how many changes of the register wait for signatures, and how many for this member's."""
    text = _("{count} wait for signatures; {own} for this member's")
    return text.format(count=number_text(status.proposals_waiting), own=number_text(status.proposals_for_own))


def _officers(officers: admin_pb2.OfficerCounts) -> str:
    """Return how many officers may act, and how many are in another state."""
    counted = (
        (_("active: {count}"), officers.active),
        (_("to be confirmed: {count}"), officers.unconfirmed),
        (_("suspended: {count}"), officers.suspended),
        (_("invited: {count}"), officers.invited),
        (_("on hold since the restore: {count}"), officers.on_hold),
    )
    return ", ".join(text.format(count=number_text(count)) for text, count in counted if count) or "-"


def _clock(status: admin_pb2.GetStatusResponse) -> str:
    """Return how far the own clock is off, or that it is not known."""
    if not status.HasField("clock_offset"):
        return _("peers compared: {count}; at least three are needed").format(count=status.clock_sources)
    text = offset_text(status.clock_offset)
    return _("{offset} s against the median of {count} peers").format(offset=text, count=status.clock_sources)


def offset_text(offset: Duration) -> str:
    """Return an offset in seconds with its sign."""
    tenths = round(offset.ToTimedelta() / timedelta(milliseconds=100))
    return ("-" if tenths < 0 else "+") + number_text(Decimal(abs(tenths)) / 10)


def _with_misbehaviour(status: admin_pb2.GetStatusResponse) -> list[admin_pb2.PeerStatus]:
    return [peer for peer in status.peers if peer.misbehaviour]


def block_text(block: admin_pb2.PeerBlock) -> str:
    """Return the block of a member in a line: since when, by whom and why."""
    since = shown_time(time_of(block.blocked_time))
    text = _("{member}, since {time} by {actor}: {reason}")
    return text.format(member=block.member, time=since, actor=block.actor, reason=plain_line(block.reason_text))


def log_size(note: bytes) -> int:
    """Return the size that a checkpoint note states; 0 without a note. The note is not verified."""
    try:
        return Checkpoint.parse(parse_note(note).text).size if note else 0
    except PaizaError:
        return 0


def _as_object(status: admin_pb2.GetStatusResponse, *, runs: bool) -> dict[str, Any]:
    return {
        "member": status.member,
        "version": status.version,
        "runs": runs,
        "standby": status.standby,
        "started_time": iso(time_of(status.started_time)),
        "database": status.database,
        "commit_age_seconds": status.commit_age.ToTimedelta().total_seconds()
        if status.HasField("commit_age")
        else None,
        "commit_waits_for": status.commit_waits_for,
        "log_entries": log_size(status.checkpoint),
        "checkpoint": status.checkpoint.decode(),
        "witnessed_size": status.witnessed_size,
        "witnessed_time": iso(time_of(status.witnessed_time)),
        "unwitnessed_since_time": iso(time_of(status.unwitnessed_since_time)),
        "officers": {
            "active": status.officers.active,
            "unconfirmed": status.officers.unconfirmed,
            "suspended": status.officers.suspended,
            "invited": status.officers.invited,
            "on_hold": status.officers.on_hold,
        },
        "messages": status.messages,
        "waiting": status.waiting,
        "attachment_bytes_free": status.attachment_bytes_free if runs else None,
        "attachment_bytes_granted": status.attachment_bytes_granted if runs else None,
        "register_version": status.register_version.hex(),
        "register_expiry_time": iso(time_of(status.register_expiry_time)),
        "proposals_waiting": status.proposals_waiting,
        "proposals_for_own": status.proposals_for_own,
        "clock_offset_seconds": offset_seconds(status),
        "clock_sources": status.clock_sources if runs else None,
        "recovering_from": list(status.recovering_from),
        "limits": [
            {"name": use.name, "used": use.used, "limit": use.limit, "caller": use.caller} for use in status.limits
        ],
        "peers": [peer_as_object(peer, runs=runs) for peer in status.peers],
    }


def peer_as_object(peer: admin_pb2.PeerStatus, *, runs: bool) -> dict[str, Any]:
    """Return the state of a peer for JSON; only a running node knows whether it was reached."""
    return {
        "member": peer.member,
        "reachable": peer.reachable if runs else None,
        "endpoint": peer.endpoint if runs else None,
        "last_error": peer.last_error,
        "last_seen_time": iso(time_of(peer.last_seen_time)),
        "waiting": peer.waiting,
        "oldest_waiting_time": iso(time_of(peer.oldest_waiting_time)),
        "known_log_size": peer.known_log_size,
        "cosigned_size": peer.cosigned_size if runs else None,
        "cosigned_time": iso(time_of(peer.cosigned_time)),
        "not_cosigned_reason": peer.not_cosigned_reason,
        "uncosigned_proofs": peer.uncosigned_proofs,
        "misbehaviour": list(peer.misbehaviour),
        "clock_offset_seconds": offset_seconds(peer),
        "timestamp_version": peer.timestamp_version if runs else None,
        "block": block_as_object(peer.block) if peer.HasField("block") else None,
    }


def offset_seconds(status: admin_pb2.GetStatusResponse | admin_pb2.PeerStatus) -> float | None:
    """Return the offset of a clock in seconds for JSON; None if it is not known."""
    return status.clock_offset.ToTimedelta().total_seconds() if status.HasField("clock_offset") else None


def block_as_object(block: admin_pb2.PeerBlock) -> dict[str, Any]:
    """Return the block of a member for JSON."""
    return {
        "member": block.member,
        "actor": block.actor,
        "blocked_time": iso(time_of(block.blocked_time)),
        "reason_text": block.reason_text,
    }
