"""Controlled delivery: the steps of the workflow, each a kind of message, by phase of the delivery."""

from typing import Final

from paiza_domain.kinds.controlled_delivery import closing, decisions, movement, stops
from paiza_domain.schema.kind import Kind

KINDS: Final[tuple[Kind, ...]] = (*decisions.STEPS, *movement.STEPS, *stops.STEPS, *closing.STEPS)
