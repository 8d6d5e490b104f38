"""Notices as rows of UNODC's layout: its word where it has just one, and otherwise our own name; nothing guessed."""

import io

import pytest
from hypothesis import given, settings

from paiza.content.v1 import seizure_notice_pb2 as pb
from paiza.core.v1.message_pb2 import Handling
from paiza_client.data.exports import unodc, writing
from paiza_client.data.imports.maps import load_map
from paiza_client.data.imports.plan import Outcome, Planned, plan_import
from paiza_client.data.imports.rows import RowReader
from paiza_domain import kinds
from paiza_domain.drafts import drafts
from paiza_officer.errors import Refused
from tests.unit.paiza_client.data.exports.making import NOW, made, record, written
from tests.unit.paiza_domain.strategies import messages

IDS = load_map("ids")
KIND = kinds.get("seizure-notice", 1)

DRAFT = """\
kind: seizure-notice
content:
  notice_id: KAZ-1
  notice_version: 1
  status: initial
  seized_at: 2026-10-20T14:30+05:00
  reporting_agency: Вымышленная служба
  place: {country: KAZ, admin_area: Вымышленная область, town: Примерск, place_type: airport}
  substances:
    - {as_named: герыч, drug_group: opioids, drug_type: heroin, quantity: 12.50 kg}
    - {as_named: неизвестное, drug_group: nps, quantity: 3 ampoule}
    - {as_named: капли, drug_group: sedatives, drug_type: ghb-gbl, quantity: 250 ml}
    - {as_named: Cannabis, drug_group: cannabis, drug_type: cannabis-resin, quantity: 2 t}
  route:
    - {role: departure, country: AFG, place: Вымышленск}
    - {role: transit, country: TJK}
    - {role: destination, country: RUS}
  routing: inbound
  concealment: [{method: internal}]
  transport: [{mode: road, means: car, plate: А 000 АА}]
"""


def rows(draft: str = DRAFT) -> list[dict[str, str]]:
    """Return the rows of a draft by column."""
    content = drafts.read(draft, now=NOW).content
    table = made(unodc.SHEET, [record("seizure-notice", content)])
    return [dict(zip(table.columns, map(str, row), strict=True)) for row in table.rows]


def imported(data: bytes) -> list[Planned]:
    """Plan the import of a table."""
    members = sorted({entry.codes["member"] for entry in IDS.tables["member"].values()})
    return list(plan_import(RowReader(io.BytesIO(data), IDS), IDS, members, members, lambda _: set(), now=NOW))


def test_a_notice_written_here_becomes_rows_of_the_layout() -> None:
    """Codes become the layout's words, the day is that of the place, a multiple of a unit is exact."""
    first, second, third, fourth = rows()
    assert first == {
        "REGION": "Asia",
        "SUBREGION": "Central Asia and Transcaucasian countries",
        "COUNTRY": "Kazakhstan",
        "ADMINISTRATIVE_DIVISION": "Вымышленная область",
        "PLACE": "Примерск",
        "SEIZURE_DATE": "2026-10-20",
        "DRUG_NAME": "Heroin",
        "AMOUNT": "12.5",
        "DRUG_UNIT": "Kilogram",
        "HIDING_PLACE": "Swallowed",
        "INSTALLATION": "Airport",
        "TRANSPORT": "Car",
        "PRODUCING_COUNTRY": "",
        "DEPARTURE_COUNTRY": "Afghanistan",
        "DESTINATION_COUNTRY": "Russian Federation",
        "ROUTING": "Border - inbound",
    }
    assert (second["DRUG_NAME"], second["AMOUNT"], second["DRUG_UNIT"]) == ("неизвестное", "3", "Ampoule")
    assert (third["DRUG_NAME"], third["AMOUNT"], third["DRUG_UNIT"]) == ("GHB or GBL", "250", "Millilitre")
    assert (fourth["DRUG_NAME"], fourth["AMOUNT"], fourth["DRUG_UNIT"]) == ("Cannabis resin", "2", "Ton")


def test_a_word_that_the_layout_has_twice_is_not_chosen() -> None:
    """Road transport may be private or commercial there: our own name is given, which says neither."""
    (first, *_rest) = rows(DRAFT.replace("mode: road, means: car", "mode: road"))
    assert first["TRANSPORT"] == "Road transport"


