"""What a task is compared with, as far as a row of the database tells it."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from paiza.core.v1 import message_pb2 as pb
from paiza_node.core.storage.times import to_micros
from paiza_node.features.tasks.checks import _is_due

STORED = datetime(2026, 11, 28, 4, 0, tzinfo=UTC)
WEEK = to_micros(STORED + timedelta(days=7))
OTHER = to_micros(STORED + timedelta(days=2))


@pytest.mark.parametrize(
    ("kind", "due", "right"),
    [
        ("information-request", WEEK, True),
        ("information-request", OTHER, True),  # its content may say so
        ("information-request", None, False),
        ("information-request", -1, False),
        ("information-request", 2**63 - 1, False),
        ("information-request", "soon", False),
        ("release-request", WEEK, True),
        ("release-request", OTHER, False),
        ("free-message", None, True),
        ("free-message", WEEK, False),
        ("no-such-kind", None, True),
    ],
)
def test_a_task_has_the_deadline_of_its_message(kind: str, due: Any, right: bool) -> None:  # noqa: FBT001 - of a table
    """The usual one of its kind, or where the sealed content may name one any that is a time."""
    header = pb.Header(kind=kind, kind_version=1, urgency=pb.URGENCY_ROUTINE).SerializeToString()
    row = SimpleNamespace(header=header, stored_time=to_micros(STORED), due_time=due)
    assert _is_due(row) is right
