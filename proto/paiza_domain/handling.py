"""Handling marks: the limits on the use of a message, their validation and their merging.

Material derived from several messages (quoted, copied, translated, exported together) carries at least the strictest of
their marks. The codes are ordered: H3 is at least as strict as H2, and H2 as H1. The policy of the node
(`paiza_node.core.policy`) enforces the marks.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import MAXYEAR, datetime
from functools import lru_cache, reduce
from types import MappingProxyType
from typing import Final, Self

from paiza.core.v1.message_pb2 import Handling, Header
from paiza_domain.i18n import N_, translate
from paiza_domain.schema import field_checks
from paiza_domain.schema.field_errors import FieldError, Problem
from paiza_domain.schema.text_rules import line_problem
from paiza_wire.errors import Rejected

# An evaluation is kept in its own scheme: source, then information (then handling, 5x5x5 and 3x5x2).
EVALUATION_SCHEMES: Final[Mapping[str, re.Pattern[str]]] = MappingProxyType({
    "4x4": re.compile(r"[ABCX][1-4]"),
    "5x5x5": re.compile(r"[A-E][1-5][1-5]"),
    "3x5x2": re.compile(r"[1-3][A-E][PC]"),
    "6x6": re.compile(r"[A-F][1-6]"),
})  # fmt: skip
CODES: Final = ("H0", "H1", "H2", "H3")  # none, not in proceedings, no forwarding, other limits (text)
TLP: Final = ("RED", "AMBER+STRICT", "AMBER", "GREEN", "CLEAR")  # TLP 2.0, strictest first
PAP: Final = ("RED", "AMBER", "GREEN", "CLEAR")  # strictest first
MAX_CLASSIFICATION: Final = 4
MAX_CODE_TEXT: Final = 2000  # characters of the limits that H3 names; merging joins them
LIMIT_SEPARATOR: Final = " ‖ "  # between the limits of several parts
MAX_PURPOSES: Final = 16  # more than the list has
MAX_CACHED: Final = 512  # combinations of marks whose errors are cached
MAX_CACHED_SIZE: Final = 256  # bytes of a combination that is cached

NOMINAL_REVIEW: Final = 3  # years until the review of data on persons, and of verified data
UNVERIFIED_REVIEW: Final = 1  # years until the review of unconfirmed data

MEANINGS: Final[Mapping[str, str]] = MappingProxyType({
    "RED": N_("for those it is addressed to, and nobody else"),
    "AMBER+STRICT": N_("for the addressed authorities, on a need-to-know basis"),
    "AMBER": N_("for the addressed members and their agencies, on a need-to-know basis"),
    "GREEN": N_("for the members of the federation, not for the public"),
    "CLEAR": N_("for everybody"),
    "PAP:RED": N_("nothing may be done that could be noticed outside"),
    "PAP:AMBER": N_("only passive checks that those concerned cannot notice"),
    "PAP:GREEN": N_("active measures are allowed, if they do not name the source"),
    "PAP:CLEAR": N_("any lawful use is allowed"),
    "H0": N_("no special handling"),
    "H1": N_("not to be used in proceedings without the originator's permission"),
    "H2": N_("not to be passed on without the originator's permission"),
    "H3": N_("other limits, as the text says; not to be passed on without the originator's permission"),
})  # fmt: skip

# Strictness; unset is the lowest.
_TLP_RANK: Final = {label: rank for rank, label in enumerate((*TLP, "")[::-1])}
_PAP_RANK: Final = {label: rank for rank, label in enumerate((*PAP, "")[::-1])}
_CODE_RANK: Final = {label: rank for rank, label in enumerate(("", *CODES))}
_CONFIRMED: Final = {"4x4": "1", "5x5x5": "1", "3x5x2": "A", "6x6": "1"}

_CYRILLIC: Final = str.maketrans("АВСЕНХ", "ABCEHX")  # letters that look like those of the marks

_purpose = field_checks.code("purpose")


def errors(handling: Handling, path: str = "handling") -> list[FieldError]:
    """Return the errors in the marks of a message or of one part; handling code and TLP label are mandatory."""
    serialized = handling.SerializeToString()
    judge = _cached_errors if len(serialized) <= MAX_CACHED_SIZE else _problems
    return [FieldError(f"{path}.{name}", *problem) for name, problem in judge(serialized)]


@lru_cache(maxsize=MAX_CACHED)
def _cached_errors(serialized: bytes) -> tuple[tuple[str, Problem], ...]:
    """Return the errors in serialized marks, cached: almost all messages carry one of a few combinations."""
    return _problems(serialized)


def _problems(serialized: bytes) -> tuple[tuple[str, Problem], ...]:
    handling = Handling.FromString(serialized)
    found = _label_problems(handling)
    if len(handling.purposes) > MAX_PURPOSES:
        return (*found, ("purposes", ("too_many", {"most": MAX_PURPOSES})))
    judged = ((index, _purpose(purpose)) for index, purpose in enumerate(handling.purposes))
    return (*found, *((f"purposes[{index}]", problem) for index, problem in judged if problem))


def _label_problems(handling: Handling) -> list[tuple[str, Problem]]:
    problems: list[tuple[str, Problem | None]] = [
        ("code", _one_of(handling.code, CODES)),
        ("code_text", _code_text_problem(handling)),
        ("tlp", _one_of(handling.tlp, TLP)),
        ("pap", _one_of(handling.pap, PAP) if handling.pap else None),
        ("evaluation", _evaluation_problem(handling)),
    ]
    if handling.classification > MAX_CLASSIFICATION:
        problems.append(("classification", ("out_of_range", {"least": 0, "most": MAX_CLASSIFICATION})))
    return [(name, problem) for name, problem in problems if problem]


def label(text: str, key: str) -> str:
    """Return the mark of the field ``key`` as its list writes it, from what a person writes.

    "tlp:amber", "h2" and "Н2" in Cyrillic letters are understood.
    """
    plain = text.upper().translate(_CYRILLIC)
    return plain.lower() if key == "evaluation_scheme" else plain.removeprefix(f"{key.upper()}:").strip()


def _one_of(value: str, allowed: tuple[str, ...]) -> Problem | None:
    if not value:
        return "missing", {}
    return None if value in allowed else ("not_one_of", {"expected": ", ".join(allowed)})


def _code_text_problem(handling: Handling) -> Problem | None:
    if (handling.code == "H3") != bool(handling.code_text):
        return "handling_text", {}
    return line_problem(handling.code_text, MAX_CODE_TEXT)


def _evaluation_problem(handling: Handling) -> Problem | None:
    if not handling.evaluation_scheme and not handling.evaluation:
        return None
    if not handling.evaluation_scheme or not handling.evaluation:
        return "evaluation_without_scheme", {}
    pattern = EVALUATION_SCHEMES.get(handling.evaluation_scheme)
    if pattern is None:
        return "not_one_of", {"expected": ", ".join(EVALUATION_SCHEMES)}
    return None if pattern.fullmatch(handling.evaluation) else ("code_malformed", {"expected": pattern.pattern})


@dataclass(frozen=True, slots=True)
class Marks:
    """Marks as a lattice: `merge` returns the strictest of both; the default is neutral.

    ``purposes`` None means any purpose; an empty set, from merging disjoint purposes, means none. ``limits`` are the
    texts of H3. An evaluation belongs to a source: several are kept side by side, none is converted, and none limits
    the use.
    """

    tlp: str = ""
    pap: str = ""
    code: str = ""
    limits: frozenset[str] = frozenset()
    classification: int = 0
    purposes: frozenset[str] | None = None
    evaluations: frozenset[tuple[str, str]] = frozenset()

    @classmethod
    def of(cls, handling: Handling) -> Self:
        """Parse marks; an unknown label counts as the strictest."""
        evaluation = (handling.evaluation_scheme, handling.evaluation)
        return cls(
            tlp=handling.tlp if handling.tlp in _TLP_RANK else TLP[0],
            pap=handling.pap if handling.pap in _PAP_RANK else PAP[0],
            code=handling.code if handling.code in _CODE_RANK else CODES[-1],
            limits=frozenset(filter(None, map(str.strip, handling.code_text.split(LIMIT_SEPARATOR.strip())))),
            classification=min(handling.classification, MAX_CLASSIFICATION),
            purposes=frozenset(handling.purposes) or None,
            evaluations=frozenset({evaluation} if any(evaluation) else ()),
        )

    def merge(self, other: "Marks") -> "Marks":
        """Return the strictest of both."""
        return Marks(
            tlp=max(self.tlp, other.tlp, key=_TLP_RANK.__getitem__),
            pap=max(self.pap, other.pap, key=_PAP_RANK.__getitem__),
            code=max(self.code, other.code, key=_CODE_RANK.__getitem__),
            limits=self.limits | other.limits,
            classification=max(self.classification, other.classification),
            purposes=_common(self.purposes, other.purposes),
            evaluations=self.evaluations | other.evaluations,
        )

    def lower_than(self, other: "Marks") -> tuple[str, ...]:
        """Return the names of the fields that are less strict than in ``other``; empty if none is."""
        merged = self.merge(other)
        names = {"tlp": "tlp", "code": "code", "limits": "code_text", "pap": "pap"}
        names |= {"classification": "classification", "purposes": "purposes"}
        return tuple(field for name, field in names.items() if getattr(merged, name) != getattr(self, name))

    def handling(self) -> Handling:
        """Return the marks as a message; Rejected("marks_incompatible") if no use satisfies all of them.

        An evaluation is written only if there is exactly one.
        """
        if self.purposes is not None and not self.purposes:
            raise Rejected("marks_incompatible", "the parts may be used for no common purpose")
        text = LIMIT_SEPARATOR.join(sorted(self.limits))
        if len(text) > MAX_CODE_TEXT:
            raise Rejected("marks_incompatible", f"the parts' limits are over {MAX_CODE_TEXT} characters")
        scheme, evaluation = min(self.evaluations) if len(self.evaluations) == 1 else ("", "")
        return Handling(
            evaluation_scheme=scheme,
            evaluation=evaluation,
            code=self.code,
            code_text=text,
            tlp=self.tlp,
            pap=self.pap,
            classification=self.classification,
            purposes=sorted(self.purposes or ()),
        )


def merge(parts: Iterable[Handling]) -> Marks:
    """Return the strictest of several marks."""
    return reduce(Marks.merge, map(Marks.of, parts), Marks())


def lacking(handling: Handling, parts: Iterable[Handling]) -> tuple[str, ...]:
    """Return the names of the marks that are less strict than those of the sources; empty if none is."""
    return Marks.of(handling).lower_than(merge(parts))


def covers(handling: Handling, parts: Iterable[Handling]) -> bool:
    """Return whether marks are at least those of all parts: derived or translated material is not marked lower."""
    return not lacking(handling, parts)


def raised(handling: Handling, parts: Iterable[Handling]) -> Handling:
    """Return marks raised to those of the parts; the evaluation is kept, since it belongs to the parts' sources."""
    strictest = Marks.of(handling).merge(merge(parts)) if handling.tlp else merge(parts)
    result = strictest.handling()
    result.evaluation_scheme, result.evaluation = handling.evaluation_scheme, handling.evaluation
    return result


