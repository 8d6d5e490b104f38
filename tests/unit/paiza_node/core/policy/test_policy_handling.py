"""Handling as rules: a table of mark, act and actor, and nothing that an agreement or a member can widen."""

from pathlib import Path
from typing import Final

import cedarpy
import pytest

from paiza.core.v1.message_pb2 import (
    PART_KIND_MAIN,
    PART_KIND_NOMINAL_ANNEX,
    URGENCY_ROUTINE,
    Handling,
    Header,
    PartDescription,
    Recipient,
)
from paiza_domain.policy_rules import SENTENCES
from paiza_node.core.errors import NodeStopped
from paiza_node.core.policy import (
    CONTEXTS,
    REMEMBERED,
    MessageAttributes,
    Policy,
    PolicyContext,
    Principal,
    member_rules,
)
from paiza_register.agreements import schema
from paiza_wire.errors import Rejected

POLICY: Final = Policy()
ROLES: Final = ("liaison", "duty", "authoriser", "coordinator", "auditor")
WORKING: Final = ("liaison", "duty", "authoriser")

# mark | act | actor | circumstances -> the rule that denies, or "allowed".
# Marks: TLP/code/classification/purposes. "+annex": with the nominal annex. The message went from kaz to tjk.
TABLE: Final = """
CLEAR/H0/0/              forward liaison       to=uzb                       allowed
GREEN/H0/0/              forward liaison       to=uzb                       allowed
GREEN/H0/0/              forward coordinator   to=uzb                       allowed
GREEN/H0/0/              forward auditor       to=uzb                       no-rule
GREEN/H1/0/              forward duty          to=uzb                       allowed
AMBER/H0/0/              forward liaison       to=uzb                       tlp-needs-grant
AMBER/H0/0/              forward liaison       to=uzb,granted               allowed
AMBER/H0/0/              forward liaison       to=uzb,consented             allowed
AMBER/H0/0/              forward liaison       to=tjk                       allowed
AMBER+STRICT/H0/0/       forward liaison       to=uzb                       tlp-needs-grant
AMBER+STRICT/H0/0/       forward liaison       to=uzb,granted               allowed
RED/H0/0/                forward authoriser    to=uzb                       tlp-needs-grant
RED/H0/0/                forward authoriser    to=uzb,granted               allowed
GREEN/H2/0/              forward liaison       to=uzb                       code-needs-grant
GREEN/H2/0/              forward liaison       to=uzb,granted               allowed
GREEN/H3/0/              forward liaison       to=uzb                       code-needs-grant
GREEN/H3/0/              forward liaison       to=uzb,granted               allowed
RED/H2/0/                forward liaison       to=uzb                       code-needs-grant,tlp-needs-grant
GREEN/H0/0/              forward liaison       to=uzb,annex                 annex-needs-grant
GREEN/H0/0/              forward liaison       to=uzb,annex,granted         allowed
GREEN/H0/0/              forward coordinator   to=uzb,annex,granted         coordinator-passes-on-no-annex
GREEN/H0/1/              forward liaison       to=uzb                       allowed
GREEN/H0/2/              forward liaison       to=uzb,granted               passing-above-ceiling
GREEN/H0/2/              forward liaison       to=uzb,consented             passing-above-ceiling
GREEN/H0/0/              forward liaison       to=uzb,recalled              passing-recalled
GREEN/H0/0/              forward liaison       to=uzb,recalled,granted      passing-recalled
GREEN/H0/0/statistics    forward liaison       to=uzb                       passing-for-other-purpose
GREEN/H0/0/statistics    forward liaison       to=uzb,granted               passing-for-other-purpose
GREEN/H0/0/statistics    forward liaison       to=uzb,for=statistics        allowed
GREEN/H0/0/statistics    forward liaison       to=uzb,consented             allowed
GREEN/H0/0/              take    tjk           to=uzb                       allowed
AMBER/H0/0/              take    tjk           to=uzb                       tlp-needs-grant
AMBER/H0/0/              take    tjk           to=uzb,granted               allowed
GREEN/H2/0/              take    tjk           to=uzb                       code-needs-grant
GREEN/H0/0/              take    tjk           to=uzb,annex                 annex-needs-grant
GREEN/H0/2/              take    tjk           to=uzb                       passing-above-ceiling
GREEN/H0/0/              take    suspended     to=uzb                       member-suspended
CLEAR/H0/0/              export  liaison       aud=public                   allowed
GREEN/H0/0/              export  liaison       aud=outside                  allowed
GREEN/H0/0/              export  liaison       aud=public                   green-not-public
GREEN/H0/0/              export  liaison       aud=public,granted           green-not-public
GREEN/H0/0/              export  auditor       aud=own_unit                 no-rule
AMBER/H0/0/              export  liaison       aud=own_member               allowed
AMBER/H0/0/              export  liaison       aud=outside                  amber-export-needs-grant
AMBER/H0/0/              export  liaison       aud=outside,granted          allowed
AMBER+STRICT/H0/0/       export  liaison       aud=own_unit                 allowed
AMBER+STRICT/H0/0/       export  liaison       aud=own_member               amber-strict-export-needs-grant
AMBER+STRICT/H0/0/       export  liaison       aud=own_member,granted       allowed
RED/H0/0/                export  liaison       aud=own_unit                 red-export-needs-grant
RED/H0/0/                export  liaison       aud=own_unit,granted         allowed
RED/H0/0/                export  coordinator   aud=own_unit,granted         coordinator-exports-no-annex
GREEN/H0/0/              export  coordinator   aud=own_unit,annex           coordinator-exports-no-annex
GREEN/H2/0/              export  liaison       aud=own_member               allowed
GREEN/H2/0/              export  liaison       aud=outside                  code-export-needs-grant
GREEN/H3/0/              export  liaison       aud=outside,granted          allowed
GREEN/H0/0/              export  liaison       aud=own_unit,for=prosecute   allowed
GREEN/H1/0/              export  liaison       aud=own_unit,for=prosecute   proceedings-needs-grant
GREEN/H1/0/              export  liaison       aud=own_unit,for=prosecute,granted allowed
GREEN/H0/1/              export  liaison       aud=own_member               allowed
GREEN/H0/1/              export  liaison       aud=outside,granted          classified-stays
GREEN/H0/0/              export  liaison       aud=own_unit,annex           allowed
GREEN/H0/0/              export  liaison       aud=outside,annex            annex-export-needs-grant
GREEN/H0/0/              export  liaison       aud=outside,annex,granted    allowed
CLEAR/H0/0/              export  liaison       aud=public,annex             annex-not-public
GREEN/H0/0/              export  liaison       aud=own_unit,recalled        export-recalled
GREEN/H0/0/statistics    export  liaison       aud=own_unit                 export-for-other-purpose
GREEN/H0/0/statistics    export  liaison       aud=own_unit,for=statistics  allowed
RED/H0/0/                open    liaison       -                            allowed
RED/H0/0/                open    coordinator   -                            red-not-for-coordination
AMBER+STRICT/H0/0/       open    coordinator   -                            allowed
GREEN/H0/0/statistics    open    liaison       -                            opening-for-other-purpose
GREEN/H0/0/statistics    open    liaison       for=statistics               allowed
RED/H0/0/                derive  liaison       -                            allowed
RED/H0/0/                derive  liaison       lower                        marks-never-lowered
"""


