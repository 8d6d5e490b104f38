"""Kinds are found, not listed, and each judges its content field by field."""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from paiza.content.v1.common_pb2 import (
    TIME_PRECISION_MONTH,
    TIME_PRECISION_YEAR,
    Answer,
    Coordinates,
    Packaging,
    PartialTime,
    PersonCounts,
    Question,
    RouteLeg,
    Substance,
    TimePrecision,
    Transport,
)
from paiza.content.v1.information_pb2 import InformationAnswer, InformationRequest
from paiza.content.v1.nominal_annex_pb2 import NominalAnnex
from paiza.content.v1.seizure_notice_pb2 import SeizureNotice
from paiza_domain import kinds
from paiza_domain.kinds.seizure_notice import derive_kg_equivalent, is_late
from paiza_wire.errors import Rejected
from tests.unit.paiza_domain.conftest import NOW
from tests.unit.paiza_domain.strategies import messages

SEIZURE = kinds.get("seizure-notice", 1)

Change = Callable[[SeizureNotice], object]


def found(notice: SeizureNotice, annex: NominalAnnex | None = None) -> list[tuple[str, str]]:
    """Judge a notice; give path and code of each error."""
    return [(each.path, each.code) for each in SEIZURE.validate(notice, annex, NOW)]


def coarse(precision: TimePrecision.ValueType) -> PartialTime:
    """Return the first month, or the whole, of an earlier year."""
    found = PartialTime(precision=precision)
    found.time.FromDatetime(datetime(2015, 1, 1, tzinfo=UTC))
    return found


def test_a_record_of_a_source_may_be_coarse(notice: SeizureNotice) -> None:
    """What was taken over from a named source may tell a month or a year alone, and sum several seizures up."""
    notice.source, notice.event_count = "A published yearbook", 12
    for precision in (TIME_PRECISION_MONTH, TIME_PRECISION_YEAR):
        notice.seized_at.CopyFrom(coarse(precision))
        assert found(notice) == []
        assert not is_late(notice, datetime(2015, 1, 20, tzinfo=UTC))


def test_kinds_are_found_alone_and_in_tables() -> None:
    """Every module of the package of kinds is searched, for the one kind it defines or the several."""
    assert set(kinds.all_kinds()) >= {
        "acknowledgement",
        "cd-stop",
        "free-message",
        "information-answer",
        "information-request",
        "seizure-notice",
    }


def test_unknown_kind_and_unknown_version_are_told_apart() -> None:
    """A kind nobody knows and a version nobody knows are refused with their own reasons."""
    with pytest.raises(Rejected, match="unknown_kind"):
        kinds.get("weather-report", 1)
    with pytest.raises(Rejected, match="unsupported_version"):
        kinds.get("seizure-notice", 99)


def test_a_kind_of_another_distribution_is_found_judged_and_shown(root: Path) -> None:
    """An installed distribution's kind works in both languages without a change to the packages."""
    script = (
        "from paiza_domain import kinds\n"
        "from paiza_domain.drafts import drafts\n"
        "from datetime import datetime, UTC\n"
        "kind = kinds.get('wolf-note', 1)\n"
        "draft = drafts.read('kind: wolf-note\\ncontent: {country: KAZ, wolves: 3}', now=datetime.now(UTC))\n"
        "print(kind.summary(draft.content, 'ru'), kind.show(draft.content, 'ru')[1])\n"
        "print([e.path for e in kind.validate(kind.content(country='KAZ', wolves=101), None, datetime.now(UTC))])\n"
    )
    environment = os.environ | {"PYTHONPATH": f"{root / 'tests/kinds'}", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True, encoding="utf-8"
    )
    assert done.stdout == "Замечено волков: 3 ('Волки', '3')\n['wolves']\n"


def test_the_short_form_is_valid(notice: SeizureNotice) -> None:
    """The mandatory fields alone make a valid notice."""
    assert found(notice) == []


