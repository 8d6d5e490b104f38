"""A refusal by the policy says its rules in the language of its reader."""

import pytest

from paiza_domain import policy_rules


@pytest.mark.parametrize(
    ("detail", "english"),
    [
        ("classified-stays", ("Material above level 0 does not leave the member as a file.",)),
        (
            "annex-not-public, green-not-public",
            ("Nominal data are never for the public.", "Only TLP CLEAR is for the public."),
        ),
        ("kaz-own-rule, passing-recalled", ("Recalled messages are not forwarded.",)),
        ("no rule permits export", ()),
        ("need-to-know", ("The message is of another unit, and you are not assigned to it.",)),
        ("kaz-own-rule", ()),
        ("", ()),
        ("an officer appoints their deputy, or the authoriser of their unit does", ()),
    ],
)
def test_a_refusal_says_each_rule_that_it_names(detail: str, english: tuple[str, ...]) -> None:
    """Rules of members and agreements have no sentence, and other details are none."""
    assert policy_rules.told(detail, "en") == english
    assert len(policy_rules.told(detail, "ru")) == len(english)
    assert not set(policy_rules.told(detail, "ru")) & set(english)


@pytest.mark.parametrize(
    ("detail", "of_the_message"),
    [
        ("classified-stays", True),
        ("amber-export-needs-grant, classified-stays", True),
        ("amber-export-needs-grant", False),
        ("coordinator-exports-no-annex", False),
        ("need-to-know", False),
        ("", False),
    ],
)
def test_some_rules_follow_from_the_message_alone(detail: str, *, of_the_message: bool) -> None:
    """No other officer is asked for what nobody may do."""
    assert policy_rules.is_of_the_message(detail) == of_the_message
