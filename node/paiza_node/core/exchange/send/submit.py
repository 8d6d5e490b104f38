"""Submit: an officer hands over signed and sealed messages, and the node releases them.

Every item of a batch is answered separately: released, refused for good, or to be tried again. A message that was
released before (same id, same digest) is answered with its earlier entries, and with no other message's. A message is
not opened here, unless it is a step of a workflow: its author's client validated the content and every recipient will.
A message that lacks signatures its header requires is held until those officers have signed: SUBMITTED
(`features.approvals.pending`). The part that runs inside the commit is in `release`.

A crash before the commit leaves nothing, and the officer's outbox sends again; after it, the repeat finds the entries.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import structlog

from paiza.core.v1 import log_pb2
from paiza.officer.v1 import officer_pb2
from paiza_domain import kinds, validation
from paiza_node.core.access.model import Officer
from paiza_node.core.access.need_to_know import UnitDirectory
from paiza_node.core.access.officers import OfficerDirectory
from paiza_node.core.access.principals import principal_of
from paiza_node.core.dependencies import Core
from paiza_node.core.errors import SourceRowKnown, breaches_of, rejection, retry
from paiza_node.core.exchange import precedence
from paiza_node.core.exchange.reactions import Reaction
from paiza_node.core.exchange.send.release import Release
from paiza_node.core.exchange.stages import (
    Held,
    Moment,
    Outcome,
    Released,
    ReleaseStage,
    Submission,
    SubmittedMessage,
    prepare,
)
from paiza_node.core.executors.executors import each, fits_loop
from paiza_node.core.executors.fair_threads import Slices
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages.model import LOGGED_DIGITS
from paiza_node.core.policy import MessageAttributes
from paiza_register import Register
from paiza_wire import message as wire
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.identity import VerifiedCertificate
from paiza_wire.message import PendingMessage, VerifiedMessage

MAX_ITEMS: Final = 256  # of one Submit; one commit, one checkpoint signature

log = structlog.get_logger("paiza.exchange")


class Submit:
    """Handles submissions of officers."""

    def __init__(
        self,
        core: Core,
        *,
        stages: Sequence[ReleaseStage],
        reactions: Sequence[Reaction],
        officers: OfficerDirectory,
        delivery_life: timedelta,
        unit_directory: UnitDirectory,
    ) -> None:
        """Store the ``stages`` that take part in a release, in their order, and the ``reactions`` to it."""
        self._member = core.member
        self._register_cache = core.register_cache
        self._ledger = core.ledger
        self._executor = core.executors.submit
        self._way = core.executors.way
        self._workers = core.executors.workers
        self._stages = stages
        self._release = Release(
            member=core.member,
            stages=stages,
            reactions=reactions,
            unit_directory=unit_directory,
            delivery_life=delivery_life,
            check_signers=self.check_signers,
        )
        self._officers = officers
        self._clock = core.clock

    async def __call__(self, officer: Officer, items: Sequence[officer_pb2.SubmitItem]) -> officer_pb2.SubmitResponse:
        """Release each message that may be released. Unavailable if not all was decided: it may be repeated.

        A batch is one commit, or several while others wait for the ledger.
        """
        if len(items) > MAX_ITEMS:
            raise Rejected("too_large", f"a batch has at most {MAX_ITEMS} items")
        small = fits_loop(len(item.message) for item in items)
        with self._way.occupied(when=small):
            return await self._released(officer, items, small=small)

    async def _released(
        self, officer: Officer, items: Sequence[officer_pb2.SubmitItem], *, small: bool
    ) -> officer_pb2.SubmitResponse:
        checked = await self._executor.run_in_slices(len(items), lambda: self._check_all(officer, items), on_loop=small)
        going = [item for item in checked if isinstance(item, Submission)]
        first = any(item.goes_first for item in going) or (
            len(items) <= precedence.MAX_FIRST and any(precedence.is_flash(item.message.header) for item in going)
        )
        committed = await self._ledger.commit_parts(
            lambda tx, begin, end: self._release(tx, officer, checked[begin:end]),
            len(checked),
            first=first,
            counts_messages=True,
        )
        outcomes = [outcome for each in committed for outcome in each.result]
        checkpoint = committed[-1].checkpoint
        self.log_released(officer, outcomes)
        results = await self._executor.run(
            len(items), lambda: self._answer_all(outcomes, checkpoint.size), on_loop=small
        )
        return officer_pb2.SubmitResponse(checkpoint=checkpoint.note, results=results)

    def log_released(self, officer: Officer, outcomes: Sequence[Outcome]) -> None:
        """Write to the program's log what an officer has released."""
        fresh = [outcome.digest for outcome in outcomes if isinstance(outcome, Released) and not outcome.repeated]
        if fresh:
            log.info("released", officer=officer.id, messages=[digest.hex()[:LOGGED_DIGITS] for digest in fresh])

    def examine(self, officer: Officer, raw: bytes) -> Submission:
        """Check a message that another officer submitted, with the caller's signature added, like a new one."""
        register = self._register_cache.current
        item = self._verify((officer_pb2.SubmitItem(message=raw), False), register, self._clock())
        return replace(self._allow(item, officer, register), approved=True)

    def examine_trial(self, officer: Officer, given: officer_pb2.SubmitItem) -> Submission:
        """Check a message that its officer tries before they sign it, like a new one but for the signature."""
        register, now = self._register_cache.current, self._clock()
        message = wire.verify_trial(given.message, register.certificate_verifier(), at=now)
        return self._allow(_submission(message, given), officer, register)

    def judge(self, at: Moment, officer: Officer, item: Submission) -> Outcome | None:
        """Return what decides a message at a moment, apart from the room for it; None if it may be released."""
        return self._release.judge(at, officer, item)

    def release(self, tx: LogTransaction, officer: Officer, item: Submission) -> Outcome:
        """Release a message in the transaction in which its last officer signs: APPROVED, then RELEASED."""
        return self._release(tx, officer, [item])[0]

    def repeated(self, tx: LogTransaction, digest: bytes) -> Outcome:
        """Return the answer for a message that was released before."""
        return self._release.repeat(tx, digest)

    def answer(self, outcome: Outcome, size: int) -> officer_pb2.SubmitResult:
        """Return the result of a message for the officer, proven to the log of this size."""
        return self._answer_all([outcome], size)[0]

    def _check_all(
        self, officer: Officer, items: Sequence[officer_pb2.SubmitItem]
    ) -> Slices[list[Submission | Rejected | Unavailable]]:
        """Check a batch.

        1. The message verifies (`paiza_wire.message.verify`) with certificates valid now; or it lacks signatures, and
           those it has verify (`verify_pending`).
        2. It is this member's own, and the caller is one of its signers.
        3. We have its register version.
        4. Every recipient is an active member, and its part keys are wrapped for all of them and for us.
        5. Its signers are active officers of ours, as many as its kind needs, who hold the roles they claim; and the
           policy allows the caller to send this kind in this role, to these recipients.
        6. The stages prepare their data: a step of a workflow, for example, opens with our own key and is valid. Checks
           that depend on the moment of the commit are made in the transaction
           (`paiza_node.core.exchange.send.release`).
        """
        register, now = self._register_cache.current, self._clock()
        timed = [(item.message, now) for item in items]
        elsewhere = yield from self._workers.verify(timed, register.certificate_verifier())
        verified = yield from each(zip(items, elsewhere, strict=True), self._verify, register, now)
        return (yield from each(verified, self._allow, officer, register))

    def _verify(self, given: tuple[officer_pb2.SubmitItem, bool], register: Register, now: datetime) -> Submission:
        """Verify an item, unless a worker process has."""
        item, elsewhere = given
        certificates = register.certificate_verifier()
        message: VerifiedMessage | PendingMessage
        # 1.
        if elsewhere:
            message = wire.read_verified(item.message, certificates, at=now)
        else:
            parsed = wire.parse_message(item.message)
            try:
                message = wire.verify(parsed, certificates, at=now)
            except Rejected as error:
                if error.reason != "wrong_signers":
                    raise
                message = wire.verify_pending(parsed, certificates, at=now)
        return _submission(message, item)

    def _allow(self, item: Submission, officer: Officer, register: Register) -> Submission:
        message, header = item.message, item.message.header
        # 2.
        if header.author != self._member:
            raise Rejected("wrong_member", "a node releases only its own member's messages")
        if officer.id not in {signer.id for signer in header.required_signers}:
            raise Rejected("wrong_signers", "a message is submitted by one of its signers")
        if not isinstance(message, VerifiedMessage) and officer.id not in {signer.id for signer, _ in message.signers}:
            raise Rejected("wrong_signers", "a message is submitted by an officer who has signed it")
        # 3.
        self._register_cache.check_known(header.register_version)
        # 4.
        recipients = [register.active_member(recipient.member) for recipient in header.recipients]
        wrapped = {(wrap.part_number, wrap.recipient) for wrap in message.signed.wraps}
        for number in range(len(header.parts)):
            for reader in (*(recipient.id for recipient in recipients), self._member):
                if (number, reader) not in wrapped:
                    raise Rejected("cannot_open", f"the key of part {number} is not wrapped for {reader}")
        # 5.
        kind = kinds.get(header.kind, header.kind_version)
        validation.check_four_eyes(header, kind)
        self.check_signers(message)
        for signer in header.required_signers:
            if signer.role not in kind.sender_roles:
                raise Rejected("policy_denied", f"{kind.name} is not sent in the role of one of its signers")
        ceiling = min(recipient.classification_ceiling for recipient in recipients)
        facts = MessageAttributes.of(header, kind.sender_roles, ceiling, kind.workflow)
        roles = frozenset(signer.role for signer in header.required_signers if signer.id == officer.id)
        self._register_cache.policy.check(principal_of(officer), "submit", facts, roles)
        # 6.
        prepared = prepare(self._stages, message, self._clock())
        return replace(item, prepared=prepared) if prepared else item

    def check_signers(self, message: SubmittedMessage) -> None:
        """Check that every signer is an officer on our record who holds the role: RELEASED attests it to the others.

        Those who signed did so with a certificate that counts here. Called again in the transaction: nothing of an
        officer comes after their suspension in the log.
        """
        certificates = {str(each.id): each.fingerprint for each in _certificates(message)}
        for required in message.header.required_signers:
            if required.id in certificates:
                signer = self._officers.check(required.id, certificates[required.id], "signing")
            else:
                signer = self._officers.active(required.id)
            if required.role not in signer.roles:
                raise Rejected("policy_denied", "a signer does not hold the role claimed")

    def _answer_all(self, outcomes: Sequence[Outcome], size: int) -> list[officer_pb2.SubmitResult]:
        indices = [index for outcome in outcomes for index in _entries_of(outcome)]
        proofs = dict(zip(indices, self._ledger.prove(indices, size), strict=True))
        return [self._answer(outcome, proofs) for outcome in outcomes]

    def _answer(self, outcome: Outcome, proofs: Mapping[int, list[bytes]]) -> officer_pb2.SubmitResult:
        if isinstance(outcome, Rejected):
            return officer_pb2.SubmitResult(
                rejection=rejection(outcome),
                breaches=breaches_of(outcome),
                earlier_message_digest=outcome.earlier if isinstance(outcome, SourceRowKnown) else b"",
            )
        if isinstance(outcome, Unavailable):
            return officer_pb2.SubmitResult(retry=retry(outcome))
        if isinstance(outcome, Held):
            return officer_pb2.SubmitResult(waiting=_waiting(outcome, proofs[outcome.index]))
        result = officer_pb2.SubmitResult()
        told = result.released  # constructors serialize and parse the messages that they are given
        told.message_digest = outcome.digest
        told.repeated_submission = outcome.repeated
        told.thread_name = outcome.thread_name
        for index, entry in zip(outcome.indices, outcome.entries, strict=True):
            told.entries.add(entry=entry, index=index, inclusion_hashes=proofs[index])
        return result


def _entries_of(outcome: Outcome) -> Sequence[int]:
    """Return the indices of the entries that the answer for a message proves."""
    if isinstance(outcome, Released):
        return outcome.indices
    return [outcome.index] if isinstance(outcome, Held) else []


def _waiting(outcome: Held, proof: list[bytes]) -> officer_pb2.HeldForApproval:
    told = officer_pb2.HeldForApproval(
        message_digest=outcome.digest,
        submitted=log_pb2.ProvenEntry(entry=outcome.entry, index=outcome.index, inclusion_hashes=proof),
        missing_signers=outcome.missing,
    )
    told.expires_time.FromDatetime(outcome.expires_time)
    return told


def _submission(message: SubmittedMessage, given: officer_pb2.SubmitItem) -> Submission:
    if given.source_row_sha256 and len(given.source_row_sha256) != wire.DIGEST_SIZE:
        raise Rejected("malformed", "source_row_sha256 is not 32 bytes long")
    return Submission(message, given.message, given.source_row_sha256)


def _certificates(message: SubmittedMessage) -> Sequence[VerifiedCertificate]:
    """Return the certificates of those who signed, or would sign."""
    if isinstance(message, VerifiedMessage):
        return message.signers
    return [certificate for _, certificate in message.signers]
