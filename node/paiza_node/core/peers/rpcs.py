"""The RPCs that this node calls at other members' nodes, and the interface of a channel to such a node."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar

from google.protobuf.message import Message

from paiza.core.v1 import register_pb2
from paiza.peer.v1 import exchange_pb2, peer_audit_pb2, proposal_pb2, recovery_pb2, witness_pb2

PROTOCOL_VERSION: Final = 1

BATCH_SECONDS: Final = 60.0  # a batch of 256 takes about a second on two busy cores
SHORT_SECONDS: Final = 10.0  # everything else
PIECE_SECONDS: Final = 30.0  # for the next piece of an attachment: 256 KiB over a slow line

RequestT = TypeVar("RequestT", bound=Message)
ResponseT = TypeVar("ResponseT", bound=Message)


@dataclass(frozen=True, slots=True)
class Rpc(Generic[RequestT, ResponseT]):
    """An RPC of another member's node.

    ``seconds`` is the deadline of a call, or of the next response of a stream. ``refusal_is_answer``: a refusal is
    raised as Rejected, for the caller that caused the call; else as Unavailable, and the call is tried again.
    """

    path: str
    request: type[RequestT]
    response: type[ResponseT]
    seconds: float
    refusal_is_answer: bool


class PeerChannel(Protocol):
    """The channel to one member's node. Raises Unavailable if it cannot be reached or returns malformed data."""

    member: str

    @property
    def endpoint(self) -> str:
        """The endpoint dialled last; empty before the first call."""

    async def call(self, rpc: Rpc[RequestT, ResponseT], request: RequestT) -> ResponseT:
        """Call once and wait for the answer."""

    def stream(self, rpc: Rpc[RequestT, ResponseT], request: RequestT) -> AsyncGenerator[ResponseT]:
        """Yield the responses of a stream; Unavailable if it breaks off or stalls."""

    def check_trusted(self) -> None:
        """Cut the calls under way if the certificate of the node is refused under the register now in force."""

    async def close(self) -> None:
        """Close the channel for good; calls under way fail."""


def _rpc(
    name: str,
    request: type[RequestT],
    response: type[ResponseT],
    seconds: float = SHORT_SECONDS,
    *,
    refusal_is_answer: bool = False,
) -> Rpc[RequestT, ResponseT]:
    """Find "Service/Method" in the file of its request."""
    service, _, method = name.partition("/")
    found: Any = request.DESCRIPTOR.file.services_by_name[service].methods_by_name[method]
    assert (found.input_type, found.output_type) == (request.DESCRIPTOR, response.DESCRIPTOR)
    return Rpc(f"/{found.containing_service.full_name}/{method}", request, response, seconds, refusal_is_answer)


HANDSHAKE: Final = _rpc("ExchangeService/Handshake", exchange_pb2.HandshakeRequest, exchange_pb2.HandshakeResponse)
DELIVER: Final = _rpc(
    "ExchangeService/Deliver", exchange_pb2.DeliverRequest, exchange_pb2.DeliverResponse, BATCH_SECONDS
)
PROVE_CONSISTENCY: Final = _rpc(
    "ExchangeService/ProveConsistency", exchange_pb2.ProveConsistencyRequest, exchange_pb2.ProveConsistencyResponse
)
FETCH_MESSAGES: Final = _rpc(
    "ExchangeService/FetchMessages",
    exchange_pb2.FetchMessagesRequest,
    exchange_pb2.FetchMessagesResponse,
    BATCH_SECONDS,
)
FETCH_ATTACHMENT: Final = _rpc(
    "ExchangeService/FetchAttachment",
    exchange_pb2.FetchAttachmentRequest,
    exchange_pb2.FetchAttachmentResponse,
    PIECE_SECONDS,
)
EXCHANGE_CHECKPOINTS: Final = _rpc(
    "WitnessService/ExchangeCheckpoints",
    witness_pb2.ExchangeCheckpointsRequest,
    witness_pb2.ExchangeCheckpointsResponse,
)
PROVE_ENTRIES: Final = _rpc(
    "WitnessService/ProveEntries", witness_pb2.ProveEntriesRequest, witness_pb2.ProveEntriesResponse
)
LIST_PROOFS: Final = _rpc(
    "RegisterService/ListProofs",
    register_pb2.ListProofsRequest,
    register_pb2.ListProofsResponse,
)
LIST_HELD_CHECKPOINTS: Final = _rpc(
    "RecoveryService/ListHeldCheckpoints",
    recovery_pb2.ListHeldCheckpointsRequest,
    recovery_pb2.ListHeldCheckpointsResponse,
)
LIST_LOST_ENTRIES: Final = _rpc(
    "RecoveryService/ListLostEntries",
    recovery_pb2.ListLostEntriesRequest,
    recovery_pb2.ListLostEntriesResponse,
    BATCH_SECONDS,
)
LIST_GRANTED_ENTRIES: Final = _rpc(
    "PeerAuditService/ListGrantedEntries",
    peer_audit_pb2.ListGrantedEntriesRequest,
    peer_audit_pb2.ListGrantedEntriesResponse,
    refusal_is_answer=True,
)
COUNT_GRANTED_MESSAGES: Final = _rpc(
    "PeerAuditService/CountGrantedMessages",
    peer_audit_pb2.CountGrantedMessagesRequest,
    peer_audit_pb2.CountGrantedMessagesResponse,
    refusal_is_answer=True,
)
AGREE_PERIOD: Final = _rpc(
    "PeerAuditService/AgreePeriod",
    peer_audit_pb2.AgreePeriodRequest,
    peer_audit_pb2.AgreePeriodResponse,
    BATCH_SECONDS,
    refusal_is_answer=True,
)
LIST_PROPOSALS: Final = _rpc(
    "ProposalService/ListProposals", proposal_pb2.ListProposalsRequest, proposal_pb2.ListProposalsResponse
)
GET_PROPOSAL: Final = _rpc(
    "ProposalService/GetProposal",
    proposal_pb2.GetProposalRequest,
    proposal_pb2.GetProposalResponse,
    BATCH_SECONDS,
)
GET_FILE: Final = _rpc(
    "RegisterService/GetFile", register_pb2.GetFileRequest, register_pb2.GetFileResponse, refusal_is_answer=True
)

SMALL_ANSWERS: Final = (HANDSHAKE, PROVE_CONSISTENCY, COUNT_GRANTED_MESSAGES, LIST_PROPOSALS)
"""RPCs whose answers are at most `SMALL_ANSWER_BYTES` long."""

SMALL_ANSWER_BYTES: Final = 1024 * 1024

FILES: Final = frozenset(rpc.path for rpc in (GET_FILE, LIST_PROOFS))
"""RPCs that hand over files of the register, which the caller verifies."""

ABOUT_REGISTER: Final = FILES | {HANDSHAKE.path}
"""RPCs by which nodes get the register from each other."""
