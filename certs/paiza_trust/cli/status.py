"""The `status` command: where a custodian stands."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from paiza_cli.terminal import plain_line
from paiza_register import roles
from paiza_register.ceremony import Base
from paiza_register.ceremony.change import ATTENDANCE
from paiza_trust import carried_files
from paiza_trust import status as standing
from paiza_trust.cli import display, options
from paiza_trust.cli.places import node_of
from paiza_trust.key_folder import KeyFolder
from paiza_trust.language import N_, _
from paiza_trust.own_node import Held, OwnNode

_NAMES: Final = {
    "root": N_("root"),
    "targets": N_("targets"),
    "snapshot": N_("snapshot"),
    "timestamp": N_("timestamp"),
    roles.REFERENCE: N_("reference data"),
    "node_ca": N_("node CA"),
    "officer_ca": N_("officer CA"),
    "encryption_key": N_("encryption key"),
    "officer_certificate": N_("officer's certificate"),
}
"""Names of what expires (`Expiry.what`), as `paiza-node doctor` has them; a member's two roles are named after it."""


@click.command(
    help=N_(
        "Open the own keys and show them, what was signed with them, what waits for them, until when everything holds, "
        "and which custodians still sign."
    )
)
@options.PROFILE
@click.option(
    "--register",
    type=click.Path(path_type=Path),
    help=N_("Without --profile: the newest register, in the file that `publish` or `export` wrote."),
)
@options.KEY_FOLDER
@options.JSON
def status(profile: str | None, register: Path | None, key_folder: Path, *, as_json: bool) -> None:
    """Show where a custodian stands."""
    if (profile is None) == (register is None):
        raise click.UsageError(_("Name your profile with --profile, or the newest register with --register."))
    with node_of(profile) as node:
        if register is not None:
            file, where = carried_files.register(register), str(register)
        else:
            assert node is not None, "there is a profile"
            file, where = node.register()[1], node.where
        with carried_files.located(where):
            base = Base.verify(file, None)
        show = _as_json if as_json else _as_text
        show(base, KeyFolder(key_folder), node)


def _as_text(base: Base, folder: KeyFolder, node: OwnNode | None) -> None:
    now = datetime.now(UTC)
    keys = standing.own_keys(folder, base)
    click.echo(_("Keys in {folder}, and when they last signed a proposal here:").format(folder=folder.folder))
    for key in keys:
        use = {
            True: _("in use"),
            False: _("not the one that the register names"),
            None: _("the register names no such key"),
        }[key.in_use]
        last = "-" if key.signed_time is None else f"{key.signed_time:%Y-%m-%d}"
        click.echo(plain_line(f"  {key.name:<24} {key.token or _('file')}  {last:<10}  {use}"))
    click.echo(_("Signed here, the last:"))
    for record in standing.signed_here(folder)[-standing.SHOWN :]:
        signed = ", ".join(f"{each['role']} {each['version']}" for each in record["signed"]) or _("a refusal")
        click.echo(plain_line(f"  {record['time']}  {record['proposal'][: display.SHOWN_DIGITS]}  {signed}"))
    if node is not None:
        waiting = _waiting(node)
        click.echo(_("Waits for you:") if waiting else _("Nothing waits for you."))
        for held in waiting:
            click.echo(f"  {display.sign_command(held, node)}")
    click.echo(_("Holds until:"))
    member = _member(base, keys, node)
    names = {**_NAMES, member: N_("member's files"), roles.node_role_of(member): N_("revocations")}
    for each in _expiries(base, keys, node):
        click.echo(f"  {each.time:%Y-%m-%d}  {_(names[each.what]):<28} {each.command or _('nodes sign it anew')}")
    click.echo(_("Custodians, and when they signed last:"))
    for attended in standing.attendance(base):
        day = "-" if attended.time is None else f"{attended.time:%Y-%m-%d}"
        note = ""
        if standing.is_away(attended, now, ATTENDANCE):
            note = _("not for 13 months: ask whether the key is still there")
        elif attended.time is None:
            note = _("new since {day}, has not signed yet").format(day=f"{attended.since:%Y-%m-%d}")
        click.echo(f"  {attended.member:<16} {day:<10}  {note}".rstrip())


def _as_json(base: Base, folder: KeyFolder, node: OwnNode | None) -> None:
    now = datetime.now(UTC)
    keys = standing.own_keys(folder, base)
    display.show_json(
        {
            "federation": base.register.federation,
            "register_version": base.register.version.hex(),
            "keys": [
                {
                    "name": key.name,
                    "token": key.token,
                    "in_use": key.in_use,
                    "signed_time": None if key.signed_time is None else key.signed_time.isoformat(),
                }
                for key in keys
            ],
            "signed": standing.signed_here(folder)[-standing.SHOWN :],
            "waiting": [] if node is None else [display.held_values(held) for held in _waiting(node)],
            "expiries": [
                {"what": each.what, "time": each.time.isoformat(), "command": each.command}
                for each in _expiries(base, keys, node)
            ],
            "attendance": [
                {
                    "member": attended.member,
                    "time": None if attended.time is None else attended.time.isoformat(),
                    "since": attended.since.isoformat(),
                    "away": standing.is_away(attended, now, ATTENDANCE),
                }
                for attended in standing.attendance(base)
            ],
        }
    )


def _waiting(node: OwnNode) -> list[Held]:
    return [held for held in node.held() if node.member in held.waits_for]


def _expiries(base: Base, keys: list[standing.OwnKey], node: OwnNode | None) -> list[standing.Expiry]:
    return standing.expiries(base, _member(base, keys, node), None if node is None else node.certificate)


def _member(base: Base, keys: list[standing.OwnKey], node: OwnNode | None) -> str:
    """Return the own member: the node's, else the one whose custodian's key is in the folder; empty otherwise."""
    if node is not None:
        return node.member
    names = {key.name for key in keys}
    belong = (member for member in base.federation["members"] if member not in base.removed)
    return next((member for member in belong if f"custodian-{member}" in names), "")