def test_what_is_exported_can_be_imported() -> None:
    """Every row of a notice written here is a sound row of the layout."""
    data = written(writing.as_csv, made(unodc.SHEET, [record("seizure-notice", drafts.read(DRAFT, now=NOW).content)]))
    assert [each.outcome for each in imported(data)] == [Outcome.ACCEPTED] * 4


ODD = {
    "COUNTRY": "Kazakhstan", "SEIZURE_DATE": "2011-05-31", "DRUG_NAME": "Heroin", "AMOUNT": "0.11660999999999999",
    "DRUG_UNIT": "Kilogram", "REGION": "Asia", "SUBREGION": "Central Asia and Transcaucasian countries",
}  # fmt: skip


@pytest.mark.parametrize(
    "cells",
    [
        {"PLACE": ", South Kazakhstan"},
        {"PLACE": ", " + "x" * 600},
        {"ADMINISTRATIVE_DIVISION": ",y"},
        {"PLACE": '=HYPERLINK("http://invented.example")'},
        {"PLACE": "@SUM(A1)", "DRUG_NAME": "+1"},
        {"PLACE": "'=1"},
        {"PLACE": "-"},
        {"PLACE": "＝1"},
        {"PLACE": 'a "quoted", and; separated'},
        {"INSTALLATION": "Open Air", "HIDING_PLACE": "Plastic bags", "TRANSPORT": "Other"},
        {"DEPARTURE_COUNTRY": "Unknown", "PRODUCING_COUNTRY": "Ruritania", "ROUTING": "Sideways"},
        {"DRUG_NAME": "Taren", "AMOUNT": "1e-07"},
        {"AMOUNT": "7" * 12, "DRUG_UNIT": "Tablet"},
        {"INSTALLATION": "z" * 600, "TRANSPORT": "w" * 600},
        {"REGION": "Europe", "SUBREGION": ""},
        {"REGION": "", "SUBREGION": "a region, of old"},
        {"AMOUNT": "2.5", "DRUG_UNIT": "Thousand of tablets"},
        {"AMOUNT": "3", "DRUG_UNIT": "Packages"},
        {"AMOUNT": "0.5", "DRUG_UNIT": "Acres"},
        {"COUNTRY": "Kazakhstan", "DEPARTURE_COUNTRY": "Королевство Бельгия"},
    ],
)
def test_odd_rows_come_back_as_they_were(cells: dict[str, str]) -> None:
    """Every repair returns the source row of a notice, known by its digest, which makes the notice again."""
    whole = dict.fromkeys(IDS.identity, "") | ODD | cells
    text = ",".join(IDS.identity) + "\n" + ",".join('"' + whole[each].replace('"', '""') + '"' for each in IDS.identity)
    (planned,) = imported(text.encode())
    assert planned.notice is not None
    (again,) = imported(written(writing.as_csv, made(unodc.SHEET, [record("seizure-notice", planned.notice)])))
    assert again.digest == planned.digest
    assert again.notice == planned.notice


@settings(max_examples=60, deadline=None)
@given(messages(KIND.shape))
def test_any_notice_makes_rows_that_are_read_again(notice: pb.SeizureNotice) -> None:
    """Each substance of any notice is one row, and no row is split wrongly."""
    table = made(unodc.SHEET, [record("seizure-notice", notice)])
    rows = list(table.rows)
    assert len(rows) == len(notice.substances)
    read = list(RowReader(io.BytesIO(written(writing.as_csv, table)), IDS))
    assert [each.problem for each in read] == [""] * len(notice.substances)
    assert [tuple(each.values[column] for column in IDS.identity) for each in read] == [
        tuple(map(str, row)) for row in rows
    ]


def test_marks_that_allow_nothing_in_common_are_refused() -> None:
    """Material for statistics only and material for investigation only never share a file."""
    content = drafts.read(DRAFT, now=NOW).content
    marks = [pb_mark(["statistics"]), pb_mark(["investigate"])]
    with pytest.raises(Refused, match="marks_incompatible"):
        made(unodc.SHEET, (record("seizure-notice", content, mark=mark) for mark in marks))


def pb_mark(purposes: list[str]) -> Handling:
    """Make a mark for purposes."""
    return Handling(tlp="AMBER", code="H2", purposes=purposes)
