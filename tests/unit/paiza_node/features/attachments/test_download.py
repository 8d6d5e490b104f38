"""Due attachments, if the log has grown beyond its signed checkpoint."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from paiza.core.v1 import delivery_pb2
from paiza_node.core.storage import open_store
from paiza_node.features.attachments import store as attachments_store
from paiza_node.features.attachments.download import AttachmentDownloads
from paiza_node.features.attachments.files import AttachmentFiles
from paiza_node.features.attachments.model import AttachmentRow

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
PENDING = AttachmentRow(bytes(32), 1, "kaz", "tjk", bytes(32), 1000, NOW, due_time=NOW)
ANSWERED = replace(PENDING, state=delivery_pb2.ATTACHMENT_STATE_RECEIVED)


def test_only_what_can_be_proven_is_told(tmp_path: Path) -> None:
    """An answer that was committed this moment waits for its checkpoint; asking to prove it would end the node."""
    early, late = replace(ANSWERED, part_number=2, log_index=4), replace(ANSWERED, part_number=3, log_index=5)
    ledger = SimpleNamespace(checkpoint=SimpleNamespace(size=5))  # the store holds seven already
    store = open_store(f"sqlite:///{tmp_path / 'paiza.db'}")
    with store.transaction() as conn:
        attachments_store.put_attachments(conn, [PENDING, early, late])
    core: Any = SimpleNamespace(ledger=ledger, store=store, clock=lambda: NOW)
    nobody: Any = None
    files = AttachmentFiles(tmp_path / "attachments")
    collect = AttachmentDownloads(core, files, peers=nobody, life=timedelta(days=1))
    assert collect._due("tjk") == [PENDING, early]
    store.close()
