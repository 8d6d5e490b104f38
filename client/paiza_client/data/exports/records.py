"""The source of an export: one opened message, parsed, with its nominal annex if it was opened."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from google.protobuf.message import Message

from paiza.core.v1 import message_pb2
from paiza_client.sdk import messages, wording
from paiza_client.sdk.open_many import OpenedMessage
from paiza_domain.reference import Reference
from paiza_domain.schema.kind import Kind


@dataclass(frozen=True, slots=True)
class Record:
    """One opened message. ``proofs`` are (what, details), in the reader's language.

    ``reference`` are the reference data in use at the time of the export; empty where no column needs them.
    """

    header: message_pb2.Header
    digest: bytes
    thread_name: str
    kind: Kind
    content: Message
    annex: Message | None = None
    proofs: Sequence[tuple[str, str]] = field(default=())
    reference: Reference = field(default_factory=Reference)

    @property
    def id(self) -> str:
        """Message id as 32 hex digits."""
        return self.header.message_id.hex()

    @property
    def written(self) -> datetime:
        """Return when its author finished it."""
        return self.header.author_time.ToDatetime(tzinfo=UTC)

    def marks(self) -> list[message_pb2.Handling]:
        """Return the marks of everything of the message that is in the record."""
        kinds = {message_pb2.PART_KIND_MAIN} | ({message_pb2.PART_KIND_NOMINAL_ANNEX} if self.annex else set())
        own = [part.handling for part in self.header.parts if part.kind in kinds and part.HasField("handling")]
        return [self.header.handling, *own]


def contents(records: Iterable[Record], kind: str) -> list[Any]:
    """Return the contents of one kind, in order."""
    return [record.content for record in records if record.kind.name == kind]


def record(opened: OpenedMessage, reference: Reference | None = None, *, proofs: bool = False) -> Record:
    """Return an opened message with its contents parsed, and its ``proofs`` in words where they are wanted.

    Refused for a kind that this program does not know, or for bytes that are no content of it.
    """
    kind = wording.kind_of(opened.header)
    annex = opened.annex
    return Record(
        header=opened.header,
        digest=opened.digest,
        thread_name=opened.main.thread_name,
        kind=kind,
        content=messages.content(opened.main),
        annex=None if annex is None or kind.annex is None else messages.content(annex),
        proofs=wording.proof_rows(opened.main) if proofs else (),
        reference=reference or Reference(),
    )
