"""The rules between the fields of a kind: each is broken once, and named by path and code alone."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from paiza.core.v1.message_pb2 import Handling, Header
from paiza_domain import kinds, validation
from paiza_domain.codes import load
from paiza_domain.drafts import drafts
from paiza_domain.drafts.drafts import DraftError
from paiza_domain.schema.rules import date_end, has_passed
from paiza_wire.errors import Rejected
from tests.unit.paiza_domain.conftest import NOW
from tests.unit.paiza_domain.kinds.examples import draft

Change = Callable[[Any], object]

LATER = NOW + timedelta(days=1)
EARLIER = NOW - timedelta(days=1)


def found(name: str, change: Change) -> list[tuple[str, str]]:
    """Judge the example of a kind after a change; give path and code of each error."""
    example = drafts.read(draft(name), now=NOW)
    change(example.content)
    return [(each.path, each.code) for each in example.kind.validate(example.content, example.annex, NOW)]


def at(path: str, time: datetime) -> Change:
    """Set a time."""
    return lambda content: getattr(content, path).FromDatetime(time)


def to(name: str, value: object) -> Change:
    """Set a field."""
    return lambda content: setattr(content, name, value)


def without(name: str) -> Change:
    """Clear a field."""
    return lambda content: content.ClearField(name)


def all_of(*changes: Change) -> Change:
    """Make several changes."""
    return lambda content: [change(content) for change in changes]


@pytest.mark.parametrize(
    ("name", "change", "path", "code"),
    [
        ("alert", to("alert_type", "concealed"), "alert_type", "code_unknown"),
        ("alert", without("new_substance"), "new_substance", "alert_part_missing"),
        ("alert", to("alert_type", "terror-link"), "terror_link", "alert_part_missing"),
        (
            "alert",
            all_of(to("alert_type", "officer-safety"), without("safety")),
            "safety",
            "alert_part_missing",
        ),
        (
            "alert",
            all_of(to("alert_type", "concealment"), without("concealment")),
            "concealment",
            "alert_part_missing",
        ),
        ("alert", at("valid_until_time", EARLIER), "valid_until", "in_past"),
        ("alert", lambda c: c.new_substance.ClearField("analyses"), "new_substance.analyses", "missing"),
        (
            "alert",
            lambda c: setattr(c.new_substance.analyses[0], "technique", "immunoassay"),
            "new_substance.analyses",
            "analysis_presumptive",
        ),
        (
            "alert",
            lambda c: setattr(c.new_substance, "cas_number", "437-38-6"),
            "new_substance.cas_number",
            "check_digit",
        ),
        (
            "alert",
            lambda c: setattr(c.new_substance, "inchi_key", "WFXAZNNJSKVHJT"),
            "new_substance.inchi_key",
            "code_malformed",
        ),
        (
            "alert",
            lambda c: setattr(c.new_substance, "drug_group", "ats"),
            "new_substance.drug_type",
            "type_not_in_group",
        ),
        (
            "alert",
            lambda c: setattr(c.new_substance.analyses[0].match_percent, "millionths", 100_000_001),
            "new_substance.analyses[0].match_percent",
            "out_of_range",
        ),
        (
            "precursor-incident",
            lambda c: setattr(c.chemicals[0], "cas_number", "108-24-8"),
            "chemicals[0].cas_number",
            "check_digit",
        ),
        (
            "precursor-incident",
            lambda c: setattr(c.chemicals[0], "hs_code", "2915.24"),
            "chemicals[0].hs_code",
            "code_malformed",
        ),
        ("precursor-incident", lambda c: c.chemicals[0].ClearField("quantity"), "chemicals[0].quantity", "missing"),
        (
            "precursor-incident",
            lambda c: c.chemicals[0].ClearField("as_named"),
            "chemicals[0].as_named",
            "substance_unnamed",
        ),
        ("precursor-incident", without("chemicals"), "chemicals", "missing"),
        ("precursor-incident", without("backtracking_request"), "backtracking_request", "missing"),
        ("precursor-incident", without("backtracking_wanted"), "backtracking_request", "not_allowed_here"),
        (
            "precursor-incident",
            all_of(
                without("companies"),
                without("documents"),
                lambda c: c.chemicals[0].ClearField("batch_number"),
                lambda c: c.chemicals[0].ClearField("label"),
            ),
            "backtracking_wanted",
            "backtracking_source",
        ),
        (
            "precursor-incident",
            lambda c: c.occurred_at.time.FromDatetime((NOW + timedelta(hours=1)).replace(minute=0)),
            "occurred_at",
            "in_future",
        ),
        ("pre-export-notification", to("dispatch_date", "2026-11-21"), "dispatch_date", "in_past"),
        ("pre-export-notification", to("dispatch_date", "soon"), "dispatch_date", "date_malformed"),
        ("pre-export-notification", at("reply_by_time", EARLIER), "reply_by", "in_past"),
        (
            "pre-export-notification",
            lambda c: c.chemicals[0].ClearField("quantity"),
            "chemicals[0].quantity",
            "missing",
        ),
        ("pre-export-notification", lambda c: c.exporter.ClearField("name"), "exporter.name", "missing"),
        ("pre-export-notification", lambda c: c.exporter.ClearField("address"), "exporter.address", "missing"),
        ("pre-export-notification", lambda c: c.importer.ClearField("address"), "importer.address", "missing"),
        ("pre-export-notification", lambda c: c.consignee.ClearField("address"), "consignee.address", "missing"),
        ("pre-export-reply", without("grounds"), "grounds", "grounds_missing"),
        ("pre-export-reply", to("reply", "no-objection"), "grounds", "not_allowed_here"),
        ("pre-export-reply", all_of(to("reply", "none"), without("grounds")), "reply", "silence_not_sent"),
        ("pre-export-reply", all_of(to("reply", "more-time"), without("grounds")), "until", "until_missing"),
        ("pre-export-reply", at("until_time", LATER), "until", "not_allowed_here"),
        (
            "pre-export-reply",
            all_of(to("reply", "more-time"), without("grounds"), at("until_time", EARLIER)),
            "until",
            "in_past",
        ),
        ("pre-export-arrival", without("arrived_at"), "arrived_at", "missing"),
        ("pre-export-arrival", without("difference"), "difference", "difference_missing"),
        (
            "pre-export-arrival",
            all_of(to("status", "not-arrived"), without("arrived_at")),
            "consignee_confirmed",
            "not_allowed_here",
        ),
        (
            "pre-export-arrival",
            all_of(to("status", "not-arrived"), without("consignee_confirmed")),
            "arrived_at",
            "not_allowed_here",
        ),
        (
            "pre-export-arrival",
            lambda c: c.arrived_at.time.FromDatetime(datetime(2026, 11, 25, tzinfo=NOW.tzinfo)),
            "arrived_at",
            "in_future",
        ),
        ("legal-assistance", without("time_limit_time"), "time_limit", "missing"),
        ("legal-assistance", at("time_limit_time", EARLIER), "time_limit", "in_past"),
        (
            "legal-assistance",
            lambda c: setattr(c.original, "way", "not-sent"),
            "original.sent_date",
            "not_allowed_here",
        ),
        ("legal-assistance", lambda c: c.original.ClearField("sent_date"), "original.sent_date", "missing"),
        ("legal-assistance", lambda c: setattr(c.original, "sent_date", "2027"), "original.sent_date", "in_future"),
        ("legal-assistance-status", without("text"), "text", "status_text_missing"),
        ("legal-assistance-status", to("refusal", "resources"), "refusal", "not_allowed_here"),
        (
            "legal-assistance-status",
            all_of(to("status", "refused"), without("expected_time")),
            "refusal",
            "refusal_ground_missing",
        ),
        ("legal-assistance-status", to("status", "executed"), "expected", "not_allowed_here"),
        (
            "legal-assistance-status",
            all_of(to("status", "forwarded"), without("authority")),
            "authority",
            "authority_missing",
        ),
        ("legal-assistance-status", to("date", "2026-12-01"), "date", "in_future"),
        ("financial-request", lambda c: setattr(c.questions[1], "number", 3), "questions[1].number", "number_order"),
        ("financial-request", at("deadline_time", EARLIER), "deadline", "in_past"),
        ("financial-request", to("period_to", "2025"), "period_to", "period_order"),
        (
            "financial-request",
            lambda c: c.onward_uses[0].ClearField("purpose"),
            "onward_uses[0].purpose",
            "missing",
        ),
        (
            "financial-answer",
            lambda c: setattr(c.answers[1], "question_number", 1),
            "answers[1].question_number",
            "number_repeated",
        ),
        (
            "financial-answer",
            lambda c: setattr(c.onward_decisions[0], "refusal", "resources"),
            "onward_decisions[0].refusal",
            "not_allowed_here",
        ),
        (
            "financial-answer",
            lambda c: c.onward_decisions[1].ClearField("refusal"),
            "onward_decisions[1].refusal",
            "refusal_ground_missing",
        ),
        (
            "financial-answer",
            lambda c: c.onward_decisions[1].until_time.FromDatetime(LATER),
            "onward_decisions[1].until",
            "not_allowed_here",
        ),
        (
            "financial-answer",
            lambda c: c.onward_decisions[0].until_time.FromDatetime(EARLIER),
            "onward_decisions[0].until",
            "in_past",
        ),
        ("financial-answer", lambda c: c.onward_decisions[0].ClearField("use"), "onward_decisions[0].use", "missing"),
        ("sample-request", lambda c: c.samples.append(c.samples[0]), "samples[1].number", "sample_repeated"),
        (
            "sample-request",
            lambda c: setattr(c.samples[0], "drug_group", "ats"),
            "samples[0].drug_type",
            "type_not_in_group",
        ),
        ("sample-request", lambda c: c.samples[0].ClearField("as_named"), "samples[0].as_named", "substance_unnamed"),
        ("sample-request", at("deadline_time", EARLIER), "deadline", "in_past"),
        ("sample-decision", without("sample_numbers"), "sample_numbers", "missing"),
        ("sample-decision", to("decision", "agreed"), "sample_numbers", "not_allowed_here"),
        (
            "sample-decision",
            all_of(to("decision", "refused"), without("sample_numbers")),
            "refusal",
            "refusal_ground_missing",
        ),
        ("sample-decision", to("refusal", "resources"), "refusal", "not_allowed_here"),
        ("sample-handover", lambda c: c.samples[0].ClearField("seal"), "samples[0].seal", "missing"),
        ("sample-handover", lambda c: c.samples.append(c.samples[0]), "samples[1].number", "sample_repeated"),
        (
            "sample-handover",
            lambda c: c.handed_over_at.time.FromDatetime((NOW + timedelta(hours=2)).replace(minute=0)),
            "handed_over_at",
            "in_future",
        ),
        ("sample-receipt", lambda c: c.samples[0].ClearField("note"), "samples[0].note", "seal_note_missing"),
        ("sample-receipt", lambda c: c.samples.append(c.samples[0]), "samples[1].number", "sample_repeated"),
        ("sample-destruction", to("witnesses", 1), "witnesses", "out_of_range"),
        ("sample-destruction", lambda c: c.samples.append(c.samples[0]), "samples[1].number", "sample_repeated"),
    ],
)
def test_each_broken_rule_is_named_alone(name: str, change: Change, path: str, code: str) -> None:
    """One thing wrong is one error, with its path and its code."""
    assert found(name, change) == [(path, code)]


def test_silence_is_never_a_reply() -> None:
    """The code of silence has its name, is refused as a reply, and each reader of a notification is told of it."""
    assert load("pre_export_reply").text("none", "ru") == "Ответа нет"
    notification = drafts.read(draft("pre-export-notification"), now=NOW)
    assert notification.kind.remarks(notification.content, NOW, "en") == (
        "Without a reply there is silence, and silence is not consent",
    )
    reply = notification.kind.answered_by[0]
    silence = kinds.all_kinds()[reply].content(reference="1", reply="none")
    assert [each.code for each in kinds.all_kinds()[reply].validate(silence, None, NOW)] == ["silence_not_sent"]


def test_an_incident_without_a_chemical_at_hand_needs_no_quantity() -> None:
    """A suspicious order or a laboratory may have nothing to be measured."""
    for incident in ("suspicious-order", "laboratory", "attempted-diversion"):
        change = all_of(to("incident_type", incident), lambda c: c.chemicals[0].ClearField("quantity"))
        assert found("precursor-incident", change) == []


def test_a_laboratory_without_chemicals_is_an_incident() -> None:
    """Equipment or products alone were found: the report is valid, and its summary says what it is about."""
    change = all_of(to("incident_type", "laboratory"), without("chemicals"))
    assert found("precursor-incident", change) == []
    draft_of = drafts.read(draft("precursor-incident"), now=NOW)
    change(draft_of.content)
    summary = draft_of.kind.summary(draft_of.content, "en")
    assert summary.startswith("UZB-P-14: Clandestine laboratory; Uzbekistan")


TERROR = """\
kind: alert
to: [kaz]
{handling}
content:
  reference: ТЖК-ОП-8
  alert_type: terror-link
  subject: Поборы
  facts: Вымышлены
  terror_link: {{nature: taxation, basis: показания}}
