"""`paiza-node register`: show the register and who renews it, fetch a newer one now, revoke a certificate."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from ssl import PEM_cert_to_DER_cert
from typing import Any, Final

import click

from paiza.admin.v1 import admin_pb2
from paiza_cli.confirmation import confirm
from paiza_node.core.errors import N_, NodeStopped
from paiza_node.ops.admin.client import AdminClient
from paiza_node.ops.cli.options import json_option, language_option, settings, shared
from paiza_node.ops.config import Config
from paiza_node.ops.data_folder import open_reader
from paiza_node.ops.doctor.register import RENEWALS
from paiza_node.ops.expiries import member_expiries, shared_expiries
from paiza_node.ops.given_files import MAX_CERTIFICATE_FILE, read_given
from paiza_node.ops.language import _, number_text
from paiza_node.ops.terminal import HASH_DIGITS, iso, print_facts, print_json, print_table, shown_time, time_of
from paiza_register import Register, RegisterReader
from paiza_register.validity import at_time
from paiza_wire.errors import Rejected, Unavailable

_CERTIFICATE_BEGINS: Final = b"-----BEGIN CERTIFICATE-----"


@dataclass(frozen=True)
class _Shown:
    """A register, judged now: ``expired`` if it is in force no more. ``told`` is what the running node knows."""

    reader: RegisterReader
    register: Register
    expired: bool
    told: admin_pb2.GetPublicationResponse | None


@click.group("register", help=N_("Show and refresh the register of the federation; revoke a certificate."))
@language_option
def command() -> None:
    """Group the commands about the register."""


@command.command(
    "show",
    help=N_(
        "Show the register that was verified last: its members, who publishes it, what expires when and who renews it. "
        "If the node runs, also what waits to be published and what the others hold."
    ),
)
@shared
@json_option
def show(config_path: Path, log_level: str | None, *, as_json: bool) -> None:
    """Show."""
    shown = _read(settings(config_path, log_level))
    if as_json:
        print_json(_as_object(shown))
        return
    print_facts(_facts(shown))
    click.echo()
    print_table(
        (_("member"), _("status"), _("publishes as"), _("custodian"), _("cannot be used because")), _members(shown)
    )
    click.echo()
    print_table((_("what"), _("member"), _("expires"), _("renewed by"), _("remedy")), _expiries(shown))
    if shown.told is not None:
        _print_told(shown.told)


@command.command(
    "refresh",
    help=N_("Ask all other members for a newer register now. The node must run."),
)
@shared
@json_option
def refresh(config_path: Path, log_level: str | None, *, as_json: bool) -> None:
    """Refresh."""
    with AdminClient(settings(config_path, log_level).admin_socket) as client:
        found = client.refresh_register()
    if as_json:
        print_json(
            {
                "register_version": found.register_version.hex(),
                "timestamp_version": found.timestamp_version,
                "unanswered": {each.member: each.reason for each in found.unanswered},
            }
        )
        return
    text = _("The register is {version}, timestamp {timestamp}.")
    version = found.register_version.hex()[:HASH_DIGITS]
    click.echo(text.format(version=version, timestamp=number_text(found.timestamp_version)))
    for each in found.unanswered:
        click.echo(_("{member} did not answer: {reason}.").format(member=each.member, reason=each.reason))


@command.command(
    "revoke",
    help=N_(
        "Revoke the certificate in FILE, of an officer or a node of your own member: it is refused here at once, and "
        "within a minute by every member that can be reached. This cannot be undone. The node must run."
    ),
)
@shared
@json_option
@click.option("--yes", is_flag=True, help=N_("Do not ask."))
@click.argument("file", type=click.Path(path_type=Path))
def revoke(config_path: Path, log_level: str | None, file: Path, *, as_json: bool, yes: bool) -> None:
    """Revoke a certificate."""
    config = settings(config_path, log_level)
    certificate = _certificate(file)
    if not yes:
        confirm(_("Revoke this certificate and its key for ever?"), abort=True)
    with AdminClient(config.admin_socket) as client:
        try:
            version = client.revoke_certificate(certificate)
        except Rejected as error:
            raise _refused(error, file) from error
    if as_json:
        print_json({"register_version": version.hex() or None, "revoked_before": not version})
    elif version:
        click.echo(_("Revoked and published in the register {version}.").format(version=version.hex()[:HASH_DIGITS]))
    else:
        click.echo(_("It was revoked before."))


def _read(config: Config) -> _Shown:
    reader = open_reader(config)
    last = reader.last
    if last is None:
        raise Unavailable("register_unavailable", f"{config.data / 'register'}: nothing was verified yet")
    try:
        judged, expired = at_time(last, datetime.now(UTC)), False
    except Unavailable:
        judged, expired = last, True
    try:
        with AdminClient(config.admin_socket) as client:
            told: admin_pb2.GetPublicationResponse | None = client.publication()
    except Unavailable as error:
        if error.reason != "node_unreachable":
            raise
        told = None
    return _Shown(reader, judged, expired, told)


def _facts(shown: _Shown) -> list[tuple[str, str]]:
    register, fork = shown.register, shown.reader.fork
    until = shown_time(register.expiry_time)
    if shown.expired:
        until = _("expired {time}, not in force: run the node where it reaches others, or `paiza-node join`").format(
            time=until
        )
    threshold = _("{threshold} of {count}").format(threshold=register.threshold, count=len(register.custodians))
    facts = [
        (_("federation"), register.federation),
        (_("version"), register.version.hex()),
        (_("root"), f"{register.root_version}  {register.root_sha256.hex()}"),
        (_("timestamp"), f"{number_text(register.timestamp_version)}, {shown_time(register.issued_time)}"),
        (_("valid until"), until),
        (_("custodians who must sign"), threshold),
    ]
    if fork is not None:
        text = _("two roots of version {version}, signed by {members}: inform all members at once")
        facts.append((_("fork"), text.format(version=fork.version, members=", ".join(fork.members))))
    owners = {key: member for member, key in register.publishers.items()}
    for key in sorted(shown.reader.disqualified):
        text = _("the key of {member} signed two registers of one version: admit another one")
        facts.append((_("misbehaviour"), text.format(member=owners.get(key, key[:HASH_DIGITS]))))
    if shown.told is None:
        facts.append((_("node"), _("does not run")))
    return facts


def _members(shown: _Shown) -> list[tuple[str, ...]]:
    register = shown.register
    order = _order(shown)
    return [
        (
            member,
            _("active") if member in register.active_ids else _("suspended"),
            str(order.index(member) + 1) if member in order else "-",
            _("yes") if member in register.custodians else _("no"),
            register.unusable.get(member, "-"),
        )
        for member in sorted({*register.members, *register.unusable})
    ]


def _order(shown: _Shown) -> list[str]:
    """Return the members whose nodes publish, in their order."""
    disqualified = shown.reader.disqualified
    return [member for member, key in shown.register.publishers.items() if key not in disqualified]


def _expiries(shown: _Shown) -> list[tuple[str, ...]]:
    """Return what expires, the earliest first, who renews it, and how."""
    register = shown.register
    members = [each for member in sorted(register.active_ids) for each in member_expiries(register, member)]
    found = sorted([*shared_expiries(register), *members], key=lambda each: each.time)
    rows: list[tuple[str, ...]] = []
    for each in found:
        renewal = RENEWALS[each.kind]
        how = _(renewal.how).format(owner=each.owner)
        rows.append((_(renewal.name), each.owner or "-", shown_time(each.time), _(renewal.who), how))
    return rows


def _print_told(told: admin_pb2.GetPublicationResponse) -> None:
    """Print what the running node knows beside the register."""
    if told.waiting:
        click.echo()
        print_table(
            (_("waits to be published"), _("since"), _("why not yet")),
            [
                (", ".join(each.roles), shown_time(time_of(each.since_time)), each.reason or "-")
                for each in told.waiting
            ],
        )
    if told.announced:
        click.echo()
        print_table(
            (_("member"), _("holds register"), _("timestamp"), _("heard")),
            [
                (
                    each.member,
                    each.register_version.hex()[:HASH_DIGITS],
                    number_text(each.timestamp_version),
                    shown_time(time_of(each.heard_time)),
                )
                for each in told.announced
            ],
        )


def _as_object(shown: _Shown) -> dict[str, Any]:
    register, fork, told = shown.register, shown.reader.fork, shown.told
    owners = {key: member for member, key in register.publishers.items()}
    return {
        "federation": register.federation,
        "register_version": register.version.hex(),
        "root_version": register.root_version,
        "root_sha256": register.root_sha256.hex(),
        "timestamp_version": register.timestamp_version,
        "issued_time": iso(register.issued_time),
        "expiry_time": iso(register.expiry_time),
        "expired": shown.expired,
        "threshold": register.threshold,
        "custodians": sorted(register.custodians),
        "publishers": _order(shown),
        "members": {
            member: {
                "status": "active" if member in register.active_ids else "suspended",
                "unusable": register.unusable.get(member),
            }
            for member in sorted({*register.members, *register.unusable})
        },
        "expiries": {role: iso(expiry) for role, expiry in sorted(register.role_expiries.items())},
        "disqualified": [owners.get(key, key) for key in sorted(shown.reader.disqualified)],
        "fork": None
        if fork is None
        else {"root_version": fork.version, "first": fork.first, "second": fork.second, "members": list(fork.members)},
        "runs": told is not None,
        "place": told.place if told is not None else None,
        "waiting": [
            {"roles": list(each.roles), "since_time": iso(time_of(each.since_time)), "reason": each.reason}
            for each in (told.waiting if told is not None else ())
        ],
        "announced": {
            each.member: {
                "register_version": each.register_version.hex(),
                "timestamp_version": each.timestamp_version,
                "heard_time": iso(time_of(each.heard_time)),
            }
            for each in (told.announced if told is not None else ())
        },
    }


def _certificate(file: Path) -> bytes:
    """Return a certificate in DER from a file in PEM or DER."""
    try:
        data = read_given(file, MAX_CERTIFICATE_FILE)
        return PEM_cert_to_DER_cert(data.decode("ascii")) if data.startswith(_CERTIFICATE_BEGINS) else data
    except (OSError, ValueError) as error:
        raise NodeStopped(
            "file_unreadable",
            what=N_("The certificate cannot be read: {error}."),
            where="{path}",
            remedy=N_("Name the file of the certificate, in PEM or DER."),
            path=file,
            error=error,
        ) from error


def _refused(error: Rejected, file: Path) -> NodeStopped:
    return NodeStopped(
        error.reason,
        what=N_("The certificate cannot be revoked: {detail}."),
        where="{path}",
        remedy=N_("Name a certificate of your own member, and look at `paiza-node register show`."),
        path=file,
        detail=error.detail or error.reason,
    )
