"""The parser of content messages: from the tree of a draft, along their shape, with the position of every field."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from google.protobuf.message import Message

from paiza_domain.codes.lookup import nearest_names
from paiza_domain.drafts.members import UNKNOWN, Members
from paiza_domain.drafts.yaml_tree import Group, Items, Node, Scalar
from paiza_domain.i18n import LANGUAGES, translate
from paiza_domain.schema import scalars
from paiza_domain.schema.field_checks import nearest
from paiza_domain.schema.field_errors import FieldError, entry_text
from paiza_domain.schema.identifiers import member_problem
from paiza_domain.schema.shapes import Field, FieldType, Shape

Position = tuple[int, int]
"""Line and column, from 1; zeros if unknown."""

NOWHERE: Final[Position] = (0, 0)


def position(path: str, places: Mapping[str, Position]) -> Position:
    """Return the position of the field at ``path``, or of the nearest node around it; `NOWHERE` if there is none."""
    while path and path not in places:
        cut = max(path.rfind("."), path.rfind("["))
        path = path[: max(cut, 0)]
    return places.get(path, NOWHERE) if path else NOWHERE


class ContentReader:
    """A parser that fills messages and collects errors; `places` holds line and column by path.

    Members are named as `members` knows them, and suggested in `lang`.
    """

    def __init__(self, members: Members = UNKNOWN, lang: str = "en") -> None:
        self.members, self.lang = members, lang
        self.errors: list[FieldError] = []
        self.places: dict[str, Position] = {}

    def add_error(self, path: str, code: str, node: Node, **values: object) -> None:
        """Add an error at a node."""
        self.errors.append(FieldError(path, code, values, node.line, node.column))

    def with_position(self, error: FieldError) -> FieldError:
        """Return an error with its position: that of the field, or of the nearest node around it."""
        found = position(error.path, self.places)
        return error.at(*(self.places.get("", (1, 1)) if found == NOWHERE else found))

    def keys(
        self, group: Group, known: list[str], path: str, labels: Mapping[str, str] = MappingProxyType({})
    ) -> dict[str, Node]:
        """Return the nodes of a group by known key; unknown and repeated keys are errors.

        ``labels`` are the names of the fields in English, by key: an unknown key is compared with them as well.
        """
        found: dict[str, Node] = {}
        for key, node in group.entries:
            where = f"{path}.{key.text}" if path else key.text
            if key.text not in known:
                shown = key.text[:64]
                self.add_error(path, "key_unknown", key, value=shown, suggestion=self._near_key(shown, known, labels))
            elif key.text in found:
                self.add_error(where, "key_repeated", key)
            else:
                self.places[where] = (key.line, key.column)
                found[key.text] = node
        return found

    def _near_key(self, text: str, known: list[str], labels: Mapping[str, str]) -> str:
        """Return the known key that a text is most like, by itself or by the name of its field; empty for none."""
        if near := nearest(text, known):
            return near
        names = {key: [translate(label, lang) for lang in LANGUAGES] for key, label in labels.items()}
        return next((entry_text(each, translate(labels[each], self.lang)) for each in nearest_names(text, names)), "")

    def fill(self, shape: Shape, node: Node, message: Message, path: str) -> None:
        """Fill `message` from a group."""
        if isinstance(node, Scalar) and node.null:
            return
        if not isinstance(node, Group):
            self.add_error(path, "expected_group", node)
            return
        labels = {each.key: each.label for each in shape.fields}
        for key, below in self.keys(node, list(shape.by_key), path, labels).items():
            self._field(shape.by_key[key], below, message, f"{path}.{key}" if path else key)

    def _field(self, field: Field, node: Node, owner: Message, path: str) -> None:
        if isinstance(node, Scalar) and node.null:
            return
        if not field.most:
            self._one(field, node, owner, path)
        elif not isinstance(node, Items):
            self.add_error(path, "expected_list", node)
        elif len(node.nodes) > field.most:
            self.add_error(path, "too_many", node, most=field.most)
        else:
            for index, each in enumerate(node.nodes):
                self.places[f"{path}[{index}]"] = (each.line, each.column)
                self._one(field, each, owner, f"{path}[{index}]")

    def _one(self, field: Field, node: Node, owner: Message, path: str) -> None:
        if field.shape is not None:
            self._group(field, field.shape, node, owner, path)
        elif field.value_type is FieldType.QUANTITY and isinstance(node, Group):
            self._read(path, node, lambda: self._quantity(field, node, owner, path))
        elif field.value_type is FieldType.DECIMAL and isinstance(node, Group):
            self._read(path, node, lambda: self._decimal(field, node, owner, path))
        elif not isinstance(node, Scalar):
            self.add_error(path, "expected_value", node)
        elif node.null:
            self.add_error(path, "missing", node)
        else:
            self._read(path, node, lambda: scalars.read(field, self.meaning(field, node.text), owner))

    def meaning(self, field: Field, text: str) -> str:
        """Return the text of one value as `scalars.read` takes it: a member by its id; raise `ScalarError`."""
        if not field.names_member:
            return text.strip()
        member = self.members.find(text.strip())
        if member_problem(member) and (problem := self.members.problem(member, self.lang)):
            raise scalars.ScalarError(problem)
        return member

    def _group(self, field: Field, shape: Shape, node: Node, owner: Message, path: str) -> None:
        below = shape.message()
        self.fill(shape, node, below, path)
        if field.most:
            # Fields left empty are absent, and so is an entry of them alone; {} is an entry that somebody wrote.
            written = below.ListFields() or field.required or not (isinstance(node, Group) and node.entries)
            getattr(owner, field.name).extend([below] if written else [])
        elif below.ListFields() or field.required:
            getattr(owner, field.name).CopyFrom(below)

    def _read(self, path: str, node: Node, reading: Any) -> None:
        try:
            reading()
        except scalars.ScalarError as wrong:
            code, values = wrong.problem
            self.add_error(path, code, node, **values)

    def _texts(self, node: Group, known: list[str], path: str) -> dict[str, str]:
        found = self.keys(node, known, path)
        return {key: each.text.strip() for key, each in found.items() if isinstance(each, Scalar)}

    def _quantity(self, field: Field, node: Group, owner: Message, path: str) -> None:
        texts = self._texts(node, ["amount", "unit", "original"], path)
        amount = texts.get("amount", "")
        target = getattr(owner, field.name)
        if field.most:
            target = target.add()
        target.SetInParent()
        scalars.read_quantity(amount, texts.get("unit", ""), texts.get("original", amount), target)

    def _decimal(self, field: Field, node: Group, owner: Message, path: str) -> None:
        texts = self._texts(node, ["amount", "original"], path)
        scalars.read(field, texts.get("amount", ""), owner)
        target = getattr(owner, field.name)
        target.original = scalars.unless_canonical(texts.get("original", target.original), target.millionths)
