"""Inherited markings: a message that follows from others' messages carries at least their markings.

A program cannot see whether an answer quotes; therefore every message that follows from another member's is assumed to,
except for kinds that carry nothing over (the policy lists them). An author may mark follow-ups to its own member's
messages freely.
"""

from collections.abc import Callable, Sequence

from paiza.core.v1 import message_pb2
from paiza_domain import handling, kinds
from paiza_node.core.access.model import Officer
from paiza_node.core.access.principals import principal_of
from paiza_node.core.errors import as_result
from paiza_node.core.exchange.stages import Moment, ReleaseSession, ReleaseStage, Submission
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageRow
from paiza_node.core.policy import MessageAttributes, Policy, PolicyContext, Principal
from paiza_node.core.storage import ReadConnection
from paiza_wire import message as wire
from paiza_wire.errors import Rejected


def inherited_markings_stage(policy: Callable[[], Policy]) -> ReleaseStage:
    """The stage of inherited markings in a release; ``policy`` returns the policy in force."""

    def begin(at: Moment, officer: Officer, _batch: Sequence[Submission]) -> ReleaseSession:
        def judge(item: Submission, _before: Sequence[MessageRow]) -> Rejected | None:
            header = item.message.header
            return refusal(at.conn, header, principal_of(officer), policy()) if header.parent_digests else None

        return ReleaseSession(judge=judge)

    return ReleaseStage("inherited markings", begin)


def refusal(reads: ReadConnection, header: message_pb2.Header, principal: Principal, policy: Policy) -> Rejected | None:
    """Return the markings that are lower than those of the messages this one follows from; None if there are none."""
    rows = [row for digest in header.parent_digests if (row := messages_store.message(reads, digest)) is not None]
    others = [wire.parse_header(row.header) for row in rows if row.author != header.author]
    if not others:
        return None
    strictest = handling.Marks()
    for other in others:
        strictest = strictest.merge(handling.of_message(other))
    lower = handling.Marks.of(header.handling).lower_than(strictest)
    kind = kinds.get(header.kind, header.kind_version)
    facts = MessageAttributes.of(header, kind.sender_roles, handling.MAX_CLASSIFICATION, kind.workflow)
    try:
        policy.check(principal, "derive", facts, policy_context=PolicyContext(covered=not lower))
    except Rejected as denied:
        return Rejected("marks_lowered", f"{denied.detail}: {', '.join(lower)}") if lower else as_result(denied)
    return None
