"""Export: authorisation to take content out of the system, requested in advance and logged.

The file itself is made at the officer's machine, from content opened there. The node decides and records who, what, for
whom, for what purpose and why. It cannot prevent officers from copying what they have read; without authorisation that
is a breach.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from paiza.core.v1 import message_pb2
from paiza.officer.v1 import forwarding_pb2
from paiza_domain import kinds
from paiza_node.core.access.denials import deny
from paiza_node.core.access.model import Officer
from paiza_node.core.access.need_to_know import known, may_see, need_to_know, unknown
from paiza_node.core.access.principals import principal_of
from paiza_node.core.dependencies import Core
from paiza_node.core.errors import rejection
from paiza_node.core.exchange.consent import GrantQuery
from paiza_node.core.exchange.markings import is_recalled
from paiza_node.core.exchange.proofs import own_proof
from paiza_node.core.log import store as log_store
from paiza_node.core.log.model import StoredEntry
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageRow
from paiza_node.core.policy import MessageAttributes, PolicyContext
from paiza_node.core.storage import ReadConnection
from paiza_node.features.forwarding import grants
from paiza_node.features.forwarding.forward import DENIALS, check_reason, erased, read_known
from paiza_wire import log_entries
from paiza_wire import message as wire
from paiza_wire.errors import Rejected

MAX_MESSAGES: Final = 256  # of one call; one commit
MAX_RECIPIENT: Final = 500  # characters of the name of the recipient
AUDIENCES: Final[Mapping[int, str]] = MappingProxyType({
    forwarding_pb2.EXPORT_AUDIENCE_OWN_UNIT: "own_unit",
    forwarding_pb2.EXPORT_AUDIENCE_OWN_MEMBER: "own_member",
    forwarding_pb2.EXPORT_AUDIENCE_OUTSIDE: "outside",
    forwarding_pb2.EXPORT_AUDIENCE_PUBLIC: "public",
})  # fmt: skip

_LOGGED: Final = DENIALS | {unknown().reason}


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A message to export, after the checks that never change, and the grant for it if one was needed."""

    row: MessageRow
    facts: MessageAttributes
    with_annex: bool
    grant: bytes = b""


@dataclass(frozen=True, slots=True)
class _Entry:
    """An EXPORTED entry and its list."""

    entry: StoredEntry
    listed: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class _Written:
    """For each message the place of its entry in ``entries``, or why it must not leave."""

    outcomes: Sequence[int | Rejected]
    entries: Sequence[_Entry]


