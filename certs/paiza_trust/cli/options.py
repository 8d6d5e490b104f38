"""Arguments and options that several commands have."""

from pathlib import Path
from typing import Final

import click

from paiza_cli.exit_codes import ExitCode
from paiza_trust.errors import TrustError
from paiza_trust.language import N_

KEYS: Final = Path("trust")
"""Default folder of a member's own keys."""

FILE: Final = click.argument("file", type=click.Path(path_type=Path))
JSON: Final = click.option("--json", "as_json", is_flag=True, help=N_("Print one JSON object."))
OUTPUT: Final = click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help=N_("File to write.")
)
KEY_FOLDER: Final = click.option(
    "--keys",
    "key_folder",
    type=click.Path(path_type=Path),
    default=KEYS,
    show_default=True,
    help=N_("Folder of the member's own keys. It is no part of the node's folder."),
)
PROFILE: Final = click.option(
    "--profile", help=N_("Profile of a custodian under PAIZA_HOME: work at the own node and not with files alone.")
)
OWN_PROFILE: Final = click.option(
    "--profile", help=N_("Profile of a custodian under PAIZA_HOME. Default: PAIZA_PROFILE, else the only one there is.")
)
INSTEAD: Final = click.option(
    "--instead",
    metavar="FILE|FINGERPRINT",
    help=N_("A proposal that was signed here, and that so many have refused that it can never count."),
)
YES: Final = click.option("--yes", is_flag=True, help=N_("Sign without asking. For exercises only."))
LIFE: Final = click.option(
    "--timestamp-life-hours",
    type=click.IntRange(1, 720),
    metavar="NUMBER",
    help=N_("How long a register counts as current after a node signed it."),
)
GRACE: Final = click.option(
    "--grace-hours",
    type=click.IntRange(0, 168),
    metavar="NUMBER",
    help=N_("How long an expired register is used, with a warning."),
)
AGREEMENTS: Final = click.option(
    "--agreement",
    "agreements",
    type=click.Path(path_type=Path),
    multiple=True,
    help=N_("A file agreement-NAME.cedar, new or changed. May be repeated."),
)
MEMBER_PROFILE: Final = click.option(
    "--member-profile",
    type=click.Path(path_type=Path),
    help=N_("TOML file with the member's practice, as in certs/paiza_trust/reference/members."),
)
THRESHOLD: Final = click.option(
    "--threshold", type=int, help=N_("How many custodians must sign a change; default: as before.")
)
NODE_FOLDER: Final = click.option(
    "--node",
    "node_folder",
    type=click.Path(path_type=Path),
    required=True,
    help=N_("Folder of a member's node; its key signs that the new register is current."),
)


def check_new(path: Path) -> None:
    """Refuse to write over a file."""
    if path.exists():
        what, remedy = N_("The file exists already; nothing is overwritten"), N_("Name another file with -o.")
        raise TrustError("file_unwritable", what, str(path), remedy, ExitCode.UNAVAILABLE)
