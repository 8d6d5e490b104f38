"""Refusals of ceremonies, in words."""

from dataclasses import dataclass

from typing_extensions import override

from paiza_cli.exit_codes import ExitCode
from paiza_wire.errors import PaizaError, Unavailable
from paiza_wire.reasons import REASONS


@dataclass
class TrustError(Exception):
    """A refusal in the words of the one who reads it; ``reason`` is a registered code."""

    reason: str
    what: str
    where: str
    remedy: str
    exit_code: ExitCode = ExitCode.REFUSED

    @override
    def __str__(self) -> str:
        return f"{self.what}: {self.where}"


def from_wire(error: PaizaError, where: str) -> TrustError:
    """Put an error of the layers below into words."""
    exit_code = ExitCode.UNAVAILABLE if isinstance(error, Unavailable) else ExitCode.REFUSED
    what, _, remedy = REASONS[error.reason].partition("; ")
    return TrustError(error.reason, f"{what} ({error.detail})" if error.detail else what, where, remedy, exit_code)


def from_disk(error: OSError) -> TrustError:
    """Put an error of the file system into words."""
    where = str(error.filename or "")
    return TrustError(
        "file_unwritable",
        error.strerror or "the file system refused",
        where,
        "Make room, or choose a folder that you may read and write.",
        ExitCode.UNAVAILABLE,
    )
