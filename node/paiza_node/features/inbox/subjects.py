"""Subjects: shown in lists to those who may open the messages, and logged before they are shown.

A subject's key opens nothing else, and no message is marked as read. A crash after the commit and before the answer
leaves an entry for subjects that were not shown: the safe side.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from paiza.core.v1 import log_pb2
from paiza_node.core.access.consultations import Consultations
from paiza_node.core.access.model import Officer
from paiza_node.core.access.need_to_know import openable
from paiza_node.core.access.open import OpenAuthorizer, OpenRequest
from paiza_node.core.access.open_rules import OpenRule
from paiza_node.core.dependencies import Core
from paiza_node.core.exchange.proofs import own_proof
from paiza_node.core.log import store as log_store
from paiza_node.core.log.model import StoredEntry
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages import markings
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageRow
from paiza_node.core.storage import ReadConnection
from paiza_wire import log_entries
from paiza_wire import message as wire
from paiza_wire.errors import Rejected
from paiza_wire.message.part_cipher import subject_key

FRONT_BYTES: Final = 192 * 1024  # of a message: header, signatures, subject, and the wraps of its main part
TOGETHER: Final = 32  # messages whose fronts are in memory at once


@dataclass(frozen=True, slots=True)
class ShownSubjects:
    """Sealed subject and its key, by the digest of the message; ``proof`` is the entry that logs the showing."""

    by_digest: Mapping[bytes, tuple[bytes, bytes]] = field(default_factory=dict)
    proof: log_pb2.LogProof | None = None

    def of(self, digest: bytes) -> tuple[bytes, bytes]:
        """Return sealed subject and key of one message; both are empty if it is not shown."""
        return self.by_digest.get(digest, (b"", b""))


class ShowSubjects:
    """Shows subjects."""

    def __init__(self, core: Core, consultations: Consultations, rules: Sequence[OpenRule]) -> None:
        """Store the collaborators; ``rules`` are those of capabilities against opening a part, in their order."""
        self._core = core
        self._consultations = consultations
        self._authorizer = OpenAuthorizer(core, rules)

    async def __call__(self, officer: Officer, rows: Sequence[MessageRow]) -> ShownSubjects:
        """Return the subjects of those of these messages that the officer may open without stating a reason.

        The same list shown again within a minute is covered by the same entry.

        Policy and rules are checked on one snapshot, a moment before; need-to-know and whether the content is still
        stored and not recalled, in the transaction that writes SUBJECTS_SHOWN.
        """
        found = await asyncio.to_thread(self._found, officer, rows)
        if not found:
            return ShownSubjects()
        wanted = [row for row in rows if row.digest in found]
        shown = log_entries.listed_sha256(row.digest for row in wanted)
        committed = await self._consultations.log(
            officer.id, lambda tx: _log_shown(tx, officer, wanted), what=("subjects", shown)
        )
        if committed.result is None:
            return ShownSubjects()
        entry, listed = committed.result
        checkpoint = committed.checkpoint
        proof = own_proof(self._core.ledger, entry, checkpoint.size, checkpoint.note, listed)
        return ShownSubjects({digest: found[digest] for digest in listed}, proof)

    async def with_proof(
        self, officer: Officer, rows: Sequence[MessageRow]
    ) -> tuple[Mapping[bytes, tuple[bytes, bytes]], log_pb2.LogProof | None]:
        """Return the same as subjects by digest and the proof, for lists of other capabilities."""
        shown = await self(officer, rows)
        return shown.by_digest, shown.proof

    def _found(self, officer: Officer, rows: Sequence[MessageRow]) -> dict[bytes, tuple[bytes, bytes]]:
        """Return sealed subjects and keys; those that do not open are left out."""
        found: dict[bytes, tuple[bytes, bytes]] = {}
        with self._core.store.reads() as reads:
            for first in range(0, len(rows), TOGETHER):
                found |= self._found_among(reads, officer, rows[first : first + TOGETHER])
        return found

    def _found_among(
        self, reads: ReadConnection, officer: Officer, rows: Sequence[MessageRow]
    ) -> dict[bytes, tuple[bytes, bytes]]:
        wanted: dict[int, OpenRequest] = {}
        for row in rows:
            with suppress(Rejected):
                wanted[row.seq] = self._authorizer.request_for(officer, row, 0, "")
        refused = self._authorizer.refusals(reads, officer, list(wanted.values()))
        allowed = {
            seq: request for (seq, request), against in zip(wanted.items(), refused, strict=True) if against is None
        }
        keys = self._core.decryption_keys
        found: dict[bytes, tuple[bytes, bytes]] = {}
        for seq, front in messages_store.fronts(reads, list(allowed), FRONT_BYTES).items():
            digest = allowed[seq].digest
            with suppress(Rejected):
                signed = wire.read_leading_fields(front)
                part_key = wire.unwrap(signed.wraps, digest, 0, keys.member, keys.by_id)
                found[digest] = signed.subject, subject_key(part_key)
        return found


def _log_shown(
    tx: LogTransaction, officer: Officer, rows: Sequence[MessageRow]
) -> tuple[StoredEntry, list[bytes]] | None:
    """Write SUBJECTS_SHOWN for those that may still be shown; None if there are none. Runs in the transaction."""
    visible = openable(tx.conn, officer, rows)
    erased = messages_store.erased(tx.conn, [row.digest for row in rows])
    marks = markings.marks(tx.conn, rows)
    recalled = {digest for digest, each in marks.items() if each.recalled_by}
    listed = sorted(row.digest for row in rows if row.seq in visible and row.digest not in erased | recalled)
    if not listed:
        return None
    entry = tx.append(log_entries.subjects_shown(actor=officer.id, digests=listed))
    log_store.add_listed(tx.conn, entry.index, listed)
    return entry, listed
