"""What a node tells of a refused step, read back."""

import re

import pytest

from paiza_domain.workflows.controlled_delivery.rules import TEXTS, Breach, Rule, read_told


def _breach(rule: Rule) -> Breach:
    return Breach(rule, {name: f"«{name}; a: b»" for name in re.findall(r"\{(\w+)\}", TEXTS[rule])})


@pytest.mark.parametrize("rule", list(Rule))
def test_every_rule_is_read_back(rule: Rule) -> None:
    """Whatever a node tells in English of one rule is the same breach again, to be said in any language."""
    breach = _breach(rule)
    assert read_told(f"{rule}: {breach.text('en')}") == (breach,)


def test_several_rules_stand_apart() -> None:
    """Several rules told of one step are read one by one; what is not known is left out."""
    first, second = Breach(Rule.PLAN_MISSING), Breach(Rule.STOPPED, {"member": "kaz"})
    told = f"{first.rule}: {first.text('en')}; some_newer_rule: Whatever.; {second.rule}: {second.text('en')}"
    assert read_told(told) == (first, second)
    assert read_told("a step of a workflow is undone by another step of it, not recalled") == ()