"""


@pytest.mark.parametrize(
    ("handling", "expected"),
    [
        ("", Handling(tlp="AMBER+STRICT", code="H2", pap="AMBER", classification=2)),
        ("handling:\n  tlp:\n  code:\n", Handling(tlp="AMBER+STRICT", code="H2", pap="AMBER", classification=2)),
        ("handling: {tlp: RED}", Handling(tlp="RED", code="H2", pap="AMBER", classification=2)),
        (
            "handling: {code: H3, code_text: Устно}",
            Handling(tlp="AMBER+STRICT", code="H3", code_text="Устно", pap="AMBER", classification=2),
        ),
        ("handling: {classification: 0}", Handling(tlp="AMBER+STRICT", code="H2", pap="AMBER")),
    ],
)
def test_a_link_with_terrorism_has_stricter_marks_unless_the_author_says(handling: str, expected: Handling) -> None:
    """Marks that a draft leaves out follow from the content; those it names stay."""
    assert drafts.read(TERROR.format(handling=handling), now=NOW).handling == expected


def test_an_alert_of_another_type_has_the_usual_marks() -> None:
    """The defaults are those of every draft unless there is a link with terrorism."""
    text = draft("alert").replace("handling: {tlp: AMBER, code: H2, classification: 1}\n", "")
    assert drafts.read(text, now=NOW).handling == Handling(tlp="AMBER", code="H2", classification=1)


def test_a_wrong_mark_is_still_refused_where_the_content_decides() -> None:
    """Defaults mend nothing that was written wrongly."""
    with pytest.raises(DraftError, match=r"handling\.tlp"):
        drafts.read(TERROR.format(handling="handling: {tlp: orange}"), now=NOW)


@pytest.mark.parametrize("name", ["financial-request", "financial-answer"])
def test_financial_information_is_not_passed_on_without_consent(header: Header, name: str) -> None:
    """Financial messages carry H2 and no other code, and say so to each reader."""
    example = drafts.read(draft(name), now=NOW)
    header.kind = name
    header.parent_digests.append(bytes(32))
    content, subject = example.content.SerializeToString(), example.kind.subject_of(example.content)
    validation.check_message(header, content, None, NOW, subject=subject)
    for code in ("H0", "H1"):
        header.handling.code = code
        with pytest.raises(Rejected, match=r"handling\.code: handling_code_required"):
            validation.check_message(header, content, None, NOW, subject=subject)
    assert example.kind.remarks(example.content, NOW, "en") == (
        "Onward use only by prior consent of the author, case by case",
    )


@pytest.mark.parametrize(
    ("status", "open_still"),
    [("original-received", True), ("postponed", True), ("executed", False), ("refused", False)],
)
def test_a_request_for_assistance_stays_open_until_its_end(status: str, *, open_still: bool) -> None:
    """A report on the way settles nothing; execution and refusal do."""
    kind = kinds.get("legal-assistance-status", 1)
    assert kind.leaves_open(kind.content(status=status)) is open_still


def test_the_arrival_of_goods_is_no_reply() -> None:
    """An acknowledged arrival without a reply is no consent."""
    assert "pre-export-arrival" not in kinds.get("pre-export-notification", 1).answered_by


def test_a_broken_seal_is_told_to_the_reader() -> None:
    """The receipt names the samples whose seal was not intact."""
    receipt = drafts.read(draft("sample-receipt"), now=NOW)
    assert receipt.kind.remarks(receipt.content, NOW, "ru") == ("Нарушена целостность пломбы: 1",)


@pytest.mark.parametrize(
    ("date", "passed"),
    [
        ("2026-11-22", False),
        ("2026-11-21", True),
        ("2026-11", False),
        ("2026-10", True),
        ("2025", True),
        ("9999-12-31", False),
    ],
)
def test_a_date_has_passed_when_it_is_over_everywhere(date: str, *, passed: bool) -> None:
    """A day, a month or a year counts until its end in the last time zone."""
    assert has_passed(date, NOW) is passed
    assert date_end(date) > NOW - timedelta(days=700)


def test_every_kind_here_belongs_to_the_officers_who_work() -> None:
    """Auditors and operators can send no kind."""
    for kind in kinds.all_kinds().values():
        assert not kind.sender_roles & {"auditor", "operator"}