def facts(marks: str) -> MessageAttributes:
    """Describe a message of kaz to tjk with these marks; every member's ceiling is 1."""
    tlp, code, level, purposes = marks.split("/")
    header = Header(
        kind="free-message",
        author="kaz",
        urgency=URGENCY_ROUTINE,
        recipients=[Recipient(member="tjk")],
        handling=Handling(
            tlp=tlp, code=code, classification=int(level), purposes=list(filter(None, purposes.split("+")))
        ),
        parts=[PartDescription(kind=PART_KIND_MAIN), PartDescription(kind=PART_KIND_NOMINAL_ANNEX)],
    )
    return MessageAttributes.of(header, frozenset(WORKING), 1)


def policy_context(text: str) -> PolicyContext:
    """Read the circumstances of a row."""
    given = dict.fromkeys(filter(None, text.strip("-").split(",")), "yes")
    given |= dict(each.split("=") for each in list(given) if "=" in each)
    return PolicyContext(
        recipient=given.get("to", ""),
        audience=given.get("aud", ""),
        purpose=given.get("for", "investigate"),
        granted="granted" in given,
        consented="consented" in given,
        recalled="recalled" in given,
        with_annex="annex" in given,
        covered="lower" not in given,
    )


def principal(actor: str) -> Principal:
    """Return an officer by role, or a member's node."""
    if actor in ROLES:
        return Principal("o", frozenset({actor}))
    return Principal("tjk", suspended=actor == "suspended", node=True)


@pytest.mark.parametrize("row", TABLE.strip().splitlines())
def test_table(row: str) -> None:
    """Each mark, act and actor is decided as the table says, by the rules it names."""
    marks, act, actor, around, expected = row.split()
    action = {"take": "take_forwarded"}.get(act, act)
    asked = policy_context(around) if action in CONTEXTS else None
    if expected == "allowed":
        POLICY.check(principal(actor), action, facts(marks), policy_context=asked)
        return
    with pytest.raises(Rejected) as denied:
        POLICY.check(principal(actor), action, facts(marks), policy_context=asked)
    found = denied.value.detail.replace(", ", ",")
    grant_only = all(rule.endswith("-needs-grant") for rule in found.split(","))
    assert denied.value.reason == ("grant_missing" if grant_only else "policy_denied")
    assert expected == ("no-rule" if found.startswith("no rule permits") else found)


def test_table_covers_every_rule_of_handling() -> None:
    """Every forbidding rule of the handling section denies something in the table."""
    section = Policy.base().split("// Handling ---")[1]
    forbidding = [
        name for name, effect in member_rules.effects(section[section.index("\n") :], Path("base.cedar"))
        if effect == "forbid"
    ]  # fmt: skip
    denied = {rule for row in TABLE.strip().splitlines() for rule in row.split()[-1].split(",")}
    assert set(forbidding) - denied == set()


