"""Validation of forwarding: a message forwarded to us by another member than its author, or the notice of it.

The forwarder cannot forge a message: the author's officers signed its header, the author's log holds its release, and
its keys open only what was signed. Checked here is whether it may be forwarded: by the author's markings and, if these
forbid it, by the author's grant, which is checked by the same rules as at the forwarder's node.
"""

from collections.abc import Sequence

from paiza.core.v1 import log_pb2, message_pb2
from paiza.peer.v1 import exchange_pb2
from paiza_domain import kinds, validation
from paiza_node.core.dependencies import Core
from paiza_node.core.errors import as_result
from paiza_node.core.exchange.consent import MAX_GRANT_BYTES, CheckGrant, GrantQuery
from paiza_node.core.exchange.model import ProvenCertificate
from paiza_node.core.exchange.receive.arrivals import Arrival
from paiza_node.core.exchange.receive.author_notes import AuthorNotes
from paiza_node.core.exchange.receive.certificates import KnownCertificates, of_forwarding
from paiza_node.core.messages.decryption import Opened, Unsealed
from paiza_node.core.peers.claims import note_told_entry
from paiza_node.core.policy import MessageAttributes, PolicyContext, Principal
from paiza_register import Member
from paiza_wire import message as wire
from paiza_wire import receipts
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.message import ParsedMessage, VerifiedMessage, attachment
from paiza_wire.receipts import VerifiedEntry


