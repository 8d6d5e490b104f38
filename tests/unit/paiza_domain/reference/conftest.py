"""A small reference: invented acts of two states, a few well-known substances, one correction of a record."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from paiza_domain import reference
from paiza_domain.reference import NameIndex, Reference

SOURCE = {"source": "an invented gazette", "compared": "2026-11-01"}


def substance(slug: str, en: str, ru: str, group: str = "opioids", **more: Any) -> dict[str, Any]:
    """Describe a substance as the file does."""
    return {"id": slug, "names": {"en": en, "ru": ru}, "group": group, **SOURCE, **more}


def titled(text: str) -> dict[str, str]:
    """Return a title in both languages."""
    return {"ru": f"{text} (ru)", "en": text}


FILES: dict[str, Any] = {
    "reference-substances.json": {
        "format": 1,
        "substances": [
            substance("heroin", "Heroin", "Героин", synonyms=["diamorphine"], street=["герыч"], cas=["561-27-3"]),
            substance("metamfetamine", "Metamfetamine", "Метамфетамин", "ats", street=["ice", "лёд"]),
            substance("mephedrone", "Mephedrone", "Мефедрон", "nps", synonyms=["4-MMC"]),
            substance("methylone", "Methylone", "Метилон", "nps", synonyms=["3-MMC"], street=["ice"]),
            substance("alpha-pvp", "alpha-PVP", "Альфа-ПВП", "nps", synonyms=["α-PVP"]),
            substance("tramadol", "Tramadol", "Трамадол"),
            substance("iodine", "Iodine", "Йод", "precursors"),
        ],
        "international": [
            {"substance": "heroin", "schedule": "1961-I", "from": "1964-12-13", **SOURCE},
            {"substance": "heroin", "schedule": "1961-IV", "from": "1964", "to": "2020-12-02", **SOURCE},
            {"substance": "mephedrone", "schedule": "1971-II", "decided": "2015", "recorded_from": "2026-11-01",
             **SOURCE},
            {"substance": "metamfetamine", "schedule": "1971-II", "attested": "1988-10-12",
             "recorded_from": "2026-11-01", **SOURCE},
            {"substance": "iodine", "schedule": "ISSL", "recorded_from": "2026-11-01", **SOURCE},
            {"substance": "alpha-pvp", "schedule": "1971-II", "decided": "2016-03-18", "communicated": "2016-05-19",
             "from": "2016-11-15", "recorded_from": "2026-11-01", "source": "two gazettes",
             "doubt": titled("They differ")},
        ],
    },
    "reference-controls.json": {
        "format": 1,
        "acts": [
            {"id": "kaz-act", "state": "kaz", "titles": titled("Act of KAZ"), "from": "2000-07-01", **SOURCE},
            {"id": "tjk-act", "state": "tjk", "titles": titled("Act of TJK"), **SOURCE},
        ],
        "lists": [
            {"id": "kaz-I", "state": "kaz", "act": "kaz-act", "titles": titled("List I"), "regime": "prohibited",
             "complete": True},
            {"id": "tjk-I", "state": "tjk", "act": "tjk-act", "titles": titled("List A"), "regime": "restricted"},
        ],
        "controls": [
            {"substance": "heroin", "state": "kaz", "list": "kaz-I", "from": "2010-05-01", **SOURCE,
             "thresholds": [{"code": "large", "milligrams": 2500}], "thresholds_act": "kaz-act"},
            {"substance": "heroin", "state": "tjk", "list": "tjk-I", "from": "2012", "concentration_percent": 10,
             "source": "hearsay"},
            # Recorded first as beginning in 2000, corrected on 1 March 2025 to 2005.
            {"substance": "tramadol", "state": "tjk", "list": "tjk-I", "from": "2000", "recorded_from": "2024-01-01",
             "recorded_to": "2025-03-01", **SOURCE},
            {"substance": "tramadol", "state": "tjk", "list": "tjk-I", "from": "2005", "recorded_from": "2025-03-01",
             **SOURCE},
        ],
    },
    "reference-border-points.json": {
        "format": 1,
        "points": [
            {"id": "kaz-uzb-one", "kind": "road", "first": {"country": "kaz", "names": titled("One")},
             "second": {"country": "uzb", "names": titled("Bir"), "locode": "UZBIR"}, "source": "hearsay"},
            {"id": "tjk-uzb-two", "kind": "rail", "first": {"country": "tjk", "names": titled("Two")},
             "second": {"country": "uzb", "names": titled("Two")}, **SOURCE},
        ],
    },
    "reference-legal-bases.json": {
        "format": 1,
        "bases": [
            {"id": "everyone", "titles": titled("Treaty"), "from": "1990-11-11", **SOURCE,
             "recorded_from": "2026-11-01",
             "parties": [
                 {"state": "kaz", "act": "accession", "deposited": "1997-01-29", "from": "1997-04-29", **SOURCE},
                 {"state": "tjk", "act": "party", "source": "hearsay"},
                 {"state": "irn", "signed": "1988-12-20", "reservations": titled("Never before a court"), **SOURCE},
                 {"state": "uzb", **SOURCE},
             ],
             "provisions": [
                 {"subject": "controlled-delivery", "article": "11", "requires": titled("Case by case")},
                 {"subject": "cooperation", "requires": titled("Direct channels")},
             ]},
            {"id": "others", "titles": titled("Pact"), **SOURCE,
             "parties": [{"state": state, "act": "party", "source": "hearsay"} for state in ("kaz", "uzb")],
             "provisions": [{"subject": "controlled-delivery", "requires": titled("Never")}]},
        ],
    },
    "members/kaz/profile.json": {
        "format": 1, "authority": titled("Bureau"), "hours": titled("always"), "languages": ["ru", "kk"], **SOURCE,
        "controlled_delivery": {"authorised_by": titled("the director"), "substitution": "lawful", "notice_hours": 24},
        "classification": [{"level": 1, "names": {"ru": "ДСП", "en": "restricted"}}],
    },
}  # fmt: skip


def encoded(files: Mapping[str, Any]) -> dict[str, bytes]:
    """Return files as the register carries them."""
    return {path: json.dumps(document).encode() for path, document in files.items()}


@pytest.fixture(scope="session")
def known() -> Reference:
    """The small reference, read without a complaint."""
    found = reference.read(encoded(FILES))
    assert [each.path for each in found.problems] == []
    return found


@pytest.fixture(scope="session")
def index(known: Reference) -> NameIndex:
    """Return its names."""
    return NameIndex(known)
