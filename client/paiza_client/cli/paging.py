"""Lists that come in pages: the option that names a page, and the command that shows the next one."""

import shlex
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Final, TypeVar

import click
from click.core import ParameterSource

from paiza_client.cli.terminal import Terminal, lang
from paiza_client.language import N_, _

_F = TypeVar("_F", bound=Callable[..., Any])

_PAGE: Final = "page"


def paged(command: _F) -> _F:
    """Add --page, which goes on after an earlier page."""
    return click.option(
        "--page",
        _PAGE,
        default="",
        metavar="PAGE",
        help=N_("The page to show, as the last line of an earlier one names it."),
    )(command)


def tell_more(terminal: Terminal, token: str) -> None:
    """Print that the list goes on, and the command for its next page; nothing on the last page."""
    if token:
        terminal.note(_("There are more. The next page: {command}").format(command=next_command(token)))


def next_command(token: str) -> str:
    """Return the command that runs, for the page of this token: with the same options, relative times made absolute."""
    context = click.get_current_context()
    terminal = context.ensure_object(Terminal)
    path: list[str] = []
    at: click.Context | None = context
    while at is not None and at.parent is not None:
        path.insert(0, at.info_name or "")
        at = at.parent
    words = ["paiza", *path]
    for parameter in context.command.params:
        name = parameter.name or ""
        if name != _PAGE and context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            shown = {"profile": terminal.profile_name, "json": terminal.wants_json, "lang": lang()}
            words += _words(parameter, context.params.get(name, shown.get(name)))
    return shlex.join([*words, "--page", token])


def _words(parameter: click.Parameter, value: Any) -> Iterator[str]:
    """Yield a parameter as it is written on a command line."""
    for each in value if isinstance(value, (tuple, list)) else (value,):
        if isinstance(parameter, click.Option):
            if each is False or each is None:
                continue
            yield max(parameter.opts, key=len)
            if parameter.is_flag:
                continue
        yield each.isoformat() if isinstance(each, datetime) else str(each)
