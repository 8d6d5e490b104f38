"""Validation of incoming messages: each is from its author, was released to us, and is valid.

Nothing here reads the database: earlier answers and conflicting ids are found in the transaction
(`paiza_node.core.exchange.receive.arrivals`). A forwarded message is checked in
`paiza_node.core.exchange.receive.forwarded`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from paiza.core.v1 import message_pb2
from paiza.peer.v1 import exchange_pb2
from paiza_domain import kinds, validation
from paiza_node.core.dependencies import Core
from paiza_node.core.exchange.model import ProvenCertificate
from paiza_node.core.exchange.receive.arrivals import Arrival, Checked
from paiza_node.core.exchange.receive.author_notes import AuthorNotes
from paiza_node.core.exchange.receive.certificates import MAX_CERTIFICATES, KnownCertificates, Proven, of_release
from paiza_node.core.exchange.receive.forwarded import ReceiveForwarded
from paiza_node.core.executors.executors import each
from paiza_node.core.executors.fair_threads import Slices
from paiza_node.core.messages.decryption import Opened, Unsealed
from paiza_node.core.policy import MessageAttributes, Principal
from paiza_register import Member, Register
from paiza_wire import message as wire
from paiza_wire import receipts
from paiza_wire.errors import PaizaError, Rejected, Unavailable
from paiza_wire.message import ParsedMessage, attachment
from paiza_wire.receipts import EntryVerifier, VerifiedEntry
from paiza_wire.tlog.checkpoint import VerifiedCheckpoint

MAX_CLOCK_SKEW: Final = timedelta(minutes=10)  # a release may lie this far in our future; clocks of states differ

_THREAD_NAME: Final = re.compile(r"[A-Z][A-Z0-9-]{1,15}-[0-9]{4}-[0-9]{5,12}")


@dataclass(slots=True)
class _Proven:
    """A dispatch whose entry the caller's log holds. ``elsewhere``: a worker process verified its message."""

    dispatch: exchange_pb2.Dispatch
    parsed: ParsedMessage | None
    entry: VerifiedEntry
    elsewhere: bool = False


