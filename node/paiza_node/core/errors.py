"""The node's own failures, and the form in which `Rejected` and `Unavailable` are sent to the other side."""

import itertools
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Final, TypeVar

from google.protobuf.message import DecodeError

from paiza.core.v1 import outcome_pb2
from paiza.officer.v1 import workflow_pb2
from paiza_wire.errors import PaizaError, Rejected, Unavailable

MAX_FOREIGN_TEXT: Final = 500  # characters

E = TypeVar("E", bound=PaizaError)


def N_(text: str) -> str:  # noqa: N802 - the name gettext tools know
    """Mark a text for translation in place; it is translated when shown."""
    return text


class NodeStopped(Exception):  # noqa: N818 - it is a state, not a mistake
    """The node must stop until an operator acts: ``what``, ``where`` and ``remedy`` tell them.

    All three are templates (`str.format`) that are filled with ``values`` after translation. The value ``error``, the
    words of the operating system, is translated too.
    """

    def __init__(self, reason: str, *, what: str, where: str, remedy: str, **values: object) -> None:
        """Store a reason code, three templates and the values for them."""
        self.reason = reason
        self.values = values
        self._templates = (what, where, remedy)
        self.what, self.where, self.remedy = self.translated(str)
        super().__init__(f"{reason}: {self.what} ({self.where}). {self.remedy}")

    def translated(self, translate: Callable[[str], str]) -> tuple[str, str, str]:
        """Return what, where and remedy, translated by ``translate``."""
        error = self.values.get("error")
        values = {**self.values, "error": translate(error)} if isinstance(error, str) else self.values
        what, where, remedy = (_filled(translate(template), values) for template in self._templates)
        return what, where, remedy

    def translated_apart(self, translate: Callable[[str], str]) -> tuple[tuple[str, str, str], str]:
        """Return what, where and remedy without the details that ``translate`` does not know, and these details.

        A detail in another language would stand in the middle of a sentence. What consists of one keeps it.
        """
        foreign = {
            name: value
            for name in ("detail", "error")
            if isinstance(value := self.values.get(name), str)
            and translate(value) == value
            and _LATIN_WORDS.search(value)
        }
        apart = NodeStopped(
            self.reason,
            what=self._templates[0],
            where=self._templates[1],
            remedy=self._templates[2],
            **{**self.values, **dict.fromkeys(foreign, _APART)},
        )
        what, where, remedy = (_LED_IN.sub("", each) for each in apart.translated(translate))
        if not any(map(str.isalpha, what)):
            return self.translated(translate), ""
        return (what, where, remedy), "; ".join(foreign.values())


_APART: Final = "\0"
_LED_IN: Final = re.compile(r"[:,]?\s*\0")
_LATIN_WORDS: Final = re.compile(r"[A-Za-z]{2,} [A-Za-z]{2,}")


def _filled(template: str, values: dict[str, object]) -> str:
    # A text without values may hold braces of its own, such as those of a path.
    return template.format(**values) if values else template


_OUT_OF_RANGE: Final = "Value out of range"  # so begins the error of a number that its protobuf field cannot hold
# Typed code mixes no bytes, texts and numbers: where it does, a row holds a value of another type than its column.
_MIXED: Final = re.compile(
    r"\bbytes\b|\bstr\b|^(Strings must be encoded|bad argument type|string argument without|'float' object cannot)"
)


def damage_of(error: BaseException) -> Unavailable | None:
    """Return the refusal for what cannot be read of a stored row, or not be shown; None for any other error.

    Requests and answers of others were parsed before.
    """
    if (
        isinstance(error, (DecodeError, UnicodeDecodeError))
        or (isinstance(error, ValueError) and str(error).startswith(_OUT_OF_RANGE))
        or (isinstance(error, TypeError) and _MIXED.search(str(error)))
    ):
        return Unavailable("log_damaged", "a stored row cannot be read; the operator finds it with `verify`")
    return None


class BrokenRules(Rejected):
    """A refused step of a workflow, with the rules it breaks: for each a stable code and the values of its sentence."""

    def __init__(self, breaches: Iterable[tuple[str, Mapping[str, str]]]) -> None:
        self.breaches = tuple(breaches)
        super().__init__("workflow_breach", "; ".join(itertools.starmap(_told, self.breaches)))


class SourceRowKnown(Rejected):
    """Another message was released for the same source row; ``earlier`` is its digest, empty if it is not named."""

    def __init__(self, earlier: bytes) -> None:
        self.earlier = earlier
        super().__init__("source_row_known", f"the message {earlier.hex()}" if earlier else "")


def _told(rule: str, values: Mapping[str, str]) -> str:
    return rule + "".join(f" {name}={value}" for name, value in values.items())


def as_result(refusal: E) -> E:
    """Return a refusal that is kept as a result, without the frames that it was raised in.

    They hold the message that is refused, and lead to the results themselves: until cycles are collected, which is
    after millions of objects, every refused message would stay in memory.
    """
    refusal.__traceback__ = refusal.__cause__ = refusal.__context__ = None
    return refusal


def breaches_of(error: Rejected) -> list[workflow_pb2.WorkflowBreach]:
    """Return the rules that a refused step breaks, for the officer; empty for any other refusal."""
    if not isinstance(error, BrokenRules):
        return []
    return [workflow_pb2.WorkflowBreach(rule=rule, values=values) for rule, values in error.breaches]


def foreign_text(text: str) -> str:
    """Return a text of another member's node, at most `MAX_FOREIGN_TEXT` characters of it and all of them printable.

    Others would change a terminal, and PostgreSQL stores no NUL.
    """
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[:MAX_FOREIGN_TEXT])


def rejection(error: Rejected) -> outcome_pb2.Rejection:
    """Return a final refusal as a message for the other side."""
    return outcome_pb2.Rejection(reason=error.reason, detail=error.detail)


def retry(error: Unavailable) -> outcome_pb2.Retry:
    """Return a message for the other side that nothing was decided and the call may be repeated."""
    answer = outcome_pb2.Retry(reason=error.reason, detail=error.detail)
    answer.retry_after.FromTimedelta(timedelta(seconds=error.retry_after_seconds or 1.0))
    return answer
