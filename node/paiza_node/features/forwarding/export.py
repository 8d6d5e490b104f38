"""Export: authorisation to take content out of the system, requested in advance and logged.

The file itself is made at the officer's machine, from content opened there. The node decides and records who, what, for
whom, for what purpose and why. It cannot prevent officers from copying what they have read; without authorisation that
is a breach.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from paiza.core.v1 import message_pb2
from paiza.officer.v1 import forwarding_pb2
from paiza_domain import kinds
from paiza_domain.threads.thread import RECALL
from paiza_node.core.access import store as access_store
from paiza_node.core.access.denials import deny
from paiza_node.core.access.model import Officer
from paiza_node.core.access.need_to_know import all_known, need_to_know, openable, unknown
from paiza_node.core.access.principals import principal_of
from paiza_node.core.dependencies import Core
from paiza_node.core.errors import as_result, rejection
from paiza_node.core.exchange.consent import GrantQuery
from paiza_node.core.exchange.markings import is_recalled
from paiza_node.core.exchange.proofs import own_proof
from paiza_node.core.log import store as log_store
from paiza_node.core.log.model import StoredEntry
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageRow, MessageState
from paiza_node.core.policy import MessageAttributes, PolicyContext
from paiza_node.core.storage import ReadConnection
from paiza_node.features.forwarding import grants
from paiza_node.features.forwarding.forward import DENIALS, check_reason, erased
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
        """Find the messages and, where the policy lacks only the originator's grant, grants to our own member."""
        with self._store.reads() as reads:
            rows = all_known(reads, officer, digests)
            found = [_candidate(rows.get(digest), self._attributes, request) for digest in digests]
            candidates = [each for each in found if isinstance(each, _Candidate)]
            refused = self._refusals(reads, officer, candidates, audience, request.purpose)
        lacking = {
            candidate.row.digest
            for candidate, refusal in zip(candidates, refused, strict=True)
            if refusal is not None and refusal.reason == "grant_missing"
        }
        return [
            self._with_grant(each, request.purpose)
            if isinstance(each, _Candidate) and each.row.digest in lacking
            else each
            for each in found
        ]

    def _attributes(self, header: message_pb2.Header) -> MessageAttributes:
        kind = kinds.get(header.kind, header.kind_version)
        ceiling = self._register_cache.current.member(self._member).classification_ceiling
        return MessageAttributes.of(header, kind.sender_roles, ceiling, kind.workflow)

    def _with_grant(self, candidate: _Candidate, purpose: str) -> _Candidate:
        row = candidate.row
        query = GrantQuery(row.digest, row.author, self._member, purpose, candidate.with_annex, self._clock())
        grant = grants.find(self._store, query, self._decryption_keys)
        return candidate if grant is None else replace(candidate, grant=grant.digest)

    def _refusals(
        self, reads: ReadConnection, officer: Officer, candidates: Sequence[_Candidate], audience: str, purpose: str
    ) -> list[Rejected | None]:
        """Return, for each message, the reason for which it may not be exported at this moment; None if it may.

        1. Its content is stored: neither retired nor erased.
        2. Need-to-know includes it.
        3. The policy allows it, with the grant as far as that is still in force.
        """
        digests = [each.row.digest for each in candidates]
        rows = {row.digest: row for row in access_store.seen_messages(reads, digests)}
        gone = messages_store.erased(reads, digests)
        visible = openable(reads, officer, list(rows.values()))
        hidden = [row.digest for row in rows.values() if row.seq not in visible]
        may_know = all_known(reads, officer, hidden)
        recalls = messages_store.children(reads, digests, (RECALL,))

        def judge(candidate: _Candidate) -> Rejected | None:
            digest, author = candidate.row.digest, candidate.row.author
            # 1.
            if digest not in rows:
                return unknown()
            if digest in gone:
                return erased()
            # 2.
            if rows[digest].seq not in visible:
                return need_to_know() if digest in may_know else unknown()
            # 3.
            granted = author == self._member or (
                bool(candidate.grant) and grants.is_in_force(reads, candidate.grant, author)
            )
            policy_context = PolicyContext(
                audience=audience,
                purpose=purpose,
                granted=granted,
                recalled=digest in recalls and is_recalled(reads, digest, author),
                with_annex=candidate.with_annex,
            )
            try:
                self._register_cache.policy.check(
                    principal_of(officer), "export", candidate.facts, policy_context=policy_context
                )
            except Rejected as denied:
                return as_result(denied)
            return None

        return [judge(each) for each in candidates]

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
        asked = [each for each in candidates if isinstance(each, _Candidate)]
        refusals = self._refusals(tx.conn, officer, asked, audience, request.purpose)
        refused = {each.row.digest: refusal for each, refusal in zip(asked, refusals, strict=True)}
        for digest, each in zip(digests, candidates, strict=True):
            judged = refused.get(digest) or each
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


def _candidate(
    row: MessageRow | None,
    attributes: Callable[[message_pb2.Header], MessageAttributes],
    request: forwarding_pb2.AuthorizeExportRequest,
) -> _Candidate | Rejected:
    """Return a message after the checks that never change; ``row`` is None if the officer may not know of it."""
    if row is None or row.state is MessageState.REFUSED:
        return unknown()
    try:
        header = wire.parse_header(row.header)
        annex = any(part.kind == message_pb2.PART_KIND_NOMINAL_ANNEX for part in header.parts)
        return _Candidate(row, attributes(header), request.with_annex and annex)
    except Rejected as error:
        return as_result(error)
