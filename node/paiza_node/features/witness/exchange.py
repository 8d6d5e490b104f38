"""The exchange of checkpoints: the actions of this node at either end.

It submits a candidate: the newest checkpoint of its own log, signed once more with its witness key (ML-DSA-44), so that
its entries remain provable after elliptic curves are broken. It cosigns accepted checkpoints of the other's log, and
collects cosignatures of its own in rounds.

The order is commit, then sign: the known state of the other's log is on disk before the cosignature is made, and a note
that a quorum cosigned is on disk before proofs to it are issued. An answer waits for the answerer's own commit and for
nothing else, in particular not for the caller: two nodes that call each other at the same moment both get their
answers. (After a start a member is first asked what it holds of our log: by a call that waits for nothing.)
"""

from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from paiza_node.core.dependencies import Core
from paiza_node.core.executors.periodic import PeriodicTask
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.peers import store as peers_store
from paiza_node.features.witness import store as witness_store
from paiza_node.features.witness.cosigning import Cosigner, cosigned_note
from paiza_node.features.witness.gossip import Gossip
from paiza_node.features.witness.rounds import Rounds, Witnesses
from paiza_node.features.witness.verify_cosignatures import CLOCKS_DIFFER
from paiza_register import Member, Register
from paiza_wire.errors import PaizaError, Rejected
from paiza_wire.tlog.checkpoint import VerifiedCheckpoint
from paiza_wire.tlog.cosignatures import TIME_BYTES, WitnessSigner, add_signatures, cosign
from paiza_wire.tlog.notes import parse_note

SIGN_AGAIN: Final = timedelta(seconds=5)  # greatest age of the log's own ML-DSA-44 signature on an unchanged candidate
SHOW_AGAIN: Final = timedelta(seconds=5)  # for which answers show one candidate; with nine others a round takes 4.5 s
NEVER: Final = datetime.max.replace(tzinfo=UTC)
KEEP_SECONDS: Final = 1.0  # between two times at which late cosignatures are stored; those of a quorum are at once
COSIGN_AGAIN: Final = timedelta(seconds=15)  # for a caller, an unchanged log is cosigned again no more often than this

log = structlog.get_logger("paiza.witness")


