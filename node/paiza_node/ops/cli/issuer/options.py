"""The option that the commands of the issuer share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from paiza_node.core.errors import N_
from paiza_node.ops.cli.options import language_option

_F = TypeVar("_F", bound=Callable[..., Any])


def shared(command: _F) -> _F:
    """Add --config and --lang."""
    config = click.option(
        "--config",
        "config_path",
        type=click.Path(path_type=Path),
        default=Path("issuer.toml"),
        show_default=True,
        help=N_("The issuer's configuration file."),
    )
    return config(language_option(command))
