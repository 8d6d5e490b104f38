"""The command `ca certify`: certify a node or an officer with the member's own CA."""

import json
import ssl
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

import click

from paiza_cli.confirmation import confirm
from paiza_cli.fingerprint_words import fingerprint_words
from paiza_cli.terminal import plain_line
from paiza_register.ceremony.times import time_text
from paiza_trust import certify as certifying
from paiza_trust.certify import Plan, admission
from paiza_trust.cli.display import show_json
from paiza_trust.cli.options import JSON, KEY_FOLDER, OUTPUT, check_new
from paiza_trust.files import write_private
from paiza_trust.key_folder import KeyFolder
from paiza_trust.language import N_, _
from paiza_wire.identity import CertificateUse

OFFICER_ROLES: Final = ("liaison", "duty", "authoriser", "coordinator", "auditor", "custodian", "data")
"""The roles that a node's officers may have."""

_FILES: Final = (("key", "key"), ("certificate", "crt"))


@click.group("ca", help=N_("Use the CAs of the member: they certify its nodes and officers."))
def ca_group() -> None:
    """Group the commands of the CAs."""


@ca_group.command(
    help=N_(
        "Show what the signing requests ask for, ask, and certify them with the member's own CA, in a file or on a "
        "token. A node has one request; OUTPUT is its certificate. An officer has two, for authentication and for "
        "signing, in this order; OUTPUT is the folder for both certificates and for officer.json, with which the "
        "node's operator admits the officer. The lines for the officer's profile.toml are printed."
    )
)
@click.argument("requests", metavar="CSR [SIGNING_CSR]", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--role",
    "roles",
    multiple=True,
    type=click.Choice(OFFICER_ROLES),
    help=N_("A role of the officer; may be named several times. A node has none."),
)
@click.option("--unit", default="", help=N_("The officer's unit."))
@KEY_FOLDER
@click.option("--yes", is_flag=True, help=N_("Certify without asking. For exercises only."))
@OUTPUT
@JSON
def certify(
    requests: tuple[Path, ...],
    roles: tuple[str, ...],
    unit: str,
    key_folder: Path,
    output: Path,
    *,
    yes: bool,
    as_json: bool,
) -> None:
    """Certify a node or an officer."""
    folder, now = KeyFolder(key_folder), datetime.now(UTC)
    plan = certifying.plan(folder, requests, now)
    files = _files(plan, output)
    officer = plan.id.role == "officer"
    admission_file = output / "officer.json" if officer else None
    for file in (*files.values(), *([admission_file] if admission_file else [])):
        check_new(file)
    _check_roles(plan, roles, unit)
    if not as_json:
        _show(plan, folder, roles, unit)
    if not yes:
        confirm(_("Certify this?"), abort=True)
    made = certifying.certify(folder, plan, now)
    for use, file in files.items():
        write_private(file, ssl.DER_cert_to_PEM_cert(made[use]).encode())
    if admission_file is not None:
        write_private(admission_file, f"{json.dumps(admission(plan.id, roles, unit, made))}\n".encode())
    profile = profile_lines(plan) if officer else ""
    if as_json:
        show_json(
            {
                "id": str(plan.id),
                "certificates": [
                    {
                        "use": request.use,
                        "file": str(files[request.use]),
                        "key_sha256": request.key_sha256.hex(),
                        "certificate_sha256": sha256(made[request.use]).hexdigest(),
                    }
                    for request in plan.requests
                ],
                "not_before": time_text(plan.not_before),
                "not_after": time_text(plan.not_after),
                "admission": str(admission_file) if admission_file else None,
                "profile_toml": profile or None,
            }
        )
        return
    for file in files.values():
        click.echo(_("{file}: a certificate of {id}").format(file=file, id=plan.id))
    if admission_file is not None:
        click.echo(_("Admit the officer at the node: paiza-node officer admit {file}").format(file=admission_file))
        click.echo(_("The officer's profile.toml; write the address of your node for HOST:PORT:"))
        click.echo(f"\n{profile}", nl=False)


def profile_lines(plan: Plan) -> str:
    """Return an officer's profile.toml. Its ``node`` is left to be filled in: a request does not name the address."""
    values = {
        "id": str(plan.id),
        "member": plan.id.member,
        "federation": plan.id.federation,
        "node": "HOST:PORT",
        **{f"{request.use}_{kind}": f"{request.use}.{end}" for request in plan.requests for kind, end in _FILES},
        "root": "root.json",
    }
    return "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in values.items())


def _files(plan: Plan, output: Path) -> Mapping[CertificateUse, Path]:
    if plan.id.role == "node":
        return {"authentication": output}
    return {request.use: output / f"{request.use}.crt" for request in plan.requests}


def _check_roles(plan: Plan, roles: Sequence[str], unit: str) -> None:
    if plan.id.role == "officer" and not roles:
        raise click.UsageError(_("The requests are an officer's: name their roles with --role."))
    if plan.id.role == "node" and (roles or unit):
        raise click.UsageError(_("The request is a node's, which has neither roles nor a unit."))


def _show(plan: Plan, folder: KeyFolder, roles: Sequence[str], unit: str) -> None:
    values = {"name": plan.id.name, "member": plan.id.member, "federation": plan.id.federation}
    token = folder.authority_token(plan.ca)
    click.echo(_("What will be certified:"))
    lines = [
        _("the officer {name} of {member} in {federation}").format(**values)
        if plan.id.role == "officer"
        else _("the node of {member} in {federation}").format(**values),
        _("valid from {begin} until {end}").format(begin=time_text(plan.not_before), end=time_text(plan.not_after)),
        _("signed with {name}, a file").format(name=plan.ca)
        if token is None
        else _("signed with {name}, on the token {token}").format(name=plan.ca, token=token),
    ]
    if roles:
        told = _("roles: {roles}; unit: {unit}")
        lines.append(told.format(roles=", ".join(roles), unit=unit or "-"))
    for line in lines:
        click.echo(f"  {plain_line(line)}")
    names = {"authentication": _("authentication"), "signing": _("signing")}
    for request in plan.requests:
        told = _("Fingerprint of the key for {use}, to be compared with its holder:")
        click.echo(told.format(use=names[request.use]))
        for language in ("ru", "en"):
            click.echo(f"  {fingerprint_words(request.key_sha256, language)}")
        click.echo(f"  {request.key_sha256.hex()}")
