"""An officer at their node, by calls of the protocol, with a colleague who signs as the second."""

from collections.abc import Sequence
from datetime import UTC
from pathlib import Path
from typing import Final

import grpc

from paiza.core.v1 import log_pb2
from paiza.core.v1 import message_pb2 as pb
from paiza.officer.v1 import (
    audit_pb2,
    audit_pb2_grpc,
    forwarding_pb2,
    forwarding_pb2_grpc,
    officer_pb2,
    officer_pb2_grpc,
)
from paiza_node.core.api.status_codes import REASON_KEY
from paiza_wire import message
from tests.officer import Officer, subject_of
from tests.registers import read_register

SECONDS: Final = 60


def digest_of(signed: bytes) -> bytes:
    """Return the digest of a message."""
    return message.message_digest(pb.SignedMessage.FromString(signed).header)


class Desk:
    """An officer at their node, with a colleague who signs as the second."""

    def __init__(self, folder: Path, member: str) -> None:
        register = read_register(folder)
        self.officer = Officer(folder, f"{member}-liaison", register)
        self.second = Officer(folder, f"{member}-duty", register)
        self.channel = self.officer.channel()
        self.stub: officer_pb2_grpc.OfficerServiceAsyncStub = officer_pb2_grpc.OfficerServiceStub(self.channel)
        self.audit: audit_pb2_grpc.AuditServiceAsyncStub = audit_pb2_grpc.AuditServiceStub(self.channel)

    def write(
        self, kind: str, content: bytes, about: Sequence[pb.Header], digests: Sequence[bytes], to: Sequence[str]
    ) -> bytes:
        """Write a message about others, signed by both officers."""
        header = self.officer.header(to)
        header.kind, header.thread_id = kind, about[0].thread_id
        header.parent_digests.extend(digests)
        header.required_signers.add(id=self.second.id, role="duty")
        moment = header.author_time.ToDatetime(tzinfo=UTC)
        members = [*to, self.officer.member]
        keys_of = [self.officer.recipient_key(each, moment) for each in members]
        sealed = message.seal(
            header, [message.PlainPart(pb.PART_KIND_MAIN, content)], keys_of, subject=subject_of(header, content)
        )
        return message.sign(sealed, [self.officer.signer, self.second.signer])

    async def send(self, signed: bytes) -> str:
        """Submit a message; gives the reason of its refusal, empty where it was released."""
        request = officer_pb2.SubmitRequest(items=[officer_pb2.SubmitItem(message=signed)])
        (result,) = (await self.stub.Submit(request, timeout=SECONDS)).results
        assert result.WhichOneof("result") != "retry", result.retry
        return result.rejection.reason

    async def wait_for(self, digest: bytes) -> officer_pb2.MessageInfo:
        """Wait until a message is at this node, by its news."""
        async for news in self.stub.Watch(officer_pb2.WatchRequest(after_sequence=0), timeout=SECONDS):
            for info in news.messages:
                if info.message_digest == digest:
                    return info
        raise AssertionError("the watch ended")

    async def info(self, digest: bytes) -> officer_pb2.MessageInfo:
        """Return what lists show of a message."""
        request = officer_pb2.ListMessagesRequest(id_prefix=digest.hex())
        return (await self.stub.ListMessages(request, timeout=SECONDS)).messages[0]

    async def open(self, digest: bytes, reason: str = "") -> str:
        """Open the content; gives the reason of a refusal, empty where it was handed over."""
        request = officer_pb2.OpenMessageRequest(message_digest=digest, reason_text=reason)
        try:
            await self.stub.OpenMessage(request, timeout=SECONDS)
        except grpc.aio.AioRpcError as error:
            trailing = dict(error.trailing_metadata() or ())
            return str(trailing.get(REASON_KEY, error.details()))
        return ""

    async def events(self, digest: bytes) -> list[str]:
        """Name the events of the own log about a message."""
        request = audit_pb2.GetTrailRequest(message_digest=digest)
        answer = await self.audit.GetTrail(request, timeout=SECONDS)
        entries = [log_pb2.LogEntry.FromString(each.entry) for each in answer.entries]
        return [log_pb2.LogEvent.Name(each.event).removeprefix("LOG_EVENT_") for each in entries]

    async def forward(self, digest: bytes, to: str) -> str:
        """Pass a message on; gives the reason of a refusal."""
        stub: forwarding_pb2_grpc.ForwardingServiceAsyncStub = forwarding_pb2_grpc.ForwardingServiceStub(self.channel)
        request = forwarding_pb2.ForwardRequest(
            message_digest=digest, recipients=[to], purpose="investigate", reason_text="Exercise"
        )
        (result,) = (await stub.Forward(request, timeout=SECONDS)).results
        return result.rejection.reason
