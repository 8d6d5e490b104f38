"""Audit: what this node's log says, each entry with its proof. No content and no keys leave here."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from paiza.core.v1 import log_pb2
from paiza.officer.v1 import audit_pb2
from paiza_node.core.access import store as access_store
from paiza_node.core.access.ends import certificate_ends, within_ca
from paiza_node.core.access.held import effective_officers
from paiza_node.core.access.model import Officer
from paiza_node.core.access.need_to_know import hidden_lists, known, list_scope, unknown, unknown_to
from paiza_node.core.api import paging
from paiza_node.core.exchange import store as exchange_store
from paiza_node.core.exchange.proofs import KeptProof, foreign_proof, proofs_of
from paiza_node.core.exchange.send.certificates import proofs_for_holder, signing_certificates
from paiza_node.core.log import store as log_store
from paiza_node.core.log.ledger import Ledger
from paiza_node.core.log.model import StoredEntry
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageRow
from paiza_node.core.peers import store as peers_store
from paiza_node.core.register.sync import RegisterCache
from paiza_node.core.storage import ReadConnection, Store
from paiza_node.features.approvals import store as approvals_store
from paiza_node.features.attachments import store as attachments_store
from paiza_node.features.audit.evidence import others_of, spans_of
from paiza_node.features.witness.unwitnessed import unwitnessed
from paiza_wire import message as wire

ENDING: Final = timedelta(days=30)  # a certificate ends soon; their programs renew it from then on


class Audit:
    """The verb of looking into the own log."""

    def __init__(
        self,
        *,
        register_cache: RegisterCache,
        ledger: Ledger,
        store: Store,
        misbehaviour: Callable[[str], list[str]],
        clock: Callable[[], datetime],
    ) -> None:
        """Store the collaborators; ``misbehaviour`` returns the reason codes recorded against a member's log."""
        self._misbehaviour = misbehaviour
        self._register_cache = register_cache
        self._ledger = ledger
        self._store = store
        self._clock = clock

    async def check_known(self, officer: Officer, digest: bytes) -> None:
        """Raise if an officer may not know of a message, or if the log says nothing of it; both are logged alike."""
        if not await asyncio.to_thread(self._knows, officer, digest):
            raise (await self._ledger.commit(lambda tx: unknown_to(tx, officer, digest))).result

    def _knows(self, officer: Officer, digest: bytes) -> bool:
        with self._store.reads() as reads:
            if known(reads, officer, digest) is not None:
                return True
            if list_scope(officer).units is None:
                return any(_is_about(entry) for entry in log_store.entries_about(reads, digest))
            approval = approvals_store.approval(reads, digest)
        return approval is not None and officer.id in {
            signer.id for signer in wire.parse_header(approval.header).required_signers
        }

    def trail(self, officer: Officer, request: audit_pb2.GetTrailRequest) -> audit_pb2.GetTrailResponse:
        """Return a page of the log entries about one message; with the first, the stored proofs of other members' logs.

        Entries about several messages are left out if the officer may not know of all of them.

        The pages end at the log size of the first one: the request for a page is an entry as well.
        """
        digest, checkpoint = request.message_digest, self._ledger.checkpoint
        after, end = paging.numbers_of(request, 2) or (-1, checkpoint.size)
        size = min(end, checkpoint.size)
        with self._store.reads() as reads:
            entries = [entry for entry in log_store.entries_about(reads, digest) if entry.index < size]
            rest = [entry for entry in entries if entry.index > after]
            listed = log_store.listed(reads, [entry.index for entry in rest])
            hidden = hidden_lists(reads, officer, listed)
            rest = [entry for entry in rest if entry.index not in hidden]
            page = rest[: paging.page_size(request)]
            kept: list[KeptProof] = []
            if not request.page_token:
                kept = [*exchange_store.proofs(reads, digest), *attachments_store.attachment_proofs(reads, digest)]
        if not entries:
            raise unknown()
        return audit_pb2.GetTrailResponse(
            entries=self._proven(page, listed, checkpoint.size),
            checkpoint=checkpoint.note,
            foreign_proofs=map(foreign_proof, kept),
            next_page_token=paging.token_of(page[-1].index, size) if len(rest) > len(page) else "",
        )

    def evidence(
        self, officer: Officer, digest: bytes, *, with_openings: bool = False
    ) -> audit_pb2.GetEvidenceResponse:
        """Return the signed message and all proofs of it, with the registers they are verified by.

        Message and proofs are of one moment: later commits do not appear in any of them. Tiles are read over another
        connection, which changes nothing: a tile only grows, and proofs to one size are always the same.
        """
        checkpoint = self._ledger.checkpoint  # before the transaction, which then sees every entry it covers
        size, note = checkpoint.size, checkpoint.note
        # One transaction of `Store.reads` sees one snapshot, on both databases (`reader_engine` says what ensures it).
        with self._store.reads() as reads:
            row, signed = _message(reads, digest)
            exchanged = proofs_of(reads, self._ledger, row, size, note)
            others = others_of(reads, self._ledger, officer, digest, size, note, with_openings=with_openings)
            own = self._ledger.origin.partition(".")[0]
            certificates = [
                each
                for author, digests in signing_certificates(signed).items()
                for each in proofs_for_holder(reads, self._ledger, own, author, digests)
            ]
            proofs = (*exchanged.released, *exchanged.answers, *exchanged.forwarded, *others, *certificates)
            spans = spans_of(reads, self._ledger, self._register_cache, proofs)
            versions = [log_pb2.LogEntry.FromString(proof.proven.entry).register_version for proof in proofs]
            versions.extend(span.register_version for span in spans)
            versions.extend(proof.register_version for proof in exchange_store.proofs(reads, digest))
        # The one in force contains the later revocations.
        versions.append(self._register_cache.version)
        here = [version for version in dict.fromkeys(versions) if self._has(version)]
        return audit_pb2.GetEvidenceResponse(
            message=signed,
            released=exchanged.released,
            answers=exchanged.answers,
            register_versions=here,
            forwarded=exchanged.forwarded,
            others=others,
            spans=spans,
            certificates=certificates,
        )

    def status(self, *, with_officers: bool = False) -> audit_pb2.GetLogStatusResponse:
        """Return the own checkpoint and the known state of the others' logs.

        ``with_officers``: also the officers of the own member whose certificates end soon.
        """
        response = audit_pb2.GetLogStatusResponse(checkpoint=self._ledger.checkpoint.note)
        with self._store.reads() as reads:
            witnessed, since = unwitnessed(reads, self._ledger.checkpoint.size)
            if witnessed is not None:
                response.witnessed_checkpoint = witnessed.note
            if since is not None:
                response.unwitnessed_since_time.FromDatetime(since)
            known_logs = peers_store.known_logs(reads)
            officers = effective_officers(reads) if with_officers else {}
            certificates = access_store.officer_certificates(reads) if with_officers else []
        ends = certificate_ends(officers, within_ca(certificates, self._register_cache.last))
        soon = self._clock() + ENDING
        for end, officer in sorted((end, officer) for officer, end in ends.items() if end < soon):
            response.ending_certificates.add(officer=officer).expiry_time.FromDatetime(end)
        for member in sorted({*known_logs, *self._register_cache.last.members, *self._register_cache.last.unusable}):
            known, misbehaviour = known_logs.get(member), self._misbehaviour(member)
            if known is None and not misbehaviour:
                continue
            log = response.known_logs.add(member=member, misbehaviour=misbehaviour)
            if known is not None:
                log.checkpoint = known.note
                log.accepted_time.FromDatetime(known.accepted_time)
        return response

    def _proven(
        self, entries: Sequence[StoredEntry], listed: Mapping[int, list[bytes]], size: int
    ) -> list[log_pb2.ProvenEntry]:
        proofs = self._ledger.prove([entry.index for entry in entries], size)
        return [
            log_pb2.ProvenEntry(
                entry=entry.entry,
                index=entry.index,
                inclusion_hashes=hashes,
                message_digests=listed.get(entry.index, ()),
            )
            for entry, hashes in zip(entries, proofs, strict=True)
        ]

    def _has(self, version: bytes) -> bool:
        try:
            self._register_cache.archived(version)
        except Exception:  # noqa: BLE001 - not here, for whatever reason
            return False
        return True


def _is_about(stored: StoredEntry) -> bool:
    """Return whether an entry tells of a message more than that somebody asked for it."""
    entry = log_pb2.LogEntry.FromString(stored.entry)
    asked = entry.event == log_pb2.LOG_EVENT_DENIED and entry.denied.reason == unknown().reason
    return not asked and entry.event != log_pb2.LOG_EVENT_CONSULTED


def _message(reads: ReadConnection, digest: bytes) -> tuple[MessageRow, bytes]:
    row = messages_store.message(reads, digest)
    signed = messages_store.tombstone(reads, digest) or messages_store.signed(reads, digest)
    if row is None or signed is None:
        raise unknown()
    return row, signed
