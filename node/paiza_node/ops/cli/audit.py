"""`paiza-node audit`: grants for other members to see this node's log; never content, and nothing is copied to them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
from typing_extensions import override

from paiza.admin.v1 import admin_pb2
from paiza.core.v1 import log_pb2
from paiza_cli.numbers import WholeNumber
from paiza_domain.log_events import event_text
from paiza_node.core.errors import N_, NodeStopped
from paiza_node.ops.admin.client import AdminClient
from paiza_node.ops.cli.options import json_option, language_option, settings, shared
from paiza_node.ops.language import _, language
from paiza_node.ops.terminal import iso, print_json, print_table, shown_time, time_of
from paiza_wire.errors import Rejected

_PREFIX: Final = "LOG_EVENT_"
EVENTS: Final = {name.removeprefix(_PREFIX): number for name, number in log_pb2.LogEvent.items() if number != 0}


class Day(click.ParamType[datetime]):
    """A day or a time, local time if no zone is given."""

    name = "time"

    @override
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return an aware time."""
        try:
            return datetime.fromisoformat(str(value)).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail(
                _("{value!r} is not a time such as 2026-11-23 or 2026-11-23T14:30+05:00.").format(value=value),
                param,
                ctx,
            )


class Events(click.ParamType[tuple[int, ...]]):
    """Log events by name, separated by commas."""

    name = "events"

    @override
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """Return their numbers."""
        names = [word.strip().upper() for word in str(value).split(",") if word.strip()]
        for name in names:
            if name not in EVENTS:
                known = ", ".join(EVENTS)
                self.fail(_("There is no event {name}. There are: {known}.").format(name=name, known=known), param, ctx)
        if not names:
            self.fail(_("Name at least one event."), param, ctx)
        return tuple(EVENTS[name] for name in names)


@click.group("audit", help=N_("Grant other members access to entries of this node's log, and withdraw it."))
@language_option
def command() -> None:
    """Group the commands about grants."""


@command.command(
    "grant",
    help=N_(
        "Grant a member's coordinators access to entries of this log: metadata, never content or "
        "the texts beside it. A new grant replaces the member's former one. Each query is logged "
        "here. The node must run."
    ),
)
@shared
@json_option
@click.argument("member")
@click.option(
    "--events",
    type=Events(),
    required=True,
    metavar="EVENT,…",
    help=N_("Events of the visible entries: RELEASED,RECEIVED …"),
)
@click.option("--since", type=Day(), help=N_("Only entries from this time on; default: all."))
@click.option("--until", type=Day(), required=True, help=N_("When the grant ends; at most five years from now."))
@click.option("--headers", is_flag=True, help=N_("Also the headers of the messages: who signed, to whom, which kind."))
def grant(
    config_path: Path,
    log_level: str | None,
    member: str,
    events: tuple[int, ...],
    since: datetime | None,
    until: datetime,
    *,
    headers: bool,
    as_json: bool,
) -> None:
    """Grant."""
    request = admin_pb2.GrantAuditRequest(member=member, events=events, headers=headers)  # type: ignore[arg-type]  # numbers of the enum
    request.until_time.FromDatetime(until)
    if since is not None:
        request.since_time.FromDatetime(since)
    with AdminClient(settings(config_path, log_level).admin_socket) as client, _grantable(member):
        given = client.grant_audit(request)
    if as_json:
        print_json(_as_object(given))
        return
    click.echo(
        _("Grant {number}: {member} may see {events} until {until}.").format(
            number=given.grant_id,
            member=given.member,
            events=_shown(given.events),
            until=shown_time(time_of(given.until_time)),
        )
    )


@command.command("list", help=N_("List every grant, oldest first, including ended ones. The node must run."))
@shared
@json_option
def list_(config_path: Path, log_level: str | None, *, as_json: bool) -> None:
    """List."""
    with AdminClient(settings(config_path, log_level).admin_socket) as client:
        grants = client.audit_grants()
    if as_json:
        print_json({"grants": [_as_object(each) for each in grants]})
        return
    if not grants:
        click.echo(_("There are no grants."), err=True)
        return
    head = (_("grant"), _("member"), _("events"), _("entries since"), _("until"), _("headers"), _("state"))
    print_table(head, [_row(each) for each in grants])


@command.command("withdraw", help=N_("End a grant before its time. The node must run."))
@shared
@json_option
@click.argument("number", type=WholeNumber(1))
def withdraw(config_path: Path, log_level: str | None, number: int, *, as_json: bool) -> None:
    """Withdraw."""
    with AdminClient(settings(config_path, log_level).admin_socket) as client, _standing(number):
        ended = client.withdraw_audit(number)
    if as_json:
        print_json(_as_object(ended))
    else:
        click.echo(_("Grant {number} to {member} is withdrawn.").format(number=number, member=ended.member))


@contextmanager
def _grantable(member: str) -> Iterator[None]:
    """Raise an operator's error if a grant cannot be given."""
    try:
        yield
    except Rejected as error:
        known = {
            "unknown_member": (
                N_("There is no member {member} in the register."),
                N_("See the members with `paiza-node peers`."),
            ),
            "member_suspended": (N_("The member {member} is suspended."), N_("Grant it when the members lift that.")),
            "wrong_member": (
                N_("{member} is this node's own member, whose coordinators and auditors see the log anyway."),
                N_("Name another member."),
            ),
            "malformed": (
                N_("The times of the grant do not fit: {detail}."),
                N_("Let it end in the future, within five years, and after what it shows begins."),
            ),
        }
        if error.reason not in known:
            raise
        what, remedy = known[error.reason]
        raise NodeStopped(
            error.reason, what=what, where="", remedy=remedy, member=member, detail=error.detail
        ) from error


@contextmanager
def _standing(number: int) -> Iterator[None]:
    """Raise an operator's error if there is no such grant, or it ended."""
    try:
        yield
    except Rejected as error:
        if error.reason != "unknown_id":
            raise
        raise NodeStopped(
            error.reason,
            what=N_("There is no grant {number} in force."),
            where="",
            remedy=N_("See the grants with `paiza-node audit list`."),
            number=number,
        ) from error


def _row(each: admin_pb2.AuditGrant) -> tuple[str, ...]:
    return (
        str(each.grant_id),
        each.member,
        _shown(each.events),
        shown_time(time_of(each.since_time)),
        shown_time(time_of(each.until_time)),
        _("yes") if each.headers else _("no"),
        _state(each),
    )


def _state(each: admin_pb2.AuditGrant) -> str:
    if each.HasField("withdrawn_time"):
        return _("ended {time}").format(time=shown_time(time_of(each.withdrawn_time)))
    return _("stands") if each.until_time.ToDatetime(tzinfo=UTC) > datetime.now(UTC) else _("over")


def _names(events: Sequence[int]) -> list[str]:
    known: dict[int, str] = {number: name for name, number in EVENTS.items()}
    return [known.get(event, str(event)) for event in events]


def _shown(events: Sequence[int]) -> str:
    return ", ".join(event_text(name, language()) for name in _names(events))


def _as_object(each: admin_pb2.AuditGrant) -> dict[str, Any]:
    return {
        "number": each.grant_id,
        "member": each.member,
        "events": _names(each.events),
        "since_time": iso(time_of(each.since_time)),
        "until_time": iso(time_of(each.until_time)),
        "headers": each.headers,
        "granted_time": iso(time_of(each.granted_time)),
        "withdrawn_time": iso(time_of(each.withdrawn_time)),
    }
