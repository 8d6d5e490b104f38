"""Errors for officers: the families of `paiza_wire.errors`, with the place and the exit code.

The exit code follows from the class, so that a script can branch on it; the text follows from the reason code, so that
it exists in every language. Anything that is not a `PaizaError` is a defect of ours.
"""

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from paiza_cli.exit_codes import ExitCode
from paiza_wire.errors import PaizaError, Rejected, Unavailable


@dataclass(frozen=True)
class FieldProblem:
    """One thing that is wrong at one place: a field of a draft, a row of a file, a message of a batch."""

    where: str
    """File and line, field, or message id."""
    what: str
    """In the user's language."""
    code: str = ""
    path: str = ""
    """Field of a draft, as the draft names it: ``substances[0].quantity``."""
    label: str = ""
    """The same in the user's words."""
    line: int = 0
    """Line of the draft, from 1; 0 if it is of no line."""
    place: str = ""
    """Line and label for a reader: "line 12, Substance 1 › Quantity (quantity)"."""


class Refused(Rejected):
    """Final: the input is invalid or the node refused it."""

    exit_code = ExitCode.REFUSED

    def __init__(self, reason: str, where: str = "", detail: str = "", problems: Sequence[FieldProblem] = ()) -> None:
        super().__init__(reason, detail)
        self.where = where
        self.problems = tuple(problems)


class Misused(Refused):
    """The command line asks for what does not exist or contradicts itself."""

    exit_code = ExitCode.USAGE


def misused(where: str, what: str) -> Misused:
    """Return, in the user's language, the fault of the command line."""
    return Misused("usage", where, problems=[FieldProblem(where, what, "usage")])


class NotProven(Refused):
    """A signature, digest, certificate or log proof does not hold. What it should have proven is not shown."""

    exit_code = ExitCode.NOT_PROVEN


class ProfileProblem(Refused):
    """The profile, its key, passphrase or certificate cannot be used."""

    exit_code = ExitCode.PROFILE


class Unreachable(Unavailable):
    """Not now: the node, the register or the disk; the same command may succeed later."""

    exit_code = ExitCode.UNAVAILABLE

    def __init__(self, reason: str, where: str = "", detail: str = "", *, saved: bool = False) -> None:
        super().__init__(reason, detail)
        self.where = where
        self.saved = saved
        """True when a message that was to be sent waits in the outbox."""


def disk_problem(error: OSError, where: str) -> Refused | Unreachable:
    """Classify a failure of the own disk: full (temporary), not writable, or not readable."""
    detail = error.strerror or ""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return Unreachable("disk_full", where, detail)
    if error.errno in {errno.EROFS, errno.EEXIST, errno.EIO} or (error.errno == errno.EACCES and Path(where).exists()):
        return Refused("file_unwritable", where, detail)
    return Refused("file_unreadable", where, detail)


def exit_code(error: PaizaError) -> ExitCode:
    """Return the exit code of an error; a bare one from the wire is refused or unavailable by its family."""
    if isinstance(error, (Refused, Unreachable)):
        return error.exit_code
    return ExitCode.UNAVAILABLE if isinstance(error, Unavailable) else ExitCode.REFUSED


@contextmanager
def located(where: str, family: type[Refused] = Refused) -> Iterator[None]:
    """Add the place (and for a final refusal the family) to what is raised inside; what has a place keeps it."""
    try:
        yield
    except (Refused, Unreachable):
        raise
    except Unavailable as error:
        raise Unreachable(error.reason, where, error.detail) from error
    except Rejected as error:
        raise family(error.reason, where, error.detail) from error