class Export:
    """Authorises exports."""

    def __init__(self, core: Core) -> None:
        self._member = core.member
        self._register_cache = core.register_cache
        self._ledger = core.ledger
        self._store = core.store
        self._decryption_keys = core.decryption_keys
        self._clock = core.clock

    async def __call__(
        self, officer: Officer, request: forwarding_pb2.AuthorizeExportRequest
    ) -> forwarding_pb2.AuthorizeExportResponse:
        """Decide message by message and log each result. Rejected: reason_missing, malformed, too_large."""
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
        candidates = await asyncio.to_thread(self._check_all, officer, digests, audience, request)
        committed = await self._ledger.commit(
            lambda tx: self._write(tx, officer, digests, candidates, audience, request)
        )
        size, note = committed.checkpoint.size, committed.checkpoint.note
        written = committed.result
        response = forwarding_pb2.AuthorizeExportResponse(
            checkpoint=note,
            exported=[own_proof(self._ledger, each.entry, size, note, each.listed).proven for each in written.entries],
        )
        for digest, outcome in zip(digests, written.outcomes, strict=True):
            if isinstance(outcome, Rejected):
                response.results.add(message_digest=digest, rejection=rejection(outcome))
            else:
                response.results.add(message_digest=digest, exported_at=outcome)
        return response

    def _check_all(
        self, officer: Officer, digests: Sequence[bytes], audience: str, request: forwarding_pb2.AuthorizeExportRequest
    ) -> list[_Candidate | Rejected]:
        candidates: list[_Candidate | Rejected] = []
        for digest in digests:
            try:
                candidates.append(self._check(officer, digest, audience, request))
            except Rejected as error:
                candidates.append(error)
        return candidates

    def _check(
        self, officer: Officer, digest: bytes, audience: str, request: forwarding_pb2.AuthorizeExportRequest
    ) -> _Candidate:
        """Find the message and, if the policy lacks only the originator's grant, a grant to our own member."""
        row, _signed = read_known(self._store, officer, digest)
        header = wire.parse_header(row.header)
        annex = message_pb2.PART_KIND_NOMINAL_ANNEX
        with_annex = request.with_annex and any(part.kind == annex for part in header.parts)
        kind = kinds.get(header.kind, header.kind_version)
        ceiling = self._register_cache.current.member(self._member).classification_ceiling
        candidate = _Candidate(row, MessageAttributes.of(header, kind.sender_roles, ceiling, kind.workflow), with_annex)
        with self._store.reads() as reads:
            refused = self._refused(reads, officer, candidate, audience, request.purpose)
        if refused is None or refused.reason != "grant_missing":
            return candidate
        query = GrantQuery(digest, header.author, self._member, request.purpose, with_annex, self._clock())
        grant = grants.find(self._store, query, self._decryption_keys)
        return candidate if grant is None else replace(candidate, grant=grant.digest)

    def _refused(
        self, reads: ReadConnection, officer: Officer, candidate: _Candidate, audience: str, purpose: str
    ) -> Rejected | None:
        """Return the reason for which a message may not be exported at this moment; None if it may.

        1. Its content is stored: neither retired nor erased.
        2. Need-to-know includes it.
        3. The policy allows it, with the grant as far as that is still in force.
        """
        digest, author = candidate.row.digest, candidate.row.author
        # 1.
        if messages_store.message(reads, digest) is None:
            return unknown()
        if messages_store.erased(reads, [digest]):
            return erased()
        # 2.
        if not may_see(reads, officer, candidate.row):
            return need_to_know() if known(reads, officer, digest) else unknown()
        # 3.
        granted = author == self._member or (
            bool(candidate.grant) and grants.is_in_force(reads, candidate.grant, author)
        )
        policy_context = PolicyContext(
            audience=audience,
            purpose=purpose,
            granted=granted,
            recalled=is_recalled(reads, digest, author),
            with_annex=candidate.with_annex,
        )
        try:
            self._register_cache.policy.check(
                principal_of(officer), "export", candidate.facts, policy_context=policy_context
            )
        except Rejected as denied:
            return denied
        return None

    def _write(
        self,
        tx: LogTransaction,
        officer: Officer,
        digests: Sequence[bytes],
        candidates: Sequence[_Candidate | Rejected],
        audience: str,
        request: forwarding_pb2.AuthorizeExportRequest,
    ) -> _Written:
        """Check every message at the moment of the commit, and log each result; runs in the transaction."""
        outcomes: list[int | Rejected] = []
        granted: dict[bytes, list[bytes]] = {}
        for digest, each in zip(digests, candidates, strict=True):
            judged = each
            if isinstance(each, _Candidate):
                judged = self._refused(tx.conn, officer, each, audience, request.purpose) or each
            if isinstance(judged, Rejected):
                outcomes.append(deny(tx, officer, judged, digest) if judged.reason in _LOGGED else judged)
                continue
            granted.setdefault(judged.grant, []).append(digest)
            outcomes.append(list(granted).index(judged.grant))
        entries = []
        for grant, messages in granted.items():
            listed = sorted(messages)
            entry = log_entries.exported(
                actor=officer.id,
                digests=listed,
                purpose=request.purpose,
                grant_digest=grant,
                without_annex=not request.with_annex,
            )
            stored = tx.append(entry, text=f"{request.recipient_text}: {request.reason_text}")
            log_store.add_listed(tx.conn, stored.index, listed)
            entries.append(_Entry(stored, listed))
        return _Written(outcomes, entries)
