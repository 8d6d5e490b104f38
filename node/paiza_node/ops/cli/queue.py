"""`paiza-node queue`: waiting and failed deliveries; trying one again, giving one up."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click

from paiza.admin.v1 import admin_pb2
from paiza.core.v1 import delivery_pb2
from paiza_cli.numbers import WholeNumber
from paiza_node.core.api.paging import DEFAULT_PAGE
from paiza_node.core.errors import N_, NodeStopped
from paiza_node.core.exchange.send import store as deliveries_store
from paiza_node.features.attachments import store as attachments_store
from paiza_node.ops.admin.client import AdminClient
from paiza_node.ops.admin.operate import MAX_QUEUE, queued, queued_attachment
from paiza_node.ops.cli.options import json_option, language_option, settings, shared
from paiza_node.ops.config import Config
from paiza_node.ops.language import _, number_text
from paiza_node.ops.offline import read_only
from paiza_node.ops.terminal import iso, print_json, print_table, shown_time, time_of
from paiza_wire.errors import Rejected, Unavailable

STATES: Final = {
    delivery_pb2.DELIVERY_STATE_WAITING: N_("waiting"),
    delivery_pb2.DELIVERY_STATE_DELIVERED: N_("delivered"),
    delivery_pb2.DELIVERY_STATE_REFUSED: N_("refused"),
    delivery_pb2.DELIVERY_STATE_REJECTED: N_("rejected"),
    delivery_pb2.DELIVERY_STATE_EXPIRED: N_("expired"),
    delivery_pb2.DELIVERY_STATE_DROPPED: N_("dropped"),
}

ATTACHMENT_STATES: Final = {
    delivery_pb2.ATTACHMENT_STATE_PENDING: N_("pending"),
    delivery_pb2.ATTACHMENT_STATE_RECEIVED: N_("received"),
    delivery_pb2.ATTACHMENT_STATE_REFUSED: N_("refused"),
    delivery_pb2.ATTACHMENT_STATE_EXPIRED: N_("expired"),
}


@click.group("queue", help=N_("Show and change waiting deliveries."))
@language_option
def command() -> None:
    """Group the commands about the queue."""


@command.command("show", help=N_("Show waiting and failed deliveries, oldest first."))
@shared
@json_option
@click.option("--to", "recipient", default="", metavar="MEMBER", help=N_("Only those to this member."))
@click.option(
    "--limit", type=WholeNumber(1, MAX_QUEUE), default=DEFAULT_PAGE, show_default=True, help=N_("At most so many.")
)
def show(config_path: Path, log_level: str | None, recipient: str, limit: int, *, as_json: bool) -> None:
    """Show the queue."""
    deliveries, attachments, runs = _found(settings(config_path, log_level), recipient, limit)
    if as_json:
        print_json(
            {
                "runs": runs,
                "deliveries": [_as_object(each) for each in deliveries],
                "attachments": [_attachment_object(each) for each in attachments],
            }
        )
        return
    if not runs:
        click.echo(_("The node does not run; this is what its database says."), err=True)
    head = (_("number"), _("to"), _("kind"), _("state"), _("attempts"), _("next attempt"), _("reason"), _("message"))
    print_table(head, [_row(each) for each in deliveries])
    if attachments:
        head = (
            _("attachment"),
            _("from"),
            _("to"),
            _("size"),
            _("state"),
            _("attempts"),
            _("next attempt"),
            _("reason"),
        )
        print_table(head, [_attachment_row(each) for each in attachments])


@command.command("retry", help=N_("Try a delivery again now. The node must run."))
@shared
@json_option
@click.argument("number", type=WholeNumber(1))
def retry(config_path: Path, log_level: str | None, number: int, *, as_json: bool) -> None:
    """Try again."""
    with AdminClient(settings(config_path, log_level).admin_socket) as client, _known(number):
        client.retry(number)
    _done(_("Delivery {number} is tried again now.").format(number=number), number, as_json=as_json)


@command.command(
    "drop",
    help=N_("Give a delivery up. Your system user name and the reason are logged, and its officers are notified."),
)
@shared
@json_option
@click.argument("number", type=WholeNumber(1))
@click.option("--reason", required=True, help=N_("Why, in your own words."))
def drop(config_path: Path, log_level: str | None, number: int, reason: str, *, as_json: bool) -> None:
    """Drop waiting deliveries."""
    with AdminClient(settings(config_path, log_level).admin_socket) as client, _known(number):
        client.drop(number, reason)
    _done(_("Delivery {number} was given up.").format(number=number), number, as_json=as_json)


@contextmanager
def _known(number: int) -> Iterator[None]:
    """Raise an operator's error if there is no such delivery, or it ended in the meantime."""
    try:
        yield
    except Rejected as error:
        if error.reason != "unknown_id":
            raise
        raise NodeStopped(
            error.reason,
            what=N_("There is no waiting delivery {number}."),
            where="",
            remedy=N_("List the waiting deliveries with `paiza-node queue show`."),
            number=number,
        ) from error


