"""What the register says of a pre-export notification: precursors alone, and every state that it names is told."""

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from paiza_client.compose import addressing
from paiza_domain import kinds
from paiza_domain.drafts import drafts
from paiza_register import Register
from tests.unit.paiza_client.compose.test_composer import member
from tests.unit.paiza_domain.conftest import NOW
from tests.unit.paiza_domain.kinds.examples import draft
from tests.unit.paiza_domain.reference.conftest import SOURCE, encoded, substance

KIND = kinds.get("pre-export-notification", 1)
FILES: dict[str, Any] = {
    "reference-substances.json": {
        "format": 1,
        "substances": [
            substance("heroin", "Heroin", "Героин", street=["герыч"]),
            substance("potassium-permanganate", "Potassium permanganate", "Перманганат калия", "precursors"),
            substance("solvent", "Solvent", "Растворитель", "unknown"),
        ],
        "international": [
            {"substance": "heroin", "schedule": "1961-I", "from": "1964-12-13", "recorded_from": "2026-11-01", **SOURCE}
        ],
    },
    "reference-controls.json": {
        "format": 1,
        "acts": [{"id": "act", "state": "uzb", "titles": {"ru": "Акт", "en": "Act"}, "from": "2000", **SOURCE}],
        "lists": [
            {"id": "list", "state": "uzb", "act": "act", "titles": {"ru": "Список", "en": "List"},
             "regime": "precursor", "complete": True},
        ],
        "controls": [{"substance": "solvent", "state": "uzb", "list": "list", "from": "2000", **SOURCE}],
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def register() -> Register:
    """Return a register of four members with the reference data above; kaz is the own member."""
    members = {each: member(each) for each in ("kaz", "kgz", "uzb", "centre")}
    now = datetime.now(UTC) + timedelta(days=1)
    return Register(
        bytes(31) + b"\x01", "east.example", {}, members, now, {}, (), encoded(FILES), late=False, role_versions={},
        key_pins=frozenset(), _verifier=cast("Any", None),
    )  # fmt: skip


def content(**chemical: str) -> Any:
    """Return the example of a notification (from kaz by kgz to uzb) of one chemical."""
    found: Any = drafts.read(draft("pre-export-notification"), now=NOW).content
    del found.chemicals[:]
    found.chemicals.add(**chemical).quantity.unit = "kg"
    return found


def errors(register: Register, recipients: tuple[str, ...] = ("uzb", "kgz"), **chemical: str) -> list[tuple[str, str]]:
    """Return path and code of what is wrong with it."""
    found = addressing.errors(register, "kaz", KIND, content(**chemical), recipients, NOW)
    assert all(each.message("ru") != each.message("en") for each in found)
    return [(each.path, each.code) for each in found]


@pytest.mark.parametrize("name", ["heroin", "Героин", "герыч", "diacetylmorphine-of-nobody"])
def test_a_drug_is_no_matter_for_a_notification(register: Register, name: str) -> None:
    """A drug is refused by its id and by any name, whatever control its author states; an unknown name as well."""
    unknown = name.endswith("nobody")
    assert errors(register, as_named=name) == [
        ("chemicals[0].as_named", "precursor_unknown" if unknown else "no_precursor")
    ]
    stated = errors(register, as_named=name, control="table-i")
    assert stated == ([] if unknown else [("chemicals[0].as_named", "no_precursor")])
    if name == "heroin":
        assert errors(register, substance_id=name) == [("chemicals[0].substance_id", "no_precursor")]


@pytest.mark.parametrize("name", ["potassium-permanganate", "Перманганат калия", "solvent"])
def test_precursors_pass(register: Register, name: str) -> None:
    """A precursor passes by its group, or by a national list of a state that is told."""
    assert errors(register, as_named=name) == []
    expected = [("chemicals[0].as_named", "no_precursor")] if name == "solvent" else []
    found = addressing.errors(register, "kaz", KIND, content(as_named=name), ("kgz",), NOW)
    assert [(each.path, each.code) for each in found if each.code != "state_not_told"] == expected


def test_every_member_on_the_way_is_told(register: Register) -> None:
    """Importer, consignee and transit must be among the recipients where they are members; they are proposed."""
    named = content(as_named="potassium-permanganate")
    named.transit_countries.append("CHN")
    assert addressing.members_told(register, "kaz", KIND, named) == ("uzb", "kgz")
    assert addressing.members_told(register, "kgz", KIND, named) == ("uzb",)
    assert errors(register, ("uzb",), substance_id="potassium-permanganate") == [
        ("transit_countries[0]", "state_not_told")
    ]
    assert [path for path, _code in errors(register, ("centre",), substance_id="potassium-permanganate")] == [
        "importer.country", "consignee.country", "transit_countries[0]",
    ]  # fmt: skip


def test_other_kinds_are_not_held_to_it(register: Register) -> None:
    """A seizure notice may name heroin and any country, and tells whom its author chooses."""
    kind = kinds.get("seizure-notice", 1)
    notice = kind.content()
    assert addressing.errors(register, "kaz", kind, notice, ("uzb",), NOW) == []
    assert addressing.members_told(register, "kaz", kind, notice) == ()
