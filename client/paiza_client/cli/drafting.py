"""Draft files as commands name them (a path, or - for standard input), and the empty drafts that they print."""

import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Final

import click

from paiza_client.cli.terminal import Terminal
from paiza_client.sdk import drafts, handed_in, templates
from paiza_client.sdk.drafts import Overrides
from paiza_domain.drafts.drafts import Draft
from paiza_domain.schema.kind import Kind
from paiza_officer.errors import Misused, ProfileProblem

STDIN: Final = "-"


def read(
    terminal: Terminal,
    path: str,
    now: datetime,
    given: Mapping[str, str] = MappingProxyType({}),
    overrides: Overrides | None = None,
) -> Draft:
    """Read a draft; ``given`` and ``overrides`` are as `drafts.read` takes them.

    Until the command ends, the case system that handed it in does not replace it.
    """
    if path != STDIN:
        click.get_current_context().with_resource(handed_in.being_signed(terminal.profile(), Path(path)))
        return drafts.read(path, terminal.profile(), now=now, given=given, overrides=overrides)
    data = sys.stdin.buffer.read(drafts.MAX_DRAFT_BYTES + 1)
    return drafts.parse(data, path, terminal.profile(), now=now, given=given, overrides=overrides)


def empty(terminal: Terminal, kind: Kind, *, full: bool, begun: Draft | None = None) -> str:
    """Return an empty draft with what the profile knows (without a profile, with less) and what ``begun`` says."""
    try:
        profile = terminal.profile()
    except (Misused, ProfileProblem):  # nobody need be known for an empty draft
        profile = None
    return templates.empty(kind, profile, "long" if full else "short", begun)
