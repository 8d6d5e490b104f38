"""Verification of second signatures: by the log, every released message had the signatures of all officers it names."""

from collections.abc import Mapping
from typing import Final

from typing_extensions import override

from paiza.core.v1 import log_pb2
from paiza_node.core.errors import N_
from paiza_node.core.storage import ReadConnection, scanning
from paiza_node.core.storage.findings import Check, Part, Step, Tally
from paiza_node.features.approvals import store as approvals_store
from paiza_node.features.approvals.approve import ENDED
from paiza_node.features.approvals.model import ApprovalState
from paiza_wire import message as wire
from paiza_wire.errors import Rejected

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
        self._by: dict[bytes, set[str]] = {}  # a few names for each message: officers made them all
        self.released: dict[bytes, frozenset[str]] = {}
        """The signers of a message at its release."""

    @override
    def read_entry(self, index: int, entry: log_pb2.LogEntry) -> None:
        digest = entry.message_digest
        if entry.event == log_pb2.LOG_EVENT_SUBMITTED:
            self._submitted.add(b"%d" % index, digest, entry.actor.encode())
            self._by[digest] = {signer.id for signer in entry.submitted.signers}
        elif entry.event == log_pb2.LOG_EVENT_APPROVED:
            self._by.setdefault(digest, set()).update({entry.actor} & {entry.approved.signer.id})
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
        """
        submitted, ended = Tally(), Tally()
        for rows in scanning.rows(self._scan, approvals_store.approval_table):
            for row in rows:
                submitted.add(b"%d" % row.submitted_index, row.digest, row.drafter.encode())
                if row.state not in (ApprovalState.WAITING, ApprovalState.RELEASED):
                    ended.add(row.digest, b"%d" % row.state, row.reason.encode())
                # 1.
                try:
                    required = {signer.id for signer in wire.parse_header(row.header).required_signers}
                except Rejected:
                    required = set()
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
            step(len(rows))
        # 2.
        part.counts = {"approvals": submitted.count}
        part.compare("SUBMITTED / approval", self._submitted, submitted)
        part.compare("DECLINED, WITHDRAWN, LAPSED / approval", self._ended, ended)


def _find(part: Part, reason: str, what: str, digest: bytes) -> None:
    part.find(reason, what, N_("message {digest}"), digest=digest.hex())
