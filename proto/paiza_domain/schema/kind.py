"""A kind of message: content, permitted senders, validation, summary and display."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from google.protobuf.message import Message

from paiza.core.v1.message_pb2 import Handling
from paiza_domain.i18n import LANGUAGES, translate
from paiza_domain.schema import reading, subjects
from paiza_domain.schema.field_errors import FieldError
from paiza_domain.schema.shapes import Shape

KIND_NAME: Final = re.compile(r"[a-z][a-z0-9]{0,19}(-[a-z0-9]{1,20}){0,3}")

# The rules beyond the shapes: (content, annex, now) -> errors.
ContentCheck = Callable[[Any, Any, datetime], list[FieldError]]


def _no_check(_content: Any, _annex: Any, _now: datetime) -> list[FieldError]:
    return []


def _nothing_derived(_content: Any) -> None:
    pass


def _tells_no_state(_content: Any) -> Iterable[tuple[str, str]]:
    return ()


def _leaves_nothing_open(_content: Any) -> bool:
    return False


def _no_remarks(_content: Any, _reported: datetime, _lang: str) -> tuple[str, ...]:
    return ()


def touches(path: str, others: Collection[str]) -> bool:
    """Return whether one of the other paths is ``path``, around it or below it."""
    return any(
        path == each or path.startswith((f"{each}.", f"{each}[")) or each.startswith((f"{path}.", f"{path}["))
        for each in others
    )


@dataclass(frozen=True)
class Kind:
    """One kind of message in one version; `title` is a marked text, `shape` describes the content message.

    `check` runs the rules beyond the shapes, `derive` fills in the computed fields of a new content, `remark` returns
    remarks for a reader that no field holds. `needs_parent`: follows from another message.
    `second_officer`: two officers sign; one of them acts in `second_role` where that is named. `workflow` names the
    workflow it is a step of. `overtakes`: comes first in every queue. `leaves_open` returns whether an answer leaves
    the request open (more time needed). `answered_by` names the kinds that answer it, the usual one first; `follows`
    those that it follows from without being their answer, empty for any. `subject`
    names the fields that a list shows (`subjects`). `handling_for` returns the default marks of a content; None if the
    draft must name them. `handling_codes`: the codes that a message of the kind may carry; empty for all.

    Rules for the author alone, by the register: `precursors_only`: only substances under a regime for precursors may be
    named. `states_told` yields the states in a content that must be among the recipients where they are members, as
    (path, country).
    """

    name: str
    version: int
    title: str
    shape: Shape
    summarise: Callable[[Any, str], str]
    sender_roles: frozenset[str]
    annex_shape: Shape | None = None
    second_officer: bool = False
    second_role: str = ""
    workflow: str = ""
    overtakes: bool = False
    answered_by: tuple[str, ...] = ()
    follows: tuple[str, ...] = ()
    subject: tuple[subjects.Path, ...] = ()
    handling_for: Callable[[Any], Handling] | None = None
    handling_codes: frozenset[str] = frozenset()
    answer_deadline: timedelta | None = None
    needs_parent: bool = False
    check: ContentCheck = _no_check
    leaves_open: Callable[[Any], bool] = _leaves_nothing_open
    remark: Callable[[Any, datetime, str], tuple[str, ...]] = _no_remarks
    precursors_only: bool = False
    states_told: Callable[[Any], Iterable[tuple[str, str]]] = _tells_no_state
    derive: Callable[[Any], None] = _nothing_derived
    subject_of: Callable[[Any], bytes] = field(init=False, repr=False, compare=False)
    """The function that derives the serialized `Subject` of a content."""

    def __post_init__(self) -> None:
        """Check the name: a draft must be able to hold it."""
        if not KIND_NAME.fullmatch(self.name):
            raise AssertionError(f"{self.name!r} is not a name of a kind")
        object.__setattr__(self, "subject_of", subjects.Deriver(self.shape, self.subject))

    @property
    def content(self) -> type[Message]:
        """Return the type of the content message."""
        return self.shape.message

    @property
    def annex(self) -> type[Message] | None:
        """Return the type of the nominal annex, None if the kind has none."""
        return self.annex_shape.message if self.annex_shape else None

    @property
    def titles(self) -> Mapping[str, str]:
        """Return the display name, by language."""
        return MappingProxyType({lang: translate(self.title, lang) for lang in LANGUAGES})

    def validate(self, content: Message, annex: Message | None, now: datetime) -> list[FieldError]:
        """Return the errors of content and annex; paths of the annex begin with `annex.`; empty means valid."""
        # Rules between fields run only if each field is valid by itself.
        return self._field_errors(content, annex) or self.check(content, annex, now)

    def all_errors(self, content: Message, annex: Message | None, now: datetime) -> list[FieldError]:
        """Return the same for an author, with the errors between fields also where other fields have errors.

        The fields must come from a reader of drafts: each that is set can be interpreted. What `check` says of a field
        that has an error of its own is left out.
        """
        found = self._field_errors(content, annex)
        wrong = {each.path for each in found}
        return [*found, *(each for each in self.check(content, annex, now) if not touches(each.path, wrong))]

    def _field_errors(self, content: Message, annex: Message | None) -> list[FieldError]:
        return self.shape.errors(content) + (self._annex_errors(annex) if annex is not None else [])

    def _annex_errors(self, annex: Message) -> list[FieldError]:
        if self.annex_shape is None:
            return [FieldError("annex", "annex_not_allowed")]
        if not annex.ListFields():
            return [FieldError("annex", "annex_empty")]
        return [FieldError(f"annex.{each.path}", each.code, each.values) for each in self.annex_shape.errors(annex)]

    def summary(self, content: Message, lang: str) -> str:
        """Return a summary of the content in one line of at most `reading.MAX_SUMMARY` characters."""
        return reading.shorten(self.summarise(content, lang))

    def show(self, content: Message, lang: str) -> list[tuple[str, str]]:
        """Return (label, value) for every set field, in the order of the form, codes as text."""
        return reading.rows(self.shape, content, lang)

    def show_annex(self, annex: Message, lang: str) -> list[tuple[str, str]]:
        """Return the same for the nominal annex (empty if the kind has none)."""
        return reading.rows(self.annex_shape, annex, lang) if self.annex_shape else []

    def remarks(self, content: Message, reported: datetime, lang: str) -> tuple[str, ...]:
        """Return the remarks for a reader that no field holds, for a message reported at that time (such as late)."""
        return self.remark(content, reported, lang)
