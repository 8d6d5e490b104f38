"""The node's own failures, beside the two families of the wire (`Rejected`, `Unavailable`)."""

from collections.abc import Callable


def N_(text: str) -> str:  # noqa: N802 - the name gettext tools know
    """Mark a text for translation where it stands; it is translated when shown."""
    return text


class NodeStopped(Exception):  # noqa: N818 - it is a state, not a mistake
    """The node must not go on, and what an operator has to do: ``what``, ``where`` and ``remedy`` in his terms.

    All three are templates (`str.format`) that are filled with ``values`` after they were translated.
    """

    def __init__(self, reason: str, *, what: str, where: str, remedy: str, **values: object) -> None:
        """Take a reason code, three templates and what they are filled with."""
        self.reason = reason
        self.values = values
        self._templates = (what, where, remedy)
        self.what, self.where, self.remedy = self.told(str)
        super().__init__(f"{reason}: {self.what} ({self.where}). {self.remedy}")

    def told(self, translate: Callable[[str], str]) -> tuple[str, str, str]:
        """Give what, where and remedy as ``translate`` says them."""
        what, where, remedy = (_filled(translate(template), self.values) for template in self._templates)
        return what, where, remedy


def _filled(template: str, values: dict[str, object]) -> str:
    # A text without values may hold braces of its own, such as those of a path.
    return template.format(**values) if values else template
