"""The frame of every command: the language, errors in that language, and the documented exit code.

An error is {reason, what, where, remedy}: text on a terminal, one JSON object with `--json`, on standard error
either way. A traceback is never shown; an internal error names its place in the program and nothing that was being
worked on.
"""

import os
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import click

from paiza_cli.errors import ErrorReport, Labels, command_path, place_in_program, run_command
from paiza_cli.exit_codes import ExitCode
from paiza_cli.language import choose
from paiza_client import error_help, language
from paiza_client.language import N_, _
from paiza_domain import policy_rules
from paiza_officer import profiles
from paiza_officer.errors import FieldProblem, Refused, Unreachable, disk_problem, exit_code, misused
from paiza_wire.errors import PaizaError, Rejected

_SAVED: Final = N_(
    "The message is signed, sealed and safe in the outbox. It goes at the next command, or with: paiza outbox flush"
)


def guarded(command: click.Command, arguments: Sequence[str]) -> int:
    """Run a command and return the exit code; errors have been printed."""
    return run_command(command, "paiza", arguments, _report, _labels)


def _report(error: BaseException) -> ErrorReport:
    if isinstance(error, (KeyboardInterrupt, click.Abort)):
        return report(Refused("interrupted"), ExitCode.INTERRUPTED)
    if isinstance(error, click.ClickException):
        return report(misused(command_path(error, "paiza"), error.format_message()), ExitCode.USAGE)
    if isinstance(error, PaizaError):
        return report(error, exit_code(error))
    if isinstance(error, OSError):
        problem = disk_problem(error, str(error.filename or ""))
        return report(problem, exit_code(problem))
    detail = f"{type(error).__name__} at {place_in_program(error)}"
    return report(Rejected("internal_error", detail), ExitCode.INTERNAL_ERROR)


def report(error: PaizaError, code: ExitCode) -> ErrorReport:
    """Return an error in the language in use."""
    if error.reason == "usage" and isinstance(error, Refused) and error.problems:
        return _of_usage(error, code)
    told = error_help.remedy(error.reason, error.detail)
    problems = error.problems if isinstance(error, Refused) else ()
    more: dict[str, object] = {}
    if problems:
        more["problems"] = _as_objects(problems)
    if isinstance(error, Unreachable):
        more["saved"] = error.saved
    saved = isinstance(error, Unreachable) and error.saved
    file = os.environ.get("PAIZA_PASSPHRASE_FILE")
    what_to_do = _(_SAVED) if saved else _(told.remedy)
    if error.reason == "bad_passphrase" and file:
        what_to_do = _("The passphrase came from {file}: correct it there.").format(file=file)
    # Of the whole message: rules of its workflow, rules of the policy.
    everywhere = [each.what for each in problems if not each.where]
    everywhere += () if problems else policy_rules.told(error.detail, language.language())
    return ErrorReport(
        error.reason,
        " ".join([_(told.what), *everywhere]),
        error.where if isinstance(error, (Refused, Unreachable)) else "",
        what_to_do,
        code,
        error.detail,
        _places(error, problems),
        more,
    )


def _places(error: PaizaError, problems: Sequence[FieldProblem]) -> list[str]:
    """Return the places that are wrong: those of a draft by line and name of the field, below the name of the draft."""
    places = [f"{each.place or each.where}: {each.what}" for each in problems if each.where]
    drafted = isinstance(error, Refused) and error.where and any(each.place for each in problems)
    return [error.where, *places] if isinstance(error, Refused) and drafted else places


def _of_usage(error: Refused, code: ExitCode) -> ErrorReport:
    """Return a fault of the command line as all three programs show it: the fault, where, and which help to read."""
    where = error.problems[0].where
    command = where if where.startswith("paiza") else "paiza"
    return ErrorReport(
        error.reason,
        " ".join(each.what for each in error.problems),
        where,
        _("See {command} --help.").format(command=command),
        code,
        error.detail,
        more={"problems": _as_objects(error.problems)},
    )


def _as_objects(problems: Sequence[FieldProblem]) -> list[dict[str, object]]:
    return [
        {
            "where": each.where,
            "what": each.what,
            "code": each.code,
            **({"path": each.path, "label": each.label, "line": each.line} if each.path or each.line else {}),
        }
        for each in problems
    ]


def _labels() -> Labels:
    return Labels(_("Error"), _("Where"), _("What to do"), _("Reason code"), _("… and {n} more"))


def speak(arguments: Sequence[str]) -> None:
    """Choose the language for this run, before a command is built."""
    language.use(choose(arguments, os.environ, _profile_language(arguments)))


def _profile_language(arguments: Sequence[str]) -> str | None:
    """Return the language of the profile this run will use; the command reports errors in it later."""
    named = [value for option, value in pairwise(arguments) if option == "--profile"]
    named += [argument.removeprefix("--profile=") for argument in arguments if argument.startswith("--profile=")]
    try:
        return profiles.find(named[-1] if named else None).lang
    except PaizaError:
        return None
