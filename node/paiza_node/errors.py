"""The node's own failures, beside the two families of the wire (`Rejected`, `Unavailable`)."""


class NodeStopped(Exception):  # noqa: N818 - it is a state, not a mistake
    """The node must not go on, and what an operator has to do: ``what``, ``where`` and ``remedy`` in his terms."""

    def __init__(self, reason: str, *, what: str, where: str, remedy: str) -> None:
        """Take a reason code and three sentences."""
        super().__init__(f"{reason}: {what} ({where}). {remedy}")
        self.reason = reason
        self.what = what
        self.where = where
        self.remedy = remedy
