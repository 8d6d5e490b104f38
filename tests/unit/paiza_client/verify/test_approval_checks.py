"""The checks before a second officer's signature, if their own node may lie."""

from datetime import UTC, datetime

import pytest

from paiza.core.v1 import message_pb2 as pb
from paiza_client.verify.approval_checks import OpenedWaiting, check_read
from paiza_officer.errors import NotProven
from paiza_wire.message import PendingMessage

KINDS = (pb.PART_KIND_MAIN, pb.PART_KIND_NOMINAL_ANNEX, pb.PART_KIND_ATTACHMENT)


def waiting(*shown: int) -> OpenedWaiting:
    """A message of three parts, of which these were shown."""
    header = pb.Header(parts=[pb.PartDescription(kind=kind) for kind in KINDS])
    message = PendingMessage(bytes(32), header, pb.SignedMessage(), (), ())
    return OpenedWaiting(message, dict.fromkeys(shown, b""), "", datetime(2026, 11, 23, tzinfo=UTC), ())


@pytest.mark.parametrize("shown", [(), (0,), (1,)])
def test_nobody_signs_what_his_node_keeps_back(shown: tuple[int, ...]) -> None:
    """A node that shows the content without the annex, or the annex alone, gets no signature."""
    with pytest.raises(NotProven, match="part_missing"):
        check_read(waiting(*shown))


def test_what_was_shown_whole_is_signed() -> None:
    """Content and annex are enough: files are fetched one by one, on demand."""
    check_read(waiting(0, 1))
