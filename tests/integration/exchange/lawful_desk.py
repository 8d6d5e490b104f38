"""An officer's audit and retention queries, as calls of the protocol."""

import secrets
from datetime import datetime
from typing import Final

import grpc

from paiza.core.v1 import log_pb2, log_query_pb2
from paiza.officer.v1 import audit_query_pb2, audit_query_pb2_grpc, retention_pb2, retention_pb2_grpc
from paiza_node.core.api.status_codes import REASON_KEY
from paiza_wire.tlog.log_queries import NONCE_SIZE

SECONDS: Final = 60


class LawfulDesk:
    """An officer who asks RetentionService over an open channel."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel
        self.stub: retention_pb2_grpc.RetentionServiceAsyncStub = retention_pb2_grpc.RetentionServiceStub(channel)

    async def place_hold(self, digest: bytes, reason: str = "Exercise") -> str:
        """Put a message under hold; return the reason of a refusal."""
        request = retention_pb2.PlaceHoldRequest(message_digest=digest, reason_text=reason)
        try:
            await self.stub.PlaceHold(request, timeout=SECONDS)
        except grpc.aio.AioRpcError as error:
            return _reason(error)
        return ""

    async def release_hold(self, digest: bytes, reason: str = "Exercise") -> str:
        """Release a message from hold; return the reason of a refusal."""
        request = retention_pb2.ReleaseHoldRequest(message_digest=digest, reason_text=reason)
        try:
            await self.stub.ReleaseHold(request, timeout=SECONDS)
        except grpc.aio.AioRpcError as error:
            return _reason(error)
        return ""

    async def holds(self) -> dict[bytes, tuple[str, str]]:
        """Return (who put it there, why) of each message that is listed as under hold."""
        answer = await self.stub.ListHolds(retention_pb2.ListHoldsRequest(), timeout=SECONDS)
        return {each.message_digest: (each.actor.rpartition("/")[2], each.reason_text) for each in answer.holds}

    async def keep(self, digest: bytes, until: datetime | None) -> str:
        """Keep a message until a date; return the reason of a refusal."""
        request = retention_pb2.KeepMessageRequest(message_digest=digest, reason_text="Exercise")
        if until is not None:
            request.keep_until_time.FromDatetime(until)
        try:
            await self.stub.KeepMessage(request, timeout=SECONDS)
        except grpc.aio.AioRpcError as error:
            return _reason(error)
        return ""

    async def erase_own_copy(self, digest: bytes) -> str:
        """Erase the own copy of a message; return the reason of a refusal."""
        request = retention_pb2.EraseOwnCopyRequest(message_digest=digest, reason_text="Exercise")
        try:
            await self.stub.EraseOwnCopy(request, timeout=SECONDS)
        except grpc.aio.AioRpcError as error:
            return _reason(error)
        return ""

    async def erasures(self, digest: bytes) -> dict[str, str]:
        """Return how the erasure of a message stands, by holder, as the node says."""
        answer = await self.stub.ListErasures(retention_pb2.ListErasuresRequest(), timeout=SECONDS)
        return {
            each.holder: retention_pb2.ErasureState.Name(each.state).removeprefix("ERASURE_STATE_")
            for each in answer.erasures
            if each.message_digest == digest
        }

    async def read(self, **asked: object) -> list[tuple[str, str, str]]:
        """Return (event, officer, text) of the entries that a reading of the log gives."""
        found = []
        for shown in await log_entries(self.channel, with_texts=True, **asked):
            entry = log_pb2.LogEntry.FromString(shown.proven.entry)
            name = log_pb2.LogEvent.Name(entry.event).removeprefix("LOG_EVENT_")
            found.append((name, entry.actor.rpartition("/")[2], shown.text))
        return found


async def log_entries(channel: grpc.aio.Channel, **asked: object) -> list[log_query_pb2.VisibleEntry]:
    """Return entries of the own member's log, as its coordinators and auditors see them."""
    query = log_query_pb2.EntryQuery(nonce=secrets.token_bytes(NONCE_SIZE), **asked)  # type: ignore[arg-type]
    stub: audit_query_pb2_grpc.AuditQueryServiceAsyncStub = audit_query_pb2_grpc.AuditQueryServiceStub(channel)
    request = audit_query_pb2.ListLogEntriesRequest(query=query.SerializeToString(deterministic=True))
    answer = await stub.ListLogEntries(request, timeout=SECONDS)
    return list(answer.page.entries)


def _reason(error: grpc.aio.AioRpcError) -> str:
    trailing = dict(error.trailing_metadata() or ())
    return str(trailing.get(REASON_KEY, error.details()))
