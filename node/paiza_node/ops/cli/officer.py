"""`paiza-node officer`: the officers of the own member. Every change takes effect at once, without a restart."""

import os
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

import click

from paiza.admin.v1 import officer_pb2
from paiza_cli import confirmation
from paiza_cli.fingerprint_words import ENROLMENT_WORDS, are_enrolment_words
from paiza_cli.numbers import WholeNumber
from paiza_cli.terminal import plain_line
from paiza_node.core.errors import N_, NodeStopped
from paiza_node.features.officers.admit import MAX_FILE, read_file
from paiza_node.features.officers.model import ROLES
from paiza_node.ops.admin.client import AdminClient
from paiza_node.ops.cli import invitation
from paiza_node.ops.cli.officer_display import explained, head, officer_as_object, row
from paiza_node.ops.cli.options import json_option, language_option, settings, shared
from paiza_node.ops.language import _
from paiza_node.ops.terminal import HASH_DIGITS, print_json, print_table, shown_time, time_of
from paiza_wire.errors import Rejected

_LEFT: Final = {
    "open_tasks": N_("Open tasks ({count}) stay with the unit, where another officer takes them: {messages}."),
    "waiting_messages": N_(
        "Messages of theirs that wait for a second signature ({count}) are not released; others write them anew: "
        "{messages}."
    ),
    "wanted_signatures": N_(
        "Messages that wait for their signature ({count}) expire unless the author sends them anew to another: "
        "{messages}."
    ),
}
_REASON = click.option("--reason", required=True, help=N_("Why, in your own words."))


@click.group("officer", help=N_("Invite, confirm, suspend and remove the officers of this member."))
@language_option
def command() -> None:
    """Group the commands about officers."""


