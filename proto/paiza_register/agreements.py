"""Agreements: Cedar rules of the federation, checked before anybody signs them and before a node applies them.

The schema says what a node decides about, and what a rule may ask. An agreement that does not fit it would stop the
nodes that apply it.
"""

from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final

import cedarpy

from paiza_wire.errors import Rejected

MAX_TOLD: Final = 1000
"""Characters of what Cedar says about a rule; it repeats the rule."""

REMEMBERED: Final = 64
"""Agreements that are not checked again; a federation has a few, and each new register brings them back."""


@cache
def schema() -> str:
    """Return the Cedar schema."""
    return (files(__package__) / "paiza.cedarschema").read_text()


@lru_cache(maxsize=REMEMBERED)
def faults(text: str) -> str:
    """Return why rules do not fit the schema, as Cedar says it; empty if they do."""
    result = cedarpy.validate_policies(text, schema())
    return "" if result.validation_passed else "; ".join(map(str, result.errors))[:MAX_TOLD] or "-"


def check_agreements(agreements: Mapping[str, str]) -> None:
    """Refuse agreements that no node can apply; ``Rejected("policy_invalid")``. ``agreements``: file name -> text."""
    for name, text in sorted(agreements.items()):
        if errors := faults(text):
            raise Rejected("policy_invalid", f"{name} does not fit the schema of the rules: {errors}")
