"""The node asks its member's issuer, over the issuer's socket.

1. What the issuer holds is asked for; a newer register is brought.
2. The entry is proven to the largest note of the own log that another member has cosigned. It is waited for, up to
   `WITNESS_SECONDS`: an entry of this moment is cosigned within seconds where another member's node can be reached.
3. The issuer is called. One call at a time: each note must have grown from that of the call before.

Nothing is stored here. A call whose answer was lost is made again, and answered with the same certificates.
"""

import asyncio
import re
from collections.abc import Callable, Sequence
from datetime import UTC
from time import monotonic
from typing import Final

from paiza.core.v1 import log_pb2
from paiza.issuer.v1 import issuer_pb2
from paiza_node.core.api.issuer_server import IssuerChannel
from paiza_node.core.dependencies import Core
from paiza_node.core.log import store as log_store
from paiza_node.features.enrolment.issuing import (
    EnrolmentRequest,
    IssuedOfficer,
    OfficerCertificates,
    RenewalRequest,
)
from paiza_node.features.witness import store as witness_store
from paiza_node.features.witness.rounds import Rounds
from paiza_register import RegisterReader
from paiza_wire.errors import Rejected, Unavailable

WITNESS_SECONDS: Final = 20.0  # for another member to cosign a new entry
POLL_SECONDS: Final = 0.25

_ROOT: Final = re.compile(r"metadata/([1-9][0-9]*)\.root\.json")


