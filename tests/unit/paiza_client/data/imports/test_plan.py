"""The walk over a file: every row has exactly one outcome, and what is sent is valid."""

import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from paiza.content.v1 import common_pb2
from paiza.content.v1 import seizure_notice_pb2 as pb
from paiza_client.data.imports.mapping import REASONS
from paiza_client.data.imports.maps import load_map
from paiza_client.data.imports.plan import BLOCK, EqualRows, Outcome, Planned, plan_import
from paiza_client.data.imports.rejects import RejectsWriter
from paiza_client.data.imports.report import ImportReport
from paiza_client.data.imports.rows import RowReader, row_digest
from paiza_client.data.imports.values import RULES
from paiza_domain.kinds.seizure_notice import KIND
from paiza_officer.errors import Refused

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
IDS = load_map("ids")
FEDERATION = ("kaz", "tjk", "uzb")
GOOD = {
    "COUNTRY": "Kazakhstan",
    "PLACE": "Almaty",
    "SEIZURE_DATE": "2011-05-31",
    "DRUG_NAME": "Heroin",
    "AMOUNT": "0.152",
    "DRUG_UNIT": "Kilogram",
}


def none_sent(_digests: Sequence[bytes]) -> set[bytes]:
    """Return that nothing was sent before."""
    return set()


def table(*rows: dict[str, str]) -> bytes:
    """Write a file in the layout of `ids`; cells that are not named are empty."""
    lines = [",".join(IDS.identity)]
    lines += [",".join('"' + row.get(each, "").replace('"', '""') + '"' for each in IDS.identity) for row in rows]
    return ("\n".join(lines) + "\n").encode("utf-8", "surrogateescape")


def plan(*rows: dict[str, str], own: str = "kaz") -> list[Planned]:
    """Plan the import of these rows."""
    return list(plan_import(RowReader(io.BytesIO(table(*rows)), IDS), IDS, {own}, FEDERATION, none_sent, now=NOW))


def notice(**cells: str) -> pb.SeizureNotice:
    """Return the notice of one good row with these cells changed."""
    (planned,) = plan(GOOD | cells)
    assert planned.notice is not None
    return planned.notice


def test_a_good_row_becomes_a_whole_notice() -> None:
    """Every field of the row stands in the notice where it belongs."""
    cells = {
        "ADMINISTRATIVE_DIVISION": "Almaty oblast",
        "HIDING_PLACE": "Swallowed",
        "INSTALLATION": "Airport",
        "TRANSPORT": "Commercial air",
        "PRODUCING_COUNTRY": "Afghanistan",
        "DEPARTURE_COUNTRY": "Unknown",
        "DESTINATION_COUNTRY": "Russian Federation",
        "ROUTING": "Border - inbound",
    }
    (planned,) = plan(GOOD | cells)
    found = planned.notice
    assert found is not None
    assert planned.outcome is Outcome.ACCEPTED
    assert planned.digest == row_digest(planned.row.values, IDS)
    assert found.notice_id == f"KAZ-{planned.digest.hex()[:16]}"
    assert (found.status, found.notice_version, found.source) == ("initial", 1, "UNODC Individual Drug Seizures")
    assert found.seized_at.time.ToDatetime(UTC) == datetime(2011, 5, 31, tzinfo=UTC)
    assert found.seized_at.precision == common_pb2.TIME_PRECISION_DAY
    assert (found.place.country, found.place.admin_area) == ("KAZ", "Almaty oblast")
    assert (found.place.as_reported, found.place.place_type) == ("Almaty", "airport")
    (substance,) = found.substances
    assert (substance.as_named, substance.drug_group, substance.drug_type) == ("Heroin", "opioids", "heroin")
    assert (substance.quantity.millionths, substance.quantity.unit) == (152_000, "kg")
    assert substance.quantity.original == "0.152 Kilogram"
    assert substance.kg_equivalent.kilograms.millionths == 152_000
    assert [(leg.role, leg.country) for leg in found.route] == [("production", "AFG"), ("destination", "RUS")]
    assert not found.route_unknown
    assert [(each.method, each.as_reported) for each in found.concealment] == [("internal", "Swallowed")]
    assert [(each.mode, each.as_reported) for each in found.transport] == [("air", "Commercial air")]
    assert found.routing == "inbound"


