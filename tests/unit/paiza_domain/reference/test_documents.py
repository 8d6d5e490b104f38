"""Reference files: strict by record, and no file can make the reading fail."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paiza_domain import reference
from paiza_domain.reference.records import MAX_FILE_BYTES, MAX_PROBLEMS
from tests.unit.paiza_domain.reference.conftest import FILES, encoded

SUBSTANCES = "reference-substances.json"
CONTROLS = "reference-controls.json"


@pytest.mark.parametrize(
    ("path", "values", "field", "code"),
    [
        ("substances", {"cas": ["561-27-4"]}, "cas", "check_digit"),
        ("substances", {"group": "x"}, "group", "code_unknown"),
        ("substances", {"source": ""}, "source", "missing"),
        ("substances", {"id": "Не slug"}, "id", "code_malformed"),
        ("substances", {"names": {"ru": "x"}}, "names.en", "missing"),
        ("substances", {"synonyms": ["\u202eevil"]}, "synonyms", "text_character"),
        ("substances", {"synonyms": ["x"] * 41}, "synonyms", "too_many"),
        ("substances", {"note": {"ru": 7}}, "note.ru", "expected_value"),
        ("international", {"schedule": "1961-V"}, "schedule", "code_malformed"),
        ("controls", {"substance": "unheard"}, "substance", "reference_unknown"),
        ("controls", {"state": "tjk"}, "state", "not_allowed_here"),
        ("controls", {"from": "2010-13-01"}, "from", "date_malformed"),
        ("controls", {"to": "2009"}, "to", "period_reversed"),
        ("controls", {"compared": "2026-11"}, "compared", "date_malformed"),
        ("controls", {"doubt": {"en": 7}}, "doubt.en", "expected_value"),
        ("international", {"communicated": "yesterday"}, "communicated", "date_malformed"),
        ("controls", {"concentration_percent": 101}, "concentration_percent", "out_of_range"),
        ("controls", {"thresholds": [{"code": "large", "milligrams": 1.5}]}, "thresholds[0].milligrams", "not_integer"),
    ],
)
def test_a_wrong_record_is_named_and_left_out(path: str, values: dict[str, Any], field: str, code: str) -> None:
    """One wrong field costs its own record; those that depend on nothing of it stay."""
    file = CONTROLS if path == "controls" else SUBSTANCES
    files = copy.deepcopy(FILES)
    files[file][path][0].update(values)
    found = reference.read(encoded(files))
    assert (found.problems[0].path, found.problems[0].code) == (f"{file}: {path}[0].{field}", code)
    assert len(found.substances) >= len(FILES[SUBSTANCES]["substances"]) - 1
    assert len(found.border_points) == len(FILES["reference-border-points.json"]["points"])
    assert found.problems[0].message("ru") != found.problems[0].message("en")


def test_of_two_records_with_one_id_the_second_is_named() -> None:
    """An id means one thing."""
    files = copy.deepcopy(FILES)
    files[SUBSTANCES]["substances"].append(files[SUBSTANCES]["substances"][0])
    twice = reference.read(encoded(files))
    assert [(each.path, each.code) for each in twice.problems] == [(f"{SUBSTANCES}: heroin", "value_repeated")]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b'{"format": 2}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"format": 1, "substances": 7}',
        b" " * (MAX_FILE_BYTES + 1),
    ],
)
def test_a_broken_file_costs_itself_only(data: bytes) -> None:
    """A file that is none is named; what other files say is read."""
    found = reference.read({**encoded(FILES), SUBSTANCES: data})
    assert found.problems[0].path.startswith(SUBSTANCES)
    assert found.substances == {}
    assert "kaz" in found.profiles
    assert len(found.legal_bases) == 2


def test_problems_are_counted_up_to_a_limit() -> None:
    """A file in which everything is wrong does not fill the memory with complaints."""
    broken = {"format": 1, "substances": [{}] * 5_000}
    assert len(reference.read({SUBSTANCES: json.dumps(broken).encode()}).problems) == MAX_PROBLEMS


def test_members_speak_for_themselves() -> None:
    """A profile belongs to the member whose folder holds it; other files are passed over."""
    found = reference.read({**encoded(FILES), "members/kaz/member.json": b"not ours", "federation.json": b"nor this"})
    assert found.problems == ()
    assert found.profiles["kaz"].classification[1]["ru"] == "ДСП"


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(st.sampled_from(sorted(FILES)), _json, st.data())
def test_no_value_anywhere_makes_the_reading_fail(path: str, value: Any, data: st.DataObject) -> None:
    """Any content at any place of any file gives data or a named problem."""
    files = copy.deepcopy(FILES)
    holder = files[path]
    while True:
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(holder[key], (dict, list)) or not holder[key] or data.draw(st.booleans()):
            break
        holder = holder[key]
    holder[key] = value
    found = reference.read(encoded(files))
    for each in found.problems:
        assert each.message("ru")
