"""Verification of second signatures: by the log, every released message had the signatures of all officers it names."""

from collections.abc import Collection, Mapping
from datetime import UTC, timedelta
from hashlib import sha256
from typing import Any, Final

from typing_extensions import override

from paiza.core.v1 import log_pb2, message_pb2
from paiza_domain.threads.deadlines import ANSWER_WITHIN
from paiza_node.core.access import store as access_store
from paiza_node.core.errors import N_
from paiza_node.core.storage import ReadConnection, scanning
from paiza_node.core.storage.findings import Check, Part, Step, Tally
from paiza_node.core.storage.times import MICROSECOND, to_micros
from paiza_node.features.approvals import store as approvals_store
from paiza_node.features.approvals.approve import ENDED
from paiza_node.features.approvals.model import ApprovalState
from paiza_wire import message as wire
from paiza_wire.errors import Rejected
from paiza_wire.identity import keys
from paiza_wire.identity.certificate_profiles import load_certificate, p256_key

LONGEST_LIFE: Final = timedelta(days=30)  # of a pending message, by any configuration
_ENDED: Final[Mapping[int, ApprovalState]] = {
    log_pb2.LOG_EVENT_DECLINED: ApprovalState.DECLINED,
    log_pb2.LOG_EVENT_WITHDRAWN: ApprovalState.WITHDRAWN,
    log_pb2.LOG_EVENT_LAPSED: ApprovalState.EXPIRED,
}


class Approvals(Check):
    """Verifies pending and decided approvals."""

    events = (log_pb2.LOG_EVENT_SUBMITTED, log_pb2.LOG_EVENT_APPROVED, *_ENDED, log_pb2.LOG_EVENT_RELEASED)

    def __init__(self, scan: ReadConnection) -> None:
        self._scan = scan
        self._submitted, self._ended = Tally(), Tally()
        self._by: dict[bytes, list[str]] = {}  # a few names for each message, in order: officers made them all
        self._first: dict[bytes, int] = {}  # how many of these were there from the beginning
        self.released: dict[bytes, frozenset[str]] = {}
        """The signers of a message at its release."""

    @override
    def read_entry(self, index: int, entry: log_pb2.LogEntry) -> None:
        digest = entry.message_digest
        if entry.event == log_pb2.LOG_EVENT_SUBMITTED:
            time = to_micros(entry.entry_time.ToDatetime(tzinfo=UTC))
            self._submitted.add(b"%d" % index, digest, entry.actor.encode(), b"%d" % time)
            self._by[digest] = [signer.id for signer in entry.submitted.signers]
            self._first[digest] = len(self._by[digest])
        elif entry.event == log_pb2.LOG_EVENT_APPROVED:
            if entry.actor == entry.approved.signer.id:
                self._by.setdefault(digest, []).append(entry.actor)
        elif entry.event in _ENDED:
            state = _ENDED[entry.event]
            self._ended.add(digest, b"%d" % state, ENDED[state].encode())
        elif entry.event == log_pb2.LOG_EVENT_RELEASED and digest in self._by:
            self.released.setdefault(digest, frozenset(self._by[digest]))

    @override
    def verify(self, part: Part, step: Step) -> None:
        """Check pending and decided approvals.

        1. The header has the digest.
        2. The log records the same submissions, and the same messages given up.
        3. A message is released exactly if its row says so, and then all officers it names had signed: one SUBMITTED,
           the others APPROVED, each in their own name.
        4. What is stored beside the header follows from it and from the log: the id, the officers who are missing, the
           time to decide. The body is there exactly while the message is pending, and whole.
        """
        certificates = {
            (each.certificate_sha256, each.officer)
            for each in access_store.officer_certificates(self._scan)
            if each.use == "signing"
        }
        submitted, ended = Tally(), Tally()
        for rows in scanning.rows(self._scan, approvals_store.approval_table):
            for row in rows:
                time = b"%d" % row.submitted_time
                submitted.add(b"%d" % row.submitted_index, row.digest, row.drafter.encode(), time)
                if row.state not in (ApprovalState.WAITING, ApprovalState.RELEASED):
                    ended.add(row.digest, b"%d" % row.state, row.reason.encode())
                # 1.
                try:
                    header = wire.parse_header(row.header)
                except Rejected:
                    header = message_pb2.Header()
                required = {signer.id for signer in header.required_signers}
                if not required or wire.message_digest(row.header) != row.digest:
                    _find(part, "part_altered", N_("The header does not have the digest of the message."), row.digest)
                    continue
                # 3.
                if (row.state == ApprovalState.RELEASED) != (row.digest in self.released):
                    _find(
                        part, "log_damaged", N_("The log and the row disagree on whether it was released."), row.digest
                    )
                elif not required <= self.released.get(row.digest, required):
                    _find(
                        part,
                        "log_damaged",
                        N_("It was released without the approval of all officers it names."),
                        row.digest,
                    )
                # 4.
                if not self._agrees(row, header):
                    _find(part, "log_damaged", N_("The row says something else than header and log."), row.digest)
                if not self._is_whole(row, certificates):
                    _find(part, "part_altered", N_("The pending message is not the one that was signed."), row.digest)
            step(len(rows))
        # 2.
        part.counts = {"approvals": submitted.count}
        part.compare("SUBMITTED / approval", self._submitted, submitted)
        part.compare("DECLINED, WITHDRAWN, LAPSED / approval", self._ended, ended)

    def _agrees(self, row: Any, header: message_pb2.Header) -> bool:
        """Return whether id, missing officers, reason and time to decide are as header and log give them."""
        signed = self._by.get(row.digest, [])
        orders = [  # who was missing after each signature; the one that releases the message is not written any more
            [signer.id for signer in header.required_signers if signer.id not in signed[:count]]
            for count in range(self._first.get(row.digest, 0), len(signed) + 1)
        ]
        possible = orders if row.state == ApprovalState.RELEASED else orders[-1:]
        within = min(ANSWER_WITHIN.get(header.urgency, LONGEST_LIFE), LONGEST_LIFE)
        undecided = row.state in (ApprovalState.WAITING, ApprovalState.RELEASED)
        return (
            row.message_id == header.message_id
            and (row.missing.split() in possible or not orders)
            and (not undecided or not row.reason)
            and row.submitted_time < row.expires_time <= row.submitted_time + within // MICROSECOND
        )

    def _is_whole(self, row: Any, certificates: Collection[tuple[bytes, str]]) -> bool:
        """Return whether the body is there exactly while the message is pending, with exactly the logged signatures."""
        if (row.state == ApprovalState.WAITING) != (row.signed is not None):
            return False
        if row.signed is None:
            return True
        try:
            signed = wire.read_sealed(row.signed)
            made = {each.signer_id: each for each in signed.signatures}
            if signed.header != row.header or set(made) != set(self._by.get(row.digest, made)):
                return False
            payload = wire.pre_authentication_encoding(row.header)
            for each in signed.signatures:
                if (sha256(each.certificate).digest(), each.signer_id) not in certificates:
                    return False
                keys.verify(p256_key(load_certificate(each.certificate)), each.signature, payload)
        except Rejected:
            return False
        return True


def _find(part: Part, reason: str, what: str, digest: bytes) -> None:
    part.find(reason, what, N_("message {digest}"), digest=digest.hex())