def test_what_has_no_certain_code_keeps_its_text() -> None:
    """Unmapped and unknown texts stand in the notice as reported, and are named with the reason."""
    cells = {"DRUG_NAME": "Taren", "HIDING_PLACE": "Inserted", "INSTALLATION": "Open Air", "TRANSPORT": "Camel"}
    (planned,) = plan(GOOD | cells | {"DEPARTURE_COUNTRY": "Ruritania", "ROUTING": "Sideways"})
    found = planned.notice
    assert found is not None
    assert found.substances[0].drug_group == "unknown"
    assert [(each.method, each.as_reported) for each in found.concealment] == [("", "Inserted")]
    assert [(each.mode, each.means, each.as_reported) for each in found.transport] == [("", "", "Camel")]
    assert (found.place.place_type, found.circumstances) == ("", "INSTALLATION: Open Air")
    assert [(leg.role, leg.country, leg.as_reported) for leg in found.route] == [("departure", "XXX", "Ruritania")]
    assert found.detection.as_reported == "Sideways"
    by_column = {column: bool(why) for column, _text, why in planned.unmapped}
    assert by_column == {
        "DRUG_NAME": True,
        "HIDING_PLACE": True,
        "INSTALLATION": True,
        "TRANSPORT": False,
        "DEPARTURE_COUNTRY": False,
        "ROUTING": False,
    }


@pytest.mark.parametrize(
    ("cells", "millionths", "unit", "unmapped"),
    [
        ({"DRUG_UNIT": "Thousand of tablets", "AMOUNT": "2.5"}, 2_500_000_000, "tablet", set()),
        ({"DRUG_UNIT": "Acres", "AMOUNT": "5"}, 20_234_282_112, "m2", set()),
        ({"DRUG_UNIT": "Packages", "AMOUNT": "3"}, 3_000_000, "piece", {"DRUG_UNIT"}),
        ({"DRUG_UNIT": "килограмм"}, 152_000, "kg", set()),
        ({"DRUG_UNIT": "mg"}, 152_000, "mg", set()),
    ],
)
def test_units_are_exact_and_doubts_about_them_counted(
    cells: dict[str, str], millionths: int, unit: str, unmapped: set[str]
) -> None:
    """A unit is converted exactly; one that is no measure is counted as pieces and among the unmapped texts."""
    (planned,) = plan(GOOD | cells)
    assert planned.notice is not None
    quantity = planned.notice.substances[0].quantity
    assert (quantity.millionths, quantity.unit) == (millionths, unit)
    assert {column for column, _text, _why in planned.unmapped} == unmapped


def test_names_of_codes_in_either_language_are_understood() -> None:
    """A text the map does not hold is the code with this very name: countries, drugs, places, transport."""
    found = notice(
        DEPARTURE_COUNTRY="Иран, Исламская Республика",
        DESTINATION_COUNTRY="DE",
        DRUG_NAME="Гашиш (смола каннабиса)",
        INSTALLATION="road checkpoint",
        TRANSPORT="Легковой автомобиль",
        ROUTING="Border, inbound",
    )
    assert [(leg.role, leg.country, leg.as_reported) for leg in found.route] == [
        ("departure", "IRN", "Иран, Исламская Республика"),
        ("destination", "DEU", "DE"),
    ]
    assert (found.substances[0].drug_group, found.substances[0].drug_type) == ("cannabis", "cannabis-resin")
    assert (found.place.place_type, found.transport[0].means, found.routing) == ("road-checkpoint", "car", "inbound")


def test_packaging_is_no_concealment() -> None:
    """A hiding place that says how it was packed is given as packaging only."""
    found = notice(HIDING_PLACE="Sack")
    assert [each.type for each in found.packaging] == ["sack"]
    assert not found.concealment


def test_a_route_of_which_nothing_is_known_is_marked() -> None:
    """Unknown and empty countries give no legs, and the route is marked unknown."""
    found = notice(PRODUCING_COUNTRY="Unknown")
    assert found.route_unknown
    assert not found.route


@pytest.mark.parametrize(
    ("cells", "rules"),
    [
        ({"PLACE": ", South Kazakhstan"}, {"leading_comma": "PLACE"}),
        ({"PLACE": "Almaty \x07"}, {"control_characters": "PLACE"}),
        ({"AMOUNT": "0.11660999999999999"}, {"rounded": "AMOUNT"}),
        ({"AMOUNT": "1e-07", "DRUG_UNIT": "Gram"}, {"smaller_unit": "AMOUNT"}),
        ({"PLACE": "x" * 501}, {"shortened": ""}),
        ({"PLACE": "x" * 218}, {}),
    ],
)
def test_repairs_are_named(cells: dict[str, str], rules: dict[str, str]) -> None:
    """Each change is named by its rule and column, and the row is repaired, not accepted."""
    (planned,) = plan(GOOD | cells)
    assert planned.repairs == rules
    assert planned.outcome is (Outcome.REPAIRED if rules else Outcome.ACCEPTED)


def test_a_text_that_was_cut_stands_whole_under_circumstances() -> None:
    """Text too long for a field is not lost."""
    found = notice(PLACE="y" * 900)
    assert len(found.place.as_reported) <= 500
    assert f"PLACE: {'y' * 900}" in found.circumstances


