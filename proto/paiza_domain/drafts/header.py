"""The header fields of a draft: recipients, urgency, handling marks, legal bases, review date, parents."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from paiza.core.v1.message_pb2 import Handling, Recipient, Urgency
from paiza_domain import handling as marks
from paiza_domain.codes import lookup
from paiza_domain.drafts.content import ContentReader
from paiza_domain.drafts.members import UNKNOWN, Members
from paiza_domain.drafts.yaml_tree import Group, Node, Scalar
from paiza_domain.schema import partial_times, scalars
from paiza_domain.schema.field_checks import unknown_code
from paiza_domain.schema.field_errors import Problem
from paiza_domain.schema.text_rules import line_problem
from paiza_domain.validation import MAX_ATTENTION, MAX_LEGAL_BASES
from paiza_wire.message import MAX_PARENTS, MAX_RECIPIENTS
from paiza_wire.message.attachment import MAX_ATTACHMENTS, MAX_NOTE

URGENCIES: Final[Mapping[str, "Urgency.ValueType"]] = {
    name.removeprefix("URGENCY_").lower(): Urgency.Value(name) for name in Urgency.keys()[1:]
}  # fmt: skip
HANDLING_KEYS: Final = (
    "tlp", "code", "code_text", "pap", "classification", "evaluation_scheme", "evaluation", "purposes",
)  # fmt: skip
MAX_WORD: Final = 64  # characters of an id or a code
MAX_PATH: Final = 1024  # characters of the path of a file to attach

_REFERENCE: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{3,63}", re.ASCII)  # an id, its prefix, a digest, a short name
_YEARS: Final = re.compile(r"([1-9][0-9]?) *(?:years?|год|года|лет|г\.?|л\.?)", re.IGNORECASE)


Levels = Callable[[], Mapping[str, int]]
"""Returns levels of classification by their national names; called only if a draft names one."""


class HeaderReader(ContentReader):
    """A parser of the header fields, from the nodes of a draft by key."""

    def __init__(
        self,
        nodes: Mapping[str, Node],
        now: datetime,
        levels: Levels | None = None,
        members: Members = UNKNOWN,
        lang: str = "en",
    ) -> None:
        """Store the nodes; ``levels`` maps each national name of a classification to its level."""
        super().__init__(members, lang)
        self.nodes, self.now = nodes, now
        self._levels = levels

    def _text(self, nodes: Mapping[str, Node], key: str) -> str:
        node = nodes.get(key)
        if node is None or (isinstance(node, Scalar) and node.null):
            return ""
        if not isinstance(node, Scalar):
            self.add_error(key, "expected_value", node)
            return ""
        return node.text.strip()

    def _list(
        self,
        nodes: Mapping[str, Node],
        key: str,
        most: int,
        check: Callable[[str], Problem | None],
        meaning: Callable[[str], str] = str,
    ) -> tuple[str, ...]:
        """Parse a list of words, each replaced by its ``meaning``; one line with commas is accepted too."""
        node = nodes.get(key)
        if node is None or isinstance(node, Group):
            if node is not None:
                self.add_error(key, "expected_list", node)
            return ()
        if isinstance(node, Scalar):
            words = [each.strip() for each in node.text.split(",")] if not node.null else []
            places: list[Node] = [node] * len(words)
        else:
            places = [each for each in node.nodes if isinstance(each, Scalar) and not each.null]
            words = [each.text.strip() for each in places if isinstance(each, Scalar)]
            for wrong in (each for each in node.nodes if not isinstance(each, Scalar)):
                self.add_error(key, "expected_value", wrong)
        if len(words) > most:
            self.add_error(key, "too_many", node, most=most)
        words = [meaning(each) for each in words]
        for number, (word, place) in enumerate(zip(words, places, strict=True)):
            self.places[f"{key}[{number}]"] = place.line, place.column
            if problem := check(word):
                self.add_error(key, problem[0], place, **problem[1])
        return tuple(words[:most])

    def recipients(self) -> tuple[Recipient, ...]:
        """Return the recipients, with the unit or officer for attention."""
        members = self._list(
            self.nodes, "to", MAX_RECIPIENTS, lambda each: self.members.problem(each, self.lang), self.members.find
        )
        twice = {each for each in members if members.count(each) > 1}
        if twice:
            self.add_error("to", "value_repeated", self.nodes["to"], value=min(twice))
        attention: dict[str, str] = {}
        node = self.nodes.get("attention")
        if isinstance(node, Group):
            named = Group(node.line, node.column, [(self._as_member(key), below) for key, below in node.entries])
            for member, below in self.keys(named, list(members), "attention").items():
                attention[member] = self._text({f"attention.{member}": below}, f"attention.{member}")
                if problem := line_problem(attention[member], MAX_ATTENTION):
                    self.add_error(f"attention.{member}", problem[0], below, **problem[1])
        elif node is not None and not (isinstance(node, Scalar) and node.null):
            self.add_error("attention", "expected_group", node)
        return tuple(Recipient(member=each, attention=attention.get(each, "")) for each in members)

    def _as_member(self, key: Scalar) -> Scalar:
        return replace(key, text=self.members.find(key.text.strip()))

    def _code(self, key: str) -> str:
        """Return the code that a person's words mean, from the list of the key's name; empty if there is none."""
        text = self._text(self.nodes, key)
        code = lookup.find(key, text)
        if text and not code:
            problem, values = unknown_code(text, key)
            self.add_error(key, problem, self.nodes[key], **values)
        return code

    def urgency(self) -> "Urgency.ValueType":
        """Return the urgency; routine by default."""
        name = self._code("urgency")
        return URGENCIES[name] if name else Urgency.URGENCY_ROUTINE

    def urgency_reason(self) -> str:
        """Return the code of the reason."""
        return self._code("urgency_reason")

    def handling(self, otherwise: Handling | None = None) -> Handling:
        """Return the marks, omitted ones from `otherwise`; the check of the header finds missing mandatory marks."""
        handling = Handling()
        node = self.nodes.get("handling")
        if node is None or (isinstance(node, Scalar) and node.null):
            return otherwise or handling
        if not isinstance(node, Group):
            self.add_error("handling", "expected_group", node)
            return handling
        known = self.keys(node, list(HANDLING_KEYS), "handling")
        known = {f"handling.{key}": below for key, below in known.items()}
        for key in HANDLING_KEYS:
            if key not in {"classification", "purposes"}:
                text = self._text(known, f"handling.{key}")
                setattr(handling, key, text if key == "code_text" else marks.label(text, key))
        level = self._text(known, "handling.classification")
        if level and not level.isdigit() and self._levels is not None:
            # An unlisted name is an error and is not guessed: the author can correct it.
            names = self._levels()
            if level.casefold() in {each.casefold() for each in names}:
                level = str(marks.classification_level(level, names))
        if level and not level.isdigit() and self._levels is not None:
            named = ", ".join(f"{each} ({name})" for name, each in self._levels().items())
            self.add_error(
                "handling.classification", "classification_unknown", known["handling.classification"],
                value=level[:MAX_WORD], known=named,
            )  # fmt: skip
        elif level and not (level.isascii() and level.isdigit() and int(level[:9]) <= marks.MAX_CLASSIFICATION):
            self.add_error("handling.classification", "out_of_range", known["handling.classification"], least=0, most=4)
        elif level:
            handling.classification = int(level[:9])
        handling.purposes.extend(self._list(known, "handling.purposes", marks.MAX_PURPOSES, _word_problem, _purpose))
        if otherwise is not None:
            _fill(
                handling,
                otherwise,
                said={key.removeprefix("handling.") for key, below in known.items() if not _null(below)},
            )
        self.errors += [self.with_position(each) for each in marks.errors(handling)]
        return handling

    def review(self) -> datetime | None:
        """Return the review date: a time, a day, or a number of years from now."""
        text = self._text(self.nodes, "review")
        if not text:
            return None
        if years := _YEARS.fullmatch(text):
            today = self.now.astimezone(UTC).replace(microsecond=0)
            return marks.years_after(today, int(years.group(1)))
        time = partial_times.parse_time(text)
        if time is None:
            code, values = partial_times.problem(text, "review_malformed")
            self.add_error("review", code, self.nodes["review"], **values)
        elif time <= self.now:
            self.add_error("review", "review_before_author", self.nodes["review"])
        return time

    def legal_bases(self) -> tuple[str, ...]:
        """Return the codes of the legal bases."""
        return self._list(self.nodes, "legal_bases", MAX_LEGAL_BASES, _word_problem)

    def parents(self) -> tuple[str, ...]:
        """Return the ids of the messages this one follows from, as written."""
        return self._list(self.nodes, "in_reply_to", MAX_PARENTS, _reference_problem)

    def exercise(self) -> bool:
        """Return whether the message is an exercise."""
        text = self._text(self.nodes, "exercise").casefold()
        if text and text not in scalars.FLAGS:
            self.add_error("exercise", "flag_malformed", self.nodes["exercise"])
        return scalars.FLAGS.get(text, False)

    def attachments(self) -> tuple[tuple[str, str], ...]:
        """Return the files to attach with their notes: a list of paths, or of `file` and `note`."""
        node = self.nodes.get("attachments")
        if node is None or (isinstance(node, Scalar) and node.null):
            return ()
        if isinstance(node, Group):
            self.add_error("attachments", "expected_list", node)
            return ()
        places: list[Node] = [node] if isinstance(node, Scalar) else list(node.nodes)
        if len(places) > MAX_ATTACHMENTS:
            self.add_error("attachments", "too_many", node, most=MAX_ATTACHMENTS)
        found = [
            self._attachment(at, f"attachments[{number}]") for number, at in enumerate(places[:MAX_ATTACHMENTS], 1)
        ]
        return tuple(each for each in found if each[0])

    def _attachment(self, node: Node, path: str) -> tuple[str, str]:
        fields: dict[str, Node] = {f"{path}.file": node}
        if isinstance(node, Group):
            fields = {f"{path}.{key}": below for key, below in self.keys(node, ["file", "note"], path).items()}
        file, note = (self._text(fields, f"{path}.{key}") for key in ("file", "note"))
        if not file:
            self.add_error(path, "missing", node)
        for key, text, most in (("file", file, MAX_PATH), ("note", note, MAX_NOTE)):
            if problem := line_problem(text, most):
                self.add_error(f"{path}.{key}", problem[0], node, **problem[1])
        return file, note


def _word_problem(word: str) -> Problem | None:
    return line_problem(word, MAX_WORD)


def _reference_problem(word: str) -> Problem | None:
    return None if _REFERENCE.fullmatch(word) else ("reference_malformed", {})


def _purpose(word: str) -> str:
    return lookup.find("purpose", word) or word


def _null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.null


def _fill(handling: Handling, otherwise: Handling, said: set[str]) -> None:
    """Fill in the marks that a draft omits; a code and its text belong together."""
    for key in HANDLING_KEYS:
        if key in said or (key == "code_text" and "code" in said):
            continue
        if key == "purposes":
            handling.purposes.extend(otherwise.purposes)
        else:
            setattr(handling, key, getattr(otherwise, key))
