"""The `propose` commands for CAs: the next one is made in the key folder, and announced with the member's own key."""

from base64 import b64decode
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Final

import click

from paiza_register.ceremony import Base
from paiza_register.ceremony.rotation import BACKDATED, Dates, authority_announced
from paiza_trust import authorities
from paiza_trust.cli.proposal import Given, common, now, publish_role
from paiza_trust.key_folder import KeyFolder
from paiza_trust.language import N_, _
from paiza_wire.identity import Role

_DAYS: Final = ("%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ")


def _dated(command: Callable[..., None]) -> Callable[..., None]:
    """Add the common options, the dates of a new CA and --stolen; the command gets the dates as one value."""

    @wraps(command)
    def with_dates(given: Given, member: str, begins: datetime | None, until: datetime | None, *, stolen: bool) -> None:
        if stolen and (begins or until):
            raise click.UsageError(_("A stolen key counts no more from now on: leave out --from and --until."))
        first, last = (None if each is None else each.replace(tzinfo=UTC) for each in (begins, until))
        command(given, member, Dates(first, last, stolen))

    for option in (
        click.option(
            "--stolen", is_flag=True, help=N_("The present CA counts no more, and no certificate that it issued.")
        ),
        click.option(
            "--until",
            type=click.DateTime(_DAYS),
            help=N_("Until when the present CA counts, in UTC; default: for 90 days."),
        ),
        click.option(
            "--from",
            "begins",
            type=click.DateTime(_DAYS),
            help=N_("From when on the new CA counts, in UTC; default: now."),
        ),
    ):
        option(with_dates)
    return common(with_dates)


@click.command(
    "node-ca", help=N_("Make the next CA for the nodes of MEMBER, and announce it with the member's own key alone.")
)
@click.argument("member")
@_dated
def node_ca(given: Given, member: str, dates: Dates) -> None:
    """Propose another node CA."""
    _authority(given, member, "node", dates)


@click.command(
    "officer-ca",
    help=N_("Make the next CA for the officers of MEMBER, and announce it with the member's own key alone."),
)
@click.argument("member")
@_dated
def officer_ca(given: Given, member: str, dates: Dates) -> None:
    """Propose another officer CA."""
    _authority(given, member, "officer", dates)


def _authority(given: Given, member: str, role: Role, dates: Dates) -> None:
    """Make the next CA of a role in the key folder, and propose it."""
    folder = KeyFolder(given.key_folder)

    def files(base: Base) -> dict[str, bytes]:
        moment = now()
        begins = dates.begins or moment - BACKDATED
        known = [b64decode(ca["certificate"]) for ca in base.document(member)[f"{role}_cas"]]
        made = authorities.make_next(folder, member, base.register.federation, role, begins, known)
        return {
            f"members/{member}/member.json": authority_announced(base, member, role, made.certificate, moment, dates)
        }

    publish_role(given, member, files)
