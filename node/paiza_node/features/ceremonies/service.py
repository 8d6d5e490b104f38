"""RPCs about proposals to change the register: of our custodians, and of other members' nodes."""

from datetime import datetime
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from paiza.officer.v1 import ceremony_pb2
from paiza.peer.v1 import proposal_pb2
from paiza_node.core.api.authentication import Caller, officer_of
from paiza_node.core.api.paging import page_of
from paiza_node.core.api.services import Service
from paiza_node.features.ceremonies.held import is_recent, passed_on
from paiza_node.features.ceremonies.model import HeldProposal, HeldState
from paiza_node.features.ceremonies.proposals import Proposals

PUBLICATION_SECONDS: Final = 8.0  # a custodian waits for it after the last signature; it usually takes one or two


class CeremonyService(Service):
    """Handles requests of our custodians."""

    service = ceremony_pb2.DESCRIPTOR.services_by_name["CeremonyService"]

    def __init__(self, proposals: Proposals) -> None:
        self._proposals = proposals

    async def list_proposals(
        self, _caller: Caller, request: ceremony_pb2.ListProposalsRequest
    ) -> ceremony_pb2.ListProposalsResponse:
        now = self._proposals.now()
        held = await self._proposals.all_held()
        listed = [each for each in held if each.is_waiting or (request.all and is_recent(each, now))]
        page, token = page_of(listed, _name, request)
        return ceremony_pb2.ListProposalsResponse(proposals=map(_shown, page), next_page_token=token)

    async def get_proposal(
        self, _caller: Caller, request: ceremony_pb2.GetProposalRequest
    ) -> ceremony_pb2.GetProposalResponse:
        held, data = await self._proposals.held(request.fingerprint)
        return ceremony_pb2.GetProposalResponse(data=data, held=_shown(held))

    async def submit_proposal(
        self, caller: Caller, request: ceremony_pb2.SubmitProposalRequest
    ) -> ceremony_pb2.SubmitProposalResponse:
        outcome, held = await self._proposals.submit(request.data, officer_of(caller).id)
        if held.state is HeldState.COMPLETE:
            held = await self._proposals.published(held.fingerprint, PUBLICATION_SECONDS)
        return ceremony_pb2.SubmitProposalResponse(
            outcome=ceremony_pb2.SubmitOutcome.ValueType(outcome), held=_shown(held)
        )


class ProposalService(Service):
    """Handles requests of other members' nodes."""

    service = proposal_pb2.DESCRIPTOR.services_by_name["ProposalService"]

    def __init__(self, proposals: Proposals) -> None:
        self._proposals = proposals

    async def list_proposals(
        self, _caller: Caller, request: proposal_pb2.ListProposalsRequest
    ) -> proposal_pb2.ListProposalsResponse:
        page, token = page_of(passed_on(await self._proposals.all_held()), _name, request)
        return proposal_pb2.ListProposalsResponse(
            proposals=[
                proposal_pb2.PassedProposal(fingerprint=each.fingerprint, state_sha256=each.state_sha256)
                for each in page
            ],
            next_page_token=token,
        )

    async def get_proposal(
        self, _caller: Caller, request: proposal_pb2.GetProposalRequest
    ) -> proposal_pb2.GetProposalResponse:
        _held, data = await self._proposals.held(request.fingerprint)
        return proposal_pb2.GetProposalResponse(data=data)


def _name(held: HeldProposal) -> str:
    return held.fingerprint.hex()


def _shown(held: HeldProposal) -> ceremony_pb2.HeldProposal:
    """Return a proposal as it is shown to a custodian."""
    return ceremony_pb2.HeldProposal(
        fingerprint=held.fingerprint,
        kind=held.kind,
        state=ceremony_pb2.ProposalState.ValueType(held.state),
        base_register_version=held.base_register_version,
        base_root_version=held.base_root_version,
        signed_by=held.signed_by,
        refused_by=held.refused_by,
        waits_for=held.waits_for,
        missing=held.missing,
        received_time=_time(held.received_time),
        changed_time=_time(held.changed_time),
        size=held.size,
        register_version=held.register_version,
    )


def _time(moment: datetime) -> Timestamp:
    found = Timestamp()
    found.FromDatetime(moment)
    return found
