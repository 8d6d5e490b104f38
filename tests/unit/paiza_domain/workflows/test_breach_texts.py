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


@pytest.mark.parametrize(
    ("rule", "values", "lang", "shown"),
    [
        ("authorisation_expired", {"time": "2026-11-23T09:30Z"}, "ru", "23.11.2026 09:30 UTC"),
        ("authorisation_expired", {"time": "2026-11-23T09:30Z"}, "en", "2026-11-23 09:30 UTC"),
        (
            "scope_dates",
            {"covered": "2026-11-23T09:30Z/2026-11-24T00:00Z", "needed": "soon"},
            "ru",
            "23.11.2026 09:30 – 24.11.2026 00:00 UTC",
        ),
        ("scope_quantity", {"quantity": "1200.5 kg"}, "ru", "1\u00a0200,5 кг"),
        ("scope_quantity", {"quantity": "2 tablet"}, "ru", "2 таблетки"),
        ("scope_substitution", {"mode": "full"}, "ru", "Полностью изъят или заменён"),
        ("substitution_unrecorded", {"what": "before"}, "ru", "не указано: до замены"),
    ],
)
def test_values_are_written_for_the_reader(rule: str, values: dict[str, str], lang: str, shown: str) -> None:
    """Times, quantities and codes travel as they are in drafts, and are read in the reader's language."""
    assert shown in breach_text(rule, {"member": "kaz", **values}, lang)
