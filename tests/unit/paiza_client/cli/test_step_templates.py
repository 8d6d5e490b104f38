"""The empty drafts of steps of a controlled delivery ask for nothing that the thread determines."""

from typing import get_args

import pytest

from paiza_client.cli.controlled_delivery import without_filled
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
