"""The log of one member without a network: a real store and ledger, its clock, and the verbs that show it."""

from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import Any, Final

from typing_extensions import override

from paiza.core.v1 import log_pb2, message_pb2
from paiza_client.verify.logs import LogReader
from paiza_node.core.access.consultations import Consultations
from paiza_node.core.access.need_to_know import UnitDirectory
from paiza_node.core.dependencies import Core
from paiza_node.core.exchange import store as exchange_store
from paiza_node.core.exchange.model import ForeignProof, ProofKind
from paiza_node.core.log.ledger import Ledger
from paiza_node.core.log.notifier import Notifier
from paiza_node.core.log.signer import LogSigner
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageRow, MessageState
from paiza_node.core.peers.log_views import PeerLogViews
from paiza_node.core.peers.rpcs import PeerChannel
from paiza_node.core.peers.session import PeerSession
from paiza_node.core.storage import open_store
from paiza_node.features.audit.log_index import LogIndex
from paiza_node.features.peer_audit.consult import Consult
from paiza_officer.errors import NotProven
from paiza_register import LogKey, Member
from paiza_wire import message as wire
from paiza_wire import receipts
from paiza_wire.errors import Rejected
from paiza_wire.identity import MemberAuthority, keys
from paiza_wire.message import key_wrapping
from paiza_wire.tlog.notes import SignerKey, VerifierKey
from tests.log_entries import entry_of
from tests.unit.paiza_node.room import Clock, NoFile

FEDERATION: Final = "paiza.example"
MEMBERS: Final = ("kaz", "tjk", "uzb")
BEGIN: Final = datetime(2026, 5, 4, 12, tzinfo=UTC)
SIGNERS: Final = {
    member: SignerKey.from_ed25519(f"{member}.{FEDERATION}/log/1", keys.generate_ed25519()) for member in MEMBERS
}

KEY: Final = key_wrapping.private_key_from_seed(bytes(key_wrapping.SEED_BYTES))


def officer(member: str, name: str = "coordinator") -> str:
    """An officer's id."""
    return f"spiffe://{member}.{FEDERATION}/officer/{name}"


def member_of(member: str) -> Member:
    """A member in the register of whom nothing but its log matters."""
    if member not in MEMBERS:
        raise Rejected("unknown_member", member)
    key = SIGNERS[member].verifier_key
    authority = MemberAuthority(member, FEDERATION, (), ())
    return Member(member, {}, "active", authority, (), (LogKey(key.name, key.to_vkey(), None, key),), (), (), 1)


class _Keys:
    """A register that knows nothing but whose log is whose."""

    def owner(self, origin: str) -> Any:
        member = origin.split(".", 1)[0]
        if member not in SIGNERS or origin != SIGNERS[member].verifier_key.name:
            raise NotProven("unknown_log", origin, "no member has this log")
        return member_of(member)

    def keys_of_log(self, origin: str) -> tuple[VerifierKey, ...]:
        return (SIGNERS[origin.split(".", 1)[0]].verifier_key,)


def log_reader() -> LogReader:
    """The verifier of all members' logs."""
    return LogReader(_Keys())  # type: ignore[arg-type]  # as much of it as a reader asks


