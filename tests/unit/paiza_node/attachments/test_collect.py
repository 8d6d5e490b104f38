"""What is due of attachments, where the log has grown further than it is signed."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from paiza.core.v1 import delivery_pb2
from paiza_node.attachments.collect import Collect
from paiza_node.attachments.files import AttachmentFiles
from paiza_node.model import AttachmentRow

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
AWAITED = AttachmentRow(bytes(32), 1, "kaz", "tjk", bytes(32), 1000, NOW, due_time=NOW)
ANSWERED = replace(AWAITED, state=delivery_pb2.ATTACHMENT_STATE_RECEIVED)


class Books:
    """A ledger whose last checkpoint is of five entries, and a store that holds seven already."""

    def __init__(self, *rows: AttachmentRow) -> None:
        self.checkpoint = SimpleNamespace(size=5)
        self.rows = list(rows)

    def reads(self) -> AbstractContextManager[Any]:
        """Give the rows whatever is asked."""
        return nullcontext(SimpleNamespace(attachments_due=lambda *_asked: self.rows))


def test_only_what_can_be_proven_is_told(tmp_path: Path) -> None:
    """An answer that was committed this moment waits for its checkpoint; asking to prove it would end the node."""
    early, late = replace(ANSWERED, part_number=2, log_index=4), replace(ANSWERED, part_number=3, log_index=5)
    books = Books(AWAITED, early, late)
    context: Any = SimpleNamespace(ledger=books, store=books, clock=lambda: NOW)
    nobody: Any = None
    files = AttachmentFiles(tmp_path / "attachments")
    collect = Collect(context, files, peers=nobody, life=timedelta(days=1))
    assert collect._due("tjk") == [AWAITED, early]
