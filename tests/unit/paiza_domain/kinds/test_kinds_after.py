"""The kinds that follow from others: recall, correction, releases, feedback; and those of operations."""

from datetime import timedelta
from typing import Any

import pytest
from google.protobuf.message import Message

from paiza.content.v1.feedback_pb2 import Feedback
from paiza.content.v1.operation_pb2 import Operation, Participant, ResultSheet, SituationReport
from paiza.content.v1.recall_pb2 import CorrectedField, Correction, Recall
from paiza.content.v1.release_pb2 import ReleaseDenial, ReleaseGrant, ReleaseRequest
from paiza_domain import kinds
from tests.unit.paiza_domain.conftest import NOW


def release(days: float = 1, **changes: object) -> ReleaseGrant:
    """Make a valid release grant."""
    grant = ReleaseGrant(reference="1", scope="whole", recipients=["uzb"], purposes=["investigate"])
    grant.until_time.FromDatetime(NOW + timedelta(days=days))
    for name, value in changes.items():
        setattr(grant, name, value)
    return grant


def lasting(content: Message, days: float = 1) -> Message:
    """Return an operation or report a period of so many days."""
    content.from_time.FromDatetime(NOW)  # type: ignore[attr-defined]
    content.until_time.FromDatetime(NOW + timedelta(days=days))  # type: ignore[attr-defined]
    return content


def operation(*participants: Participant, days: float = 1) -> Message:
    """Make an operation of these participants."""
    content = Operation(
        reference="1",
        operation_version=1,
        name="Канал",
        aim="Проверка",
        coordinator="centre",
        participants=participants,
    )
    return lasting(content, days)


def report(days: float = 1) -> Message:
    """Make a situation report."""
    return lasting(SituationReport(report_number="1", report_version=1, status="initial", situation="Тихо"), days)


KAZ = Participant(member="kaz", participation="member")


@pytest.mark.parametrize(
    ("kind", "content", "errors"),
    [
        ("recall", Recall(reason="duplicate", explanation="x", measure="erase"), []),
        ("recall", Recall(reason="duplicate", measure="erase"), [("explanation", "missing")]),
        ("recall", Recall(reason="whim", explanation="x", measure="erase"), [("reason", "code_unknown")]),
        ("correction", Correction(reason="slip", explanation="x"), [("changes", "missing")]),
        ("correction", Correction(reason="slip", explanation="x", replacement_digest=bytes(32)), []),
        (
            "correction",
            Correction(reason="slip", explanation="x", replacement_digest=b"x"),
            [("replacement_digest", "digest_malformed")],
        ),
        (
            "correction",
            Correction(reason="slip", explanation="x", changes=[CorrectedField(path="annex.persons[0]", after="N")]),
            [("changes[0].after", "not_allowed_here")],
        ),
        ("release-grant", release(), []),
        ("release-grant", release(days=-1), [("until", "in_past")]),
        ("release-grant", release(scope="extract"), [("extract", "missing")]),
        ("release-grant", release(extract="p. 1"), [("extract", "not_allowed_here")]),
        (
            "release-grant",
            ReleaseGrant(reference="1", scope="whole", recipients=["KAZ"], purposes=["investigate"]),
            [("recipients[0]", "member_malformed"), ("until", "missing")],
        ),
        (
            "release-request",
            ReleaseRequest(
                reference="1", scope="whole", recipients=["uzb", "uzb"], purposes=["investigate"], reason="x"
            ),
            [("recipients", "value_repeated")],
        ),
        ("release-denial", ReleaseDenial(reference="1", refusal="because"), [("refusal", "code_unknown")]),
        ("feedback", Feedback(usefulness="useful", outcomes=["seizure"]), []),
        ("feedback", Feedback(outcomes=["seizure"]), [("usefulness", "missing")]),
        ("operation", operation(KAZ), []),
        ("operation", operation(), [("participants", "missing")]),
        ("operation", operation(KAZ, KAZ), [("participants", "value_repeated")]),
        ("operation", operation(KAZ, days=-1), [("until", "period_reversed")]),
        (
            "operation",
            operation(Participant(member="kaz", participation="member", contributes=True)),
            [("participants[0].contributes", "not_allowed_here")],
        ),
        ("situation-report", report(), []),
        ("situation-report", report(days=-1), [("until", "period_reversed")]),
        (
            "result-sheet",
            ResultSheet(reference="1", status="draft"),
            [("status", "code_unknown"), ("as_of", "missing")],
        ),
    ],
)
def test_each_kind_names_what_is_wrong(kind: str, content: Message, errors: list[tuple[str, str]]) -> None:
    """A valid content has no errors; a wrong one names path and code, and nothing else."""
    found = kinds.get(kind, 1).validate(content, None, NOW)
    assert [(each.path, each.code) for each in found] == errors


def test_what_needs_two_officers() -> None:
    """A recall and a release grant are signed by two; what only tells, asks or denies by one."""
    names = {"recall", "correction", "release-request", "release-grant", "release-denial", "feedback"}
    assert {name for name in names if kinds.get(name, 1).second_officer} == {"recall", "release-grant"}
    assert all(kinds.get(name, 1).needs_parent for name in names)


@pytest.mark.parametrize("lang", ["ru", "en"])
def test_a_summary_tells_what_matters(lang: str) -> None:
    """The line of a list says reason, scope or figures in words."""
    recall = Recall(reason="wrong-recipient", explanation="Ошибка", measure="erase")
    words = {"ru": "Не тот получатель", "en": "Wrong recipient"}
    assert words[lang] in kinds.get("recall", 1).summary(recall, lang)
    assert "uzb" in kinds.get("release-grant", 1).summary(release(), lang)
    assert "kaz" in kinds.get("operation", 1).summary(operation(KAZ), lang)


@pytest.mark.parametrize("seconds", [2**63 - 1, -(2**63)])
def test_a_period_of_times_that_no_calendar_holds_is_refused(seconds: int) -> None:
    """A hostile author cannot make the check of a period fail in another way than by refusing it."""
    content: Any = operation(KAZ)
    content.from_time.seconds = seconds
    assert [(each.path, each.code) for each in kinds.get("operation", 1).validate(content, None, NOW)]
