"""The member's own rules: a file that can only forbid more.

Anything else in it is refused when it is read, so that no ineffective rule seems to be in force.
"""

import json
from pathlib import Path
from typing import Any, Final

import cedarpy

from paiza_node.core.errors import N_, NodeStopped

MAX_FILE_BYTES: Final = 64 * 1024


def read(path: Path) -> tuple[str, str]:
    """Return (name, text) of the file; NodeStopped("policy_invalid") names rules that are not allowed."""
    try:
        with path.open("rb") as file:  # whatever is named, a device too, is read no further than this
            data = file.read(MAX_FILE_BYTES + 1)
        text = data.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise _bad(N_("The file cannot be read: {error}."), path, error=error) from error
    if len(data) > MAX_FILE_BYTES:
        raise _bad(N_("The file has over {most} bytes."), path, most=MAX_FILE_BYTES)
    for name, effect in effects(text, path):
        if effect != "forbid":
            raise _bad(N_("The rule {rule} permits; a member's own file can only forbid."), path, rule=name)
    return path.name, text


def effects(text: str, path: Path) -> list[tuple[str, str]]:
    """Return (id, effect) of every rule in a text, in order; a rule without an id is identified by its number."""
    if not text.strip():
        return []
    try:
        parsed: dict[str, Any] = json.loads(cedarpy.policies_to_json_str(text))
    except ValueError as error:
        raise _bad(N_("The file is not Cedar: {error}."), path, error=error) from error
    if parsed.get("templates") or parsed.get("templateLinks"):
        raise _bad(N_("The file holds a template; write whole rules."), path)
    rules = parsed.get("staticPolicies", {})
    return [
        (rule.get("annotations", {}).get("id", f"#{number}"), str(rule["effect"]))
        for number, rule in enumerate(rules.values(), 1)
    ]


def _bad(what: str, path: Path, **values: object) -> NodeStopped:
    return NodeStopped(
        "policy_invalid",
        what=what,
        where="{path}",
        remedy=N_("Correct the file named by `policy` in node.toml: it may only contain rules that forbid."),
        path=path,
        **values,
    )