def test_every_base_rule_has_an_id_and_a_sentence() -> None:
    """`paiza-node policy explain` can say what each rule says, and says nothing of rules that are gone."""
    rules = [name for name, _ in member_rules.effects(Policy.base(), Path("base.cedar"))]
    assert sorted(rules) == sorted(set(rules))
    assert set(rules) == set(SENTENCES)


@pytest.mark.parametrize(
    "rule",
    [
        '@id("x") forbid (principal, action == Paiza::Action::"forward", resource) when { resource.colour == "red" };',
        '@id("x") forbid (principal, action == Paiza::Action::"fly", resource);',
        '@id("x") forbid (principal, action == Paiza::Action::"export", resource) when { context.recipient == "x" };',
        "forbid (",
    ],
)
def test_rule_that_does_not_fit_the_schema_is_refused(rule: str) -> None:
    """A rule about what is not known, or no rule at all, never comes into force."""
    with pytest.raises(NodeStopped) as stopped:
        Policy([("agreement-x.cedar", rule)])
    assert stopped.value.reason == "policy_invalid"


def test_member_file_forbids_more(tmp_path: Path) -> None:
    """An act forbidden by the member's own file is denied by its rule id; everything else is as before."""
    file = tmp_path / "own.cedar"
    file.write_text(
        '@id("no-uzb") forbid (principal, action == Paiza::Action::"forward", resource)'
        ' when { context.recipient == "uzb" };'
    )
    policy = Policy((), [member_rules.read(file)])
    with pytest.raises(Rejected, match="no-uzb"):
        policy.check(principal("liaison"), "forward", facts("GREEN/H0/0/"), policy_context=policy_context("to=uzb"))
    policy.check(principal("liaison"), "forward", facts("GREEN/H0/0/"), policy_context=policy_context("to=kgz"))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('@id("open-all") permit (principal, action, resource);', "open-all"),
        ('@id("a") forbid (principal, action, resource);\npermit (principal, action, resource);', "#2"),
        ('@id("t") forbid (principal == ?principal, action, resource);', "template"),
        ("forbid forbid", "Cedar"),
    ],
)
def test_member_file_that_permits_is_refused_by_name(tmp_path: Path, text: str, named: str) -> None:
    """A file that would permit, hide a permit behind a template, or is no Cedar, stops the node and says which rule."""
    file = tmp_path / "own.cedar"
    file.write_text(text)
    with pytest.raises(NodeStopped) as stopped:
        member_rules.read(file)
    assert stopped.value.reason == "policy_invalid"
    assert named in stopped.value.translated(str)[0]


def test_nothing_a_member_writes_widens_what_is_allowed(tmp_path: Path) -> None:
    """A member's file that repeats any base rule allows no further row of the table."""
    file = tmp_path / "own.cedar"
    file.write_text('@id("own") forbid (principal, action, resource) when { false };')
    widened = Policy((), [member_rules.read(file)])
    for row in TABLE.strip().splitlines():
        marks, act, actor, around, expected = row.split()
        action = {"take": "take_forwarded"}.get(act, act)
        asked = policy_context(around) if action in CONTEXTS else None
        allowed, _rules = widened.explain(principal(actor), action, facts(marks), policy_context=asked)
        assert allowed == (expected == "allowed")


def test_remembered_decisions_depend_on_everything_asked() -> None:
    """The same question with one circumstance changed is decided anew, in whichever order it is asked."""
    amber, green = facts("AMBER/H0/0/"), facts("GREEN/H0/0/")
    for _ in range(2):
        assert _allowed(green, "to=uzb")
        assert not _allowed(amber, "to=uzb")
        assert _allowed(amber, "to=uzb,granted")
        assert not _allowed(green, "to=uzb,recalled")


def test_remembered_decisions_are_bounded() -> None:
    """Only a bounded number of decisions is cached for an author's unusual marks, and no long ones."""
    policy = Policy()
    for number in range(50):
        marked = facts(f"GREEN/H0/0/{'x' * 600}{number}")
        with pytest.raises(Rejected):
            policy.check(principal("liaison"), "forward", marked, policy_context=policy_context("to=uzb"))
    remembered = policy._decide.cache_info()
    assert remembered.currsize == 0
    assert remembered.maxsize == REMEMBERED


def test_schema_is_valid_and_base_rules_fit_it() -> None:
    """The rules that ship with the node are what the schema allows, without a warning."""
    result = cedarpy.validate_policies(Policy.base(), schema())
    assert result.validation_passed
    assert list(result.errors) == []


def _allowed(message: MessageAttributes, around: str) -> bool:
    asked = policy_context(around)
    return POLICY.explain(principal("liaison"), "forward", message, policy_context=asked)[0] and _checked(
        message, asked
    )


def _checked(message: MessageAttributes, asked: PolicyContext) -> bool:
    try:
        POLICY.check(principal("liaison"), "forward", message, policy_context=asked)
    except Rejected:
        return False
    return True