class CheckpointExchange:
    """The node as a witness, and its own log as a witnessed log. Belongs to one event loop."""

    def __init__(
        self, core: Core, signer: WitnessSigner, *, cosigner: Cosigner, rounds: Rounds, gossip: Gossip
    ) -> None:
        """Store the witness key, the cosigner, the rounds and the gossip."""
        self._core = core
        self._signer = signer
        self.cosigner = cosigner
        self.rounds = rounds
        self.gossip = gossip
        self.reasons: dict[str, str] = {}
        """The reason for which each member did not cosign last; members that did are left out."""
        self._candidate: tuple[VerifiedCheckpoint, datetime] | None = None
        self._begun = core.clock()  # when a candidate of its size was made first
        self._to_bring: dict[str, bytes] = {}
        self._grown: set[str] = set()  # members to which a cosignature of their logs' growth is to be sent
        self._register: Register | None = None
        self._witnesses: Witnesses = {}
        self._next_end = NEVER  # the next time at which a witness abandons a key
        self.task = PeriodicTask(self.keep_witnessed, period=KEEP_SECONDS, failed="witnessed_not_stored")

    def use(self, signer: WitnessSigner) -> None:
        """Cosign with another key of ours from now on, and sign the next candidate with it."""
        self._signer = signer
        self._candidate = None

    def candidate(self, at_least: int | None = None) -> VerifiedCheckpoint:
        """Return the candidate, and open its round; Unavailable("register_expired") if no witness can be verified.

        It is the newest checkpoint of the log; with ``at_least`` the last candidate if that has so many entries or is
        of this round, so that the candidates in answers are cosigned by many. A caller that knows more of the log since
        it received messages would be the only one to cosign another.
        """
        own, now = self._core.ledger.checkpoint, self._core.clock()
        held, made = self._candidate or (None, now)
        of_this_round = timedelta(0) <= now - self._begun < SHOW_AGAIN
        if held is not None and at_least is not None and (held.size >= at_least or of_this_round):
            own = held
        if held is None or held.size != own.size or not timedelta(0) <= now - made < SIGN_AGAIN:
            signature = cosign(own, self._signer, now)
            held = VerifiedCheckpoint(own.origin, own.size, own.root, add_signatures(own.note, [signature]))
            if self._candidate is None or self._candidate[0].size != own.size:
                self._begun = now
            self._candidate = held, now
        self.rounds.begin(held, self.witnesses())
        return held

    def witnesses(self) -> Witnesses:
        """Return the other active members and the keys with which they cosign now."""
        register, now = self._core.register_cache.current, self._core.clock()
        if register is not self._register or now >= self._next_end:
            self._witnesses = cosigners(register, self._core.member, now)
            self._next_end = next_end(register, now)
            self._register = register
        return self._witnesses

    def take(self, member: str, note: bytes) -> bool:
        """Add a member's cosignature of our log; return whether it was of use. An invalid one is logged."""
        try:
            self._check_clock(member, note)
            useful = self.rounds.add(member, note)
        except Rejected as error:
            self.reasons[member] = error.reason
            # An old cosignature belongs to no open round; any other failure is the other side's fault.
            tell = log.debug if error.reason == "stale_checkpoint" else log.warning
            tell("cosignature_refused", peer=member, reason=error.reason, detail=error.detail)
            return False
        self.reasons.pop(member, None)
        if useful and self.rounds.has_grown:
            self.task.wake()
        return useful

    def _check_clock(self, member: str, note: bytes) -> None:
        """Raise for a cosignature whose time is far from ours, before it is verified: one of the clocks is wrong."""
        names = {key.name for key in self.witnesses().get(member, ())}
        now = self._core.clock().timestamp()
        for each in parse_note(note).signatures:
            off = abs(int.from_bytes(each.signature[:TIME_BYTES], "big") - now)
            if each.name in names and off > CLOCKS_DIFFER.total_seconds():
                raise Rejected("clock_skew", f"{member} cosigned by a clock that differs from ours by {off:.0f} s")

    async def cosign(self, member: Member, checkpoint: VerifiedCheckpoint) -> bytes:
        """Cosign a checkpoint that was accepted in this same step of the loop: decide, commit, sign.

        Rejected or Unavailable if it is not cosigned; see `Cosigner.consider`.
        """
        logs = self._core.logs
        permit = self.cosigner.consider(member.id, checkpoint, logs.size(member.id), self._core.clock())
        if not self.cosigner.is_stored(checkpoint):
            known = logs.to_store(member.id, checkpoint)
            await self._core.ledger.commit(lambda tx: peers_store.put_known_log(tx.conn, known), rides=True)
            self.cosigner.stored(checkpoint)
        logs.check_trusted(member.id)
        self.cosigner.redeem(permit)
        return cosigned_note(permit, self._signer)

    async def cosign_for_caller(self, member: Member, checkpoint: VerifiedCheckpoint) -> tuple[bytes, str]:
        """Return the answer to a caller that submitted a checkpoint: the cosignature, or why there is none.

        If it was cosigned a moment ago, when we called, that cosignature is returned now.
        """
        try:
            note = await self.cosign(member, checkpoint)
        except PaizaError as error:
            held = self._to_bring.get(member.id, b"")
            if held and parse_note(held).text == parse_note(checkpoint.note).text:
                self.mark_sent(member.id, held)
                return held, ""
            return b"", error.reason
        self.mark_sent(member.id, self.unsent_cosignature(member.id))
        return note, ""

    async def cosign_when_shown(self, member: Member, checkpoint: VerifiedCheckpoint) -> None:
        """Cosign the checkpoint in a called member's answer, to be sent with the next call; seldom for an idle log."""
        last = self.cosigner.last.get(member.id)
        if last is not None and checkpoint.size <= last.size and self._core.clock() - last.time < COSIGN_AGAIN:
            return
        try:
            self._to_bring[member.id] = await self.cosign(member, checkpoint)
        except PaizaError as error:
            log.debug("not_cosigned", peer=member.id, reason=error.reason, detail=error.detail)
            return
        if last is None or checkpoint.size > last.size:
            self._grown.add(member.id)

    def unsent_cosignature(self, member: str) -> bytes:
        """Return our cosignature of a member's log that it does not have yet; empty if it has all."""
        return self._to_bring.get(member, b"")

    def has_unsent_news(self, member: str) -> bool:
        """Return whether our unsent cosignature of a member's log covers entries not cosigned before."""
        return member in self._grown

    def mark_sent(self, member: str, note: bytes) -> None:
        """Note that a member has received this cosignature."""
        if note and self._to_bring.get(member) == note:
            del self._to_bring[member]
            self._grown.discard(member)

    async def keep_witnessed(self) -> None:
        """Store the notes that a quorum cosigned. If that fails they are kept for the next time.

        A crash before the commit loses cosignatures that are requested again; nothing depends on them yet.
        """
        if not (notes := self.rounds.take_changed()):
            return

        def work(tx: LogTransaction) -> None:
            for note in notes:
                witness_store.put_witnessed(tx.conn, note)

        try:
            await self._core.ledger.commit(work, rides=True)
        except PaizaError as error:
            self.rounds.put_back(notes)
            log.warning("witnessed_not_stored", reason=error.reason, detail=error.detail)
            return
        self.rounds.stored(notes)


def next_end(register: Register, now: datetime) -> datetime:
    """Return the next time at which a member abandons a witness key; `NEVER` if none is announced."""
    keys = (key for member in register.active_members() for key in member.witness_keys)
    return min((key.until for key in keys if key.until is not None and key.until > now), default=NEVER)


def cosigners(register: Register, owner: str, at: datetime) -> Witnesses:
    """Return the witnesses of a member's log: the other active members, each with the keys not abandoned by then.

    A member whose own files cannot be used has no key that counts; the quorum stays.
    """
    keys = {
        member.id: tuple(key.key for key in member.witness_keys if not key.is_abandoned(at))
        for member in register.active_members()
    }
    return {member: keys.get(member, ()) for member in sorted(register.active_ids - {owner})}
