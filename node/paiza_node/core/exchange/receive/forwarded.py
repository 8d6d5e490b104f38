"""What another member than the author hands over: a message that is passed on to us, or word that one of ours was.

Who passes a message on can forge nothing in it: the author's officers signed its header, the author's log holds its
release, and its keys open just what was signed. What is left to judge is whether it may be passed on: the author is
asked by its marks and, where these forbid it, by its grant, which is judged here as it was at the forwarder's node.

Only what is received is stored and claims anything; what is refused is logged as a denial, once per entry of the
forwarder's log.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from paiza.core.v1 import log_pb2, message_pb2
from paiza.peer.v1 import exchange_pb2
from paiza_domain import kinds, validation
from paiza_node.core.access.need_to_know import UnitDirectory
from paiza_node.core.dependencies import Core
from paiza_node.core.exchange import precedence
from paiza_node.core.exchange import store as exchange_store
from paiza_node.core.exchange.model import ForeignProof, ForwardingRow, ProofKind
from paiza_node.core.log import store as log_store
from paiza_node.core.log.ledger import LogTransaction
from paiza_node.core.log.model import StoredEntry
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageRow, MessageState
from paiza_node.core.policy import MessageAttributes, PolicyContext, Principal
from paiza_node.core.storage import ReadConnection
from paiza_node.features.attachments import store as attachments_store
from paiza_node.features.attachments.attached import awaited
from paiza_node.features.forwarding import grants
from paiza_node.features.recalls import recalls
from paiza_node.features.retention import requests
from paiza_node.features.workflows.steps import is_step
from paiza_register import Member
from paiza_wire import log_entries, receipts
from paiza_wire import message as wire
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.message import VerifiedMessage
from paiza_wire.receipts import VerifiedEntry
from paiza_wire.tlog import checkpoint as checkpoints
from paiza_wire.tlog.notes import VerifierKey


@dataclass(frozen=True, slots=True)
class ForwardedMessage:
    """What another than the author handed over, checked. ``message`` is None where we are told of one of ours."""

    digest: bytes
    forwarded: VerifiedEntry
    hashes: bytes
    message: VerifiedMessage | None = None
    raw: bytes = b""
    origin: VerifiedEntry | None = None
    origin_hashes: bytes = b""
    refusal: Rejected | None = None

    @property
    def goes_first(self) -> bool:
        """Say whether the message goes ahead of everything."""
        return self.message is not None and precedence.overtakes(self.message.header.kind)

    @property
    def is_step(self) -> bool:
        """Say whether a workflow moves with the message."""
        return self.message is not None and is_step(self.message.header.kind)

    @property
    def thread(self) -> bytes:
        """Give the thread the message belongs to; empty where there is no message."""
        return b"" if self.message is None else self.message.header.thread_id


class ReceiveForwarded:
    """Checks and stores what another member than the author hands over."""

    def __init__(self, core: Core, unit_directory: UnitDirectory) -> None:
        """Take what the verb needs."""
        self._member = core.member
        self._node_id = core.node_id
        self._register_cache = core.register_cache
        self._decryption_keys = core.decryption_keys
        self._logs = core.logs
        self._unit_directory = unit_directory

    def check(self, dispatch: exchange_pb2.Dispatch, forwarded: VerifiedEntry, member: Member) -> ForwardedMessage:
        """Check a dispatch whose entry ``forwarded`` is proven to stand in the log of ``member``.

        What fails before step 7 is not ascribed to anybody, and is not logged.

        1. The entry says that this member passed the message on, and to whom.
        2. Word of a message of ours needs no more; everything else is passed on to us, by another than ourselves.
        3. A log of the author's, by a key in the register, holds a release of it to one of its recipients.
        4. The message verifies with certificates valid when it was released, under the author's register of then.
        5. The release names these signers in these roles, and the message was passed on after it.
        6. Its keys open; else the forwarder is asked to wrap them again.
        7. It is of a known kind and valid; the rules let it be passed on, with the grant the entry relies on.
        """
        entry = forwarded.entry
        # 1.
        receipts.check_forwarded(entry, entry.message_digest, member.id)
        if len(entry.message_digest) != wire.DIGEST_SIZE:
            raise Rejected("malformed", "the FORWARDED entry names no message")
        # 2.
        if dispatch.HasField("notice"):
            return ForwardedMessage(
                entry.message_digest, forwarded, b"".join(dispatch.notice.forwarded.inclusion_hashes)
            )
        shown = dispatch.forwarding
        if entry.counterpart != self._member:
            raise Rejected("not_addressed", "the message was passed on to another member")
        # 3.-5.
        message, origin = self._verified(shown.message, shown.origin, member)
        if message.digest != entry.message_digest:
            raise Rejected("bad_proof", "the FORWARDED entry is of another message")
        if message.header.author == self._member:
            raise Rejected("wrong_member", "a message of our own is not passed on to us")
        if forwarded.time < origin.time:
            raise Rejected("bad_proof", "the message was passed on before it was released")
        # 6.
        parts = self._opened(message)
        # 7.
        refusal = None
        try:
            self._judge(message, parts, shown.grant if shown.HasField("grant") else None, forwarded, member)
        except Rejected as error:
            refusal = error
        hashes = b"".join(shown.forwarded.inclusion_hashes)
        origin_hashes = b"".join(shown.origin.proven.inclusion_hashes)
        return ForwardedMessage(
            message.digest, forwarded, hashes, message, shown.message, origin, origin_hashes, refusal
        )

    def _verified(self, raw: bytes, origin: log_pb2.LogProof, teller: Member) -> tuple[VerifiedMessage, VerifiedEntry]:
        """Verify a message by the proof of its release, which is years old perhaps.

        What the author signed there is heard: where it tells us of another history, it is found out.
        """
        register = self._register_cache.current
        # 3.
        header = _unverified_header(raw)
        author = register.member(header.author)
        try:
            name = origin.checkpoint.split(b"\n", 1)[0].decode("utf-8", "replace")
            key = VerifierKey.from_vkey(author.log_key(name).vkey)
            checkpoint = checkpoints.verify(origin.checkpoint, [key], name)
        except Rejected as error:
            raise Rejected("bad_proof", f"the author's checkpoint does not hold: {error.detail}") from error
        released = receipts.verify_entry(origin.proven, checkpoint)
        recipient = released.entry.counterpart
        # 4.
        version = released.entry.register_version
        if len(version) != wire.DIGEST_SIZE:
            raise Rejected("malformed", "the author's release names no register version")
        self._register_cache.check_known(version)
        self._register_cache.check_known(header.register_version)
        annex = message_pb2.PART_KIND_NOMINAL_ANNEX
        present = [n for n, part in enumerate(header.parts) if part.kind != message_pb2.PART_KIND_ATTACHMENT]
        carried = {part.part_number for part in message_pb2.SignedMessage.FromString(raw).parts}
        expected = [n for n in present if n in carried or header.parts[n].kind != annex]
        certificates = self._register_cache.archived(version).certificate_verifier()
        message = wire.verify(raw, certificates, at=released.time, parts=expected, passed_to=self._member)
        # 5.
        if recipient not in {each.member for each in header.recipients}:
            raise Rejected("bad_proof", "the author's release is to nobody the message is addressed to")
        receipts.check_released(released.entry, message, recipient)
        if name == author.log_keys[-1].origin and author.id != self._member:
            self._logs.hear_entry(author, released, origin.proven.inclusion_hashes, told_by=teller.id)
        return message, released

    def _opened(self, message: VerifiedMessage) -> list[bytes]:
        try:
            return self._decryption_keys.parts(message)
        except Rejected as error:
            if error.reason == "cannot_open":
                raise Unavailable(error.reason, error.detail) from error
            raise

    def _judge(
        self,
        message: VerifiedMessage,
        parts: Sequence[bytes],
        shown: exchange_pb2.PassingGrant | None,
        forwarded: VerifiedEntry,
        member: Member,
    ) -> None:
        header, entry = message.header, forwarded.entry
        kind = kinds.get(header.kind, header.kind_version)
        with_annex = len(parts) > 1
        if with_annex and entry.HasField("part_number"):
            raise Rejected("policy_denied", "the FORWARDED entry says that the annex was left out")
        granted = header.author == member.id and not with_annex
        if shown is not None or entry.evidence_sha256:
            wish = grants.GrantQuery(
                message.digest, header.author, self._member, entry.purpose, with_annex, forwarded.time
            )
            self._check_grant(shown, entry, wish, member)
            granted = True
        policy_context = PolicyContext(
            recipient=self._member,
            purpose=entry.purpose,
            granted=granted,
            consented=bool(kind.workflow),
            with_annex=with_annex,
        )
        ceiling = self._register_cache.current.member(self._member).classification_ceiling
        facts = MessageAttributes.of(header, kind.sender_roles, ceiling, kind.workflow)
        principal = Principal(member.id, suspended=member.status != "active", node=True)
        self._register_cache.policy.check(principal, "take_forwarded", facts, policy_context=policy_context)
        annex = parts[1] if with_annex else None
        validation.check_message(header, parts[0], annex, forwarded.time, annex_withheld=not with_annex)

    def _check_grant(
        self, shown: exchange_pb2.PassingGrant | None, entry: log_pb2.LogEntry, wish: grants.GrantQuery, teller: Member
    ) -> None:
        """Check the one grant that is shown as the message itself is, and that the forwarder's entry relies on it."""
        if shown is None or len(shown.message) > grants.MAX_GRANT_BYTES:
            raise Rejected("grant_missing", "the entry and the dispatch do not rely on one grant")
        grant, _released = self._verified(shown.message, shown.released, teller)
        if grant.digest != entry.evidence_sha256:
            raise Rejected("grant_missing", "the FORWARDED entry relies on another grant")
        grants.check(grant, wish, self._decryption_keys)

    def take(
        self, tx: LogTransaction, item: ForwardedMessage, member: Member, register_version: bytes
    ) -> StoredEntry | Rejected:
        """Write one down, with the entry that answers it; runs in the ledger's transaction.

        Messages of the same batch that came from their author are written before.
        """
        earlier = exchange_store.forwarding(tx.conn, member.id, item.forwarded.index)
        if earlier is not None and earlier.denied:
            return item.refusal or Rejected("policy_denied", "this was refused before; it is to be passed on anew")
        if earlier is not None:
            return _entry_at(tx, earlier.log_index)
        row = messages_store.message(tx.conn, item.digest)
        refusal = item.refusal or self._misfit(tx.conn, item, row)
        if refusal is not None and refusal.reason in ("unknown_id", "conflict"):
            return refusal
        answer = tx.append(self._entry(item, member, refusal), text=refusal.detail if refusal else "")
        held = item.message is not None and row is None and refusal is None
        exchange_store.add_forwardings(
            tx.conn, [self._row(item, member, answer.index, register_version, denied=bool(refusal), held=held)]
        )
        if held:
            self._store(tx, item, member, register_version)
        return refusal or answer

    def _misfit(self, reads: ReadConnection, item: ForwardedMessage, row: MessageRow | None) -> Rejected | None:
        """Say what in the database speaks against it."""
        if item.message is None:
            if row is None or row.state is not MessageState.RELEASED:
                return Rejected("unknown_id", "there is no such message of ours")
            return None
        header = item.message.header
        if row is not None:
            refused = row.state is MessageState.REFUSED
            return Rejected("policy_denied", "we refused this message when its author sent it") if refused else None
        claimed = messages_store.claimed(reads, header.author, [header.message_id])
        if claimed.get(header.message_id, item.digest) != item.digest:
            return Rejected("conflict", "this message id was used for other content")
        if grants.is_recalled(reads, item.digest, header.author):
            return Rejected("policy_denied", "passing-recalled")
        return None

    def _entry(self, item: ForwardedMessage, member: Member, refusal: Rejected | None) -> log_pb2.LogEntry:
        dispatch = receipts.evidence_digest(item.forwarded.raw, item.forwarded.checkpoint.note)
        if refusal is not None:
            return log_entries.forwarding_denied(
                actor=item.forwarded.entry.actor,
                forwarder=member.id,
                digest=item.digest,
                reason=refusal.reason,
                dispatch_sha256=dispatch,
            )
        return log_entries.received(actor=self._node_id, source=member.id, digest=item.digest, dispatch_sha256=dispatch)

    def _row(
        self, item: ForwardedMessage, member: Member, index: int, register_version: bytes, *, denied: bool, held: bool
    ) -> ForwardingRow:
        return ForwardingRow(
            forwarder=member.id,
            index=item.forwarded.index,
            digest=item.digest,
            holder=item.forwarded.entry.counterpart,
            entry=item.forwarded.raw,
            hashes=item.hashes,
            checkpoint=item.forwarded.checkpoint.note,
            register_version=register_version,
            log_index=index,
            denied=denied,
            held=held,
        )

    def _store(self, tx: LogTransaction, item: ForwardedMessage, member: Member, register_version: bytes) -> None:
        assert item.message is not None
        assert item.origin is not None
        header = item.message.header
        thread_name = item.origin.entry.thread_name
        if not thread_name:
            thread_name = messages_store.thread_names(tx.conn, {header.thread_id}).get(header.thread_id, "")
        row = MessageRow(
            seq=tx.next_message_seq(),
            digest=item.digest,
            author=header.author,
            message_id=header.message_id,
            thread_id=header.thread_id,
            thread_name=thread_name,
            kind=header.kind,
            urgency=header.urgency,
            state=MessageState.RECEIVED,
            header=item.message.signed.header,
            stored_time=tx.now,
            signed=item.raw,
            parents=tuple(header.parent_digests),
        )
        ((row, assignee),) = self._unit_directory.received(tx.conn, [row])
        messages_store.add_messages(tx.conn, [row])
        self._unit_directory.make_tasks(tx.conn, [(row, assignee)])
        recalls.note_received(tx, self._node_id, [row])
        requests.note_received(tx, self._member, self._node_id, [row])
        proof = ForeignProof(
            digest=item.digest,
            member=header.author,
            kind=ProofKind.ORIGIN,
            entry=item.origin.raw,
            index=item.origin.index,
            hashes=item.origin_hashes,
            checkpoint=item.origin.checkpoint.note,
            register_version=register_version,
        )
        exchange_store.add_proofs(tx.conn, [proof])
        attachments_store.put_attachments(tx.conn, awaited(item.digest, header, self._member, tx.now, source=member.id))


def _entry_at(tx: LogTransaction, index: int) -> StoredEntry:
    """Give an entry of the own log, one of this very commit perhaps."""
    stored = log_store.entries_at(tx.conn, [index])
    return stored[0] if stored else tx.appended(index)


def _unverified_header(raw: bytes) -> message_pb2.Header:
    """Read the header of a message that is verified next; Rejected where there is none to be read."""
    if len(raw) > wire.MAX_MESSAGE_BYTES:
        raise Rejected("too_large", f"a message is at most {wire.MAX_MESSAGE_BYTES} bytes")
    return wire.parse_header(wire.parse_strictly(message_pb2.SignedMessage, raw, "the message").header)