@pytest.mark.parametrize(
    ("cells", "column", "reason"),
    [
        ({"COUNTRY": ""}, "COUNTRY", "member_missing"),
        ({"SEIZURE_DATE": "31.05.2011"}, "SEIZURE_DATE", "date_malformed"),
        ({"SEIZURE_DATE": "2031-05-31"}, "SEIZURE_DATE", "date_in_future"),
        ({"DRUG_NAME": " "}, "DRUG_NAME", "drug_missing"),
        ({"AMOUNT": "0"}, "AMOUNT", "amount_not_positive"),
        ({"AMOUNT": "-5"}, "AMOUNT", "amount_not_positive"),
        ({"AMOUNT": "1,5"}, "AMOUNT", "amount_malformed"),
        ({"DRUG_UNIT": ""}, "DRUG_UNIT", "unit_missing"),
        *[({"DRUG_UNIT": each}, "DRUG_UNIT", "unit_unknown") for each in ("Pood", "kilo gramm", "Gramm")],
        ({"PLACE": "x" * 10_001}, "PLACE", "text_too_long"),
    ],
)
def test_a_row_is_rejected_for_its_cell(cells: dict[str, str], column: str, reason: str) -> None:
    """A missing mandatory value is never guessed: the row is rejected with column and reason."""
    (planned,) = plan(GOOD | cells)
    assert planned.outcome is Outcome.REJECTED
    assert [(each.column, each.reason) for each in planned.rejections] == [(column, reason)]
    assert reason in REASONS
    assert planned.notice is None


def test_rows_of_others_are_counted_apart() -> None:
    """Members of other runs and states outside the federation are neither imported nor rejected."""
    others = [GOOD | {"COUNTRY": each} for each in ("Tajikistan", "Russian Federation", "Ruritania")]
    found = plan(*others, *others)
    assert [(each.outcome, each.state) for each in found[:3]] == [
        (Outcome.OTHER_MEMBER, "tjk"),
        (Outcome.OUTSIDE, "rus"),
        (Outcome.OUTSIDE, "Ruritania"),
    ]
    assert [each.outcome for each in found[3:]] == [each.outcome for each in found[:3]]


def test_repeats_are_recognised_across_blocks_and_runs() -> None:
    """A repeat is known in the same block, in a later one, and by the digests that were sent before."""
    many = [GOOD | {"AMOUNT": str(n + 1)} for n in range(BLOCK + 1)]
    found = plan(many[0], *many, many[0] | {"PLACE": " Almaty"})
    assert [each.outcome for each in found if each.outcome is Outcome.REPEATED] == [Outcome.REPEATED] * 2
    assert (found[1].equal_to, found[-1].equal_to) == (2, 2)
    sent = {each.digest for each in found}
    reader = RowReader(io.BytesIO(table(*many)), IDS)
    again = list(plan_import(reader, IDS, {"kaz"}, FEDERATION, sent.intersection, now=NOW))
    assert {each.outcome for each in again} == {Outcome.REPEATED}
    assert {(each.equal_to, each.sent_before) for each in again} == {(0, True)}


def test_equal_rows_may_each_be_a_seizure() -> None:
    """Each copy has a digest and a number of its own, the same in every run; what was sent once stays sent."""
    data, none = table(GOOD, GOOD, GOOD | {"AMOUNT": "7"}, GOOD), set[bytes]()

    def walk(equal_rows: EqualRows, sent: set[bytes]) -> list[Planned]:
        reader = RowReader(io.BytesIO(data), IDS)
        return list(plan_import(reader, IDS, {"kaz"}, FEDERATION, sent.intersection, equal_rows=equal_rows, now=NOW))

    once, each = walk("once", none), walk("each", none)
    assert [found.equal_to for found in once] == [found.equal_to for found in each] == [0, 2, 0, 2]
    assert [found.outcome for found in once] == [
        Outcome.ACCEPTED, Outcome.REPEATED, Outcome.ACCEPTED, Outcome.REPEATED,
    ]  # fmt: skip
    assert {found.outcome for found in each} == {Outcome.ACCEPTED}
    assert len({found.digest for found in each}) == len({found.notice.notice_id for found in each if found.notice}) == 4
    assert [found.digest for found in walk("each", none)] == [found.digest for found in each]
    later = walk("each", {found.digest for found in once if found.notice})
    assert [found.sent_before for found in later] == [True, False, True, False]
    assert {found.sent_before for found in walk("each", {found.digest for found in each})} == {True}