class ReceiveForwarded:
    """Checks deliveries of members that are not the author."""

    def __init__(self, core: Core, certificates: KnownCertificates, check_grant: CheckGrant) -> None:
        """Store the core and the known certificates; ``check_grant`` checks the consent that a forwarder presents."""
        self._certificates = certificates
        self._member = core.member
        self._check_consent = check_grant
        self._register_cache = core.register_cache
        self._decryption_keys = core.decryption_keys
        self._logs = core.logs
        self._notes = AuthorNotes(core.register_cache, core.logs, core.clock)

    def check(
        self,
        dispatch: exchange_pb2.Dispatch,
        forwarded: VerifiedEntry,
        member: Member,
        parsed: ParsedMessage | None = None,
    ) -> Arrival:
        """Check a dispatch whose entry ``forwarded`` is proven to be in the log of ``member``.

        ``parsed`` is its message if that was parsed before.

        What fails before step 7 is not attributed to anybody, and is not logged.

        1. The entry states that this member forwarded the message, and to whom.
        2. A notice about a message of ours needs no more; everything else is forwarded to us, by another than
           ourselves.
        3. A log of the author's holds a release of it to one of its recipients, by a note that counts (`AuthorNotes`);
           else the forwarder is asked for one that a quorum cosigned.
        4. The message verifies with certificates valid when it was released, under the author's register at that time.
           A signer that the register in force revokes counts only if witnesses prove an earlier release, for which the
           forwarder is asked.
        5. The release names these signers in these roles, and the message was forwarded after it. The author's log
           holds their certificates; else the forwarder is asked for the proof.
        6. Its keys open; else the forwarder is asked to wrap them again.
        7. It is of a known kind and valid; the policy allows forwarding it, with the grant that the entry relies on.
        """
        entry = forwarded.entry
        # 1.
        receipts.check_forwarded(entry, entry.message_digest, member.id)
        if len(entry.message_digest) != wire.DIGEST_SIZE:
            raise Rejected("malformed", "the FORWARDED entry names no message")
        # 2.
        if dispatch.HasField("notice"):
            hashes = b"".join(dispatch.notice.forwarded.inclusion_hashes)
            return Arrival(entry.message_digest, forwarded, hashes, forwarded=True)
        shown = dispatch.forwarding
        if entry.counterpart != self._member:
            raise Rejected("not_addressed", "the message was passed on to another member")
        # 3.-5.
        message, origin, certificates = self._verified(
            parsed or wire.parse_message(shown.message), shown.origin, shown.certificates, member
        )
        if message.digest != entry.message_digest:
            raise Rejected("bad_proof", "the FORWARDED entry is of another message")
        if message.header.author == self._member:
            raise Rejected("wrong_member", "a message of our own is not passed on to us")
        if forwarded.time < origin.time:
            raise Rejected("bad_proof", "the message was passed on before it was released")
        # 6.
        unsealed = self._opened(message)
        # 7.
        refusal, opened = None, None
        try:
            opened, granting = self._judge(message, unsealed, shown, forwarded, member)
            certificates += granting
        except Rejected as error:
            refusal = as_result(error)
        return Arrival(
            message.digest,
            forwarded,
            b"".join(shown.forwarded.inclusion_hashes),
            message,
            shown.message,
            origin,
            b"".join(shown.origin.proven.inclusion_hashes),
            forwarded=True,
            refusal=refusal,
            certificates=certificates,
            opened=opened,
        )

    def _verified(
        self, parsed: ParsedMessage, origin: log_pb2.LogProof, shown: Sequence[log_pb2.LogProof], teller: Member
    ) -> tuple[VerifiedMessage, VerifiedEntry, tuple[ProvenCertificate, ...]]:
        """Verify a message by the proof of its release, which may be years old; with the proofs that are new here.

        The author's signed checkpoint is noted: if it belongs to another history, the fork is detected.
        """
        register = self._register_cache.current
        # 3.
        header = parsed.header
        author = register.member(header.author)
        try:
            checkpoint = self._notes.counting(author, origin.checkpoint)
        except Rejected as error:
            raise Rejected("bad_proof", f"the author's checkpoint does not hold: {error.detail}") from error
        if checkpoint is None:
            raise Unavailable(
                "release_unwitnessed", "only keys that the author's log has abandoned signed its checkpoint"
            )
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
        carried = {part.part_number for part in parsed.signed.parts}
        expected = [n for n in present if n in carried or header.parts[n].kind != annex]
        certificates = self._register_cache.archived(version).certificate_verifier()
        message = wire.verify(parsed, certificates, at=released.time, parts=expected, forwarded_to=self._member)
        self._notes.check_not_revoked(author, message, checkpoint)
        # 5.
        if recipient not in {each.member for each in header.recipients}:
            raise Rejected("bad_proof", "the author's release is to nobody the message is addressed to")
        receipts.check_released(released.entry, message, recipient)
        if checkpoint.origin == author.origin and author.id != self._member:
            note_told_entry(self._logs, author, released, origin.proven.inclusion_hashes, told_by=teller.id)
        new = self._certificates.check(message, of_forwarding(author, shown, self._notes))
        return message, released, new

    def _opened(self, message: VerifiedMessage) -> Unsealed:
        try:
            # They are fetched later, but a wrap that does not open is reported now, to whom it came from.
            self._decryption_keys.part_keys(message, attachment.part_numbers(message.header))
            return self._decryption_keys.parts(message)
        except Rejected as error:
            if error.reason == "cannot_open":
                raise Unavailable(error.reason, error.detail) from error
            raise

    def _judge(
        self,
        message: VerifiedMessage,
        unsealed: Unsealed,
        shown: exchange_pb2.Forwarding,
        forwarded: VerifiedEntry,
        member: Member,
    ) -> tuple[Opened, tuple[ProvenCertificate, ...]]:
        """Judge the content; return it, and the proofs of the grant's certificates that are new here."""
        certificates: tuple[ProvenCertificate, ...] = ()
        header, entry = message.header, forwarded.entry
        kind = kinds.get(header.kind, header.kind_version)
        main, *annexes = unsealed.parts
        with_annex = bool(annexes)
        if with_annex and entry.forwarded.without_annex:
            raise Rejected("policy_denied", "the FORWARDED entry says that the annex was left out")
        granted = header.author == member.id and not with_annex
        if shown.HasField("grant") or entry.forwarded.grant_digest:
            purpose = entry.forwarded.purpose
            query = GrantQuery(message.digest, header.author, self._member, purpose, with_annex, forwarded.time)
            certificates = self._check_grant(shown, entry, query, member)
            granted = True
        policy_context = PolicyContext(
            recipient=self._member,
            purpose=entry.forwarded.purpose,
            granted=granted,
            consented=bool(kind.workflow),
            with_annex=with_annex,
        )
        ceiling = self._register_cache.current.member(self._member).classification_ceiling
        facts = MessageAttributes.of(header, kind.sender_roles, ceiling, kind.workflow)
        principal = Principal(member.id, suspended=member.status != "active", node=True)
        self._register_cache.policy.check(principal, "take_forwarded", facts, policy_context=policy_context)
        opened = validation.check_message(
            header,
            main,
            annexes[0] if with_annex else None,
            forwarded.time,
            subject=unsealed.subject,
            annex_withheld=not with_annex,
        )
        return Opened(*opened), certificates

    def _check_grant(
        self, shown: exchange_pb2.Forwarding, entry: log_pb2.LogEntry, query: GrantQuery, teller: Member
    ) -> tuple[ProvenCertificate, ...]:
        """Check the one presented grant like a message; the forwarder's entry must rely on it."""
        if not shown.HasField("grant") or len(shown.grant.message) > MAX_GRANT_BYTES:
            raise Rejected("grant_missing", "the entry and the dispatch do not rely on one grant")
        grant, _, certificates = self._verified(
            wire.parse_message(shown.grant.message), shown.grant.released, shown.certificates, teller
        )
        if grant.digest != entry.forwarded.grant_digest:
            raise Rejected("grant_missing", "the FORWARDED entry relies on another grant")
        self._check_consent(grant, query)
        return certificates
