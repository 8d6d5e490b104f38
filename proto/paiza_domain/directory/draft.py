"""The draft of a directory: YAML as `writing` writes it, with local times; every fault is named at its line."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from paiza_domain.directory import content, times
from paiza_domain.directory.documents import MAX_BYTES, DirectoryError, to_bytes
from paiza_domain.directory.fields import Faults
from paiza_domain.directory.model import Directory
from paiza_domain.drafts.yaml_tree import Group, Items, Node, Scalar, TreeError, parse
from paiza_domain.schema.field_errors import FieldError

REPLACES: Final = "replaces"
"""The field with the beginning of the SHA-256 of the published file that the draft was made from; empty for none."""


def read_draft(member: str, text: str, known: content.Known) -> tuple[Directory, str]:
    """Parse a draft of a member's directory; return it with what it replaces. `DirectoryError` names every fault."""
    try:
        tree = parse(text)
    except TreeError as error:
        raise DirectoryError((error.error,)) from None
    faults, places = Faults(strict=True), dict[str, tuple[int, int]]()
    values = _plain(tree, "", places, faults)
    values = {} if values is None else values
    replaces = ""
    if isinstance(values, dict):
        replaces = str(values.pop(REPLACES, "") or "")
    found = content.parse(member, values, faults, _written, known)
    _check_zones(found, faults)
    if not faults.found and len(to_bytes(found)) > MAX_BYTES:
        faults.add("", "draft_too_large", most=MAX_BYTES)
    if faults.found:
        raise DirectoryError(tuple(sorted((_placed(each, places) for each in faults.found), key=_place)))
    return found, replaces


def _written(text: str, zone: str) -> datetime:
    return times.parse_written(text, times.zone(zone))


def _check_zones(directory: Directory, faults: Faults) -> None:
    """Refuse a time zone that this machine does not know: a misspelt one would move every time."""
    zones = {"duty.time_zone": directory.duty.time_zone} if directory.duty is not None else {}
    for at, officer in enumerate(directory.officers):
        if officer.hours is not None:
            zones[f"officers[{at}].hours.time_zone"] = officer.hours.time_zone
    for path, name in zones.items():
        if name and times.zone(name) is None:
            faults.add(path, "time_zone_unknown", value=name)


def _plain(node: Node, path: str, places: dict[str, tuple[int, int]], faults: Faults) -> Any:
    """Return a tree as texts, lists and groups, without what has no value; note where each stands."""
    places.setdefault(path, (node.line, node.column))
    if isinstance(node, Scalar):
        return None if node.null else node.text
    if isinstance(node, Items):
        return [_plain(each, f"{path}[{at}]", places, faults) for at, each in enumerate(node.nodes)]
    return _group(node, path, places, faults)


def _group(node: Group, path: str, places: dict[str, tuple[int, int]], faults: Faults) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, below in node.entries:
        where = f"{path}.{key.text}" if path else key.text
        if key.text in values:
            faults.add(where, "key_repeated")
            continue
        places[where] = key.line, key.column
        values[key.text] = _plain(below, where, places, faults)
    return {name: value for name, value in values.items() if value is not None}


def _placed(error: FieldError, places: Mapping[str, tuple[int, int]]) -> FieldError:
    """Return an error with the position of its field, or of the nearest one around it."""
    path = error.path
    while path and path not in places:
        path = path[: max(path.rfind("."), path.rfind("["), 0)]
    return error.at(*places.get(path, (1, 1)))


def _place(error: FieldError) -> tuple[int, int]:
    return error.line, error.column
