"""A running node takes the keys of its log and witness that the register names, and goes on where one is missing."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from paiza.core.v1 import log_pb2
from paiza_node.core.log import store as log_store
from paiza_node.core.log.ledger import Ledger
from paiza_node.core.log.signer import LogSigner
from paiza_node.core.storage import open_store
from paiza_node.ops.config import load
from paiza_node.ops.keys import load_keys, make_next_log_key, make_next_witness_key
from paiza_node.ops.signing_keys import SigningKeys, note_log_keys
from paiza_register import LogKey, Member, WitnessKey
from paiza_trust import dev
from paiza_wire.errors import Unavailable
from paiza_wire.tlog.cosignatures import WitnessSigner
from paiza_wire.tlog.notes import SignerKey, parse_note
from tests.registers import read_register
from tests.unit.paiza_node.room import NoFile


class Running:
    """A node that runs, as far as the keys of its log and witness go."""

    def __init__(self, folder: Path) -> None:
        dev.create(folder / "run", ("kaz",))
        self.config = load(folder / "run/nodes/kaz/node.toml", {})
        self.own = read_register(folder / "run").member("kaz")
        keys = load_keys(self.config, self.own)
        self.store = open_store(f"sqlite:///{folder / 'paiza.db'}")
        self.signer = LogSigner(keys.log, self.own.log_keys)
        self.ledger = Ledger(self.store, self.signer, NoFile(), lambda: bytes(32))
        self.ledger.commit_now(lambda tx: note_log_keys(tx, self.signer.signers))
        self.cosigning: list[WitnessSigner] = []
        cache: Any = SimpleNamespace()
        self.cache = cache
        self.name(self.own)
        self.keys = SigningKeys(self.config, cache, self.ledger, self.signer, self.cosigning.append)

    def name(self, own: Member) -> None:
        """Let the register in force describe the member so."""
        self.cache.last = SimpleNamespace(described={"kaz": own}, described_member=lambda _member: own)

    def rotated(self) -> tuple[Member, SignerKey, WitnessSigner]:
        """Make both next keys; return the member that has them, and the keys."""
        log, witness = make_next_log_key(self.config, self.own), make_next_witness_key(self.config, self.own)
        vkey, cosigning = log.verifier_key, witness.witness_key
        own = replace(
            self.own,
            log_keys=(*self.own.log_keys, LogKey(vkey.name, vkey.to_vkey(), None, vkey)),
            witness_keys=(*self.own.witness_keys, WitnessKey(cosigning.name, cosigning.to_vkey(), None, cosigning)),
        )
        return own, log, witness

    def added(self) -> int:
        """Return how many keys the log says that it was signed with."""
        with self.store.reads() as reads:
            entries = log_store.entries_at(reads, range(self.ledger.checkpoint.size))
        parsed = [log_pb2.LogEntry.FromString(each.entry) for each in entries]
        return sum(each.event == log_pb2.LOG_EVENT_KEY_ADDED for each in parsed)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """Run a node."""
    node = Running(tmp_path)
    yield node
    node.ledger.close()
    node.store.close()


async def test_a_key_is_used_when_the_register_names_it(running: Running) -> None:
    """The next checkpoint is signed with both, though nothing else happens; the log names each key once."""
    await running.keys.step()
    assert (running.added(), len(running.signer.signers), running.cosigning) == (1, 1, [])
    own, log, witness = running.rotated()
    running.name(own)
    for _ in range(2):
        await running.keys.step()
        assert running.added() == 2
        assert len(parse_note(running.ledger.checkpoint.note).signatures) == 2
    assert [each.witness_key for each in running.cosigning] == [witness.witness_key]
    assert running.signer.signers[-1].verifier_key == log.verifier_key


@pytest.mark.parametrize("kind", ["log-1-", "witness-2"])
async def test_a_missing_file_stops_nothing(running: Running, kind: str) -> None:
    """The node goes on with the keys it has; when the file is put back it is used after a reload."""
    own, _log, _witness = running.rotated()
    (file,) = (path for path in running.config.keys.iterdir() if path.name.startswith(kind))
    aside = file.rename(file.with_suffix(".aside"))
    running.name(own)
    for _ in range(2):
        await running.keys.step()
        assert (running.added(), len(running.signer.signers), running.cosigning) == (1, 1, [])
    aside.rename(file)
    running.keys.look_again()
    await running.keys.step()
    assert (running.added(), len(running.signer.signers), len(running.cosigning)) == (2, 2, 1)


async def test_a_commit_that_fails_is_tried_again(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the log says so no checkpoint needs the new key, and the next round says it."""
    own, _log, _witness = running.rotated()
    running.name(own)

    async def fails(_work: object) -> None:
        raise Unavailable("busy", "too much waits")

    with monkeypatch.context() as patched:
        patched.setattr(running.ledger, "commit", fails)
        with pytest.raises(Unavailable):
            await running.keys.step()
    assert running.added() == 1
    await running.keys.step()
    assert running.added() == 2
