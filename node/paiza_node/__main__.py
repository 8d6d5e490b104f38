"""The `paiza-node` program: what an operator calls.

Exit codes: 0 done, 1 a defect of this program, 2 wrong usage, 3 refused or misconfigured, 4 unavailable now.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from paiza_node.cli import run as run_command
from paiza_node.config import load
from paiza_node.errors import NodeStopped
from paiza_wire.errors import PaizaError, Unavailable
from paiza_wire.reasons import REASONS

EXIT_BUG: Final = 1
EXIT_USAGE: Final = 2
EXIT_REFUSED: Final = 3
EXIT_UNAVAILABLE: Final = 4
EXIT_INTERRUPTED: Final = 130

CONFIG = click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    default=Path("node.toml"),
    show_default=True,
    help="The node's configuration file.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="paiza", prog_name="paiza-node")
def cli() -> None:
    """Run and look after the node of one member."""


@cli.command()
@CONFIG
def run(config_path: Path) -> None:
    """Serve until asked to stop (SIGTERM or Ctrl-C)."""
    run_command.run(load(config_path))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program and end it with a documented exit code; no traceback reaches the operator."""
    sys.exit(_run(list(sys.argv[1:] if arguments is None else arguments)))


def _run(arguments: list[str]) -> int:
    as_json = "--json" in arguments
    try:
        cli.main(arguments, prog_name="paiza-node", standalone_mode=False)
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.ClickException as error:
        error.show()
        return EXIT_USAGE
    except (click.Abort, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    except NodeStopped as error:
        _tell(error.reason, error.what, error.where, error.remedy, as_json=as_json)
        return EXIT_REFUSED
    except PaizaError as error:
        what, _, remedy = REASONS[error.reason].partition("; ")
        _tell(error.reason, what, error.detail, remedy, as_json=as_json)
        return EXIT_UNAVAILABLE if isinstance(error, Unavailable) else EXIT_REFUSED
    return 0


def _tell(reason: str, what: str, where: str, remedy: str, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"reason": reason, "what": what, "where": where, "remedy": remedy}), err=True)
        return
    click.echo(f"error: {what} [{reason}]\n  where:  {where}\n  remedy: {remedy}", err=True)


if __name__ == "__main__":
    main()
