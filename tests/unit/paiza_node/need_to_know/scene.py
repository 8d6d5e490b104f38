"""Two nodes of one member that differ in the messages of one unit alone, and answers in a form that can be compared."""

import re
import secrets
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from google.protobuf.message import Message

from paiza.content.v1.acknowledgement_pb2 import Acknowledgement
from paiza.content.v1.free_message_pb2 import FreeMessage
from paiza.content.v1.information_pb2 import InformationRequest
from paiza.core.v1 import log_pb2
from paiza.core.v1 import message_pb2 as pb
from paiza.officer.v1 import attachment_pb2, officer_pb2, retention_pb2, search_pb2, task_pb2
from paiza_wire import log_entries
from paiza_wire import message as wire
from paiza_wire.errors import PaizaError
from tests import attaching, delivery
from tests.officer import Officer, subject_of
from tests.whole_node import WholeNode

OFFICER_SERVICE: Final = "/paiza.officer.v1.OfficerService/"
HIDING: Final = "liaison"  # the officer whose unit's messages are hidden
HIDDEN_UNIT: Final = "liaison-bureau"
STRANGER: Final = "authoriser"  # an officer of another unit
STRANGERS_UNIT: Final = "operations"
UNITLESS: Final = "custodian"  # an officer without a unit
HOMELESS: Final = "data"  # another one, whose messages are hidden too
OBSERVERS: Final = (STRANGER, UNITLESS)
PHONE: Final = "+7 701 555 01 02"
SUBJECT: Final = "Green lorry with hidden cavity"
CROWD: Final = 55  # further hidden messages about the same: more than answers about links consider
_THREAD: Final = re.compile(r"\b([A-Z]{3})-(\d{4})-\d{5}\b")
_OF_THE_NODE: Final = frozenset({
    "checkpoint", "witnessed_checkpoint", "index", "inclusion_hashes", "sequence", "salt", "text_sha256", "behind",
})  # fmt: skip
"""Fields that tell of the whole node: its log and the number of its messages."""


@dataclass(frozen=True)
class Target:
    """One message as a request may name it; ``message_id`` and ``thread_id`` are 16 bytes, the others 32."""

    digest: bytes
    thread_id: bytes
    message_id: bytes
    thread_name: str
    source_row: bytes
    ciphertext: bytes  # of an attachment
    second_ciphertext: bytes  # of another one

    @classmethod
    def absent(cls) -> "Target":
        """Return one that names nothing."""
        random = secrets.token_bytes
        thread_id, message_id = (wire.new_message_id(datetime.now(UTC)) for _ in range(2))
        return cls(random(32), thread_id, message_id, "KAZ-2026-99999", random(32), random(32), random(32))


