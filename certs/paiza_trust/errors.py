"""What a person is told when a ceremony does not go through, and the exit codes of `paiza-trust`."""

from dataclasses import dataclass
from typing import Final

from typing_extensions import override

from paiza_wire.errors import PaizaError, Unavailable
from paiza_wire.reasons import REASONS

EXIT_OK: Final = 0
EXIT_BUG: Final = 1
"""An exception nobody foresaw; please report it."""
EXIT_USAGE: Final = 2
"""The command line is not one this program knows."""
EXIT_REFUSED: Final = 3
"""What was given is not acceptable, and nothing was changed."""
EXIT_UNAVAILABLE: Final = 4
"""It may work later, or after the remedy: a full disk, an expired register."""


@dataclass
class TrustError(Exception):
    """A refusal in the words of the one who reads it; ``reason`` is a registered code."""

    reason: str
    what: str
    where: str
    remedy: str
    exit_code: int = EXIT_REFUSED

    @override
    def __str__(self) -> str:
        return f"{self.what}: {self.where}"


def from_wire(error: PaizaError, where: str) -> TrustError:
    """Put an error of the layers below into words."""
    exit_code = EXIT_UNAVAILABLE if isinstance(error, Unavailable) else EXIT_REFUSED
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
        EXIT_UNAVAILABLE,
    )
