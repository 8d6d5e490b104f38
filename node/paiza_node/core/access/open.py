"""Authorisation of opening a part of a message: need-to-know, policy, and the rules of capabilities."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from paiza.core.v1 import message_pb2
from paiza.officer.v1 import officer_pb2
from paiza_domain import kinds
from paiza_node.core.access.denials import deny
from paiza_node.core.access.model import Officer
from paiza_node.core.access.need_to_know import all_known, known, need_to_know, openable, unknown, unknown_to
from paiza_node.core.access.open_rules import Opening, OpenRule
from paiza_node.core.access.principals import principal_of
from paiza_node.core.dependencies import Core
from paiza_node.core.errors import as_result
from paiza_node.core.log.model import MAX_REASON
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageRow, MessageState
from paiza_node.core.policy import MessageAttributes, PolicyContext
from paiza_node.core.storage import ReadConnection
from paiza_wire import message as wire
from paiza_wire.errors import Rejected, Unavailable

DENIED: Final = frozenset({need_to_know().reason, unknown().reason})  # the refusals that are logged


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """A request to open a part, after the checks that never change. ``forbidden``: the policy rules against it."""

    digest: bytes
    header: message_pb2.Header
    number: int
    reason: str
    forbidden: Rejected | None


class OpenAuthorizer:
    """Decides whether an officer may open a part of a message."""

    def __init__(self, core: Core, rules: Sequence[OpenRule]) -> None:
        """Store the core and the ``rules`` of capabilities against opening a part, in the order of evaluation."""
        self._rules = rules
        self._member = core.member
        self._register_cache = core.register_cache
        self._store = core.store
        self._ledger = core.ledger

    async def request(self, officer: Officer, digest: bytes, number: int, reason: str) -> OpenRequest:
        """Return the request if `read_request` refuses nothing; that there is no such message is logged."""
        try:
            return await asyncio.to_thread(self.read_request, officer, digest, number, reason)
        except Rejected as refusal:
            if refusal.reason == unknown().reason:
                await self._ledger.commit(lambda tx: unknown_to(tx, officer, digest))
            raise

    def read_request(self, officer: Officer, digest: bytes, number: int, reason: str) -> OpenRequest:
        """Check whether the officer may know of a message, and what depends only on its header and the policy.

        A policy refusal is only recorded in the result: need-to-know is checked before it.
        """
        with self._store.reads() as reads:
            row = known(reads, officer, digest)
        return self.request_for(officer, row, number, reason)

    def request_for(
        self, officer: Officer, row: MessageRow | None, number: int, reason: str, purpose: str = ""
    ) -> OpenRequest:
        """Check as `read_request` does; ``row`` is None if the officer may not know of the message.

        What was given for other purposes than ``purpose``, a code, is forbidden; an empty one limits nothing.
        """
        if row is None or row.state is MessageState.REFUSED:
            raise unknown()
        header = wire.parse_header(row.header)
        if number >= len(header.parts):
            raise Rejected("part_missing", f"the message has no part {number}")
        if len(reason) > MAX_REASON:
            raise Rejected("too_large", f"a reason has at most {MAX_REASON} characters")
        annex = header.parts[number].kind == message_pb2.PART_KIND_NOMINAL_ANNEX
        if annex and not reason.strip():
            raise Rejected("opening_reason_missing", "the nominal annex is opened only with a stated reason")
        ceiling = self._register_cache.current.member(self._member).classification_ceiling
        kind = kinds.get(header.kind, header.kind_version)
        facts = MessageAttributes.of(header, kind.sender_roles, ceiling, kind.workflow)
        forbidden = None
        try:
            self._register_cache.policy.check(
                principal_of(officer),
                "open_annex" if annex else "open",
                facts,
                policy_context=PolicyContext(purpose=purpose) if purpose and not annex else None,
            )
        except Rejected as denied:
            forbidden = as_result(denied)
        return OpenRequest(row.digest, header, number, reason, forbidden)

    def refusal(self, reads: ReadConnection, officer: Officer, request: OpenRequest) -> Rejected | Unavailable | None:
        """Return the reason for which a part may not be opened at this moment; None if it may."""
        return self.refusals(reads, officer, [request])[0]

    def refusals(
        self, reads: ReadConnection, officer: Officer, requests: Sequence[OpenRequest]
    ) -> list[Rejected | Unavailable | None]:
        """Return, for each request, the reason for which the part may not be opened at this moment; None if it may.

        1. The officer may know of it, and its content is stored: neither retired nor erased.
        2. Need-to-know includes the message, and the policy allows opening it.
        3. No capability has a rule against it. A recalled message, for example, is opened only with a reason.
        """
        digests = [request.digest for request in requests]
        rows = all_known(reads, officer, digests)
        erased = messages_store.erased(reads, digests)
        visible = openable(reads, officer, list(rows.values()))

        def judge(request: OpenRequest) -> Rejected | Unavailable | None:
            # 1.
            row = rows.get(request.digest)
            if row is None:
                return unknown()
            if request.digest in erased:
                return Rejected("erased", "its content was erased; header, signatures and proofs are still here")
            # 2.
            denied = request.forbidden if row.seq in visible else need_to_know()
            if denied is not None:
                return denied
            # 3.
            opening = Opening(row, request.header, request.number, request.reason)
            return next((against for rule in self._rules if (against := rule(reads, opening)) is not None), None)

        return [judge(request) for request in requests]

    async def check(self, officer: Officer, message: officer_pb2.OpenMessageRequest) -> message_pb2.Header:
        """Raise the refusal that opening the part would raise now, without opening it; return the message's header."""
        request = await self.request(officer, message.message_digest, message.part_number, message.reason_text)
        refused = await asyncio.to_thread(self._refused_now, officer, request)
        if refused is None:
            return request.header
        if refused.reason in DENIED:
            await self._ledger.commit(lambda tx: deny(tx, officer, refused, request.digest))
        raise refused

    def may_open(self, officer: Officer, digest: bytes) -> bool:
        """Return whether an officer may open the main part of a message now, without a reason; nothing is logged."""
        try:
            return self._refused_now(officer, self.read_request(officer, digest, 0, "")) is None
        except Rejected:
            return False

    def _refused_now(self, officer: Officer, request: OpenRequest) -> Rejected | Unavailable | None:
        with self._store.reads() as reads:
            return self.refusal(reads, officer, request)
