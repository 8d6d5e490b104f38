"""Refusals of ceremonies, in words."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from typing_extensions import override

from paiza_cli.exit_codes import ExitCode
from paiza_wire.errors import PaizaError, Unavailable
from paiza_wire.reasons import REASONS


@dataclass
class TrustError(Exception):
    """A refusal in the words of the one who reads it; ``reason`` is a registered code.

    ``what`` and ``remedy`` are templates (`str.format`) if there are ``values`` to fill them with.
    """

    reason: str
    what: str
    where: str
    remedy: str
    exit_code: ExitCode = ExitCode.REFUSED
    values: Mapping[str, object] = field(default_factory=dict)

    def translated(self, translate: Callable[[str], str]) -> "TrustError":
        """Return the refusal in another language, its templates filled."""
        what, remedy = (
            translate(text).format(**self.values) if self.values else translate(text)
            for text in (self.what, self.remedy)
        )
        return replace(self, what=what, remedy=remedy, values={})

    @override
    def __str__(self) -> str:
        told = self.translated(str)
        return f"{told.what}: {told.where}"


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