@pytest.mark.parametrize(
    ("change", "path", "code"),
    [
        (lambda n: n.ClearField("notice_id"), "notice_id", "missing"),
        (lambda n: n.ClearField("notice_version"), "notice_version", "missing"),
        (lambda n: setattr(n, "status", "Initial"), "status", "code_unknown"),
        (lambda n: n.ClearField("seized_at"), "seized_at", "missing"),
        (lambda n: setattr(n.seized_at, "precision", 0), "seized_at", "moment_malformed"),
        (lambda n: setattr(n.seized_at, "precision", 7), "seized_at", "moment_malformed"),
        (lambda n: setattr(n.seized_at.time, "seconds", 12_345), "seized_at", "moment_malformed"),
        (lambda n: setattr(n.seized_at, "precision", 4), "seized_at", "moment_malformed"),
        (lambda n: n.seized_at.CopyFrom(coarse(TIME_PRECISION_MONTH)), "seized_at", "moment_coarse"),
        (lambda n: n.seized_at.CopyFrom(coarse(TIME_PRECISION_YEAR)), "seized_at", "moment_coarse"),
        (lambda n: setattr(n, "event_count", 2), "event_count", "sum_without_source"),
        (lambda n: setattr(n.seized_at.time, "seconds", 2**62), "seized_at", "moment_malformed"),
        (lambda n: n.seized_at.time.FromDatetime(datetime(2026, 11, 25, tzinfo=UTC)), "seized_at", "in_future"),
        (lambda n: n.ClearField("reporting_agency"), "reporting_agency", "missing"),
        (lambda n: setattr(n, "reporting_agency", "x" * 201), "reporting_agency", "text_too_long"),
        (lambda n: setattr(n, "reporting_agency", "\u202eaгент"), "reporting_agency", "text_character"),
        (lambda n: n.ClearField("place"), "place", "missing"),
        (lambda n: setattr(n.place, "country", "kaz"), "place.country", "code_unknown"),
        (lambda n: setattr(n.place, "place_type", "moon"), "place.place_type", "code_unknown"),
        (
            lambda n: n.place.coordinates.MergeFrom(
                Coordinates(latitude_microdegrees=90_000_001, longitude_microdegrees=0)
            ),
            "place.coordinates.latitude",
            "out_of_range",
        ),
        (
            lambda n: n.place.coordinates.MergeFrom(Coordinates(latitude_microdegrees=0)),
            "place.coordinates.longitude",
            "missing",
        ),
        (lambda n: n.ClearField("substances"), "substances", "missing"),
        (lambda n: n.substances.extend([Substance()] * 60), "substances", "too_many"),
        (lambda n: n.substances[0].ClearField("as_named"), "substances[0].as_named", "substance_unnamed"),
        (lambda n: setattr(n.substances[0], "drug_group", "cocaine"), "substances[0].drug_type", "type_not_in_group"),
        (lambda n: setattr(n.substances[0].quantity, "millionths", 0), "substances[0].quantity", "not_positive"),
        (lambda n: setattr(n.substances[0].quantity, "millionths", -5), "substances[0].quantity", "not_positive"),
        (lambda n: setattr(n.substances[0].quantity, "millionths", 2**62), "substances[0].quantity", "out_of_range"),
        (lambda n: setattr(n.substances[0].quantity, "unit", "pud"), "substances[0].quantity", "code_unknown"),
        (
            lambda n: setattr(n.substances[0].purity_percent, "millionths", 100_000_001),
            "substances[0].purity_percent",
            "out_of_range",
        ),
        (
            lambda n: setattr(n.substances[0].purity_percent, "millionths", -1),
            "substances[0].purity_percent",
            "out_of_range",
        ),
        (lambda n: setattr(n, "route_unknown", False), "route", "route_missing"),
        (lambda n: n.route.add(role="transit", country="TJK"), "route_unknown", "route_contradiction"),
        (lambda n: n.route.append(RouteLeg(role="transit")), "route[0].country", "missing"),
        (
            lambda n: n.transport.append(Transport(container_number="CSQU3054384")),
            "transport[0].container_number",
            "check_digit",
        ),
        (lambda n: n.transport.append(Transport(imo_number="9074728")), "transport[0].imo_number", "check_digit"),
        (lambda n: n.transport.append(Transport(vin="IOQ")), "transport[0].vin", "code_malformed"),
        (lambda n: n.packaging.append(Packaging(count=2**31)), "packaging[0].count", "out_of_range"),
        (lambda n: n.counts.MergeFrom(PersonCounts(arrested=10_001)), "counts.arrested", "out_of_range"),
    ],
)
def test_each_wrong_field_is_named(notice: SeizureNotice, change: Change, path: str, code: str) -> None:
    """A wrong field of a notice is named by path and code, and by nothing else."""
    change(notice)
    assert (path, code) in found(notice)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("release-grant", "recipients"),
        ("operation", "participants"),
        ("cd-plan", "quantities"),
        ("cd-authorisation", "scope.quantities"),
        ("cd-route-change", "route"),
    ],
)
def test_a_list_of_too_many_entries_is_not_looked_into(name: str, path: str) -> None:
    """Rules between fields leave it alone too: half a second of work for a message of 60 KB, for nothing."""
    kind = kinds.get(name, 1)
    content = kind.content()
    entries: Any = content
    for step in path.split("."):
        entries = getattr(entries, step)
    entries.extend([""] * 2000 if name == "release-grant" else [type(entries.add())()] * 2000)
    within = [each for each in kind.validate(content, None, NOW) if each.path.startswith(path)]
    assert [(each.path, each.code) for each in within] == [(path, "too_many")]


