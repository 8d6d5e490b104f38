"""The frame of every command: the language, and the report of errors in it, with the documented exit code.

An error is {reason, what, where, remedy}: text on a terminal, one JSON object with `--json`, on standard error either
way. A traceback is shown only with `--log-level debug`.
"""

import errno
import json
import os
import sys
import traceback
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

import click

from paiza_cli.exit_codes import ExitCode
from paiza_cli.terminal import plain_line
from paiza_node.core.errors import N_, NodeStopped
from paiza_node.ops.language import _
from paiza_wire.errors import PaizaError, Unavailable
from paiza_wire.reasons import REASONS


class Ended(Exception):  # noqa: N818 - a command's own verdict, already told
    """Raised by a command that has printed its result and ends with this code."""

    def __init__(self, code: ExitCode) -> None:
        """Store the exit code."""
        super().__init__(code)
        self.code = code


REPORT: Final = N_("Run it again with --log-level debug for the details, and report them to the maintainers.")


def guarded(command: click.Command, arguments: Sequence[str]) -> int:
    """Run a command and return the exit code; errors have been printed."""
    try:
        result = command.main(list(arguments), prog_name="paiza-node", standalone_mode=False)
    except Ended as ended:
        return ended.code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    except (KeyboardInterrupt, click.Abort):
        return ExitCode.INTERRUPTED
    except click.ClickException as error:
        return _tell(_misused(error), ExitCode.USAGE, arguments)
    except Exception as error:  # noqa: BLE001 - all end here, told in the operator's terms
        if _wants_details(arguments):
            traceback.print_exc()
        return _tell_failure(_innermost(error), arguments)
    return result if isinstance(result, int) else ExitCode.OK


def _tell_failure(error: BaseException, arguments: Sequence[str]) -> int:
    if isinstance(error, NodeStopped):
        return _tell(error, ExitCode.USAGE if error.reason == "usage" else ExitCode.REFUSED, arguments)
    if isinstance(error, PaizaError):
        unavailable = isinstance(error, Unavailable)
        return _tell(explained(error), ExitCode.UNAVAILABLE if unavailable else ExitCode.REFUSED, arguments)
    if isinstance(error, OSError):
        return _tell(_disk(error), ExitCode.REFUSED, arguments)
    place = _place(error)
    stopped = NodeStopped(
        "internal_error",
        what=N_("The program had an internal error."),
        where="{kind}: {place}",
        remedy=REPORT,
        kind=type(error).__name__,
        place=place,
    )
    return _tell(stopped, ExitCode.INTERNAL_ERROR, arguments)


def explained(error: PaizaError) -> NodeStopped:
    """Return the explanation of a reason code and the remedy, from the registry of reason codes."""
    what, remedy = sentences(error.reason)
    return NodeStopped(error.reason, what=what, where="{detail}", remedy=remedy, detail=error.detail)


def sentences(reason: str) -> tuple[str, str]:
    """Return the two halves of a code's sentence in the registry: explanation and remedy."""
    what, _separator, remedy = REASONS[reason].partition("; ")
    return f"{what}.".replace("..", "."), remedy[:1].upper() + remedy[1:]


def as_object(stopped: NodeStopped) -> dict[str, str]:
    """Return an error as the object that `--json` prints."""
    what, where, remedy = stopped.translated(_)
    return {"reason": stopped.reason, "what": what, "where": where, "remedy": remedy}


def _tell(stopped: NodeStopped, code: ExitCode, arguments: Sequence[str]) -> int:
    shown = as_object(stopped)
    if "--json" in arguments:
        click.echo(json.dumps({**shown, "exit_code": int(code)}, ensure_ascii=False), err=True)
        return code
    lines = [(_("Error"), f"{shown['what']} [{stopped.reason}]")]
    lines += [(_("where"), shown["where"])] if shown["where"] else []
    lines += [(_("what to do"), shown["remedy"])]
    click.echo("\n  ".join(f"{label}: {plain_line(text)}" for label, text in lines), err=True)
    return code


def _innermost(error: BaseException) -> BaseException:
    """Return the error of a group of tasks: the first of our own errors in it, else the first of all."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    inner = [_innermost(each) for each in error.exceptions]
    return next((each for each in inner if isinstance(each, (NodeStopped, PaizaError))), inner[0])


def _misused(error: click.ClickException) -> NodeStopped:
    context = error.ctx if isinstance(error, click.UsageError) else None
    path = context.command_path if context else "paiza-node"
    return NodeStopped(
        "usage",
        what="{message}",
        where="{path}",
        remedy=N_("See {path} --help."),
        message=error.format_message(),
        path=path,
    )


def _disk(error: OSError) -> NodeStopped:
    full = error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
    unwritable = error.errno in {errno.EROFS, errno.EEXIST, errno.EACCES, errno.EPERM}
    reason = "disk_full" if full else "file_unwritable" if unwritable else "file_unreadable"
    _what, remedy = sentences(reason)
    return NodeStopped(
        reason, what="{error}", where="{path}", remedy=remedy, error=error.strerror or error, path=error.filename or ""
    )


def _wants_details(arguments: Sequence[str]) -> bool:
    return "--log-level=debug" in arguments or ("--log-level", "debug") in pairwise(arguments)


def _place(error: BaseException) -> str:
    """Return the place in the program of an internal error; never its text, which may hold content."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
