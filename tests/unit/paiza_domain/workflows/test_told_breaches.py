"""What a node tells of a refused step, read back."""

import re

import pytest

from paiza_domain.workflows.controlled_delivery.rules import TEXTS, Breach, Rule, read_told


def _breach(rule: Rule) -> Breach:
    return Breach(rule, {name: f"«{name}: of one; and two»" for name in re.findall(r"\{(\w+)\}", TEXTS[rule])})


@pytest.mark.parametrize("rule", list(Rule))
def test_every_rule_is_read_back(rule: Rule) -> None:
    """Whatever a node tells in English of one rule is the same breach again, to be said in any language."""
    breach = _breach(rule)
    assert read_told(f"{rule}: {breach.text('en')}") == (breach,)


def test_several_rules_stand_apart() -> None:
    """Several rules told of one step are read one by one."""
    first, second = Breach(Rule.NOT_ADDRESSED_TO_ALL, {"members": "uzb"}), Breach(Rule.STOPPED, {"member": "kaz"})
    told = "; ".join(f"{each.rule}: {each.text('en')}" for each in (first, second))
    assert read_told(told) == (first, second)


def test_what_is_not_known_is_left_out() -> None:
    """A rule of a newer node, or a sentence that is no rule, is not guessed at."""
    assert read_told("some_newer_rule: Whatever.") == ()
    assert read_told("a step of a workflow is undone by another step of it, not recalled") == ()
