"""Draft files as commands name them: a path, or - for standard input."""

import sys
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

from paiza_client.cli.terminal import Terminal
from paiza_client.sdk import drafts
from paiza_domain.drafts.drafts import Draft

STDIN: Final = "-"


def read(terminal: Terminal, path: str, now: datetime, given: Mapping[str, str] = MappingProxyType({})) -> Draft:
    """Read a draft; ``given`` are single fields of the content, for where the draft leaves them out."""
    if path != STDIN:
        return drafts.read(path, terminal.profile(), now=now, given=given)
    data = sys.stdin.buffer.read(drafts.MAX_DRAFT_BYTES + 1)
    return drafts.parse(data, path, terminal.profile(), now=now, given=given)