def _found(
    config: Config, recipient: str, limit: int
) -> tuple[list[admin_pb2.QueuedDelivery], list[admin_pb2.QueuedAttachment], bool]:
    """Return waiting and failed deliveries and attachments, and whether the node runs."""
    try:
        with AdminClient(config.admin_socket) as client:
            return client.queue(recipient, limit), client.queued_attachments(recipient, limit), True
    except Unavailable as error:
        if error.reason != "node_unreachable":
            raise
    with read_only(config) as store, store.reads() as reads:
        deliveries = [queued(row) for row in deliveries_store.queue(reads, recipient, limit)]
        attachments = [queued_attachment(row) for row in attachments_store.attachment_queue(reads, recipient, limit)]
        return deliveries, attachments, False


def _row(each: admin_pb2.QueuedDelivery) -> tuple[str, ...]:
    delivery = each.delivery
    waits = delivery.state == delivery_pb2.DELIVERY_STATE_WAITING
    return (
        str(each.delivery_id),
        delivery.recipient,
        each.kind,
        _(STATES.get(delivery.state, str(delivery.state))),
        str(delivery.attempts),
        shown_time(time_of(each.next_attempt_time)) if waits else "-",
        f"{delivery.reason}: {delivery.detail}" if delivery.detail else delivery.reason or "-",
        each.message_digest.hex()[:16],
    )


def _attachment_row(each: admin_pb2.QueuedAttachment) -> tuple[str, ...]:
    status = each.status
    return (
        f"{each.message_digest.hex()[:16]} #{status.part_number}",
        each.source or "-",
        status.member,
        number_text(status.ciphertext_size),
        _(ATTACHMENT_STATES.get(status.state, str(status.state))),
        str(each.attempts),
        shown_time(time_of(each.next_attempt_time)) if each.HasField("next_attempt_time") else "-",
        f"{status.reason}: {each.detail}" if each.detail else status.reason or "-",
    )


def _attachment_object(each: admin_pb2.QueuedAttachment) -> dict[str, Any]:
    status = each.status
    return {
        "message_digest": each.message_digest.hex(),
        "part": status.part_number,
        "source": each.source,
        "member": status.member,
        "size": status.ciphertext_size,
        "state": delivery_pb2.AttachmentState.Name(status.state).removeprefix("ATTACHMENT_STATE_").lower(),
        "reason": status.reason,
        "detail": each.detail,
        "attempts": each.attempts,
        "next_attempt_time": iso(time_of(each.next_attempt_time)) if each.HasField("next_attempt_time") else None,
    }


def _as_object(each: admin_pb2.QueuedDelivery) -> dict[str, Any]:
    delivery = each.delivery
    return {
        "number": each.delivery_id,
        "message_digest": each.message_digest.hex(),
        "kind": each.kind,
        "recipient": delivery.recipient,
        "state": delivery_pb2.DeliveryState.Name(delivery.state).removeprefix("DELIVERY_STATE_").lower(),
        "reason": delivery.reason,
        "detail": delivery.detail,
        "attempts": delivery.attempts,
        "released_time": iso(time_of(each.released_time)),
        "next_attempt_time": iso(time_of(each.next_attempt_time)),
        "settled_time": iso(time_of(delivery.settled_time)),
    }


def _done(text: str, number: int, *, as_json: bool) -> None:
    if as_json:
        print_json({"number": number, "done": True})
    else:
        click.echo(text)
