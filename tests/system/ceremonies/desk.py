"""A custodian's desk: their key, and their officer certificate at their own member's node."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Final, TypeVar

import grpc
from typing_extensions import override

from paiza.officer.v1 import ceremony_pb2 as pb
from paiza.officer.v1 import ceremony_pb2_grpc
from paiza_register import Register
from paiza_register.ceremony import Act, Circumstances, Proposal
from paiza_trust.key_folder import KeyFolder
from tests.officer import Officer

T = TypeVar("T")

SECONDS: Final = 120.0  # limits, not measures
WITHIN_SECONDS: Final = 180.0  # a signature is at all nodes
POLL_SECONDS: Final = 0.2


class Desk(AbstractAsyncContextManager["Desk"]):
    """One custodian."""

    def __init__(self, folder: Path, member: str, register: Register) -> None:
        self.member = member
        self._keys = KeyFolder(folder / "trust" / member)
        self._officer = Officer(folder, f"{member}-custodian", register)
        self._channel = self._officer.channel(("grpc.max_send_message_length", 64 << 20))
        self.stub: ceremony_pb2_grpc.CeremonyServiceAsyncStub = ceremony_pb2_grpc.CeremonyServiceStub(self._channel)

    @override
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Hang up."""
        await self._channel.close()

    def signed(self, proposal: Proposal, name: str = "custodian") -> Proposal:
        """Sign with a key of the member."""
        circumstances = Circumstances(datetime.now(UTC), "clock of the test")
        return proposal.signed_with(self._keys.pair(f"{name}-{self.member}"), circumstances)

    def refused(self, proposal: Proposal) -> Proposal:
        """Refuse as custodian."""
        circumstances = Circumstances(datetime.now(UTC), "clock of the test")
        return proposal.refused_with(self._keys.pair(f"custodian-{self.member}"), circumstances)

    async def submit(self, proposal: Proposal) -> pb.SubmitProposalResponse:
        """Hand a proposal to the own node, again if it is changed there at the same moment."""
        data = proposal.to_bytes(with_register=False)
        while True:
            try:
                return await self.send(data)
            except grpc.aio.AioRpcError as error:
                if ("paiza-reason", "busy") not in list(error.trailing_metadata() or ()):
                    raise
            await asyncio.sleep(POLL_SECONDS)

    async def send(self, data: bytes) -> pb.SubmitProposalResponse:
        """Hand a file to the own node."""
        return await self.stub.SubmitProposal(pb.SubmitProposalRequest(data=data), timeout=SECONDS)

    async def sign(self, act: Act) -> pb.SubmitProposalResponse:
        """Sign and submit."""
        return await self.submit(self.signed(Proposal(act)))

    async def held(self, fingerprint: bytes) -> pb.HeldProposal | None:
        """Return what the own node knows of a proposal."""
        answer = await self.stub.ListProposals(pb.ListProposalsRequest(all=True), timeout=SECONDS)
        return next((each for each in answer.proposals if each.fingerprint == fingerprint), None)

    async def sees(self, fingerprint: bytes, condition: Callable[[pb.HeldProposal], bool]) -> pb.HeldProposal:
        """Wait until the own node holds a proposal in a state."""

        async def look() -> pb.HeldProposal | None:
            found = await self.held(fingerprint)
            return found if found is not None and condition(found) else None

        return await until(look)


async def until(look: Callable[[], Awaitable[T | None]], seconds: float = WITHIN_SECONDS) -> T:
    """Wait until something is found."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            found = await look()
        except grpc.aio.AioRpcError:
            found = None
        if found is not None:
            return found
        assert time.monotonic() < deadline, f"not within {seconds:.0f} seconds"
        await asyncio.sleep(POLL_SECONDS)