class Scene:
    """What both nodes hold, and what only one of them does; every message is signed once."""

    def __init__(self, federation: Path, folder: Path) -> None:
        self.federation = federation
        self.folder = folder
        self.signers = {
            name: Officer(federation, f"kaz-{name}") for name in (HIDING, STRANGER, UNITLESS, HOMELESS, "duty")
        }
        self.peer = Officer(federation, "tjk-liaison")
        hiding = self.signers[HIDING]
        self.sent = self._request(hiding, "tjk")
        self.received = self._request(self.peer, "kaz", attention=HIDDEN_UNIT)
        self.begun = self._delivery(hiding)
        self.pending = self._pending()
        self.crowd = [self._note(hiding) for _ in range(CROWD)]
        self.unasked = self._erasure_request()
        header = hiding.header(["tjk"])
        self.files = [attaching.seal(folder, header, 100, number) for number in (1, 2)]
        self.attached = attaching.signed(hiding, header, [each.said for each in self.files])
        self.homeless = self._request(self.signers[HOMELESS], "tjk")
        self.row = secrets.token_bytes(32)
        self.reviewed = self._request(self.peer, "kaz", attention=HIDDEN_UNIT)
        self.open_before = [self._request(self.signers[STRANGER], "tjk"), self._delivery(self.signers[STRANGER])]
        self.open_after = [self._note(self.signers[name]) for name in OBSERVERS]
        self.to_stranger = [self._request(self.peer, "kaz", attention=STRANGERS_UNIT) for _ in range(3)]
        self.hidden: dict[str, Target] = {}

    async def fill(self, node: WholeNode, *, hidden: bool) -> None:
        """Store what everybody's node holds, and the hidden messages among it."""
        for name, unit in ((STRANGER, STRANGERS_UNIT), (UNITLESS, ""), (HOMELESS, "")):
            node.appoint(name, "liaison", "authoriser", unit=unit)
        for name in OBSERVERS:
            saved = search_pb2.SaveSearchRequest(
                search_id=name.encode().ljust(16, b"."),
                criteria=[search_pb2.Criterion(field="phone", text=PHONE)],
                reason_text="Case 1",
            )
            await node.call("/paiza.officer.v1.SearchService/SaveSearch", node.officer(name), saved)
        await self._submit(node, STRANGER, self.open_before[:1])
        node.receive(self.to_stranger[0])
        await node.index()  # links are found to messages of earlier rounds
        if hidden:
            await self._hide(node)
        await self._submit(node, STRANGER, self.open_before[1:])
        for name, raw in zip(OBSERVERS, self.open_after, strict=True):
            await self._submit(node, name, [raw])
        node.receive(*self.to_stranger[1:])
        request = retention_pb2.PlaceHoldRequest(message_digest=digest_of(self.to_stranger[1]), reason_text="Case 1")
        await node.call("/paiza.officer.v1.RetentionService/PlaceHold", node.officer(STRANGER), request)
        await node.index()

    async def _hide(self, node: WholeNode) -> None:
        names = {"sent": (await self._submit(node, HIDING, [self.sent], row=self.row))[0]}
        node.receive(self.received, self.reviewed, self.unasked)
        names["begun"] = (await self._submit(node, HIDING, [self.begun]))[0]
        names["homeless"] = (await self._submit(node, HOMELESS, [self.homeless]))[0]
        await self._submit(node, HIDING, [self.pending])
        await self._submit(node, HIDING, self.crowd)
        upload = "/paiza.officer.v1.AttachmentService/"
        for each in self.files:
            await node.call(upload + "StartUpload", node.officer(HIDING), each.start)
            await node.call(upload + "Upload", node.officer(HIDING), self._bytes(each))
        await self._submit(node, HIDING, [self.attached])
        both = [digest_of(self.sent), digest_of(self.open_before[0])]
        together = officer_pb2.OpenMessagesRequest(message_digests=both, reason_text="Case 17")
        await node.call(OFFICER_SERVICE + "OpenMessages", node.officer("duty"), together)
        retention = "/paiza.officer.v1.RetentionService/"
        for number in range(3):
            hold = retention_pb2.PlaceHoldRequest(message_digest=digest_of(self.crowd[number]), reason_text="Case 17")
            await node.call(retention + "PlaceHold", node.officer("duty"), hold)
        note = task_pb2.AddShiftNoteRequest(text=SUBJECT)
        await node.call("/paiza.officer.v1.TaskService/AddShiftNote", node.officer(HIDING), note)
        erase = retention_pb2.EraseOwnCopyRequest(message_digest=digest_of(self.reviewed), reason_text="Case 17")
        await node.call(retention + "EraseOwnCopy", node.officer(HIDING), erase)
        for name in ("sent", "received", "begun", "pending", "attached", "reviewed", "homeless"):
            self.hidden[name] = self.target(getattr(self, name), names.get(name, ""))

    async def _submit(self, node: WholeNode, name: str, messages: Sequence[bytes], *, row: bytes = b"") -> list[str]:
        """Submit messages that are released or held; return the names of their threads."""
        items = [officer_pb2.SubmitItem(message=each, source_row_sha256=row) for each in messages]
        request = officer_pb2.SubmitRequest(items=items)
        answer: Any = (await node.call(OFFICER_SERVICE + "Submit", node.officer(name), request))[0]
        assert all(each.WhichOneof("result") in {"released", "waiting"} for each in answer.results), answer.results
        return [each.released.thread_name for each in answer.results]

    async def _bytes(self, file: attaching.Ciphertext) -> AsyncIterator[attachment_pb2.UploadRequest]:
        yield attachment_pb2.UploadRequest(ciphertext_sha256=file.said.ciphertext_sha256)
        for piece in file.pieces():
            yield attachment_pb2.UploadRequest(data=piece)

    def _request(self, officer: Officer, to: str, *, attention: str = "") -> bytes:
        header = officer.header([to])
        header.kind = "information-request"
        header.recipients[0].attention = attention
        content = InformationRequest(reference="EX-1", subject=SUBJECT, facts=f"Telephone {PHONE}.")
        return officer.seal(header, content.SerializeToString())

    def _note(self, officer: Officer) -> bytes:
        content = FreeMessage(subject=SUBJECT, text=f"Telephone {PHONE}.")
        return officer.seal(officer.header(["tjk"]), content.SerializeToString())

    def _delivery(self, officer: Officer) -> bytes:
        content = delivery.request(("kaz", "tjk"), datetime.now(UTC))
        return delivery.seal(officer, delivery.header(officer, "cd-request", ["tjk"]), content)

    def _pending(self) -> bytes:
        first, second = self.signers[HIDING], self.signers["duty"]
        header = first.header(["tjk"])
        header.required_signers.add(id=second.id, role="duty")
        moment = header.author_time.ToDatetime(tzinfo=UTC)
        keys = [first.recipient_key(member, moment) for member in ("tjk", "kaz")]
        content = FreeMessage(subject=SUBJECT, text=PHONE).SerializeToString()
        part = wire.PlainPart(pb.PART_KIND_MAIN, content)
        sealed = wire.seal(header, [part], keys, subject=subject_of(header, content))
        return wire.sign(sealed, [first.signer])

    def _erasure_request(self) -> bytes:
        """Write a request of tjk to erase a message that never came."""
        header = self.peer.header(["kaz"])
        header.kind = "erasure-request"
        header.recipients[0].attention = HIDDEN_UNIT
        header.thread_id = wire.new_message_id(datetime.now(UTC))
        header.parent_digests.append(secrets.token_bytes(32))
        return self.peer.seal(header, b"")

    def target(self, raw: bytes, thread_name: str = "") -> Target:
        """Return a message as requests name it."""
        header = wire.parse_header(pb.SignedMessage.FromString(raw).header)
        name = thread_name or "KAZ-2026-99998"
        first, second = [each.said.ciphertext_sha256 for each in self.files]
        return Target(digest_of(raw), header.thread_id, header.message_id, name, self.row, first, second)

    def reply(self, name: str, target: Target, kind: str, *, parents: bool = True) -> bytes:
        """Write a message of an officer in the thread of a target."""
        officer = self.signers[name]
        header = officer.header(["tjk"])
        header.kind = kind
        header.thread_id = target.thread_id
        if parents:
            header.parent_digests.append(target.digest)
        content: Message = Acknowledgement() if kind == "acknowledgement" else FreeMessage(subject="x", text="y")
        if kind == "cd-stop":
            content = delivery.stop()
        return officer.seal(header, content.SerializeToString())


