"""The kinds of a controlled delivery: the request in full, who signs what, and what is refused in a step by itself."""

from collections.abc import Callable

import pytest

from paiza.content.v1 import controlled_delivery_pb2 as pb
from paiza_domain import kinds
from paiza_domain.drafts import drafts
from paiza_domain.i18n import LANGUAGES
from paiza_domain.workflows.controlled_delivery.step_kinds import OVERTAKING, STEPS
from tests.unit.paiza_domain.conftest import NOW
from tests.unit.paiza_domain.workflows import deliveries

REQUEST = """\
kind: cd-request
to: [kaz, uzb]
urgency: urgent
urgency_reason: controlled-delivery
handling: {tlp: AMBER, code: H2, classification: 1}
content:
  reference: КП-7
  requesting_authority: Агентство (вымышленное)
  case_officer: {name: Вымышленный Сотрудник, position: отдел, telephone: "+99200000001", languages: русский}
  duty_contact: {name: дежурный, telephone: "+99200000002", other_channel: радио}
  states:
    - {member: tjk, role: origin, authority: Агентство}
    - {member: uzb, role: transit}
    - {member: kaz, role: destination}
  latest_decision: 2026-11-25T12:00+05:00
  oral_request: 2026-11-22T09:00+05:00
  legal_basis: Конвенция 1988 года, статья 11
  case_number: "17/26"
  facts: В вымышленном городе Примерске готовится перевозка.
  objective: Установить получателя.
  why_necessary: Получатель не известен.
  substances:
    - {as_named: героин, drug_group: opioids, drug_type: heroin, quantity: 12 kg}
  quantities: [12 kg, 3000 tablet]
  packaging: [{type: plastic, count: 12, logo: Звезда}]
  marks: зелёная лента
  concealment: [{method: other, location: в запасном колесе}]
  transport: [{mode: road, plate: 0001 ПР 00}]
  trackers: [{type: satellite, identifier: "5", placed: под сиденьем, operator: Агентство}]
  route:
    - {member: tjk, entry: 2026-11-26T06:00Z, exit_point: Примерный, exit: 2026-11-26T18:00Z}
    - member: uzb
      entry_point: Примерный
      entry: 2026-11-26T18:00Z
      exit_point: Образцовый
      exit: 2026-11-27T06:00Z
      places: дорога Р-0
    - {member: kaz, entry_point: Образцовый, entry: 2026-11-27T06:00Z, exit: 2026-11-28T06:00Z}
  substitution_mode: partial
  surveillance: [physical, tracking]
  surveillance_note: две машины
  handover_points:
    - giver: tjk
      taker: uzb
      point: Примерный
      planned: 2026-11-26T18:00Z
      giving_officer: {name: Первый, telephone: "+99200000003"}
      taking_officer: {name: Второй, telephone: "+99800000003"}
      note: пароль при встрече
  risks: [{type: delay, level: low, text: очередь, mitigation: ждать}]
  stop_conditions: [{condition: угроза жизни, ordered_by: любое государство}]
  arrests: в пункте назначения
  jurisdiction: государство назначения
  costs: каждое несёт свои
  evidence: передаётся по акту
  sampling: две пробы
  media_embargo: до приговора
  media_embargo_until: 2027-06-01
  use_limits: только для этого дела
  remarks: нет
annex:
  persons: [{surname: Вымышленный, role: courier, category: suspect}]
"""

FOUR_EYES = {"cd-authorisation", "cd-stop-lifting"}


def found(name: str, content: object) -> set[tuple[str, str]]:
    """Judge a content; give path and code of each error."""
    return {(each.path, each.code) for each in kinds.all_kinds()[name].validate(content, None, NOW)}  # type: ignore[arg-type]


def test_the_request_has_every_item_and_comes_back_whole() -> None:
    """The full form is valid, reads back the same in both languages, and leaves no field of the request out."""
    draft = drafts.read(REQUEST, now=NOW)
    content = draft.content
    assert {field.name for field, _value in content.ListFields()} == set(content.DESCRIPTOR.fields_by_name)
    for lang in LANGUAGES:
        assert drafts.read(drafts.write(draft, lang), lang, now=NOW) == draft
    ways = {"ru": "Таджикистан → Узбекистан → Казахстан", "en": "Tajikistan → Uzbekistan → Kazakhstan"}
    for lang, drug in (("ru", "Героин"), ("en", "Heroin")):
        summary = draft.kind.summary(content, lang)
        assert summary.startswith(f"КП-7: {drug}, 12 ")
        assert summary.endswith(f"; {ways[lang]}")


def test_every_step_of_the_workflow_is_a_kind_and_every_such_kind_a_step() -> None:
    """Kinds and workflow name the same steps; all but the request follow from something; what overtakes is marked."""
    steps = {name: kind for name, kind in kinds.all_kinds().items() if kind.workflow == "controlled-delivery"}
    assert set(steps) == STEPS
    assert {name for name, kind in steps.items() if kind.overtakes} == OVERTAKING
    assert {name for name, kind in steps.items() if not kind.needs_parent} == {"cd-request"}
    assert {name for name, kind in steps.items() if kind.second_officer} == FOUR_EYES
    assert {name for name, kind in steps.items() if kind.second_role} == FOUR_EYES
    assert {steps[name].second_role for name in FOUR_EYES} == {"authoriser"}
    assert all("liaison" in kind.sender_roles for kind in steps.values())


Change = Callable[[pb.ControlledDeliveryRequest], object]


