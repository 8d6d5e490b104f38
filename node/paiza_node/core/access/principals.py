"""Officers as principals of policy decisions."""

from paiza_node.core.access.model import Officer
from paiza_node.core.policy import Principal


def principal_of(officer: Officer) -> Principal:
    """Return an officer as a principal for the policy."""
    return Principal(officer.id, officer.roles, officer.unit, suspended=not officer.is_active)