def test_purity_of_zero_and_hundred_percent_is_allowed(notice: SeizureNotice) -> None:
    """Both ends of the range belong to it."""
    for percent in (0, 100_000_000):
        notice.substances[0].purity_percent.millionths = percent
        assert found(notice) == []


def test_kilogram_equivalent_must_follow_from_quantity_and_factor(notice: SeizureNotice) -> None:
    """The derived value is recomputed, and for a unit of mass the factor is the unit's own."""
    substance = notice.substances[0]
    derive_kg_equivalent(substance)
    assert (substance.kg_equivalent.kilograms.millionths, substance.kg_equivalent.factor) == (12_500_000, "1")
    assert found(notice) == []
    substance.kg_equivalent.kilograms.millionths += 1
    assert found(notice) == [("substances[0].kg_equivalent.kilograms", "kg_equivalent_mismatch")]
    substance.kg_equivalent.kilograms.millionths = 25_000_000
    substance.kg_equivalent.factor = "2"
    assert found(notice) == [("substances[0].kg_equivalent.factor", "kg_equivalent_mismatch")]


def test_a_count_of_tablets_takes_a_factor_of_its_own(notice: SeizureNotice) -> None:
    """A unit that is no mass derives nothing by itself; a stated factor is used unchanged."""
    substance = notice.substances[0]
    substance.quantity.unit, substance.quantity.millionths = "tablet", 1_000_000_000
    derive_kg_equivalent(substance)
    assert not substance.HasField("kg_equivalent")
    substance.kg_equivalent.factor = "3/10000"
    substance.kg_equivalent.kilograms.millionths = 300_000
    assert found(notice) == []


def test_a_late_notice_is_marked_and_not_refused(notice: SeizureNotice) -> None:
    """72 hours count from the end of the day, hour or minute that is known."""
    end_of_day = datetime(2026, 11, 23, tzinfo=UTC)
    assert not is_late(notice, end_of_day + timedelta(hours=72))
    assert is_late(notice, end_of_day + timedelta(hours=72, seconds=1))
    assert SEIZURE.remarks(notice, end_of_day + timedelta(days=5), "ru") == (
        "С опозданием: сообщено более чем через 72 часа после изъятия",
    )
    assert found(notice) == []


