"""The empty drafts of steps of a controlled delivery ask for nothing that the thread determines."""

import time
from typing import get_args

import pytest

from paiza_client.cli.controlled_delivery import in_local_time, without_filled
from paiza_client.sdk import controlled_delivery
from paiza_domain import kinds
from paiza_domain.drafts.templates import Form, template
from paiza_domain.drafts.yaml_tree import Group, Node, parse

STEPS = [name for name, kind in sorted(kinds.all_kinds().items()) if kind.workflow and kind.needs_parent]


def below(node: Node, key: str) -> Node | None:
    """Return what stands below a key; None if it is commented out."""
    assert isinstance(node, Group)
    return next((value for name, value in node.entries if name.text == key), None)


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("form", get_args(Form))
def test_what_is_filled_in_is_commented_out(name: str, form: Form) -> None:
    """Recipients, parents and the fields that follow from the thread are comments, in both templates."""
    kind = kinds.all_kinds()[name]
    tree = parse(without_filled(template(kind, "ru", form), kind))
    assert below(tree, "to") is below(tree, "in_reply_to") is None
    content = below(tree, "content")
    assert content is not None
    for field in controlled_delivery.filled_fields(name):
        assert not isinstance(content, Group) or below(content, field) is None, field


def test_times_that_are_filled_in_are_those_of_this_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """An officer changes the time of their own clock, with its zone; texts and comments stay as they are."""
    monkeypatch.setenv("TZ", "Asia/Almaty")
    time.tzset()
    draft = "  entry: 2026-12-01T20:05:00Z  # Enters; 2026-11-23 14:30+05:00\n  - note: at 2026-12-01T20:05:00Z\n"
    try:
        shown = in_local_time(draft)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert shown == draft.replace("entry: 2026-12-01T20:05:00Z", "entry: 2026-12-02 01:05+05:00")