def of_message(header: Header) -> Marks:
    """Return the strictest marks of a message and all its parts."""
    return merge([header.handling, *(part.handling for part in header.parts if part.HasField("handling"))])


def classification_level(name: str, names: Mapping[str, int]) -> int:
    """Return the level of a national classification by its name.

    An unlisted name counts as the highest level.
    """
    wanted = " ".join(name.casefold().split())
    levels = [level for known, level in names.items() if " ".join(known.casefold().split()) == wanted]
    return max(levels, default=MAX_CLASSIFICATION)


def review_time(now: datetime, *, nominal: bool, verified: bool) -> datetime:
    """Return the default review date: after three years for nominal and for verified data, else after one."""
    return years_after(now, NOMINAL_REVIEW if nominal or verified else UNVERIFIED_REVIEW)


def years_after(moment: datetime, years: int) -> datetime:
    """Return the same day and time so many years later, in 9999 at the latest; 28 February where no 29th is."""
    year = min(moment.year + years, MAXYEAR)
    try:
        return moment.replace(year=year)
    except ValueError:
        return moment.replace(year=year, day=28)


def is_verified(handling: Handling) -> bool:
    """Return whether an evaluation rates the information as confirmed or known to be true, in its own scheme."""
    information = handling.evaluation[1:2]
    return bool(information) and information == _CONFIRMED.get(handling.evaluation_scheme)


def meaning(label: str, lang: str) -> str:
    """Return the explanation of a label for display; empty for an unknown label. PAP labels are written "PAP:RED"."""
    return translate(MEANINGS[label], lang) if label in MEANINGS else ""


def _common(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    if one is None or other is None:
        return other if one is None else one
    return one & other
