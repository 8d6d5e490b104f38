"""RPCs about proposals to change the register: of our custodians, and of other members' nodes."""

from paiza.officer.v1 import ceremony_pb2
from paiza.peer.v1 import proposal_pb2
from paiza_node.core.api.authentication import Caller
from paiza_node.core.api.services import Service
from paiza_wire.errors import Rejected, Unavailable


class CeremonyService(Service):
    """Handles requests of our custodians."""

    service = ceremony_pb2.DESCRIPTOR.services_by_name["CeremonyService"]

    async def list_proposals(
        self, _caller: Caller, _request: ceremony_pb2.ListProposalsRequest
    ) -> ceremony_pb2.ListProposalsResponse:
        return ceremony_pb2.ListProposalsResponse()

    async def get_proposal(
        self, _caller: Caller, _request: ceremony_pb2.GetProposalRequest
    ) -> ceremony_pb2.GetProposalResponse:
        raise Rejected("unknown_id", "no proposal of this fingerprint is held here")

    async def submit_proposal(
        self, _caller: Caller, _request: ceremony_pb2.SubmitProposalRequest
    ) -> ceremony_pb2.SubmitProposalResponse:
        raise Unavailable("busy", "this node stores no proposals yet")


class ProposalService(Service):
    """Handles requests of other members' nodes."""

    service = proposal_pb2.DESCRIPTOR.services_by_name["ProposalService"]

    async def list_proposals(
        self, _caller: Caller, _request: proposal_pb2.ListProposalsRequest
    ) -> proposal_pb2.ListProposalsResponse:
        return proposal_pb2.ListProposalsResponse()

    async def get_proposal(
        self, _caller: Caller, _request: proposal_pb2.GetProposalRequest
    ) -> proposal_pb2.GetProposalResponse:
        raise Rejected("unknown_id", "no proposal of this fingerprint is held here")
