"""The `paiza-trust` program: the federation's ceremonies.

Exit codes: 0 done, 1 internal error, 2 wrong usage, 3 refused (nothing was changed), 4 unavailable, 5 not proven,
6 profile, 130 interrupted.
"""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import click

from paiza_cli.commands import localised
from paiza_cli.errors import ErrorReport, Labels, command_path, place_in_program, run_command
from paiza_cli.exit_codes import ExitCode
from paiza_cli.language import LANGUAGES, choose
from paiza_trust import dev as dev_ceremony
from paiza_trust import language
from paiza_trust.cli.certifying import ca_group
from paiza_trust.cli.deciding import merge, pending, refuse, show, sign
from paiza_trust.cli.founding import apply, found
from paiza_trust.cli.passphrase import passphrase
from paiza_trust.cli.proposing import propose
from paiza_trust.cli.publishing import export, import_, publish
from paiza_trust.cli.reference import reference_group
from paiza_trust.cli.status import status
from paiza_trust.errors import TrustError, from_disk, from_wire
from paiza_trust.language import N_, _
from paiza_wire.errors import PaizaError
from paiza_wire.identity.key_files import passphrase_from_file

_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_FOLDER = click.argument("folder", type=click.Path(path_type=Path))


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="paiza", prog_name="paiza-trust", help=N_("Show the version and exit."))
def cli() -> None:
    """Create and change the register of a federation."""


@cli.command()
@_FOLDER
@click.option("--members", required=True, help="Member ids, separated by commas: kaz,tjk,uzb,centre.")
@click.option("--federation", default=dev_ceremony.FEDERATION, show_default=True, help="Name of the federation.")
@click.option("--base-port", default=dev_ceremony.BASE_PORT, show_default=True, help="Port of the first node.")
@click.option(
    "--passphrase-file",
    type=click.Path(path_type=Path),
    help="Encrypt the officers' keys with the first line of this file.",
)
@_JSON
def dev(
    folder: Path,
    members: str,
    federation: str,
    base_port: int,
    passphrase_file: Path | None,
    *,
    as_json: bool,
) -> None:
    """Make a complete development federation in FOLDER. Never for real use: one hand holds every key."""
    created = dev_ceremony.create(
        folder,
        [member.strip() for member in members.split(",") if member.strip()],
        federation=federation,
        base_port=base_port,
        passphrase=None if passphrase_file is None else _passphrase(passphrase_file),
    )
    if as_json:
        result = {
            "folder": str(created.folder),
            "federation": created.federation,
            "ports": dict(created.ports),
            "profiles": list(created.profiles),
            "threshold": created.threshold,
            "custodians": created.custodians,
        }
        click.echo(json.dumps(result, ensure_ascii=False))
        return
    click.echo(
        _("{federation}: members in {folder}: {count}").format(
            federation=created.federation, folder=created.folder, count=len(created.members)
        )
    )
    click.echo(
        _("register: {threshold} of {count} custodians sign, each with P-256 and ML-DSA-44").format(
            threshold=created.threshold, count=created.custodians
        )
    )
    for member, port in created.ports.items():
        click.echo(f"  paiza-node run --config {created.folder}/nodes/{member}/node.toml    # 127.0.0.1:{port}")
    click.echo(f"  PAIZA_HOME={created.folder}/home paiza --profile {created.profiles[0]} inbox")


for each in (
    *(apply, found, propose, pending, show, sign, refuse, merge),
    *(publish, export, import_, status, passphrase),
):
    cli.add_command(each)
cli.add_command(ca_group)
cli.add_command(reference_group)


def _with_language(command: click.Command) -> None:
    """Let a command and all below it be asked for in a language."""
    explained = N_("Language: ru or en. Default: PAIZA_LANG, else the system's.")
    click.option("--lang", type=click.Choice(LANGUAGES), expose_value=False, help=explained)(command)
    if isinstance(command, click.Group):
        for each in command.commands.values():
            _with_language(each)


_with_language(cli)


def _passphrase(file: Path) -> bytes:
    try:
        return passphrase_from_file(file)
    except PaizaError as error:
        told = from_wire(error, str(file))
        raise replace(told, exit_code=ExitCode.UNAVAILABLE) if error.reason == "file_unreadable" else told from error


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; every failure ends in one `{reason, what, where, remedy}` and its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    language.use(choose(given, os.environ))
    sys.exit(run_command(localised(cli, language._), "paiza-trust", given, _report, _labels))


def _labels() -> Labels:
    return Labels(_("Error"), _("Where"), _("What to do"), _("Reason code"), "+ {n}")


def _report(error: BaseException) -> ErrorReport:
    found = _refusal(error).translated(language._)
    places = [f"{each.where}: {each.what}" for each in found.problems]
    more = {"problems": [asdict(each) for each in found.problems]} if places else {}
    return ErrorReport(found.reason, found.what, found.where, found.remedy, found.exit_code, places=places, more=more)


def _refusal(error: BaseException) -> TrustError:
    if isinstance(error, (KeyboardInterrupt, click.Abort)):
        return TrustError("interrupted", N_("Interrupted"), "", N_("Start again."), ExitCode.INTERRUPTED)
    if isinstance(error, click.ClickException):
        where = command_path(error, "paiza-trust")
        values = {"message": error.format_message(), "command": where}
        return TrustError("usage", "{message}", where, N_("See {command} --help."), ExitCode.USAGE, values)
    if isinstance(error, TrustError):
        return error
    if isinstance(error, PaizaError):
        return from_wire(error, "")
    if isinstance(error, OSError):
        return from_disk(error)
    what, remedy = N_("This is an internal error of paiza-trust ({kind})"), N_("Please report it.")
    values = {"kind": type(error).__name__}
    return TrustError("internal_error", what, place_in_program(error), remedy, ExitCode.INTERNAL_ERROR, values)


if __name__ == "__main__":
    main()