class LogRoom(AbstractContextManager["LogRoom"]):
    """One member's log."""

    def __init__(self, member: str, folder: Path) -> None:
        self.member = member
        self.clock = Clock()
        self.clock.now = BEGIN
        self.store = open_store(f"sqlite:///{folder / member}.db")
        self.ledger = Ledger(self.store, LogSigner([SIGNERS[member]]), NoFile(), lambda: bytes(32), self.clock)
        current = SimpleNamespace(
            federation=FEDERATION,
            members={each: member_of(each) for each in MEMBERS},
            member=member_of,
            active_member=member_of,
            active_members=lambda: [member_of(each) for each in MEMBERS],
        )
        self.core = Core(
            member=member,
            node_id=f"spiffe://{member}.{FEDERATION}/node",
            register_cache=SimpleNamespace(current=current, version=bytes(32)),  # type: ignore[arg-type]  # all that is asked
            ledger=self.ledger,
            store=self.store,
            logs=PeerLogViews({}, self.clock),
            notifier=Notifier(),
            executors=None,  # type: ignore[arg-type]  # nothing here comes in batches
            decryption_keys=None,  # type: ignore[arg-type]  # nothing here is opened
            clock=self.clock,
        )
        self.facts = LogIndex(self.core, UnitDirectory(member, "", dict), dict)
        self.consult = Consult(self.core, Consultations(self.ledger, self.clock), self.facts.catch_up)

    def session(self, channel: PeerChannel) -> PeerSession:
        """Open a session over a channel to another member's node."""
        core = self.core
        return PeerSession(
            channel,
            channel,
            own_member=self.member,
            register_cache=core.register_cache,
            ledger=self.ledger,
            logs=core.logs,
            executor=core.executors,  # type: ignore[arg-type]  # nothing here comes in batches
            clock=self.clock,
        )

    @override
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ledger.close()
        self.store.close()

    def log(self, event: str, counterpart: str, digest: bytes, **fields: Any) -> log_pb2.LogProof:
        """Append an entry of the node; gives it proven."""
        entry = entry_of(
            log_pb2.LogEvent.Value(f"LOG_EVENT_{event}"),
            actor=self.core.node_id,
            counterpart=counterpart,
            message_digest=digest,
            **fields,
        )
        self.clock.now += timedelta(seconds=1)
        committed = self.ledger.commit_now(lambda tx: tx.append(entry))
        stored = committed.result
        (hashes,) = self.ledger.prove([stored.index], committed.checkpoint.size)
        proven = log_pb2.ProvenEntry(entry=stored.entry, index=stored.index, inclusion_hashes=hashes)
        return log_pb2.LogProof(proven=proven, checkpoint=committed.checkpoint.note)

    def hold(self, proof: log_pb2.LogProof, member: str, kind: ProofKind) -> None:
        """Keep a proof of another member's log."""
        digest = receipts.parse_entry(proof.proven.entry).message_digest
        kept = ForeignProof(
            digest,
            member,
            kind,
            proof.proven.entry,
            proof.proven.index,
            b"".join(proof.proven.inclusion_hashes),
            proof.checkpoint,
            bytes(32),
        )
        self.ledger.commit_now(lambda tx: exchange_store.add_proofs(tx.conn, [kept]))

    def store_message(self, header: bytes, author: str, state: MessageState, *, body: bool = True) -> None:
        """Put a message into the store."""

        def work(tx: Any) -> None:
            seq = tx.next_message_seq()
            number = sha256(header).digest()[:16]
            row = MessageRow(
                seq=seq, digest=wire.message_digest(header), author=author, message_id=number, thread_id=number,
                thread_name="", kind="free-message", urgency=2, state=state, header=header, stored_time=tx.now,
                signed=b"signed" if body else None,
            )  # fmt: skip
            messages_store.add_messages(tx.conn, [row])

        self.ledger.commit_now(work)


def header(author: str, recipient: str) -> bytes:
    """A signed message's header, as a node stores it."""
    message_id = wire.new_message_id(BEGIN)
    unsealed = message_pb2.Header(
        suite=message_pb2.SUITE_1,
        message_id=message_id,
        thread_id=message_id,
        kind="free-message",
        kind_version=1,
        author=author,
        required_signers=[message_pb2.RequiredSigner(id=officer(author, "liaison"), role="liaison")],
        recipients=[message_pb2.Recipient(member=recipient)],
        urgency=message_pb2.URGENCY_ROUTINE,
        handling=message_pb2.Handling(code="H0", tlp="AMBER"),
        register_version=bytes(32),
    )
    unsealed.author_time.FromDatetime(BEGIN)
    unsealed.review_time.FromDatetime(BEGIN + timedelta(days=365))
    part = wire.PlainPart(message_pb2.PART_KIND_MAIN, b"content")
    readers = [wire.RecipientKey(member, KEY.public_key) for member in (author, recipient)]
    return wire.seal(unsealed, [part], readers).header
