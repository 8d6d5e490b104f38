"""The sentence for a rule that a node says a step breaks."""

import re

import pytest

from paiza_domain.workflows.controlled_delivery.rules import TEXTS, Rule, breach_text


@pytest.mark.parametrize("rule", list(Rule))
@pytest.mark.parametrize("lang", ["ru", "en"])
def test_every_rule_has_a_sentence_with_its_values(rule: Rule, lang: str) -> None:
    """Code and values are enough to say it in either language."""
    values = {name: f"«{name}»" for name in re.findall(r"\{(\w+)\}", TEXTS[rule])}
    told = breach_text(rule.value, values, lang)
    assert told != rule
    assert all(value in told for value in values.values())


def test_what_is_not_known_is_told_by_its_code() -> None:
    """A rule of a newer node, or one that lacks a value, is not guessed at."""
    assert breach_text("some_newer_rule", {"member": "kaz"}, "en") == "some_newer_rule"
    assert breach_text("stopped", {}, "ru") == "stopped"
    assert breach_text("stopped", {"member": "{0.__class__}"}, "en") == "The delivery is stopped by {0.__class__}."
