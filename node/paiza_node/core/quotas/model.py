"""What a caller caused in a day."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Used:
    """Messages that an officer released, or that were stored from a peer; entries of the own log by the calls.

    ``message_bytes``: of these messages, and of those that wait for a second officer.
    """

    messages: int = 0
    log_entries: int = 0
    message_bytes: int = 0

    def __add__(self, more: "Used") -> "Used":
        """Return both together."""
        return Used(
            self.messages + more.messages,
            self.log_entries + more.log_entries,
            self.message_bytes + more.message_bytes,
        )
