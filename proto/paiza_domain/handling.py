"""Marks that limit what may be done with a message: which marks there are, and whether they are well formed.

Merging marks to the strictest is not done here.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from paiza.v1.message_pb2 import Handling
from paiza_domain import field_checks
from paiza_domain.field_errors import FieldError, Problem
from paiza_domain.texts import line_problem

# An evaluation is kept in its own scheme: source, then information (then handling, 5x5x5 and 3x5x2).
EVALUATION_SCHEMES: Final[Mapping[str, re.Pattern[str]]] = MappingProxyType({
    "4x4": re.compile(r"[ABCX][1-4]"),
    "5x5x5": re.compile(r"[A-E][1-5][1-5]"),
    "3x5x2": re.compile(r"[1-3][A-E][PC]"),
    "6x6": re.compile(r"[A-F][1-6]"),
})  # fmt: skip
CODES: Final = ("H0", "H1", "H2", "H3")  # none, not in proceedings, not passed on, other limits (text)
TLP: Final = ("RED", "AMBER+STRICT", "AMBER", "GREEN", "CLEAR")  # TLP 2.0, strictest first
PAP: Final = ("RED", "AMBER", "GREEN", "CLEAR")  # strictest first
MAX_CLASSIFICATION: Final = 4
MAX_CODE_TEXT: Final = 500  # characters of the limit that H3 names
MAX_PURPOSES: Final = 16  # more than the list has
MAX_REMEMBERED: Final = 512  # combinations of marks judged once
MAX_REMEMBERED_SIZE: Final = 256  # bytes of a combination worth remembering

_purpose = field_checks.code("purpose")


def errors(handling: Handling, path: str = "handling") -> list[FieldError]:
    """Judge the marks of a message or of one part; handling code and TLP label are mandatory."""
    serialized = handling.SerializeToString()
    judge = _remembered if len(serialized) <= MAX_REMEMBERED_SIZE else _problems
    return [FieldError(f"{path}.{name}", *problem) for name, problem in judge(serialized)]


@lru_cache(maxsize=MAX_REMEMBERED)
def _remembered(serialized: bytes) -> tuple[tuple[str, Problem], ...]:
    """Judge marks by their bytes: almost all messages carry one of a few combinations."""
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


def _one_of(value: str, allowed: tuple[str, ...]) -> Problem | None:
    if not value:
        return "missing", {}
    return None if value in allowed else ("code_malformed", {"expected": ", ".join(allowed)})


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
        return "code_malformed", {"expected": ", ".join(EVALUATION_SCHEMES)}
    return None if pattern.fullmatch(handling.evaluation) else ("code_malformed", {"expected": pattern.pattern})
