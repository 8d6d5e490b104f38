"""The `log` commands: admit a new log of a member, by the members' threshold."""

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from paiza_trust import log_origin
from paiza_trust.language import _
from paiza_trust.log_origin import Proposal

_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_FEDERATION = click.argument("federation", type=click.Path(path_type=Path))
_FILE = click.argument("file", type=click.Path(path_type=Path))


@click.group("log")
def log_group() -> None:
    """Admit a new log of a member that lost part of its log: prepare, sign (each custodian), publish."""


@log_group.command()
@_FEDERATION
@click.argument("member")
@click.option("--vkey", required=True, help="Verifier key of the next log, as `paiza-node restore` shows it.")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="File to write the proposal to.")
@_JSON
def prepare(federation: Path, member: str, vkey: str, output: Path, *, as_json: bool) -> None:
    """Write a proposal to admit the next log of MEMBER. It is signed by nobody yet."""
    proposal = log_origin.prepare(federation, member, vkey, datetime.now(UTC))
    log_origin.save(proposal, output)
    _tell(proposal, output, 0, as_json=as_json)


@log_group.command()
@_FEDERATION
@_FILE
@click.option(
    "--key",
    type=click.Path(path_type=Path),
    required=True,
    help="A custodian's key: the name of its two files, without -p256.pem and -mldsa44.pem.",
)
@_JSON
def sign(federation: Path, file: Path, key: Path, *, as_json: bool) -> None:
    """Sign the proposal in FILE with a custodian's key, if it admits one log and changes nothing else."""
    proposal = Proposal.read(file)
    count = log_origin.sign(federation, proposal, key)
    log_origin.save(proposal, file)
    _tell(proposal, file, count, as_json=as_json)


@log_group.command()
@_FEDERATION
@_FILE
@_JSON
def publish(federation: Path, file: Path, *, as_json: bool) -> None:
    """Publish the proposal in FILE, which the threshold signed, with the member's own new key."""
    proposal = Proposal.read(file)
    version = log_origin.publish(federation, proposal, datetime.now(UTC))
    if as_json:
        click.echo(json.dumps({"version": version, "member": proposal.member, "origin": proposal.origin}))
        return
    told = _("register version {version}: {member} has the log {origin}")
    click.echo(told.format(version=version, member=proposal.member, origin=proposal.origin))


def _tell(proposal: Proposal, file: Path, signatures: int, *, as_json: bool) -> None:
    if as_json:
        told = {"file": str(file), "member": proposal.member, "origin": proposal.origin, "signatures": signatures}
        click.echo(json.dumps(told))
        return
    text = _("{file}: {member} is to have the log {origin}; signatures: {count}")
    click.echo(text.format(file=file, member=proposal.member, origin=proposal.origin, count=signatures))
