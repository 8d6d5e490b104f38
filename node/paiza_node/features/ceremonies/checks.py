"""Verification of held proposals: the log records exactly who signed and refused them."""

import json
from collections import defaultdict

from typing_extensions import override

from paiza.core.v1 import log_pb2
from paiza_node.core.errors import N_
from paiza_node.core.storage import ReadConnection
from paiza_node.core.storage.findings import Check, Part, Step
from paiza_node.features.ceremonies import store as ceremonies_store


class HeldProposals(Check):
    """Compares the signatures and refusals of held proposals with the log. The proposals are few."""

    events = (log_pb2.LOG_EVENT_PROPOSAL_SIGNED, log_pb2.LOG_EVENT_PROPOSAL_REFUSED)

    def __init__(self, scan: ReadConnection) -> None:
        self._scan = scan
        self._held = {each.fingerprint for each in ceremonies_store.proposals(scan)}
        self._logged: defaultdict[bytes, set[tuple[bool, str]]] = defaultdict(set)

    @override
    def read_entry(self, index: int, entry: log_pb2.LogEntry) -> None:
        signed = entry.event == log_pb2.LOG_EVENT_PROPOSAL_SIGNED
        detail = entry.proposal_signed if signed else entry.proposal_refused
        if detail.proposal_sha256 in self._held:
            self._logged[detail.proposal_sha256].add((signed, detail.key_sha256.hex()))

    @override
    def verify(self, part: Part, step: Step) -> None:
        for fingerprint in sorted(self._held):
            held = ceremonies_store.proposal(self._scan, fingerprint)
            if held is not None and held.data is not None and _keys(held.data) != self._logged[fingerprint]:
                part.find(
                    "log_damaged",
                    N_("The signatures of a proposal are not those that the log records."),
                    "{proposal}",
                    proposal=fingerprint.hex(),
                )
        step(len(self._held))
        part.counts = {"proposals": len(self._held)}


def _keys(data: bytes) -> set[tuple[bool, str]]:
    """Return the ids of the keys that signed (True) and refused (False) a stored proposal."""
    values = json.loads(data)
    signed = {(True, key) for made in values["signatures"].values() for key in made}
    return signed | {(False, key) for key in values["refusals"]}
