"""The frame of every command: the language, and the report of errors in it, with the documented exit code.

An error is {reason, what, where, remedy}: text on a terminal, one JSON object with `--json`, on standard error either
way. A traceback is shown only with `--log-level debug`.
"""

import errno
import traceback
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Final

import click

from paiza_cli.errors import ErrorReport, Labels, command_path, place_in_program, run_command
from paiza_cli.exit_codes import ExitCode
from paiza_node.core.errors import N_, NodeStopped
from paiza_node.ops.language import _, language
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
    details = "--log-level=debug" in arguments or ("--log-level", "debug") in pairwise(arguments)
    return run_command(command, "paiza-node", arguments, partial(_report, details=details), _labels)


def _report(error: BaseException, *, details: bool) -> ErrorReport | ExitCode:
    if isinstance(error, Ended):
        return error.code
    if isinstance(error, (KeyboardInterrupt, click.Abort)):
        return ExitCode.INTERRUPTED
    if isinstance(error, click.ClickException):
        return _reported(_misused(error), ExitCode.USAGE)
    if details:
        traceback.print_exception(error)
    return _failure(_innermost(error))


def _failure(error: BaseException) -> ErrorReport:
    if isinstance(error, NodeStopped):
        return _reported(error, ExitCode.USAGE if error.reason == "usage" else ExitCode.REFUSED)
    if isinstance(error, PaizaError):
        unavailable = isinstance(error, Unavailable)
        return _reported(explained(error), ExitCode.UNAVAILABLE if unavailable else ExitCode.REFUSED)
    if isinstance(error, OSError):
        return _reported(_disk(error), ExitCode.REFUSED)
    stopped = NodeStopped(
        "internal_error",
        what=N_("The program had an internal error."),
        where="{kind}: {place}",
        remedy=REPORT,
        kind=type(error).__name__,
        place=place_in_program(error),
    )
    return _reported(stopped, ExitCode.INTERNAL_ERROR)


def _reported(stopped: NodeStopped, code: ExitCode) -> ErrorReport:
    """Describe an error; in another language than that of the details these stand behind the reason code."""
    if language() == "en":
        return ErrorReport(stopped.reason, *stopped.translated(_), code)
    sentences_, detail = stopped.translated_apart(_)
    return ErrorReport(stopped.reason, *sentences_, code, detail)


def _labels() -> Labels:
    return Labels(_("Error"), _("Where"), _("What to do"), _("Reason code"), "+ {n}")


def explained(error: PaizaError) -> NodeStopped:
    """Return the explanation of a reason code and the remedy, from the registry of reason codes."""
    what, remedy = sentences(error.reason)
    if error.reason == "node_unreachable":  # the registry speaks to officers; here the operator is asked
        remedy = N_("Start it: paiza-node run. If it runs, name its node.toml with --config, and run this as its user.")
    return NodeStopped(error.reason, what=what, where="{detail}", remedy=remedy, detail=error.detail)


def sentences(reason: str) -> tuple[str, str]:
    """Return the two halves of a code's sentence in the registry: explanation and remedy."""
    what, _separator, remedy = REASONS[reason].partition("; ")
    return f"{what}.".replace("..", "."), remedy[:1].upper() + remedy[1:]


def as_object(stopped: NodeStopped) -> dict[str, str]:
    """Return an error as the object that `--json` prints."""
    what, where, remedy = stopped.translated(_)
    return {"reason": stopped.reason, "what": what, "where": where, "remedy": remedy}


def _innermost(error: BaseException) -> BaseException:
    """Return the error of a group of tasks: the first of our own errors in it, else the first of all."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    inner = [_innermost(each) for each in error.exceptions]
    return next((each for each in inner if isinstance(each, (NodeStopped, PaizaError))), inner[0])


def _misused(error: click.ClickException) -> NodeStopped:
    return NodeStopped(
        "usage",
        what="{message}",
        where="{path}",
        remedy=N_("See {path} --help."),
        message=error.format_message(),
        path=command_path(error, "paiza-node"),
    )


def _disk(error: OSError) -> NodeStopped:
    full = error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
    unwritable = error.errno in {errno.EROFS, errno.EEXIST, errno.EACCES, errno.EPERM}
    reason = "disk_full" if full else "file_unwritable" if unwritable else "file_unreadable"
    _what, remedy = sentences(reason)
    return NodeStopped(
        reason, what="{error}", where="{path}", remedy=remedy, error=error.strerror or error, path=error.filename or ""
    )
