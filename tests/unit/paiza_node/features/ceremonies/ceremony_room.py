"""A node's proposals without a network: a real store, ledger and register, and the custodians of three members."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Final, cast

from typing_extensions import override

from paiza.core.v1 import log_pb2
from paiza_node.core.dependencies import Core
from paiza_node.core.log import store as log_store
from paiza_node.core.log.ledger import Ledger
from paiza_node.core.log.signer import LogSigner
from paiza_node.core.register.sync import RegisterCache
from paiza_node.core.storage import open_store
from paiza_node.features.ceremonies.proposals import Proposals
from paiza_register import FetchMissing, RegisterReader
from paiza_register.ceremony import Proposal
from paiza_register.ceremony.change import RESIGN, change
from paiza_register.tuf_workflow import root_path
from paiza_wire.identity import keys
from paiza_wire.tlog.notes import SignerKey
from tests.unit.paiza_node.room import NoFile
from tests.unit.paiza_register.ceremony.world import BY_HAND, World

MEMBERS: Final = ("kaz", "tjk", "uzb")
OFFICER: Final = "spiffe://kaz.pilot.example/officer/custodian"


class CeremonyRoom(AbstractContextManager["CeremonyRoom"]):
    """One node's proposals. ``ahead`` is how far its clock is ahead of the world's."""

    def __init__(self, world: World, url: str, folder: Path) -> None:
        """Open an empty database."""
        self.world = world
        self.ahead = timedelta()
        self.store = open_store(url)
        self.reader = RegisterReader(folder / "register", world.held.files[root_path(1)])
        self.reader.refresh(self.clock(), self._fetch)
        self.register_cache = RegisterCache(self.reader, self.clock)
        signer = SignerKey.from_ed25519("kaz.pilot.example/log/1", keys.generate_ed25519())
        self.ledger = Ledger(self.store, LogSigner([signer]), NoFile(), lambda: self.register_cache.version, self.clock)
        self.core = Core(
            member="kaz",
            node_id="spiffe://kaz.pilot.example/node",
            register_cache=self.register_cache,
            ledger=self.ledger,
            store=self.store,
            clock=self.clock,
            **cast("Any", dict.fromkeys(("logs", "notifier", "executors", "decryption_keys"))),
        )
        self.proposals = Proposals(self.core, self.reader)

    @override
    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """Close the database."""
        self.ledger.close()
        self.store.close()

    def clock(self) -> datetime:
        """Return the node's time."""
        return self.world.now + self.ahead

    def propose(self, *signers: str, what: str = RESIGN, later: timedelta = timedelta(), **about: Any) -> Proposal:
        """Propose a change, signed by these members' custodians."""
        proposed = Proposal(change(what, self.world.base, self.world.now + later, **about))
        for member in signers:
            proposed = self.signed(proposed, member)
        return proposed

    def signed(self, proposal: Proposal, member: str) -> Proposal:
        """Sign a proposal as a member's custodian."""
        return self.world.members[member].sign(proposal, "custodian")

    def refused(self, proposal: Proposal, member: str) -> Proposal:
        """Refuse a proposal as a member's custodian."""
        return proposal.refused_with(self.world.members[member].custodian, BY_HAND)

    async def follow(self) -> None:
        """Let the node notice what was stored and what register is in force."""
        self.proposals.catch_up()
        await self.proposals._round()

    def refresh(self) -> None:
        """Fetch the newest register."""
        self.reader.refresh(self.clock(), self._fetch)
        assert self.reader.last is not None
        self.register_cache.follow(self.reader.last)

    def entries(self) -> Sequence[log_pb2.LogEntry]:
        """Return all entries, oldest first."""
        with self.store.reads() as reads:
            stored = log_store.entries_at(reads, range(log_store.head(reads).size))
        return [log_pb2.LogEntry.FromString(each.entry) for each in stored]

    def _fetch(self, path: str, _max_bytes: int) -> bytes:
        if path not in self.world.held.files:
            raise FetchMissing(path)
        return self.world.held.files[path]


def sent(proposal: Proposal) -> bytes:
    """Return a proposal as it is sent."""
    return proposal.to_bytes(with_register=False)
