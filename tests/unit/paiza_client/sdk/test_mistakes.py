"""The answers to deliberate mistakes, in both languages, as an officer reads them (`mistakes.txt`)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest

from paiza_client import language
from paiza_client.compose.composer import field_problem
from paiza_client.local import reference_data
from paiza_client.sdk import controlled_delivery, drafts
from paiza_client.sdk.drafts import UNCHANGED, Overrides
from paiza_officer.errors import Refused
from tests.unit.paiza_client.sdk.made import NOW, profile, register

FILE: Final = Path(__file__).with_name("mistakes.txt")
LONGEST: Final = 700  # characters of an answer; the longest names all reasons of an urgency


@dataclass(frozen=True)
class Mistake:
    """A right text, the wrong one in its place, and the answers by language."""

    name: str
    right: str
    wrong: str
    answers: dict[str, list[str]]


def table() -> tuple[str, tuple[Mistake, ...]]:
    """Return the right draft and the mistakes made in it."""
    draft, *blocks = FILE.read_text(encoding="utf-8").split("\n# ")
    return draft.partition("\n")[2].strip("\n") + "\n", tuple(_mistakes(blocks))


def _mistakes(blocks: list[str]) -> Iterator[Mistake]:
    for block in blocks:
        lines: dict[str, list[str]] = {"-": [], "+": [], "ru": [], "en": []}
        name, *rest = block.strip("\n").split("\n")
        for line in rest:
            mark, _space, text = line.partition(" ")
            lines[mark].append(text.replace("→", "\t"))
        right, wrong = ("".join(f"{each}\n" for each in lines[mark]) for mark in "-+")
        yield Mistake(name, right, wrong, {lang: lines[lang] for lang in ("ru", "en")})


DRAFT, MISTAKES = table()


@pytest.fixture(autouse=True)
def _federation(monkeypatch: pytest.MonkeyPatch) -> None:
    known = register()
    monkeypatch.setattr(reference_data, "last_register", lambda _profile: known)
    monkeypatch.setattr(reference_data, "own_level_names", lambda _profile: {1: {"ru": "ДСП"}})


def answers(text: str, lang: str, folder: Path, overrides: Overrides = UNCHANGED) -> list[str]:
    """Return what an officer reads of a draft."""
    language.use(lang)  # type: ignore[arg-type]
    found = drafts.examine(text, profile(folder), now=NOW, overrides=overrides)
    kind = None if found.draft is None else found.draft.kind
    problems = [field_problem("draft.yaml", each, kind) for each in found.errors]
    return [f"{each.place}: {each.what}" for each in problems]


def test_the_right_draft_has_no_fault(tmp_path: Path) -> None:
    """What the mistakes are made in is right."""
    assert answers(DRAFT, "en", tmp_path) == []


def test_there_are_forty_mistakes() -> None:
    """Each is made in the draft, and once."""
    assert len({each.name for each in MISTAKES}) >= 40
    assert all(DRAFT.count(each.right) == 1 and each.right != each.wrong for each in MISTAKES)


@pytest.mark.parametrize("lang", ["ru", "en"])
@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_each_mistake_is_answered_so(mistake: Mistake, lang: str, tmp_path: Path) -> None:
    """The answer says where, in the officer's words, and what is right."""
    found = answers(DRAFT.replace(mistake.right, mistake.wrong), lang, tmp_path)
    assert found == mistake.answers[lang]
    assert all(len(each) <= LONGEST for each in found)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    """One reading names the faults of fields, units, recipients, ceiling, legal basis and second officer."""
    wrong = DRAFT
    for name in ("a recipient misspelt", "a level above the ceiling", "a legal basis misspelt", "a unit misspelt",
                 "31 February", "persons to two members"):  # fmt: skip
        each = next(each for each in MISTAKES if each.name == name)
        wrong = wrong.replace(each.right, each.wrong)
    found = answers(wrong, "en", tmp_path)
    lines = [int(number) for each in found for number in re.findall(r"^line (\d+)", each)]
    assert lines == sorted(lines)
    for said in ("Did you mean “uzb", "takes nothing above level 1", "Did you mean “agreement-2006", "kg (kilogram)",
                 "no such date", "Two officers must sign"):  # fmt: skip
        assert any(said in each for each in found), said


@pytest.mark.parametrize(
    ("right", "wrong", "overrides"),
    [
        ("to: [tjk, uzb]", "to: [nowhere, tjk, tjk]", Overrides(recipients=("uzb",))),
        ("urgency: routine", "urgency: slowly", Overrides(urgency="priority")),
        (
            "urgency: routine",
            "urgency: flash\nurgency_reason: because",
            Overrides(urgency="flash", reason_code="consignment-moving"),
        ),
    ],
)
def test_what_an_option_replaces_is_no_mistake(right: str, wrong: str, overrides: Overrides, tmp_path: Path) -> None:
    """A recipient, an urgency or a reason of the draft that does not count is not judged."""
    text = DRAFT.replace(right, wrong)
    assert answers(text, "en", tmp_path)
    assert answers(text, "en", tmp_path, overrides) == []


def test_a_mistake_in_an_option_names_no_line_of_the_draft(tmp_path: Path) -> None:
    """Who named a member with --to does not look for it in the draft."""
    (found,) = answers(DRAFT, "en", tmp_path, Overrides(recipients=("kgz",)))
    assert found.startswith("Recipients (to): ")
    assert "suspended" in found


def test_a_file_that_is_not_there_is_told_with_the_rest(tmp_path: Path) -> None:
    """A missing attachment is a fault of the draft at its line."""
    (tmp_path / "draft.yaml").write_text(DRAFT.replace("12.5 kg", "12.5") + "attachments: [photo.jpg]\n")
    language.use("en")
    with pytest.raises(Refused) as refused:
        drafts.read(tmp_path / "draft.yaml", profile(tmp_path), now=NOW, overrides=UNCHANGED)
    assert [(each.line, each.code) for each in refused.value.problems] == [
        (24, "quantity_malformed"), (34, "file_missing"),
    ]  # fmt: skip


def test_a_step_of_a_delivery_is_told_with_its_header(tmp_path: Path) -> None:
    """What the thread determines is no fault; the ceiling of a participant and a missing field are told at once."""
    workflow = SimpleNamespace(participants=["kaz", "tjk"], heads=[bytes(32)])
    delivery: Any = SimpleNamespace(workflow=workflow, own="kaz")
    text = "kind: cd-stop\nhandling: {tlp: AMBER, code: H2, classification: 3}\ncontent: {}\n"
    overrides = controlled_delivery.header_of_step(delivery, "cd-stop")
    found = drafts.examine(text, profile(tmp_path), now=NOW, overrides=overrides)
    assert {each.code for each in found.errors} == {"missing", "above_ceiling"}
