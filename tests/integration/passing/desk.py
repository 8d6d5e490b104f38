"""One member's officers at their own node, for tests of passing messages on: write, grant, forward, wait, open."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from google.protobuf.message import Message

from paiza.content.v1.free_message_pb2 import FreeMessage
from paiza.content.v1.nominal_annex_pb2 import NominalAnnex, Person
from paiza.content.v1.release_pb2 import ReleaseGrant
from paiza.core.v1 import log_pb2, message_pb2
from paiza.officer.v1 import (
    audit_pb2,
    audit_pb2_grpc,
    forwarding_pb2,
    forwarding_pb2_grpc,
    officer_pb2,
    officer_pb2_grpc,
)
from paiza_register import Register
from paiza_wire import message
from tests.officer import Officer, subject_of

SECONDS: Final = 60.0
POLL_SECONDS: Final = 0.05  # a delivery that goes on between two nodes announces itself nowhere
UNTIL: Final = timedelta(days=30)


class Desk:
    """A member's officers, by role."""

    def __init__(self, folder: Path, member: str, register: Register) -> None:
        self.member = member
        self.folder = folder
        self.register = register
        self.officers = {
            role: Officer(folder, f"{member}-{role}", register)
            for role in ("liaison", "authoriser", "coordinator", "auditor")
        }

    @asynccontextmanager
    async def _channel(self, role: str) -> AsyncIterator[Any]:
        async with self.officers[role].channel() as channel:
            yield channel

    async def send(
        self,
        recipients: Sequence[str],
        handling: message_pb2.Handling,
        *,
        kind: str = "free-message",
        content: Message | None = None,
        annex: bool = False,
        parents: Sequence[bytes] = (),
        thread_id: bytes = b"",
        second: bool = False,
    ) -> bytes:
        """Write, sign (by two officers if told so) and submit; gives the digest of what was released."""
        result = await self._submit(
            recipients,
            handling,
            kind=kind,
            content=content,
            annex=annex,
            parents=parents,
            thread_id=thread_id,
            second=second,
        )
        assert result.WhichOneof("result") == "released", result
        return bytes(result.released.message_digest)

    async def refused(
        self, recipients: Sequence[str], handling: message_pb2.Handling, **changes: Any
    ) -> tuple[str, str]:
        """Write and submit what is refused; gives reason and detail."""
        result = await self._submit(recipients, handling, **changes)
        assert result.WhichOneof("result") == "rejection", result
        return result.rejection.reason, result.rejection.detail

    async def _submit(
        self,
        recipients: Sequence[str],
        handling: message_pb2.Handling,
        *,
        kind: str = "free-message",
        content: Message | None = None,
        annex: bool = False,
        parents: Sequence[bytes] = (),
        thread_id: bytes = b"",
        second: bool = False,
    ) -> officer_pb2.SubmitResult:
        writer = self.officers["liaison"]
        header = writer.header(recipients)
        header.kind = kind
        header.handling.CopyFrom(handling)
        header.parent_digests.extend(parents)
        if thread_id:
            header.thread_id = thread_id
        signers = [writer.signer]
        if second:
            other = self.officers["authoriser"]
            header.required_signers.add(id=other.id, role="authoriser")
            signers.append(other.signer)
        body = content or FreeMessage(subject="Exercise", text="Nothing of this is real.")
        parts = [message.PlainPart(message_pb2.PART_KIND_MAIN, body.SerializeToString())]
        if annex:
            person = Person(surname="INVENTED", given_names="Nobody", role="courier", category="suspect")
            plain = NominalAnnex(persons=[person]).SerializeToString()
            parts.append(message.PlainPart(message_pb2.PART_KIND_NOMINAL_ANNEX, plain))
        moment = header.author_time.ToDatetime(tzinfo=UTC)
        keys = [writer.recipient_key(each, moment) for each in (*recipients, self.member)]
        signed = message.sign(
            message.seal(header, parts, keys, subject=subject_of(header, body.SerializeToString())), signers
        )
        async with self._channel("liaison") as channel:
            request = officer_pb2.SubmitRequest(items=[officer_pb2.SubmitItem(message=signed)])
            response = await officer_pb2_grpc.OfficerServiceStub(channel).Submit(request, timeout=SECONDS)
        (result,) = response.results
        submitted: officer_pb2.SubmitResult = result
        return submitted

    async def grant(
        self, of: bytes, thread_id: bytes, to: Sequence[str], named: Sequence[str], **changes: Any
    ) -> bytes:
        """Grant these recipients a message of ours; the grant goes to ``to``."""
        content = ReleaseGrant(
            reference="EX-1", scope="whole", recipients=named, purposes=["investigate"], conditions="none"
        )
        content.until_time.FromDatetime(datetime.now(UTC) + UNTIL)
        for name, value in changes.items():
            if isinstance(value, datetime):
                getattr(content, name).FromDatetime(value)
            elif isinstance(value, list):
                del getattr(content, name)[:]
                getattr(content, name).extend(value)
            else:
                setattr(content, name, value)
        handling = message_pb2.Handling(code="H0", tlp="AMBER")
        return await self.send(
            to, handling, kind="release-grant", content=content, parents=[of], thread_id=thread_id, second=True
        )

    async def forward(self, digest: bytes, *recipients: str, role: str = "liaison", **changes: Any) -> list[str]:
        """Pass a message on; gives "forwarded" or the reason of the refusal, by recipient."""
        asked = {"purpose": "investigate", "reason_text": "Exercise.", **changes}
        request = forwarding_pb2.ForwardRequest(message_digest=digest, recipients=recipients, **asked)
        async with self._channel(role) as channel:
            response = await forwarding_pb2_grpc.ForwardingServiceStub(channel).Forward(request, timeout=SECONDS)
        return [
            result.rejection.reason if result.WhichOneof("result") == "rejection" else "forwarded"
            for result in response.results
        ]

    async def export(self, digest: bytes, audience: str, *, role: str = "liaison", **changes: Any) -> str:
        """Ask leave to take a message out; gives "exported" or the reason of the refusal."""
        asked = {"purpose": "investigate", "reason_text": "Exercise.", "recipient_text": "Invented bureau", **changes}
        request = forwarding_pb2.AuthorizeExportRequest(
            message_digests=[digest],
            audience=forwarding_pb2.ExportAudience.Value(f"EXPORT_AUDIENCE_{audience.upper()}"),
            **asked,
        )
        async with self._channel(role) as channel:
            response = await forwarding_pb2_grpc.ForwardingServiceStub(channel).AuthorizeExport(
                request, timeout=SECONDS
            )
        (result,) = response.results
        return str(result.rejection.reason) if result.WhichOneof("result") == "rejection" else "exported"

    async def holders(self, digest: bytes) -> dict[str, str]:
        """Return who holds a message, and who passed it on to them."""
        async with self._channel("liaison") as channel:
            request = forwarding_pb2.ListHoldersRequest(message_digest=digest)
            response = await forwarding_pb2_grpc.ForwardingServiceStub(channel).ListHolders(request, timeout=SECONDS)
        return {holder.member: holder.forwarded_by for holder in response.holders}

    async def info(self, digest: bytes) -> officer_pb2.MessageInfo | None:
        """Return a message as lists show it; None where it is not here."""
        async with self._channel("liaison") as channel:
            request = officer_pb2.ListMessagesRequest(id_prefix=digest.hex(), box=officer_pb2.BOX_UNSPECIFIED)
            response = await officer_pb2_grpc.OfficerServiceStub(channel).ListMessages(request, timeout=SECONDS)
        return response.messages[0] if response.messages else None

    async def arrival(self, digest: bytes) -> officer_pb2.MessageInfo:
        """Wait until a message is here."""
        found: officer_pb2.MessageInfo = await until(lambda: self.info(digest))
        return found

    async def open(self, digest: bytes, part: int = 0) -> officer_pb2.OpenMessageResponse:
        """Open one part."""
        request = officer_pb2.OpenMessageRequest(message_digest=digest, part_number=part, reason_text="Exercise.")
        async with self._channel("liaison") as channel:
            stub = officer_pb2_grpc.OfficerServiceStub(channel)
            opened: officer_pb2.OpenMessageResponse = await stub.OpenMessage(request, timeout=SECONDS)
        return opened

    async def trail(self, digest: bytes) -> list[log_pb2.LogEntry]:
        """Return everything the own log says of a message."""
        async with self._channel("auditor") as channel:
            request = audit_pb2.GetTrailRequest(message_digest=digest)
            response = await audit_pb2_grpc.AuditServiceStub(channel).GetTrail(request, timeout=SECONDS)
        return [log_pb2.LogEntry.FromString(entry.entry) for entry in response.entries]

    async def events(self, digest: bytes) -> list[tuple[str, str]]:
        """Return (event, counterpart) of everything the own log says of a message."""
        return [
            (log_pb2.LogEvent.Name(entry.event).removeprefix("LOG_EVENT_"), entry.counterpart)
            for entry in await self.trail(digest)
        ]


async def until(ask: Callable[[], Any]) -> Any:
    """Ask again and again until something is answered that counts as true."""
    async with asyncio.timeout(SECONDS):
        while not (found := await ask()):  # noqa: ASYNC110 - another process's doing is no event here
            await asyncio.sleep(POLL_SECONDS)
    return found
