"""A node's proposals without a network: a real store, ledger and register, and the custodians of three members."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Final, cast

from securesystemslib.signer import CryptoSigner, SSlibKey
from tuf.api.metadata import Root
from typing_extensions import override

from paiza.core.v1 import log_pb2
from paiza_node.core.dependencies import Core
from paiza_node.core.log import store as log_store
from paiza_node.core.log.ledger import Ledger
from paiza_node.core.register.sync import RegisterCache
from paiza_node.core.storage import open_store
from paiza_node.features.ceremonies.proposals import Proposals
from paiza_register import FetchMissing, RegisterReader, publishing
from paiza_register.ceremony.base import Base
from paiza_register.ceremony.change import RESIGN, change
from paiza_register.ceremony.proposal import Proposal
from paiza_register.pair_key import PairSigner
from paiza_register.register_file import RegisterFile
from paiza_trust.key_folder import KeyFolder
from paiza_wire.identity import keys
from paiza_wire.identity.private_keys import MLDSA44
from paiza_wire.tlog.notes import SignerKey
from tests.unit.paiza_node.room import NoFile

MEMBERS: Final = ("kaz", "tjk", "uzb")
OFFICER: Final = "spiffe://kaz.paiza.example/officer/custodian"


class Federation:
    """The register of three members, in memory, and the keys of all of them."""

    def __init__(self, folder: Path) -> None:
        """Read a development federation."""
        self.keys = KeyFolder(folder / "register-keys")
        files = {
            str(path.relative_to(folder / "register")): path.read_bytes()
            for path in (folder / "register").rglob("*")
            if path.is_file()
        }
        self.first_root = (folder / "root.json").read_bytes()
        self.set = publishing.OpenSet.verify(files, self.first_root, None)

    @property
    def base(self) -> Base:
        """Return the newest register, as a proposal builds on it."""
        return Base.verify(RegisterFile(self.set.files), None)

    def custodian(self, member: str) -> PairSigner:
        """Return a member's custodian."""
        return self.keys.pair(f"custodian-{member}")

    def fetch(self, path: str, _max_bytes: int) -> bytes:
        """Serve the newest register."""
        if path not in self.set.files:
            raise FetchMissing(path)
        return self.set.files[path]

    def publish(self, files: Mapping[str, bytes]) -> None:
        """Publish what a proposal adds."""
        signer = _publisher(self.keys, self.set.root)
        self.set = publishing.published(self.set, files, signer, datetime.now(UTC), self.set.versions)

    def propose(self, *signers: str, what: str = RESIGN, **values: Any) -> Proposal:
        """Propose a change, signed by these members' custodians."""
        now = values.pop("now", datetime.now(UTC))
        proposed = Proposal(change(what, self.base, now, **values))
        for member in signers:
            proposed = proposed.signed_with(self.custodian(member))
        return proposed


def refused(proposal: Proposal, signer: PairSigner) -> Proposal:
    """Return the proposal with a custodian's refusal."""
    made = signer.sign(proposal.refusal_message)
    return proposal.with_refusal(made.keyid, made.signature)


def sent(proposal: Proposal) -> bytes:
    """Return a proposal as it is sent."""
    return proposal.to_bytes(with_register=False)


class CeremonyRoom(AbstractContextManager["CeremonyRoom"]):
    """One node's proposals."""

    def __init__(self, federation: Federation, url: str, folder: Path) -> None:
        """Open an empty database."""
        self.federation = federation
        self.now = timedelta()
        self.store = open_store(url)
        self.reader = RegisterReader(folder / "register", federation.first_root)
        self.register_cache = RegisterCache(self.reader, federation.fetch, self.clock)
        signer = SignerKey.from_ed25519("kaz.paiza.example/log/1", keys.generate_ed25519())
        self.ledger = Ledger(self.store, signer, NoFile(), lambda: self.register_cache.version, self.clock)
        self.core = Core(
            member="kaz",
            node_id="spiffe://kaz.paiza.example/node",
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
        """Return the time, as far ahead as ``now`` says."""
        return datetime.now(UTC) + self.now

    async def follow(self) -> None:
        """Let the node notice what was stored and what register is in force."""
        self.proposals.catch_up()
        await self.proposals._round()

    def refresh(self) -> None:
        """Fetch the newest register."""
        self.register_cache._register = self.reader.refresh(self.clock(), self.federation.fetch)

    def events(self) -> Sequence[log_pb2.LogEntry]:
        """Return the entries about proposals, oldest first."""
        with self.store.reads() as reads:
            stored = log_store.entries_at(reads, range(log_store.head(reads).size))
        return [log_pb2.LogEntry.FromString(each.entry) for each in stored]


def _publisher(keys: KeyFolder, root: Root) -> CryptoSigner:
    """Open the key of a publisher."""
    private_key = keys.key("publisher-kaz.pem", MLDSA44)
    for keyid in root.roles["timestamp"].keyids:
        published = root.keys[keyid]
        assert isinstance(published, SSlibKey)
        with suppress(ValueError):  # another key than this one
            return CryptoSigner(private_key, published)
    raise AssertionError(root)
