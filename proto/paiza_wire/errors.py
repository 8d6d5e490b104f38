"""The two error families that leave this package; every other exception is an internal error.

``Rejected``: the input is wrong and stays wrong; its sender must change it. ``Unavailable``: the same request may
succeed later. Both carry a code from `paiza_wire.reasons`, the only part that another party sees, and a detail for
our own logs, which must hold no content and no secret.
"""

from typing_extensions import override

from paiza_wire.reasons import REASONS


class PaizaError(Exception):
    """A deliberate refusal: ``reason`` is a registered code, ``detail`` is for our own logs."""

    def __init__(self, reason: str, detail: str = "") -> None:
        """Store a registered reason code; an unregistered one fails an assertion."""
        if reason not in REASONS:
            unregistered = f"reason code {reason!r} is not registered"
            raise AssertionError(unregistered)
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    @override
    def __str__(self) -> str:
        """Return the code, followed by the detail if there is one."""
        return f"{self.reason}: {self.detail}" if self.detail else self.reason


class Rejected(PaizaError):  # noqa: N818 - the name is the protocol's word for the outcome
    """A final refusal: the input cannot be accepted, now or later."""


class Unavailable(PaizaError):  # noqa: N818 - the name is the protocol's word for the outcome
    """A temporary refusal: the same request may succeed later, after ``retry_after_seconds`` if that is known."""

    def __init__(self, reason: str, detail: str = "", retry_after_seconds: float | None = None) -> None:
        """Store a registered reason code and, if known, how many seconds to wait before trying again."""
        super().__init__(reason, detail)
        self.retry_after_seconds = retry_after_seconds
