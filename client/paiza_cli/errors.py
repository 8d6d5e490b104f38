"""The end of a program: its errors as text for a person or as one JSON object, and the exit code."""

import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import click
from click.exceptions import NoArgsIsHelpError

from paiza_cli.exit_codes import ExitCode
from paiza_cli.terminal import plain

MAX_PLACES: Final = 50  # shown on a terminal; JSON holds them all


@dataclass(frozen=True, slots=True)
class ErrorReport:
    """One error: a reason code of the registry, and three sentences in the reader's language.

    ``places`` are the places that are wrong where there are several; ``more`` are further fields of the JSON object.
    """

    reason: str
    what: str
    where: str
    remedy: str
    exit_code: ExitCode
    detail: str = ""
    places: Sequence[str] = ()
    more: Mapping[str, object] = field(default_factory=dict)

    def as_object(self) -> dict[str, object]:
        """Return the object that `--json` prints."""
        return {
            "reason": self.reason,
            "what": self.what,
            "where": self.where,
            "remedy": self.remedy,
            "detail": self.detail,
            "exit_code": int(self.exit_code),
            **self.more,
        }


@dataclass(frozen=True, slots=True)
class Labels:
    """The words in front of the parts of an error, in the reader's language; ``and_more`` has a place for ``{n}``."""

    error: str
    where: str
    remedy: str
    reason: str
    and_more: str


def run_command(
    command: click.Command,
    program: str,
    arguments: Sequence[str],
    report: Callable[[BaseException], ErrorReport | ExitCode],
    labels: Callable[[], Labels],
) -> int:
    """Run a command and return the exit code; errors have been printed on standard error.

    ``report`` describes an error; an exit code alone where there is nothing to print.
    """
    try:
        # Commands return nothing; what click returns is the exit code of --help, --version and the like.
        result = command.main(list(arguments), prog_name=program, standalone_mode=False)
    except NoArgsIsHelpError as error:
        if "--json" not in arguments:  # a command without its subcommand: the list of them is the answer
            click.echo(error.format_message(), err=True)
            return ExitCode.USAGE
        return _reported(error, report, labels, arguments)
    except BrokenPipeError:
        # The reader of our output has gone: nobody is left to read an error, and nothing was lost.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - every error is reported, none as a traceback
        return _reported(error, report, labels, arguments)
    return result if isinstance(result, int) else ExitCode.OK


def _reported(
    error: BaseException,
    report: Callable[[BaseException], ErrorReport | ExitCode],
    labels: Callable[[], Labels],
    arguments: Sequence[str],
) -> int:
    found = report(error)
    if isinstance(found, ErrorReport):
        print_error(found, labels(), as_json="--json" in arguments)
        return found.exit_code
    return found


def print_error(report: ErrorReport, labels: Labels, *, as_json: bool) -> None:
    """Print an error on standard error."""
    if as_json:
        click.echo(json.dumps(report.as_object(), ensure_ascii=False), err=True)
        return
    lines = [(labels.error, report.what)]
    lines += [(labels.where, each) for each in (report.places or [report.where])[:MAX_PLACES] if each]
    if len(report.places) > MAX_PLACES:
        lines.append((labels.where, labels.and_more.format(n=len(report.places) - MAX_PLACES)))
    lines.append((labels.remedy, report.remedy))
    lines.append((labels.reason, f"{report.reason} ({report.detail})" if report.detail else report.reason))
    for place, (label, text) in enumerate(lines):
        shown = click.style(f"{label}:", fg=None if place else "red", bold=True)
        click.echo(f"{shown} {plain(text)}", err=True)


def command_path(error: click.ClickException, program: str) -> str:
    """Return the command whose use was wrong."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    return context.command_path if context else program


def place_in_program(error: BaseException) -> str:
    """Return the place of an internal error; never its text, which may hold content."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
