"""Taking back what our own member sent: recalls, and requests to erase. Both are prepared here; `sending.send` sends.

Nobody's copy is changed by sending one: every holder is told, and its answer is a message or a log entry of its own.
"""

from collections.abc import Sequence
from dataclasses import replace

from google.protobuf.message import Message

from paiza.content.v1.erasure_pb2 import ErasureRequest
from paiza.content.v1.recall_pb2 import Recall
from paiza_client.sdk import replies
from paiza_client.sdk.drafts import UNCHANGED, Overrides, Prepared
from paiza_client.sdk.model import MessageSummary
from paiza_client.sdk.session import Session


async def recall(
    session: Session,
    recalled: Sequence[MessageSummary],
    *,
    reason: str,
    because: str = "other",
    measure: str = "stop-using",
    overrides: Overrides = UNCHANGED,
) -> Prepared:
    """Return a recall of one or more messages of our own, of one thread, addressed to all who hold any of them.

    ``reason`` is in words; ``because`` is a code of the list recall_reason ("sent-in-error"), ``measure`` is
    "stop-using", "erase" or "return". It is PRIORITY unless ``overrides`` says otherwise; two officers sign.
    """
    content = Recall(reason=because, explanation=reason, measure=measure)
    return await _to_holders(session, recalled, content, overrides)


async def erasure(
    session: Session, erased: Sequence[MessageSummary], *, reason: str, because: str, overrides: Overrides = UNCHANGED
) -> Prepared:
    """Return a request to erase one or more messages of our own, of one thread, addressed to all who hold any of them.

    ``reason`` is in words, ``because`` a code ("review", "inaccurate", "unlawful", "legal"). It is PRIORITY unless
    ``overrides`` says otherwise; two officers sign. Once released it cannot be undone; `Session.retention` shows how
    each holder answered.
    """
    return await _to_holders(session, erased, ErasureRequest(reason=because, explanation=reason), overrides)


async def _to_holders(
    session: Session, concerned: Sequence[MessageSummary], content: Message, overrides: Overrides
) -> Prepared:
    recipients = await replies.holders(session, concerned)
    chosen = replace(overrides, urgency=overrides.urgency or "priority")
    return replies.prepare(content, concerned[0].header, [each.digest for each in concerned], recipients, chosen)
