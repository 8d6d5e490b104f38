"""What the layers below say of a refusal is told in the reader's language."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from paiza_trust.details import DETAILS, translated_detail
from paiza_trust.errors import WORDS, from_wire
from paiza_trust.language import translations
from paiza_wire.errors import Rejected

READ = (
    "proto/paiza_register/ceremony/*.py",
    "proto/paiza_register/agreements.py",
    "proto/paiza_register/carried.py",
    "proto/paiza_register/documents.py",
    "proto/paiza_register/register_file.py",
    "proto/paiza_wire/identity/certificate_profiles.py",
    "proto/paiza_wire/identity/certificates.py",
    "proto/paiza_wire/identity/invitations.py",
    "proto/paiza_wire/identity/key_files.py",
    "proto/paiza_wire/identity/tokens.py",
    "client/paiza_officer/*.py",
    "node/paiza_node/features/ceremonies/*.py",
)
DETAIL = {
    **dict.fromkeys(("Rejected", "Unavailable", "refuse"), 1),
    **dict.fromkeys(("Misused", "NotProven", "ProfileProblem", "Refused", "Unreachable"), 2),
}
"""Which argument of a refusal its detail is."""
NO_TEXT = {"", "{}", "{}: {}", "{}: {} {}"}
"""Details that only join what others say."""


def skeleton(text: str) -> str:
    """Return a text without the names of its places."""
    return re.sub(r"\{\w*\}", "{}", text)


def details(tree: ast.Module) -> Iterator[str]:
    """Yield the details of all refusals in a module, with {} for what is filled in."""
    for node in ast.walk(tree):
        found: ast.expr | None = None
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            at = DETAIL.get(name, 99)
            found = node.args[at] if len(node.args) > at else None
        elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "why":
            found = node.value
        prefix = "{} " if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "refuse" else ""
        if isinstance(found, ast.Constant) and isinstance(found.value, str):
            yield prefix + found.value
        elif isinstance(found, ast.JoinedStr):
            yield prefix + "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in found.values)


def test_every_detail_of_a_refusal_is_known(root: Path) -> None:
    """Each text that these modules refuse with can be told in both languages, and no other is kept."""
    files = [file for pattern in READ for file in root.glob(pattern)]
    assert len(files) > len(READ)
    used = {each for file in files for each in details(ast.parse(file.read_text()))} - NO_TEXT
    assert used - {skeleton(text) for text in DETAILS} == set()
    assert {skeleton(text) for text in DETAILS} - used == set()


@pytest.mark.parametrize(
    ("detail", "told"),
    [
        ("the status of tjk is suspended", "tjk: участие приостановлено"),
        ("member.json: endpoints: address has no such port", "member.json: endpoints: address: такого порта нет"),
        ("the key is of kaz.x/log/3; the next one is of kaz.x/log/2", "следующий — kaz.x/log/2"),
        ("No such file or directory", "Такого файла или папки нет"),
        ("something that no table knows", "something that no table knows"),
    ],
)
def test_a_detail_is_told_in_russian(detail: str, told: str) -> None:
    """What was filled in stays; a detail that is not known stays as it is."""
    russian = translations("ru").gettext
    assert told in translated_detail(detail, russian)
    assert told in from_wire(Rejected("conflict", detail), "x").translated(russian).what
    assert translated_detail(detail, str) == detail


def test_every_reason_of_a_refusal_has_words(root: Path) -> None:
    """Each reason of these modules is told in words of a ceremony, and not by the registry, which is in English."""
    trees = [ast.parse(file.read_text()) for pattern in READ for file in root.glob(pattern)]
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args]
    raised = [node.args[0] for node in calls if getattr(node.func, "id", "") in DETAIL]
    reasons = {each.value for each in raised if isinstance(each, ast.Constant)} - {"usage"}
    assert reasons - WORDS.keys() == set()