def digest_of(raw: bytes) -> bytes:
    """Return the digest of a message."""
    return wire.message_digest(pb.SignedMessage.FromString(raw).header)


def shown(answer: PaizaError | Sequence[Message], *targets: Target) -> str:
    """Return what a caller sees, without times, salts, places in the log, and the names of the targets themselves."""
    if isinstance(answer, PaizaError):
        text = f"{type(answer).__name__} {answer.reason} {answer.detail}"
    else:
        text = "\n---\n".join(_shown(each) for each in answer)
    for target in targets:
        for value in (target.digest, target.thread_id, target.message_id, target.source_row, target.ciphertext):
            text = text.replace(value.hex(), "<named>")
    return text


def _shown(message: Message) -> str:
    lines: list[str] = []
    for field, value in message.ListFields():
        if field.name in _OF_THE_NODE:
            continue
        lines += [f"{field.name}: {_value(field.name, each)}" for each in (value if field.is_repeated else [value])]
    return "{" + ", ".join(lines) + "}"


def _value(name: str, value: Any) -> str:
    if name == "next_page_token":
        return "there is more"
    if name == "entry" and isinstance(value, bytes):
        return _shown(log_pb2.LogEntry.FromString(value))
    if isinstance(value, Message):
        return "a time" if value.DESCRIPTOR.full_name == "google.protobuf.Timestamp" else _shown(value)
    if isinstance(value, bytes):
        return value.hex()
    return _THREAD.sub(r"\1-\2-N", str(value))


def growth(node: WholeNode, before: int) -> list[str]:
    """Return the events and reasons that the log of a node has since then."""
    return [f"{log_entries.event_name(each.event)} {log_entries.reason(each)}" for each in node.entries(before)]
