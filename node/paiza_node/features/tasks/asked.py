"""Answers are released only to what was asked: the stage in which a node compares them with their requests."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from google.protobuf.message import Message

from paiza.core.v1 import message_pb2
from paiza_domain import kinds
from paiza_domain.threads import asked
from paiza_node.core.access.model import Officer
from paiza_node.core.exchange.stages import Moment, ReleaseSession, ReleaseStage, Submission, SubmittedMessage
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.decryption import DecryptionKeys, stored
from paiza_node.core.messages.model import MessageRow
from paiza_node.core.storage import ReadConnection
from paiza_wire import message as wire
from paiza_wire.errors import Rejected

STAGE = "asked"


def asked_stage(decryption_keys: DecryptionKeys) -> ReleaseStage:
    """The stage of answers in a release: an answer is opened beforehand, its requests in the transaction."""

    def prepare(message: SubmittedMessage, _now: datetime) -> Any | None:
        header = message.header
        if not asked.is_answer(header.kind):
            return None
        return decryption_keys.content(message, kinds.get(header.kind, header.kind_version))

    def begin(at: Moment, _officer: Officer, _batch: Sequence[Submission]) -> ReleaseSession:
        def judge(item: Submission, _before: Sequence[MessageRow]) -> Rejected | None:
            content, header = item.prepared.get(STAGE), item.message.header
            if content is None:
                return None
            rows = [messages_store.message(at.conn, digest) for digest in header.parent_digests]
            parents = [_opened(at.conn, row, decryption_keys) for row in rows if row is not None]
            errors = asked.errors(header.kind, header.author, content, parents)
            return Rejected("not_asked", f"{errors[0].path}: {errors[0].code}") if errors else None

        return ReleaseSession(judge=judge)

    return ReleaseStage(STAGE, begin, prepare)


def _opened(
    reads: ReadConnection, row: MessageRow, decryption_keys: DecryptionKeys
) -> tuple[message_pb2.Header, Message | None]:
    header = wire.parse_header(row.header)
    body = messages_store.body(reads, row.seq)
    try:
        kind = kinds.get(header.kind, header.kind_version)
        return header, None if body is None else decryption_keys.content(stored(body), kind)
    except Rejected:  # a key is missing, or the kind is of a later version
        return header, None
