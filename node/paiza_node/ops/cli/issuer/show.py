"""`paiza-node issuer show`: what the issuer has issued, from its files. It may run, and no key is opened."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from paiza_node.core.errors import N_
from paiza_node.ops.cli.issuer.options import shared
from paiza_node.ops.cli.options import json_option
from paiza_node.ops.issuer.journal import Issued, read_journal
from paiza_node.ops.issuer.serve import open_register
from paiza_node.ops.issuer.settings import load_settings
from paiza_node.ops.language import _, number_text
from paiza_node.ops.terminal import iso, print_facts, print_json, print_table, shown_time
from paiza_wire.identity import MemberAuthority, Role, load_certificate
from paiza_wire.identity.certificate_profiles import is_issued_by


@click.command("show", help=N_("Show what the issuer holds, and every certificate in its journal, oldest first."))
@shared
@json_option
def command(config_path: Path, *, as_json: bool) -> None:
    """Show the journal."""
    settings = load_settings(config_path)
    register = open_register(settings).last
    issued = read_journal(settings.journal)
    known = None if register is None else register.described.get(settings.member)
    former = [] if known is None else former_cas(issued, known.authority, datetime.now(UTC))
    if as_json:
        print_json(
            {
                "member": settings.member,
                "federation": settings.federation,
                "root_sha256": settings.root_sha256.hex(),
                "register_version": None if register is None else register.version.hex(),
                "register_time": None if register is None else iso(register.issued_time),
                "administrators": len(settings.administrators),
                "log_size": issued[-1].log.size if issued else 0,
                "former_cas": former,
                "issued": [_as_object(each) for each in issued],
            }
        )
        return
    print_facts(
        [
            (_("member"), settings.member),
            (_("register of"), shown_time(None if register is None else register.issued_time)),
            (_("administrators"), number_text(len(settings.administrators))),
            (_("issued"), number_text(len(issued))),
        ]
    )
    for role in former:
        text = (
            _("The last officer's certificate is of a former CA. Let issuer.toml name the key of the newer one.")
            if role == "officer"
            else _("The last node certificate is of a former CA. Let issuer.toml name the key of the newer one.")
        )
        click.echo(text)
    if issued:
        click.echo("")
        head = (_("time"), _("for"), _("because of"), _("log entry"), _("valid until"))
        print_table(head, [_row(each) for each in issued])


def former_cas(issued: Sequence[Issued], authority: MemberAuthority, now: datetime) -> list[Role]:
    """Return the roles whose last certificate is not of the newest announced CA that has begun."""
    found: list[Role] = []
    roles: tuple[Role, ...] = ("node", "officer")
    for role in roles:
        last = [each for each in issued if (each.kind == "node") == (role == "node")][-1:]
        begun = [ca for ca in authority.cas(role) if ca.begins <= now]
        if not last or not begun:
            continue
        newest = load_certificate(max(begun, key=lambda ca: ca.begins).certificate)
        if not is_issued_by(load_certificate(last[0].certificates[-1]), newest):
            found.append(role)
    return found


def _row(issued: Issued) -> tuple[str, ...]:
    causes = {"enrolment": _("an invitation"), "renewal": _("a renewal"), "node": _("the announcement of a key")}
    ends = load_certificate(issued.certificates[-1]).not_valid_after_utc
    return (
        shown_time(issued.time),
        issued.id.rpartition("/")[2],
        causes[issued.kind],
        number_text(issued.index),
        shown_time(ends),
    )


def _as_object(issued: Issued) -> dict[str, object]:
    return {
        "time": iso(issued.time),
        "id": issued.id,
        "kind": issued.kind,
        "log_origin": issued.log.origin,
        "log_index": issued.index,
        "key_sha256": [each.hex() for each in issued.keys],
        "not_after": iso(load_certificate(issued.certificates[-1]).not_valid_after_utc),
    }
