"""Export: leave to take content out of the system, asked before it is done, and what stands in the log of it.

The file itself is made where the officer sits, from what was opened there. The node decides and records: who, what,
for whom, what for and why. It cannot keep anybody from copying what he has read; it makes doing so unrecorded a breach.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from paiza.v1 import log_pb2, message_pb2, passing_pb2
from paiza_domain import kinds
from paiza_node.context import Context
from paiza_node.desks.need_to_know import may_see
from paiza_node.errors import rejection
from paiza_node.ledger import Pen
from paiza_node.model import MessageRow, Officer
from paiza_node.passing import grants
from paiza_node.passing.forward import check_reason, read
from paiza_node.policy import Circumstances, MessageFacts, principal_of
from paiza_wire import log_entries
from paiza_wire import message as wire
from paiza_wire.errors import Rejected

MAX_MESSAGES: Final = 256  # of one call; one commit
MAX_RECIPIENT: Final = 500  # characters of who gets it
AUDIENCES: Final[Mapping[int, str]] = MappingProxyType({
    passing_pb2.EXPORT_AUDIENCE_OWN_UNIT: "own_unit",
    passing_pb2.EXPORT_AUDIENCE_OWN_MEMBER: "own_member",
    passing_pb2.EXPORT_AUDIENCE_OUTSIDE: "outside",
    passing_pb2.EXPORT_AUDIENCE_PUBLIC: "public",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Allowed:
    row: MessageRow
    grant: bytes = b""


class Export:
    """The verb of leave to take content out."""

    def __init__(self, context: Context) -> None:
        """Take what the verb needs."""
        self._member = context.member
        self._registers = context.registers
        self._ledger = context.ledger
        self._store = context.store
        self._own_keys = context.own_keys
        self._clock = context.clock

    async def __call__(
        self, officer: Officer, request: passing_pb2.NoteExportRequest
    ) -> passing_pb2.NoteExportResponse:
        """Decide message by message and log it, leave or denial. Rejected: reason_missing, malformed, too_large."""
        digests = list(request.message_digests)
        if not digests or len(set(digests)) != len(digests):
            raise Rejected("malformed", "no message is named, or one twice")
        if len(digests) > MAX_MESSAGES:
            raise Rejected("too_large", f"at most {MAX_MESSAGES} messages are taken out at once")
        audience = AUDIENCES.get(request.audience)
        if audience is None:
            raise Rejected("malformed", "the audience is not set")
        if not request.recipient_text.strip():
            raise Rejected("reason_missing", "say who gets it")
        if len(request.recipient_text) > MAX_RECIPIENT:
            raise Rejected("too_large", f"the recipient has at most {MAX_RECIPIENT} characters")
        check_reason(request.reason_text, request.purpose)
        decided = await asyncio.to_thread(self._decide_all, officer, digests, audience, request)
        committed = await self._ledger.commit(lambda pen: self._write(pen, officer, digests, decided, request))
        size = committed.checkpoint.size
        written = [each for each in committed.result if isinstance(each, tuple)]
        hashes = dict(zip([i for i, _ in written], self._ledger.prove([i for i, _ in written], size), strict=True))
        results = []
        for digest, outcome in zip(digests, committed.result, strict=True):
            result = passing_pb2.NoteExportResult(message_digest=digest)
            if isinstance(outcome, Rejected):
                result.rejection.CopyFrom(rejection(outcome))
            else:
                index, entry = outcome
                result.exported.CopyFrom(log_pb2.ProvenEntry(entry=entry, index=index, inclusion_hashes=hashes[index]))
            results.append(result)
        return passing_pb2.NoteExportResponse(checkpoint=committed.checkpoint.note, results=results)

    def _decide_all(
        self, officer: Officer, digests: Sequence[bytes], audience: str, request: passing_pb2.NoteExportRequest
    ) -> list[_Allowed | Rejected]:
        decided: list[_Allowed | Rejected] = []
        for digest in digests:
            try:
                decided.append(self._decide(officer, digest, audience, request))
            except Rejected as error:
                decided.append(error)
        return decided

    def _decide(
        self, officer: Officer, digest: bytes, audience: str, request: passing_pb2.NoteExportRequest
    ) -> _Allowed:
        """Ask the rules; where they miss only the originator's grant, look for one to our own member."""
        row, _signed = read(self._store, digest)
        header = wire.parse_header(row.header)
        annex = message_pb2.PART_KIND_NOMINAL_ANNEX
        with_annex = request.with_annex and any(part.kind == annex for part in header.parts)
        kind = kinds.get(header.kind, header.kind_version)
        ceiling = self._registers.current.member(self._member).classification_ceiling
        facts = MessageFacts.of(header, kind.sender_roles, ceiling, kind.workflow)
        with self._store.reads() as reads:
            if not may_see(reads, officer, row):
                raise Rejected("policy_denied", "need-to-know")
            recalled = grants.is_recalled(reads, digest, header.author)

        def ask(*, granted: bool) -> None:
            circumstances = Circumstances(
                audience=audience, purpose=request.purpose, granted=granted, recalled=recalled, with_annex=with_annex
            )
            self._registers.policy.check(principal_of(officer), "export", facts, circumstances=circumstances)

        try:
            ask(granted=header.author == self._member)
        except Rejected as denied:
            if denied.reason != "grant_missing":
                raise
            wish = grants.Wish(digest, header.author, self._member, request.purpose, with_annex, self._clock())
            grant = grants.find(self._store, wish, self._own_keys)
            if grant is None:
                raise
            ask(granted=True)
            return _Allowed(row, grant.digest)
        return _Allowed(row)

    def _write(
        self,
        pen: Pen,
        officer: Officer,
        digests: Sequence[bytes],
        decided: Sequence[_Allowed | Rejected],
        request: passing_pb2.NoteExportRequest,
    ) -> list[tuple[int, bytes] | Rejected]:
        outcomes: list[tuple[int, bytes] | Rejected] = []
        for digest, each in zip(digests, decided, strict=True):
            if isinstance(each, Rejected):
                if each.reason in ("policy_denied", "grant_missing"):
                    denial = log_entries.denied(actor=officer.id, reason=each.reason, digest=digest)
                    pen.append(denial, text=each.detail)
                outcomes.append(each)
                continue
            entry = log_entries.exported(
                actor=officer.id,
                digest=digest,
                purpose=request.purpose,
                grant_digest=each.grant,
                without_annex=not request.with_annex,
            )
            stored = pen.append(entry, text=f"{request.recipient_text}: {request.reason_text}")
            outcomes.append((stored.index, stored.entry))
        return outcomes