class ValidateIncoming:
    """The checks of received messages that need no database."""

    def __init__(self, core: Core, certificates: KnownCertificates, forwarding: ReceiveForwarded) -> None:
        """Store what the checks need; ``forwarding`` checks messages that do not come from their author."""
        self._certificates = certificates
        self._member = core.member
        self._register_cache = core.register_cache
        self._decryption_keys = core.decryption_keys
        self._clock = core.clock
        self._passed_on = forwarding
        self._workers = core.executors.workers
        self._notes = AuthorNotes(core.register_cache, core.logs, core.clock)

    def __call__(
        self,
        member: Member,
        dispatches: Sequence[exchange_pb2.Dispatch],
        checkpoint: VerifiedCheckpoint,
        parsed: Sequence[ParsedMessage | None] = (),
    ) -> Slices[list[Checked]]:
        """Check a batch, with pauses; ``parsed`` holds its messages if they were parsed before.

        A message that fails before step 5 is not attributed to the author, and does not occupy its id.

        1. The caller's log holds the given entry, and the entry's time is not in our future. It holds the entries of
           certificates that come with it; they count for every message of the batch.
        2. We have the register that the entry names; else it is tried again after a refresh. The message verifies
           (`paiza_wire.message.verify`) with certificates valid at the time of its release, under our register, which
           is then that one or a newer one: no revocation is ever taken back. One that does not, and names a register we
           do not have, is tried again after a refresh. A signer whom only our register revokes counts if witnesses
           prove an earlier release, for which the caller is asked.
        3. Its author is the calling node's member.
        4. It is addressed to us, and the entry is its release to us, by its signers, in their roles. The caller's log
           holds their certificates; else it is asked for the proof.
        5. We have its register version; else it is tried again after a refresh.
        6. Its key opens; else the author is asked to wrap it again.
        7. The policy allows us to receive this kind with these markings from that member.
        8. Its content is valid for its kind, and its subject is the one that the kind derives from it.
        """
        if sum(len(dispatch.release.certificates) for dispatch in dispatches) > MAX_CERTIFICATES:
            raise Rejected("too_large", f"at most {MAX_CERTIFICATES} certificates are proven at once")
        register, now = self._register_cache.current, self._clock()
        certified: dict[bytes, ProvenCertificate] = {}
        sent = zip(dispatches, parsed or [None] * len(dispatches), strict=True)
        released = yield from each(sent, self._prove, member, EntryVerifier(checkpoint), now, certified)
        yield from self._verify_elsewhere(released, register)
        ascribed = yield from each(released, self._ascribe, member, register, certified)
        opened = yield from each(ascribed, self._open)
        return (yield from each(opened, self._judge, register, member, now))

    def _verify_elsewhere(self, released: Sequence[_Proven | PaizaError], register: Register) -> Slices[None]:
        """Note which messages a worker process verified; the others are verified here."""
        asked = [
            item
            for item in released
            if isinstance(item, _Proven) and item.parsed is None and item.dispatch.HasField("release")
        ]
        timed = [(item.dispatch.release.message, item.entry.time) for item in asked]
        verified = yield from self._workers.verify(timed, register.certificate_verifier())
        for proven, elsewhere in zip(asked, verified, strict=True):
            proven.elsewhere = elsewhere

    def _prove(
        self,
        sent: tuple[exchange_pb2.Dispatch, ParsedMessage | None],
        member: Member,
        entries: EntryVerifier,
        now: datetime,
        certified: dict[bytes, ProvenCertificate],
    ) -> _Proven:
        # 1.
        dispatch, parsed = sent
        match dispatch.WhichOneof("delivery"):
            case "release":
                shown = dispatch.release.released
            case "forwarding":
                shown = dispatch.forwarding.forwarded
            case "notice":
                shown = dispatch.notice.forwarded
            case _:
                raise Rejected("malformed", "the dispatch is no release, forwarding or notice of one")
        released = entries.verify(shown)
        if released.time > now + MAX_CLOCK_SKEW:
            raise Unavailable("clock_skew", "the release lies in our future: one of the two clocks is wrong", 60.0)
        certified |= of_release(member, dispatch.release.certificates, entries.checkpoint)
        return _Proven(dispatch, parsed, released)

    def _ascribe(
        self,
        proven: _Proven,
        member: Member,
        register: Register,
        certificates: Proven,
    ) -> Arrival:
        dispatch, parsed, released = proven.dispatch, proven.parsed, proven.entry
        if not dispatch.HasField("release"):
            return self._passed_on.check(dispatch, released, member, parsed)
        # 2.
        if len(released.entry.register_version) != wire.DIGEST_SIZE:
            raise Rejected("malformed", "the release names no register version")
        # It may be the one that revokes a signer: until it is here, the own register may be the older one.
        self._register_cache.check_known(released.entry.register_version)
        try:
            if proven.elsewhere:
                message = wire.read_verified(
                    dispatch.release.message, register.certificate_verifier(), at=released.time
                )
            else:
                parsed = parsed or wire.parse_message(dispatch.release.message)
                message = wire.verify(parsed, register.certificate_verifier(), at=released.time)
        except Rejected as refused:
            if parsed is not None:
                # It may verify under its own register, which may name a new officer CA: that one is fetched first.
                self._register_cache.check_known(parsed.header.register_version)
            if parsed is None or refused.reason != "certificate_revoked":
                raise
            message = self._verified_before(parsed, dispatch.release, released, member)
        # 3.
        if message.header.author != member.id:
            raise Rejected("wrong_member", "the author is not the member whose node calls")
        # 4.
        if self._member not in {recipient.member for recipient in message.header.recipients}:
            raise Rejected("not_addressed", "the message does not name us among its recipients")
        receipts.check_released(released.entry, message, self._member)
        if not _names_thread(released.entry.released.thread_name, message.header):
            raise Rejected(
                "malformed", "the release names the thread in another member's name, or a thread it does not open"
            )
        new = self._certificates.check(message, certificates)
        # 5.
        self._register_cache.check_known(message.header.register_version)
        hashes = b"".join(dispatch.release.released.inclusion_hashes)
        return Arrival(
            message.digest,
            released,
            hashes,
            message,
            dispatch.release.message,
            released,
            hashes,
            certificates=new,
        )

    def _verified_before(
        self, parsed: ParsedMessage, release: exchange_pb2.Release, released: VerifiedEntry, member: Member
    ) -> wire.VerifiedMessage:
        """Verify a message with a signer whom our register revokes, under the register that its release names.

        It counts if a quorum cosigned a checkpoint with that release before the revocation.
        """
        certificates = self._register_cache.archived(released.entry.register_version).certificate_verifier()
        message = wire.verify(parsed, certificates, at=released.time)
        checkpoint = released.checkpoint
        if release.HasField("witnessed"):
            shown = self._notes.counting(member, release.witnessed.checkpoint)
            if shown is None or shown.origin != checkpoint.origin:
                raise Rejected("bad_proof", "the witnessed checkpoint is not of the log in use")
            same = receipts.verify_entry(release.witnessed.proven, shown)
            if (same.raw, same.index) != (released.raw, released.index):
                raise Rejected("bad_proof", "the witnessed entry is not the release")
            checkpoint = shown
        self._notes.check_not_revoked(member, message, checkpoint)
        return message

    def _open(self, item: Arrival) -> tuple[Arrival, Unsealed]:
        if item.forwarded or item.message is None:
            return item, Unsealed((), b"")
        # 6.
        message = item.message
        try:
            # They are fetched later, but a wrap that does not open is reported now.
            self._decryption_keys.part_keys(message, attachment.part_numbers(message.header))
            return item, self._decryption_keys.parts(message)
        except Rejected as error:
            if error.reason == "cannot_open":
                raise Unavailable(error.reason, error.detail) from error
            return replace(item, refusal=error), Unsealed((), b"")

    def _judge(self, opened: tuple[Arrival, Unsealed], register: Register, member: Member, now: datetime) -> Arrival:
        item, unsealed = opened
        if item.forwarded or item.message is None or item.refusal is not None:
            return item
        try:
            content = self._check_content(item.message.header, unsealed, register, member, now)
        except Rejected as error:
            return replace(item, refusal=error)
        return replace(item, opened=content)

    def _check_content(
        self, header: message_pb2.Header, unsealed: Unsealed, register: Register, member: Member, now: datetime
    ) -> Opened:
        # 7.
        kind = kinds.get(header.kind, header.kind_version)
        ceiling = register.member(self._member).classification_ceiling
        facts = MessageAttributes.of(header, kind.sender_roles, ceiling, kind.workflow)
        principal = Principal(member.id, suspended=member.status != "active", node=True)
        self._register_cache.policy.check(principal, "deliver", facts)
        if not kind.sender_roles.issuperset(signer.role for signer in header.required_signers):
            raise Rejected("policy_denied", f"{header.kind} is not sent in the role its signer acts in")
        # 8.
        main, *annex = unsealed.parts
        return Opened(
            *validation.check_message(header, main, annex[0] if annex else None, now, subject=unsealed.subject)
        )


def _names_thread(name: str, header: message_pb2.Header) -> bool:
    """Return whether a release names its thread correctly: by its own member, and only if it begins the thread."""
    if header.thread_id != header.message_id:
        return not name
    return _THREAD_NAME.fullmatch(name) is not None and name.startswith(f"{header.author.upper()}-")
