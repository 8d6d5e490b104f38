"""Options that several commands share."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from paiza_cli.language import LANGUAGES
from paiza_node.core.errors import N_
from paiza_node.ops.config import Config, load

_F = TypeVar("_F", bound=Callable[..., Any])


def shared(command: _F) -> _F:
    """Add --config, --lang and --log-level."""
    for option in (
        click.option(
            "--log-level",
            type=click.Choice(["debug", "info", "warning", "error"]),
            help=N_("Level of the log; debug also shows where an internal error happened."),
        ),
        language_option,
        click.option(
            "--config",
            "config_path",
            type=click.Path(path_type=Path),
            default=Path("node.toml"),
            show_default=True,
            help=N_("The node's configuration file."),
        ),
    ):
        command = option(command)
    return command


def language_option(command: _F) -> _F:
    """Add --lang; its value is read before the commands are built."""
    explained = N_("Language: ru or en. Default: PAIZA_LANG, else the system's.")
    return click.option("--lang", type=click.Choice(LANGUAGES), expose_value=False, help=explained)(command)


def json_option(command: _F) -> _F:
    """Add --json."""
    return click.option("--json", "as_json", is_flag=True, help=N_("Print one JSON object."))(command)


def settings(config_path: Path, log_level: str | None) -> Config:
    """Return the configuration; `--log-level` overrides it."""
    return load(config_path, {**os.environ, **({"PAIZA_NODE_LOG_LEVEL": log_level} if log_level else {})})