def test_the_annex_is_judged_with_paths_of_its_own(notice: SeizureNotice) -> None:
    """Errors of the annex are named below `annex`; an empty annex is refused."""
    assert found(notice, NominalAnnex()) == [("annex", "annex_empty")]
    annex = NominalAnnex()
    annex.persons.add(role="courier", category="suspect", birth_date="1990-02-30")
    assert found(notice, annex) == [
        ("annex.persons[0].birth_date", "date_malformed"),
        ("annex.persons[0].surname", "missing"),
    ]


def request(**changes: object) -> InformationRequest:
    """Make a valid information request."""
    content = InformationRequest(
        reference="7/123",
        subject="Контейнер",
        purposes=["investigate"],
        facts="Задержан контейнер.",
        questions=[Question(number=1, text="Кто отправитель?")],
        why_addressee="Отправлен с вашей территории.",
    )
    for name, value in changes.items():
        setattr(content, name, value)
    return content


def test_questions_are_numbered_in_order() -> None:
    """Numbers that answers cannot name are refused."""
    content = request()
    content.questions.add(number=3, text="Когда?")
    errors = kinds.get("information-request", 1).validate(content, None, NOW)
    assert [(each.path, each.code) for each in errors] == [("questions[1].number", "number_order")]


def test_a_deadline_in_the_past_is_refused() -> None:
    """An answer cannot be asked for yesterday."""
    content = request()
    content.deadline_time.FromDatetime(NOW - timedelta(days=1))
    errors = kinds.get("information-request", 1).validate(content, None, NOW)
    assert [(each.path, each.code) for each in errors] == [("deadline", "in_past")]


@pytest.mark.parametrize(
    ("answer", "path", "code"),
    [
        (Answer(question_number=1, status="full"), "text", "answer_text_missing"),
        (Answer(question_number=1, status="refused"), "refusal", "refusal_missing"),
        (Answer(question_number=1, status="refused", refusal="because"), "refusal", "code_unknown"),
        (Answer(question_number=1, status="full", text="a", refusal="resources"), "refusal", "not_allowed_here"),
        (Answer(question_number=1, status="forwarded"), "forwarded_to", "forwarded_to_missing"),
        (Answer(question_number=1, status="negative", forwarded_to="МВД"), "forwarded_to", "not_allowed_here"),
        (Answer(question_number=51, status="negative"), "question_number", "out_of_range"),
    ],
)
def test_an_answer_fits_its_status(answer: Answer, path: str, code: str) -> None:
    """Text, refusal and forwarding belong to their own status each."""
    content = InformationAnswer(reference="1", answers=[answer])
    errors = kinds.get("information-answer", 1).validate(content, None, NOW)
    assert [(each.path, each.code) for each in errors] == [(f"answers[0].{path}", code)]


def test_a_question_is_answered_once() -> None:
    """Two answers to one number are refused."""
    answers = [Answer(question_number=1, status="negative")] * 2
    content = InformationAnswer(reference="1", answers=answers)
    errors = kinds.get("information-answer", 1).validate(content, None, NOW)
    assert [(each.path, each.code) for each in errors] == [("answers[1].question_number", "number_repeated")]


def test_an_acknowledgement_names_a_whole_digest() -> None:
    """A digest of another length is refused."""
    kind = kinds.get("acknowledgement", 1)
    assert kind.validate(kind.content(message_digest=b"1" * 32), None, NOW) == []
    errors = kind.validate(kind.content(message_digest=b"1" * 31), None, NOW)
    assert [each.code for each in errors] == ["digest_malformed"]


@given(messages(SEIZURE.shape))
def test_a_notice_of_sound_fields_has_only_errors_between_fields(notice: SeizureNotice) -> None:
    """Fields sound by themselves raise no error but those that need two fields."""
    between = {
        *("route_missing", "route_contradiction", "substance_unnamed", "type_not_in_group"),
        *("moment_coarse", "sum_without_source"),
    }
    assert {code for _path, code in found(notice)} <= between
