"""Verification of recorded misbehaviour: the own log agrees with it, and each stored fork proof holds."""

from dataclasses import dataclass, field

from paiza.core.v1 import log_pb2
from paiza_node.core.errors import N_
from paiza_node.core.log import store as log_store
from paiza_node.core.peers import store as peers_store
from paiza_node.core.peers.model import FindingKind
from paiza_node.core.storage import ReadConnection, scanning
from paiza_node.features.witness.misbehaviour import fork_digest
from paiza_node.ops.verify.findings import Part, Step
from paiza_register import Register
from paiza_wire.errors import PaizaError
from paiza_wire.tlog import fork_proofs
from paiza_wire.tlog.notes import VerifierKey

_Entry = tuple[FindingKind, str, bytes]


@dataclass
class LoggedFindings:
    """The findings that the own log records, and how they ended, by index. There are few."""

    found: dict[int, _Entry] = field(default_factory=dict)
    ended: dict[int, _Entry] = field(default_factory=dict)

    def hear(self, index: int, entry: log_pb2.LogEntry) -> None:
        """Note a log entry if it is about a finding."""
        member = entry.counterpart
        if entry.event == log_pb2.LOG_EVENT_FORK_FOUND:
            self.found[index] = (FindingKind.FORK, member, entry.fork_found.notes_sha256)
        elif entry.event == log_pb2.LOG_EVENT_TRUST_RESTORED:
            self.ended[index] = (FindingKind.FORK, member, entry.trust_restored.notes_sha256)
        elif entry.event == log_pb2.LOG_EVENT_DEFAULT_FOUND:
            self.found[index] = (FindingKind.DEFAULT, member, entry.default_found.notes_sha256)
        elif entry.event == log_pb2.LOG_EVENT_DEFAULT_ENDED:
            self.ended[index] = (FindingKind.DEFAULT, member, entry.default_ended.notes_sha256)


def verify_misbehaviour(scan: ReadConnection, said: LoggedFindings, register: Register, part: Part, step: Step) -> None:
    """Check every finding.

    1. The log agrees: member, kind and digest of the evidence; and, if the finding ended, that it did.
    2. The stored proof of a fork holds by the key that the register names for that log.
    3. No finding that the log records is missing.
    """
    left = [dict(said.found), dict(said.ended)]
    count = 0
    for rows in scanning.rows(scan, peers_store.finding_table):
        for row in rows:
            begun = row._mapping["index"]  # noqa: SLF001 - `Row.index` is the method of tuples
            try:
                # 1.
                entry = (FindingKind(row.kind), row.member, fork_digest(row.proof))
                for index, entries in ((begun, left[0]), (row.ended_index, left[1])):
                    if index is not None and entries.pop(index, entry) != entry:
                        _find(part, begun, N_("The log says something else."))
                if begun not in said.found and not log_store.is_retired(scan, begun):
                    _find(part, begun, N_("The log says nothing of it."))
                # 2.
                if row.kind == FindingKind.FORK:
                    key = register.member(row.member).log_key(row.origin)
                    fork_proofs.verify(row.proof, VerifierKey.from_vkey(key.vkey))
            except (PaizaError, ValueError) as error:
                _find(part, begun, N_("What is kept does not show it: {error}"), error=str(error))
        count += len(rows)
        step(len(rows))
    # 3.
    for index in (*left[0], *left[1]):
        part.find(
            "log_damaged", N_("The log tells of it, and it is not kept."), N_("misbehaviour {index}"), index=index
        )
    part.counts = {"misbehaviour": count}


def _find(part: Part, index: int, what: str, **values: str) -> None:
    part.find("log_damaged", what, N_("misbehaviour {index}"), index=index, **values)
