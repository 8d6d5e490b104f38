"""A disk that is full under the ledger: nothing answered is lost, and it goes on by itself."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from paiza_node.core.log import store as log_store
from paiza_node.core.log.checkpoint_file import CheckpointSlots
from paiza_node.core.log.ledger import Ledger
from paiza_node.core.log.signer import LogSigner
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.storage import Store, open_store
from paiza_wire import log_entries
from paiza_wire.errors import Unavailable
from paiza_wire.identity import keys
from paiza_wire.tlog.notes import SignerKey

SIGNER = SignerKey.from_ed25519("kaz.paiza.example/log/1", keys.generate_ed25519())
TEXT = "x" * 50_000  # of one entry: the small disk is full after some tens


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 6 MiB; skipped where mounting is not permitted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def node(disk: Path) -> Iterator[tuple[Store, Ledger]]:
    """A store and ledger on that disk."""
    store = open_store(f"sqlite:///{disk / 'paiza.db'}")
    slots = CheckpointSlots(disk / "checkpoint")
    ledger = Ledger(store, LogSigner([SIGNER]), slots, lambda: bytes(32))
    yield store, ledger
    ledger.close()
    slots.close()
    store.close()


def write(tx: LogTransaction) -> int:
    """Append an entry with a long text; gives its index."""
    return tx.append(log_entries.searched(actor=""), text=TEXT).index


def stored(store: Store) -> int:
    """Count the entries that are there with their texts."""
    with store.reads() as reads:
        entries = log_store.entries(reads, 0, 10_000)
        assert len(log_store.texts(reads, [entry.index for entry in entries])) == len(entries)
    return len(entries)


def test_full_disk(disk: Path, node: tuple[Store, Ledger]) -> None:
    """A full disk refuses with the reason; what was answered is there; with space again the same ledger goes on."""
    store, ledger = node
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(2 << 20))
    answered = 0

    def fill_the_disk() -> None:
        nonlocal answered
        for _ in range(500):
            assert ledger.commit_now(write).result == answered
            answered += 1

    with pytest.raises(Unavailable) as refused:
        fill_the_disk()
    assert refused.value.reason in {"database_unavailable", "checkpoint_unsaved"}
    assert answered
    assert stored(store) >= answered
    ballast.unlink()
    assert ledger.commit_now(write).checkpoint.size == stored(store)
    assert not ledger.stopped.done()
