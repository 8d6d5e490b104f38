"""What surrounds every command: the language, and whatever goes wrong told in it, with the documented exit code.

An error is {reason, what, where, remedy}: text on a terminal, one JSON object with `--json`, on standard error
either way. A traceback is never shown; a defect of ours names the place in our code and nothing that was being
worked on.
"""

import json
import os
import sys
import traceback
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.text import Text

from paiza_cli.exit_codes import ExitCode
from paiza_cli.language import choose
from paiza_cli.terminal import plain
from paiza_client import error_help, language
from paiza_client.cli.terminal import WIDE
from paiza_client.errors import FieldProblem, Misused, Refused, Unreachable, disk_problem, exit_code, misused
from paiza_client.language import N_, _
from paiza_client.local import profiles
from paiza_client.sdk import as_json
from paiza_wire.errors import PaizaError, Rejected

MAX_PROBLEMS: Final = 50  # shown on a terminal; JSON holds them all

_SAVED: Final = N_(
    "The message is signed, sealed and safe in the outbox. It goes at the next command, or with: paiza outbox flush"
)


def guarded(command: click.Command, arguments: Sequence[str]) -> int:  # noqa: PLR0911 - one family, one line
    """Run a command and give the exit code; whatever went wrong has been told."""
    try:
        # Commands return nothing; what click returns is the exit code of --help, --version and the like.
        result = command.main(list(arguments), prog_name="paiza", standalone_mode=False)
    except BrokenPipeError:
        # The reader of our output has gone: there is nobody left to tell, and nothing was lost.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    except (KeyboardInterrupt, click.Abort):
        return _tell(Refused("interrupted"), ExitCode.INTERRUPTED, arguments)
    except click.ClickException as error:
        return _tell(_misused(error), ExitCode.USAGE, arguments)
    except PaizaError as error:
        return _tell(error, exit_code(error), arguments)
    except OSError as error:
        problem = disk_problem(error, str(error.filename or ""))
        return _tell(problem, exit_code(problem), arguments)
    except Exception as error:  # noqa: BLE001 - the last resort, told as a defect of ours
        return _tell(Rejected("internal_error", _place(error)), ExitCode.INTERNAL_ERROR, arguments)
    return result if isinstance(result, int) else ExitCode.OK


def as_object(error: PaizaError, code: ExitCode) -> dict[str, object]:
    """Return an error as the object that `--json` prints."""
    told = error_help.remedy(error.reason)
    problems = _problems(error)
    shown: dict[str, object] = {
        "reason": error.reason,
        "what": _(told.what),
        "where": error.where if isinstance(error, (Refused, Unreachable)) else "",
        "remedy": _(_SAVED) if _is_saved(error) else _(told.remedy),
        "detail": error.detail,
        "exit_code": int(code),
    }
    if problems:
        shown["problems"] = [{"where": each.where, "what": each.what, "code": each.code} for each in problems]
    if isinstance(error, Unreachable):
        shown["saved"] = error.saved
    return shown


def _tell(error: PaizaError, code: ExitCode, arguments: Sequence[str]) -> int:
    if "--json" in arguments:
        sys.stderr.write(json.dumps(as_object(error, code), ensure_ascii=False, default=as_json.value) + "\n")
        return code
    shown = as_object(error, code)
    console = Console(file=sys.stderr, highlight=False, markup=False, width=None if sys.stderr.isatty() else WIDE)
    problems = _problems(error)
    lines = [(_("Error"), str(shown["what"]))]
    if shown["where"] and not problems:
        lines.append((_("Where"), str(shown["where"])))
    lines += [
        (_("Where"), f"{each.where}: {each.what}" if each.where else each.what) for each in problems[:MAX_PROBLEMS]
    ]
    if len(problems) > MAX_PROBLEMS:
        lines.append((_("Where"), _("… and {n} more").format(n=len(problems) - MAX_PROBLEMS)))
    lines.append((_("What to do"), str(shown["remedy"])))
    lines.append((_("Reason"), f"{error.reason} ({error.detail})" if error.detail else error.reason))
    for label, text in lines:
        console.print(Text.assemble((f"{label}: ", "bold red" if label == lines[0][0] else "bold"), plain(text)))
    return code


def _problems(error: PaizaError) -> Sequence[FieldProblem]:
    return error.problems if isinstance(error, Refused) else ()


def _is_saved(error: PaizaError) -> bool:
    return isinstance(error, Unreachable) and error.saved


def _misused(error: click.ClickException) -> Misused:
    context = error.ctx if isinstance(error, click.UsageError) else None
    where = context.command_path if context else "paiza"
    return misused(where, error.format_message())


def _place(error: Exception) -> str:
    """Name the kind of the defect and where in the program it is; never its text, which may hold content."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
    return f"{type(error).__name__} at {place}"


def speak(arguments: Sequence[str]) -> None:
    """Choose the language for this run, before a command is built."""
    language.use(choose(arguments, os.environ, _profile_language(arguments)))


def _profile_language(arguments: Sequence[str]) -> str | None:
    """Return the language of the profile this run will use; whatever is wrong with it is told later, by the command."""
    named = [value for option, value in pairwise(arguments) if option == "--profile"]
    named += [argument.removeprefix("--profile=") for argument in arguments if argument.startswith("--profile=")]
    try:
        return profiles.find(named[-1] if named else None).lang
    except PaizaError:
        return None