@pytest.mark.parametrize(
    ("change", "path", "code"),
    [
        (lambda r: r.states.pop(), "route[2].member", "state_not_asked"),
        (lambda r: r.states.add(member="kgz", role="transit"), "states[3].member", "state_without_leg"),
        (lambda r: r.states.add(member="kaz", role="transit"), "states[3].member", "value_repeated"),
        (lambda r: setattr(r.states[0], "member", "KAZ!"), "states[0].member", "member_malformed"),
        (lambda r: setattr(r.route[1], "entry_point", ""), "route[1].entry_point", "missing"),
        (lambda r: setattr(r.route[1], "exit_point", ""), "route[1].exit_point", "missing"),
        (lambda r: setattr(r.route[1].entry_time, "seconds", 1), "route[1].entry", "before_previous_leg"),
        (lambda r: setattr(r.route[2].exit_time, "seconds", 1), "route[2].exit", "period_order"),
        (lambda r: setattr(r.route[1], "member", "tjk"), "route[1].member", "value_repeated"),
        (lambda r: r.quantities.add(millionths=1, unit="kg"), "quantities[2]", "value_repeated"),
        (lambda r: setattr(r, "substitution_mode", "swapped"), "substitution_mode", "code_unknown"),
        (lambda r: setattr(r.handover_points[0], "taker", "tjk"), "handover_points[0].taker", "value_repeated"),
        (lambda r: setattr(r.latest_decision_time, "seconds", 1), "latest_decision", "in_past"),
        (lambda r: setattr(r.oral_request_time, "seconds", 2 * 10**9), "oral_request", "in_future"),
        (lambda r: r.ClearField("duty_contact"), "duty_contact", "missing"),
        (lambda r: setattr(r.case_officer, "telephone", "дом"), "case_officer.telephone", "code_malformed"),
    ],
)
def test_each_mistake_in_a_request_is_named(change: Change, path: str, code: str) -> None:
    """A wrong field is named by its path and code."""
    content = drafts.read(REQUEST, now=NOW).content
    assert isinstance(content, pb.ControlledDeliveryRequest)
    assert found("cd-request", content) == set()
    change(content)
    assert (path, code) in found("cd-request", content)


def test_an_authorisation_says_what_it_permits() -> None:
    """Conditions are numbered, the scope ends after it begins, and not in the past; no unit stands twice."""
    content = pb.ControlledDeliveryAuthorisation(
        reference="1", authority="А", legal_basis="Б", scope=deliveries.scope()
    )
    content.duty_contact.MergeFrom(pb.ControlledDeliveryContact(name="В", telephone="+70000000000"))
    assert found("cd-authorisation", content) == set()
    del content.scope.border_points[:]
    assert kinds.all_kinds()["cd-authorisation"].summary(content, "ru")[-1] != ";"
    content.conditions.add(number=2, type="escort", text="Г")
    content.scope.quantities.add(millionths=1, unit="kg")
    assert found("cd-authorisation", content) == {
        ("conditions[0].number", "condition_order"),
        ("scope.quantities[1]", "value_repeated"),
    }
    del content.conditions[:]
    del content.scope.quantities[1:]
    content.scope.valid_until_time.seconds = content.scope.valid_from_time.seconds - 1
    assert found("cd-authorisation", content) == {("scope.valid_until", "period_order")}
    content.scope.valid_from_time.seconds = content.scope.valid_until_time.seconds = 1
    assert found("cd-authorisation", content) == {("scope.valid_until", "in_past")}


def test_a_change_of_route_gives_new_states_a_time() -> None:
    """New states need a latest time for their decision, which is still to come."""
    content = pb.ControlledDeliveryRouteChange(reason="Авария", route=deliveries.legs(("tjk", "kgz")))
    assert found("cd-route-change", content) == set()
    content.new_states.add(member="kgz", role="destination")
    assert found("cd-route-change", content) == {("latest_decision", "missing")}
    content.latest_decision_time.seconds = 1
    assert found("cd-route-change", content) == {("latest_decision", "in_past")}


def test_a_substitution_without_photographs_is_refused() -> None:
    """Weights, seals and photographs before and after are mandatory in the form already."""
    content = pb.ControlledDeliverySubstitution(mode="full", before=deliveries.recorded(1))
    errors = found("cd-substitution", content)
    assert {("after", "missing"), ("substituted_at", "missing"), ("custody", "missing")} <= errors
    content.after.gross_weight.MergeFrom(deliveries.kilograms(1))
    assert {("after.seals", "missing"), ("after.photographs", "missing")} <= found("cd-substitution", content)
    content.mode = "intact"
    assert ("mode", "code_unknown") in found("cd-substitution", content)


def test_answers_and_returns_that_contradict_themselves() -> None:
    """A counter-condition has its text; a condition is answered once; either something is returned or nothing is."""
    answer = pb.ControlledDeliveryConditionsAnswer(member="uzb", conditions_digest=bytes(32))
    answer.answers.add(number=1, status="countered")
    answer.answers.add(number=1, status="accepted")
    assert found("cd-conditions-answer", answer) == {
        ("answers[0].text", "missing"),
        ("answers[1].number", "number_repeated"),
    }
    nothing = pb.ControlledDeliveryEvidenceReturn()
    assert found("cd-evidence-return", nothing) == {("items", "return_missing")}
    nothing.nothing_to_return = True
    assert found("cd-evidence-return", nothing) == set()
    nothing.items.add(description="пломба", returned_to="kaz")
    assert found("cd-evidence-return", nothing) == {("nothing_to_return", "return_contradiction")}
