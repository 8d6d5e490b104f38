"""The rules that a refused step breaks: the node tells them in English, the officer reads them in his language."""

from paiza_client.cli.terminal import lang
from paiza_client.errors import Complaint
from paiza_domain.workflows.controlled_delivery.rules import read_told


def complaints(told: str) -> tuple[Complaint, ...]:
    """Give one complaint for each rule that this version knows."""
    return tuple(Complaint("", breach.text(lang()), str(breach.rule)) for breach in read_told(told))