def test_blocks_are_asked_about_one_after_the_other() -> None:
    """The second block is asked about only after the first was handed out, so it can be sent in between."""
    asked: list[int] = []

    def already(digests: Sequence[bytes]) -> set[bytes]:
        asked.append(len(digests))
        return set()

    many = [GOOD | {"AMOUNT": str(n + 1)} for n in range(BLOCK + 7)]
    walk = plan_import(RowReader(io.BytesIO(table(*many)), IDS), IDS, {"kaz"}, FEDERATION, already, now=NOW)
    for _ in range(BLOCK):
        next(walk)
    assert asked == [BLOCK]
    assert len(list(walk)) == 7
    assert asked == [BLOCK, 7]


def test_a_rejects_file_mended_is_imported() -> None:
    """A rejected row, corrected in the rejects file and read by the same map, is accepted."""
    bad = [GOOD | {"DRUG_UNIT": "", "PLACE": "=cmd()"}, GOOD | {"AMOUNT": "-1", "PLACE": 'a "b", c'}]
    data = table(GOOD, *bad) + b'Asia,"open\n'
    reader = RowReader(io.BytesIO(data), IDS)
    out = io.BytesIO()
    writer = RejectsWriter(out, reader)
    for planned in plan_import(reader, IDS, {"kaz"}, FEDERATION, none_sent, now=NOW):
        writer.add(planned)
    assert writer.written == 3
    text = out.getvalue().decode()
    assert "'=cmd()" in text
    assert text.splitlines()[0].startswith("paiza_row,paiza_reason,REGION,")
    assert text.splitlines()[-1].startswith("5,")
    mended = text.replace(",0.152,,", ",0.152,Kilogram,").replace(",-1,", ",1,")
    again = plan_import(RowReader(io.BytesIO(mended.encode()), IDS), IDS, {"kaz"}, FEDERATION, none_sent, now=NOW)
    found = list(again)
    assert [each.outcome for each in found] == [Outcome.ACCEPTED, Outcome.ACCEPTED, Outcome.REJECTED]
    assert found[2].row.cells == ('Asia,"open',)
    assert found[0].notice is not None
    assert found[0].notice.place.as_reported == "=cmd()"
    assert found[0].digest == plan(bad[0] | {"DRUG_UNIT": "Kilogram"})[0].digest


CELLS = st.one_of(
    st.sampled_from([*GOOD.values(), "Tajikistan", "Gram", "Tablet", "", "Unknown", "1e-9", "-1", "2011-5-31"]),
    st.text(max_size=30),
    st.text(alphabet=st.characters(blacklist_categories=()), max_size=10).filter(
        lambda text: not any("\ud800" <= each <= "\udfff" for each in text)
    ),
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(IDS.identity, CELLS)), max_size=8), st.binary(max_size=60)
)
def test_every_row_has_exactly_one_outcome(rows: list[dict[str, str]], tail: bytes) -> None:
    """Every row of any file comes out once, and every notice to send is valid."""
    data = table(*(GOOD | row for row in rows)) + tail
    try:
        expected = sum(1 for _ in RowReader(io.BytesIO(data), IDS))
    except Refused:
        reject()  # a table in another encoding is refused as a whole
    report = ImportReport()
    reader = RowReader(io.BytesIO(data), IDS)
    out = io.BytesIO()
    writer = RejectsWriter(out, reader)
    for planned in plan_import(reader, IDS, {"kaz"}, FEDERATION, none_sent, now=NOW):
        report.add(planned)
        writer.add(planned)
        sending = planned.outcome in {Outcome.ACCEPTED, Outcome.REPAIRED}
        assert sending == (planned.notice is not None)
        assert (planned.outcome is Outcome.REPAIRED) == bool(planned.repairs)
        assert set(planned.repairs or ()) <= set(RULES)
        if planned.notice is not None:
            assert KIND.validate(planned.notice, None, NOW) == []
    assert report.rows == expected == sum(report.outcomes.values())
    assert writer.written == report.outcomes[Outcome.REJECTED]
    if writer.written:
        assert sum(1 for _ in RowReader(io.BytesIO(out.getvalue()), IDS)) >= writer.written
    assert json.loads(json.dumps(report.to_json()))["rows"] == expected
    assert report.text()


def test_a_rejection_code_has_its_sentence_and_the_report_says_it() -> None:
    """The text of the report names row, column, reason and cell, through the translation given."""
    report = ImportReport()
    for planned in plan(GOOD, GOOD | {"AMOUNT": "0"}, GOOD | {"HIDING_PLACE": "Inserted"}):
        report.add(planned)
    lines = report.text(lambda text: f"<{text}>").splitlines()
    assert f"  <row 3>, AMOUNT: <{REASONS['amount_not_positive']}>: <“0”>" in lines
    assert "        3  <rows in the file>" in lines
    assert "        1  Inserted: <into the body or into a thing is not said>" in lines
    assert report.to_json()["unmapped"] == {
        "HIDING_PLACE": [{"text": "Inserted", "rows": 1, "why": "into the body or into a thing is not said"}]
    }