class AskIssuer:
    """The issuer behind a socket. Belongs to one event loop."""

    def __init__(self, core: Core, channel: IssuerChannel, reader: RegisterReader, rounds: Rounds) -> None:
        """Store the collaborators; ``rounds`` hold the cosignatures of the own log's newest checkpoints."""
        self._core = core
        self._channel = channel
        self._reader = reader
        self._rounds = rounds
        self._one_call = asyncio.Lock()

    async def requires_administrator(self) -> bool:
        """Return whether an administrator must sign an invitation."""
        state: issuer_pb2.GetStateResponse = await self._channel.call("GetState", issuer_pb2.GetStateRequest())
        return state.administrator_required

    async def enrol(self, request: EnrolmentRequest) -> OfficerCertificates:
        """Issue the certificates of an invited officer."""
        return await self._officer(
            request.log_index,
            lambda entry, _confirmed: issuer_pb2.IssueOfficerRequest(
                entry=entry,
                enrolment=issuer_pb2.Enrolment(
                    statement=request.statement,
                    authentication_request=request.authentication_request,
                    signing_request=request.signing_request,
                    administrator_signatures=request.administrator_signatures,
                ),
            ),
        )

    async def renew(self, request: RenewalRequest) -> OfficerCertificates:
        """Issue new certificates of an officer."""
        return await self._officer(
            request.log_index,
            lambda entry, confirmed: issuer_pb2.IssueOfficerRequest(
                entry=entry,
                renewal=issuer_pb2.Renewal(
                    statement=request.statement,
                    signing_certificate=request.signing_certificate,
                    signature=request.signature,
                    confirmed=confirmed,
                ),
            ),
            request.confirmed_index,
        )

    async def certify_node(self, log_index: int, request: bytes) -> bytes:
        """Issue a node certificate."""
        async with self._one_call:
            entry, _ = await self._witnessed(log_index)
            asked = issuer_pb2.IssueNodeRequest(entry=entry, request=request)
            response: issuer_pb2.IssueNodeResponse = await self._channel.call("IssueNode", asked)
            return response.certificate

    async def issued(self) -> list[IssuedOfficer]:
        """Return all officers' certificates that the issuer's journal names, oldest first."""
        return [
            IssuedOfficer(
                officer=each.officer_id,
                certificates=OfficerCertificates(each.authentication_certificate, each.signing_certificate),
                statement=each.statement,
                renewed=each.renewed,
                issued_time=each.issued_time.ToDatetime(tzinfo=UTC),
            )
            for each in await self._journal()
            if not each.node_certificate
        ]

    async def node_certificates(self) -> list[bytes]:
        """Return the node certificates (DER) that the issuer's journal names, oldest first."""
        return [each.node_certificate for each in await self._journal() if each.node_certificate]

    async def _journal(self) -> list[issuer_pb2.IssuedCertificates]:
        found: list[issuer_pb2.IssuedCertificates] = []
        request = issuer_pb2.ListIssuedRequest()
        while True:
            page: issuer_pb2.ListIssuedResponse = await self._channel.call("ListIssued", request)
            found.extend(page.issued)
            if not page.next_page_token:
                return found
            request.page_token = page.next_page_token

    async def close(self) -> None:
        """Close the channel."""
        await self._channel.close()

    async def _officer(
        self,
        log_index: int,
        ask: Callable[[issuer_pb2.WitnessedEntry, log_pb2.ProvenEntry | None], issuer_pb2.IssueOfficerRequest],
        confirmed_index: int | None = None,
    ) -> OfficerCertificates:
        async with self._one_call:
            # 3.
            asked = ask(*await self._witnessed(log_index, confirmed_index))
            response: issuer_pb2.IssueOfficerResponse = await self._channel.call("IssueOfficer", asked)
            return OfficerCertificates(response.authentication_certificate, response.signing_certificate)

    async def _witnessed(
        self, log_index: int, earlier_index: int | None = None
    ) -> tuple[issuer_pb2.WitnessedEntry, log_pb2.ProvenEntry | None]:
        """Return an entry of the own log for the issuer, and an earlier one under the same note: steps 1 and 2."""
        # 1.
        state: issuer_pb2.GetStateResponse = await self._channel.call("GetState", issuer_pb2.GetStateRequest())
        await self._bring_register(state)
        # 2.
        known = state.log_size if state.log_origin == self._core.ledger.origin else 0
        note, size = await self._cosigned(max(known, log_index + 1))
        indices = [log_index] if earlier_index is None else [log_index, earlier_index]
        entry, *earlier = await asyncio.to_thread(self._prove, indices, size)
        consistency = await asyncio.to_thread(self._core.ledger.prove_consistency, known, size)
        witnessed = issuer_pb2.WitnessedEntry(proven=entry, note=note, consistency_hashes=consistency)
        return witnessed, earlier[0] if earlier else None

    async def _bring_register(self, state: issuer_pb2.GetStateResponse) -> None:
        last = self._core.register_cache.last
        if last.timestamp_version <= state.timestamp_version:
            return
        files = await asyncio.to_thread(self._reader.archived_files, last.version)
        request = issuer_pb2.UpdateRegisterRequest(
            files=[
                issuer_pb2.RegisterFile(path=path, data=data)
                for path, data in files.items()
                if (found := _ROOT.fullmatch(path)) is None or int(found[1]) > state.root_version
            ]
        )
        await self._channel.call("UpdateRegister", request)

    async def _cosigned(self, at_least: int) -> tuple[bytes, int]:
        """Return a note of the own log with so many entries that another member cosigned, and its size."""
        until = monotonic() + WITNESS_SECONDS
        while (size := self._rounds.cosigned_size()) < at_least:
            stored = await asyncio.to_thread(self._last_witnessed)
            if stored is not None and stored[1] >= at_least:
                return stored
            if monotonic() > until:
                raise Unavailable("not_witnessed", f"no other member cosigned the log up to {at_least} entries")
            await asyncio.sleep(POLL_SECONDS)
        note = self._rounds.cosigned_note(size)
        assert note is not None, "the rounds did not change between the two questions"
        return note, size

    def _last_witnessed(self) -> tuple[bytes, int] | None:
        with self._core.store.reads() as reads:
            found = witness_store.last_witnessed(reads)
        return None if found is None or found.origin != self._core.ledger.origin else (found.note, found.size)

    def _prove(self, indices: Sequence[int], size: int) -> list[log_pb2.ProvenEntry]:
        """Prove the entries at these indices to a checkpoint of the own log."""
        with self._core.store.reads() as reads:
            entries = {each.index: each.entry for each in log_store.entries_at(reads, indices)}
        if missing := set(indices) - entries.keys():
            raise Rejected("wrong_entry", f"the log holds no entry {min(missing)}")
        proofs = self._core.ledger.prove(indices, size)
        return [
            log_pb2.ProvenEntry(entry=entries[index], index=index, inclusion_hashes=hashes)
            for index, hashes in zip(indices, proofs, strict=True)
        ]
