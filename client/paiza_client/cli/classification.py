"""The own member's names of classification levels."""

from paiza_client.cli.terminal import current_terminal, lang
from paiza_client.local import reference_data


def name(level: int) -> str:
    """Name a level for the reader; empty where the reader's member has no name for it."""
    return reference_data.own_level_names(current_terminal().profile()).get(level, {}).get(lang(), "")
