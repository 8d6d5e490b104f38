"""The registry of reason codes as the specification prints it."""

import re
from pathlib import Path

from paiza_wire.reasons import REASONS


def test_the_specification_lists_exactly_the_registered_reasons(root: Path) -> None:
    """Every registered code stands in proto/README.md, in order, with its sentence, and no other does."""
    section = (root / "proto" / "README.md").read_text().partition("\n## Reason codes\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([a-z0-9_]+)` \| (.+) \|$", section, re.MULTILINE)
    assert rows == list(REASONS.items())
