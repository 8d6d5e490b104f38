"""Output of results: tables for a person, one JSON object for a program."""

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import click
from google.protobuf.timestamp_pb2 import Timestamp

from paiza_cli.terminal import plain_line
from paiza_node.ops.language import _, number_text, time_text

HASH_DIGITS: Final = 16  # of a digest, enough for a person to compare


def print_json(value: Any) -> None:
    """Print one JSON object."""
    click.echo(json.dumps(value, ensure_ascii=False))


def print_facts(facts: Sequence[tuple[str, str]]) -> None:
    """Print names and values, one a line, with aligned values."""
    width = max(len(name) for name, _value in facts)
    for name, value in facts:
        click.echo(f"{name:<{width}}  {plain_line(value)}")


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]], *, err: bool = False) -> None:
    """Print a table with a head, to the error stream if ``err``; columns are as wide as needed."""
    shown = [[plain_line(cell) for cell in row] for row in rows]
    widths = [max(len(row[at]) for row in [list(head), *shown]) for at in range(len(head))]
    for row in [list(head), *shown]:
        click.echo("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip(), err=err)


def time_of(stamp: Timestamp) -> datetime | None:
    """Return a time, or None if it is unset."""
    return stamp.ToDatetime(tzinfo=UTC) if stamp.seconds else None


def shown_time(time: datetime | None) -> str:
    """Return a time to the second, in UTC."""
    return time_text(time) if time else "-"


def iso(time: datetime | None) -> str | None:
    """Return a time for JSON."""
    return time.astimezone(UTC).isoformat() if time else None


def shown_bytes(count: float) -> str:
    """Return a size in its largest sensible unit."""
    for unit in (_("B"), _("KiB"), _("MiB"), _("GiB")):
        if count < 1024:  # noqa: PLR2004 - the step between these units
            return f"{number_text(round(count))} {unit}"
        count /= 1024
    return f"{number_text(Decimal(f'{count:.1f}'))} " + _("TiB")


def on_terminal() -> bool:
    """Return whether standard error is a terminal."""
    return sys.stderr.isatty()