@command.command(
    "invite",
    help=N_(
        "Invite a person to enrol as an officer, or an officer to enrol new keys: write the invitation to a file for "
        "that person alone. It is good once. The node must run."
    ),
)
@shared
@json_option
@click.argument("name")
@click.option(
    "--role",
    "roles",
    metavar="ROLE,…",
    help=N_(
        "Roles, separated by commas: liaison, duty, authoriser, coordinator, auditor, custodian, data. "
        "Default: as before."
    ),
)
@click.option("--unit", help=N_("Their unit; required where duty_unit is set. Default: as before."))
@click.option("--hours", type=WholeNumber(1, 168), default=24, show_default=True, help=N_("How long it is good."))
@click.option("-o", "--output", type=click.Path(path_type=Path), help=N_("The file; default: NAME.invitation."))
@click.option(
    "--qr", is_flag=True, help=N_("Also print it as a QR code, on a terminal of at least 130 columns and 70 lines.")
)
@click.option(
    "--administrator",
    metavar="KEYFILE",
    help=N_(
        "Sign the invitation with this administrator's key, or with pkcs11:…; required where issuer.toml names any."
    ),
)
@click.option(
    "--passphrase-file", type=click.Path(path_type=Path), help=N_("File with the passphrase of that key; default: ask.")
)
def invite(
    config_path: Path,
    log_level: str | None,
    name: str,
    roles: str | None,
    unit: str | None,
    hours: int,
    output: Path | None,
    administrator: str | None,
    passphrase_file: Path | None,
    *,
    qr: bool,
    as_json: bool,
) -> None:
    """Invite."""
    output = output or Path(f"{name}.invitation")
    if output.exists() and not invitation.is_of(output, name):
        raise NodeStopped(
            "file_unwritable",
            what=N_("The file exists already."),
            where="{path}",
            remedy=N_("Name another one with -o."),
            path=output,
        )
    with AdminClient(settings(config_path, log_level).admin_socket) as client, explained(name):
        request = _invited(client, name, roles, unit, believed=administrator is None)
        request.life.FromTimedelta(timedelta(hours=hours))
        request.administrator_signs = administrator is not None
        answer = client.invite_officer(request)
        if administrator is not None:
            # A crash here leaves an invitation that nobody was handed; the next one makes it void.
            invitation.sign(client, request, answer.statement, administrator, passphrase_file)
    output.unlink(missing_ok=True)  # one that this person was given before: it is void now
    with os.fdopen(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(f"{answer.invitation}\n")
    if as_json:
        print_json({"file": str(output), "officer": officer_as_object(answer.officer)})
        return
    if qr:
        click.echo(invitation.qr_code(answer.invitation))
    until = shown_time(time_of(answer.officer.invitation_expiry_time))
    click.echo(_("{file}: the invitation for {name}, good until {until}.").format(file=output, name=name, until=until))
    click.echo(_("Hand it to that person alone; they run `paiza enrol` with it and telephone you with their words."))
    click.echo(_("Their keys are certified while the node of at least one other member can be reached."))


@command.command(
    "confirm",
    help=N_(
        "Confirm an officer's new keys with the words that they read to you by telephone. From then on they act, with "
        "these keys alone. After a restore, --all confirms the officers on hold as listed. The node must run."
    ),
)
@shared
@json_option
@click.option("--all", "all_held", is_flag=True, help=N_("All officers on hold since a restore: lists them, and asks."))
@click.option("--yes", is_flag=True, help=N_("Do not ask."))
@click.argument("name", required=False)
@click.argument("words", nargs=-1)
def confirm(
    config_path: Path,
    log_level: str | None,
    name: str | None,
    words: tuple[str, ...],
    *,
    all_held: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Confirm."""
    if all_held == (name is not None):
        raise click.UsageError(_("Name one officer, or use --all."))
    if name is None:
        with AdminClient(settings(config_path, log_level).admin_socket) as client:
            _confirm_held(client, yes=yes, as_json=as_json)
        return
    with AdminClient(settings(config_path, log_level).admin_socket) as client, explained(name):
        digest = _waiting(client.officers(), name)
        text = " ".join(words) or str(
            click.prompt(
                _("The {count} words that {name} reads to you").format(count=ENROLMENT_WORDS, name=name), err=True
            )
        )
        if not are_enrolment_words(text, digest):
            raise Rejected("words_differ")
        confirmed = client.confirm_officer(name, digest)
    if as_json:
        print_json(officer_as_object(confirmed))
        return
    click.echo(_("{id} is confirmed and may act: {roles}.").format(id=confirmed.id, roles=", ".join(confirmed.roles)))


@command.command(
    "admit",
    help=N_(
        "Admit the officers in these files, whose certificates `paiza-trust ca certify` made. They may act at once. "
        "The node must run."
    ),
)
@shared
@json_option
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
def admit(config_path: Path, log_level: str | None, files: tuple[Path, ...], *, as_json: bool) -> None:
    """Admit."""
    listed = [officer for file in files for officer in _read(file)]
    with AdminClient(settings(config_path, log_level).admin_socket) as client:
        answer = client.admit_officers(listed)
    if as_json:
        print_json(
            {
                "officers": [officer_as_object(each) for each in answer.officers],
                "unchanged": answer.unchanged,
            }
        )
        return
    for each in answer.officers:
        click.echo(_("{id} may act: {roles}.").format(id=each.id, roles=", ".join(each.roles)))


@command.command("list", help=N_("List the officers, their state and their certificates. The node must run."))
@shared
@json_option
@click.option("--removed", is_flag=True, help=N_("Also those who were removed."))
def list_(config_path: Path, log_level: str | None, *, removed: bool, as_json: bool) -> None:
    """List."""
    with AdminClient(settings(config_path, log_level).admin_socket) as client:
        officers = client.officers()
    shown = [each for each in officers if removed or each.state != officer_pb2.OFFICER_STATE_REMOVED]
    if as_json:
        print_json({"officers": [officer_as_object(each) for each in shown]})
        return
    if not shown:
        click.echo(_("There are no officers. Invite one with `paiza-node officer invite`."), err=True)
        return
    print_table(head(), [row(each) for each in shown])


@command.command(
    "suspend",
    help=N_(
        "Suspend an officer: they may do nothing, and their calls under way end. With --stolen their certificates are "
        "revoked too, everywhere, for good. The reason is logged. The node must run."
    ),
)
@shared
@json_option
@click.argument("name")
@_REASON
@click.option("--stolen", is_flag=True, help=N_("Their keys may be in other hands: revoke their certificates."))
def suspend(config_path: Path, log_level: str | None, name: str, reason: str, *, stolen: bool, as_json: bool) -> None:
    """Suspend."""
    with AdminClient(settings(config_path, log_level).admin_socket) as client, explained(name):
        suspended = client.suspend_officer(name, reason, stolen=stolen)
    if as_json:
        print_json(officer_as_object(suspended))
        return
    click.echo(_("{id} is suspended.").format(id=suspended.id))
    if stolen:
        click.echo(_("Their certificates are being revoked. For new keys invite them: `paiza-node officer invite`."))


@command.command("reinstate", help=N_("End the suspension of an officer. The reason is logged. The node must run."))
@shared
@json_option
@click.argument("name")
@_REASON
def reinstate(config_path: Path, log_level: str | None, name: str, reason: str, *, as_json: bool) -> None:
    """Reinstate."""
    with AdminClient(settings(config_path, log_level).admin_socket) as client, explained(name):
        reinstated = client.reinstate_officer(name, reason)
    if as_json:
        print_json(officer_as_object(reinstated))
        return
    if reinstated.state == officer_pb2.OFFICER_STATE_ACTIVE:
        click.echo(_("{id} may act again.").format(id=reinstated.id))
    else:
        click.echo(_("{id} has no confirmed certificate: invite them to enrol new keys.").format(id=reinstated.id))


@command.command("roles", help=N_("Give an officer these roles in place of the present ones. The node must run."))
@shared
@json_option
@click.argument("name")
@click.argument("roles")
def roles_(config_path: Path, log_level: str | None, name: str, roles: str, *, as_json: bool) -> None:
    """Change the roles."""
    request = officer_pb2.ChangeOfficerRequest(officer=name, roles=_split(roles))
    _change(config_path, log_level, request, as_json=as_json)


@command.command("unit", help=N_("Move an officer to a unit. The node must run."))
@shared
@json_option
@click.argument("name")
@click.argument("unit")
def unit_(config_path: Path, log_level: str | None, name: str, unit: str, *, as_json: bool) -> None:
    """Change the unit."""
    _change(config_path, log_level, officer_pb2.ChangeOfficerRequest(officer=name, unit=unit), as_json=as_json)


@command.command(
    "remove",
    help=N_(
        "Remove an officer for good, or withdraw an invitation: their calls under way end, and their certificates are "
        "revoked everywhere. The reason is logged. The node must run."
    ),
)
@shared
@json_option
@click.argument("name")
@_REASON
def remove(config_path: Path, log_level: str | None, name: str, reason: str, *, as_json: bool) -> None:
    """Remove."""
    with AdminClient(settings(config_path, log_level).admin_socket) as client, explained(name):
        done = client.remove_officer(name, reason)
    left = {
        "open_tasks": done.open_task_digests,
        "waiting_messages": done.waiting_message_digests,
        "wanted_signatures": done.wanted_signature_digests,
    }
    if as_json:
        found = {each: [digest.hex() for digest in digests] for each, digests in left.items()}
        print_json({**officer_as_object(done.officer), **found})
        return
    click.echo(_("{id} is removed.").format(id=done.officer.id))
    for each, digests in left.items():
        if digests:
            shown = ", ".join(digest.hex()[:HASH_DIGITS] for digest in digests)
            click.echo(_(_LEFT[each]).format(count=len(digests), messages=shown))


@command.command(
    "recover",
    help=N_(
        "After a restore: enter again the officers whose certificates the issuer's journal names and the node has "
        "forgotten. They wait to be confirmed, and open invitations become void. The node and the issuer must run."
    ),
)
@shared
@json_option
def recover(config_path: Path, log_level: str | None, *, as_json: bool) -> None:
    """Recover."""
    with AdminClient(settings(config_path, log_level).admin_socket) as client:
        answer = client.recover_officers()
    if as_json:
        found = [officer_as_object(each) for each in answer.officers]
        print_json({"officers": found, "voided_invitations": answer.voided_invitations})
        return
    names = [plain_line(each.id.rpartition("/")[2]) for each in answer.officers]
    click.echo(_("Entered again, and to be confirmed: {names}").format(names=", ".join(names) or "-"))
    click.echo(_("Invitations that are void now: {count}").format(count=answer.voided_invitations))


def _invited(
    client: AdminClient, name: str, roles: str | None, unit: str | None, *, believed: bool
) -> officer_pb2.InviteOfficerRequest:
    """Return who is to be invited; a known officer keeps what is not named, if the node is ``believed`` about it."""
    known = [
        each
        for each in client.officers()
        if each.id.rpartition("/")[2] == name and each.state != officer_pb2.OFFICER_STATE_REMOVED
    ]
    kept = [*(["--role"] if roles is None else []), *(["--unit"] if unit is None else [])]
    if not known:
        if roles is None:
            raise click.UsageError(_("{name} is no officer yet: name their roles with --role.").format(name=name))
        return officer_pb2.InviteOfficerRequest(name=name, roles=_split(roles), unit=unit or "")
    if kept and not believed:
        raise click.UsageError(_("An administrator signs what they named: give --role and --unit."))
    (before,) = known
    listed = list(before.roles) if roles is None else _split(roles)
    request = officer_pb2.InviteOfficerRequest(name=name, roles=listed, unit=before.unit if unit is None else unit)
    if kept:
        text = _("{name} keeps what is not named: roles {roles}, unit {unit}.")
        shown = {"roles": ", ".join(request.roles), "unit": plain_line(request.unit) or "-"}
        click.echo(text.format(name=plain_line(name), **shown), err=True)
    return request


def _confirm_held(client: AdminClient, *, yes: bool, as_json: bool) -> None:
    """Show the officers on hold, ask, and confirm those who were shown."""
    shown = [each for each in client.officers() if each.on_hold and each.state != officer_pb2.OFFICER_STATE_REMOVED]
    if shown and not yes:
        print_table(head(), [row(each) for each in shown], err=True)
        confirmation.confirm(_("Is each of them an officer of this member still, in these roles?"), abort=True)
    answer = client.confirm_held_officers([each.id for each in shown])
    if as_json:
        refused = [{"id": each.id, "reason": each.reason} for each in answer.refused]
        print_json({"officers": [officer_as_object(each) for each in answer.officers], "refused": refused})
        return
    names = [plain_line(each.id.rpartition("/")[2]) for each in answer.officers]
    click.echo(_("Confirmed, and may act: {names}").format(names=", ".join(names) or "-"))
    for each in answer.refused:
        text = (
            _("{name} is not confirmed: newer keys wait for their words: `paiza-node officer confirm {name}`.")
            if each.reason == "officer_unconfirmed"
            else _("{name} is not confirmed ({reason}). Invite them anew: `paiza-node officer invite {name}`.")
        )
        click.echo(text.format(name=plain_line(each.id.rpartition("/")[2]), reason=each.reason), err=True)


def _change(
    config_path: Path, log_level: str | None, request: officer_pb2.ChangeOfficerRequest, *, as_json: bool
) -> None:
    with (
        AdminClient(settings(config_path, log_level).admin_socket) as client,
        explained(request.officer),
    ):
        changed = client.change_officer(request)
    if as_json:
        print_json(officer_as_object(changed))
        return
    click.echo(
        _("{id}: {roles}, unit {unit}.").format(
            id=changed.id, roles=", ".join(changed.roles), unit=plain_line(changed.unit) or "-"
        )
    )


def _split(roles: str) -> list[str]:
    found = {each.strip() for each in roles.split(",") if each.strip()}
    if unknown := found - set(ROLES):
        raise NodeStopped(
            "malformed",
            what=N_("There is no role {role}. Roles are {roles}."),
            where="",
            remedy=N_("Correct it and try again."),
            role=plain_line(min(unknown)),
            roles=", ".join(ROLES),
        )
    return sorted(found)


def _read(file: Path) -> Sequence[officer_pb2.AdmittedOfficer]:
    try:
        with file.open("rb") as opened:
            return read_file(opened.read(MAX_FILE + 1))
    except Rejected as error:
        raise NodeStopped(
            error.reason,
            what=N_("The file is not a list of officers: {detail}."),
            where="{path}",
            remedy=N_("Name a file that `paiza-trust ca certify` wrote."),
            detail=error.detail,
            path=file,
        ) from error


def _waiting(officers: Sequence[officer_pb2.OfficerRecord], name: str) -> bytes:
    """Return the digest of the keys of an officer that wait; Rejected("unknown_id") if none wait."""
    for each in officers:
        if name in (each.id, each.id.rpartition("/")[2]) and each.enrolment_sha256:
            return each.enrolment_sha256
    raise Rejected("unknown_id")
