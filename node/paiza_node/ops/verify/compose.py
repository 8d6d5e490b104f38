"""The parts of `verify` beside the log: the checks of all packages."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from paiza_node.core.access.checks import Deputies, Officers, OpenedTogether, Openings
from paiza_node.core.exchange import checks as exchange_checks
from paiza_node.core.exchange.checks import Messages, Proofs
from paiza_node.core.exchange.send.checks import Deliveries, SourceRows
from paiza_node.core.peers.checks import Blocks, KnownLogs
from paiza_node.core.storage import ReadConnection
from paiza_node.core.storage.findings import Check
from paiza_node.features.approvals.checks import Approvals
from paiza_node.features.attachments import checks as attachments_checks
from paiza_node.features.attachments.checks import AttachmentFiles, AttachmentProofs, AttachmentRows, Uploads
from paiza_node.features.audit.checks import LogIndexRows
from paiza_node.features.ceremonies.checks import HeldProposals
from paiza_node.features.peer_audit.checks import PeerAudit, Periods
from paiza_node.features.retention import checks as retention_checks
from paiza_node.features.retention.checks import Erasures, RetiredRows, ReviewDates, Texts
from paiza_node.features.search.checks import SearchIndex
from paiza_node.features.tasks.checks import Tasks
from paiza_node.features.tasks.shift_checks import ShiftNotes
from paiza_node.features.tasks.unit_checks import Units
from paiza_node.features.witness.checks import Misbehaviour, Witnesses
from paiza_node.ops.config import Config
from paiza_node.ops.keys import unsealed_index_key
from paiza_node.ops.verify.noted_checks import Noted
from paiza_register import Register, RegisterReader


@dataclass(frozen=True, slots=True)
class Checked:
    """One part of a verification: its name, the tables whose rows its progress counts, and its checks."""

    name: str
    tables: Sequence[str]
    checks: Sequence[Check]


def compose(scan: ReadConnection, reader: RegisterReader, register: Register, config: Config) -> tuple[Checked, ...]:
    """Return all parts but the log itself, in the order in which they are verified and reported."""
    own = config.member
    proofs = Proofs(scan, reader, own)
    owners = (exchange_checks, attachments_checks, retention_checks)
    kept = chain.from_iterable(owner.kept_entries(scan) for owner in owners)
    return (
        Checked(
            "rows",
            ("delivery", "answer", "opened", "opened_together", "attachment", "log_fact", "log_text"),
            (
                Deliveries(scan),
                SourceRows(scan),
                Openings(scan),
                OpenedTogether(scan),
                AttachmentRows(scan, own),
                RetiredRows(scan),
                LogIndexRows(scan),
                Texts(scan),
            ),
        ),
        Checked(
            "messages", ("message", "review", "message"), (Messages(scan, own), ReviewDates(scan), Units(scan, own))
        ),
        Checked("proofs", ("proof", "attachment_proof"), (proofs, AttachmentProofs(scan, proofs, own))),
        Checked("witnesses", ("witnessed_note", "cosigned_proof"), (Witnesses(scan, reader, register, own, kept),)),
        Checked("misbehaviour", ("finding", "known_log"), (Misbehaviour(scan, register), KnownLogs(scan, register))),
        Checked(
            "officers", ("officer", "officer_certificate", "invitation", "deputy"), (Officers(scan), Deputies(scan))
        ),
        Checked("settings", ("setting", "counter"), (Noted(scan, unsealed_index_key(config)),)),
        Checked("blocks", ("peer_block",), (Blocks(scan),)),
        Checked("search", ("indexed_message", "search_match"), (SearchIndex(scan),)),
        Checked("tasks", ("task", "message", "reader", "shift_note"), (Tasks(scan, own), ShiftNotes(scan))),
        Checked("approvals", ("approval",), (Approvals(scan),)),
        Checked("erasures", ("erasure", "erased", "erasure_answer"), (Erasures(scan, proofs, own),)),
        Checked("peer_audit", ("audit_grant", "reconciled_period"), (PeerAudit(scan, proofs, own), Periods(scan))),
        Checked("proposals", ("proposal",), (HeldProposals(scan, reader),)),
        Checked(
            "attachments",
            ("attachment", "upload"),
            (AttachmentFiles(scan, config.data / "attachments"), Uploads(scan, config.data / "attachments")),
        ),
    )
