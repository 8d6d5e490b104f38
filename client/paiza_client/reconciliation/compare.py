"""Reconciling: what one member's log says it released, compared with what the other's says it received. Pure.

Both ways, message by message. A message belongs to the period in which its author's log released it. Each difference
is named with what proves it and, where a proof stands against a member, against whom:

lost        received by the word of a log, or a receipt, and no longer there or not shown
late        answered after more than the time allowed, or not answered for longer than that, or given up
refused     by the recipient; where its log does not say so, by the sender's word alone
denied      passed on, and not taken
only-here   in the one log, and not in the other that should hold it too
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

from paiza.core.v1 import log_pb2
from paiza_client.verify.log_query_checks import VisibleEntry, VisiblePage
from paiza_client.verify.model import Proof
from paiza_wire.tlog import log_queries
from paiza_wire.tlog.log_queries import ExchangedMessage

Kind = Literal["lost", "late", "refused", "denied", "only-here"]

COMPARED: Final = (
    log_pb2.LOG_EVENT_RELEASED,
    log_pb2.LOG_EVENT_FORWARDED,
    log_pb2.LOG_EVENT_RECEIVED,
    log_pb2.LOG_EVENT_REFUSED,
    log_pb2.LOG_EVENT_DELIVERY_REFUSED,
    log_pb2.LOG_EVENT_DENIED,
)
"""The events of a period that are asked for."""
FOLLOWED: Final = (*COMPARED, log_pb2.LOG_EVENT_EXPIRED)
"""The events that are asked for about a message of which the period does not say enough."""

SHORTEST_RETENTION: Final = timedelta(days=365)
"""Every node keeps its entries for at least this long (`audit_retention_days`): a younger one was not retired."""

_SENT: Final = frozenset({"RELEASED", "FORWARDED"})
_TAKEN: Final = frozenset({"RECEIVED", "REFUSED", "DENIED"})


@dataclass(frozen=True, slots=True)
class Difference:
    """One message of which the two logs do not say the same, or not in time.

    ``against`` is the member against whom ``proofs`` stand; empty where no proof stands against anybody. ``remark`` is
    one of the codes of `REMARKS`.
    """

    kind: Kind
    digest: bytes
    sender: str
    recipient: str
    remark: str
    sent: Proof | None = None
    answered: Proof | None = None
    against: str = ""
    reason: str = ""
    proofs: tuple[Proof, ...] = ()


REMARKS: Final = (
    "content_missing",
    "receipt_not_shown",
    "answered_late",
    "not_answered",
    "given_up",
    "refused",
    "refused_unproven",
    "denied",
    "release_not_shown",
    "no_release",
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Whose logs to compare, over which period, and after what time an answer counts as late."""

    one: str
    other: str
    since: datetime
    until: datetime
    allowed: timedelta


@dataclass(slots=True)
class View:
    """One member's log entries about its exchange with the other, and the index up to which they are complete."""

    member: str
    entries: dict[int, VisibleEntry] = field(default_factory=dict)
    consulted: list[Proof] = field(default_factory=list)
    by_digest: dict[bytes, list[VisibleEntry]] = field(default_factory=dict)
    followed: dict[bytes, Proof] = field(default_factory=dict)
    retired_end: int = 0

    def take(self, page: VisiblePage, about: Iterable[bytes] = ()) -> None:
        """Add an answer; ``about``: the queried messages, of which it shows all entries."""
        self.consulted.append(page.consulted)
        self.retired_end = max(self.retired_end, page.retired_end)
        for shown in page.entries:
            if shown.proof.index not in self.entries:
                self.entries[shown.proof.index] = shown
                self.by_digest.setdefault(shown.proof.digest, []).append(shown)
        for digest in about:
            self.followed[digest] = page.consulted

    def may_have_retired(self, proof: Proof) -> bool:
        """Return whether audit retention may have taken an entry of this log: old enough, and below what it took."""
        return proof.index < self.retired_end and self.consulted[-1].time - proof.time >= SHORTEST_RETENTION

    def of(self, digest: bytes, events: Iterable[str]) -> list[VisibleEntry]:
        """Return the entries about one message, not about a part of it, of these events."""
        wanted = frozenset(events)
        return [
            shown
            for shown in self.by_digest.get(digest, ())
            if shown.proof.event in wanted and _of_exchange(shown.proof)
        ]


@dataclass(frozen=True, slots=True)
class Result:
    """The result of comparing two logs over a period.

    ``agreed`` counts the messages both logs agree on, ``under_way`` those that wait for an answer within the time
    allowed. ``digest`` stands for what was exchanged and answered; both nodes compute the same to close the period.
    """

    agreed: int
    under_way: int
    differences: tuple[Difference, ...]
    digest: bytes

    @property
    def agrees(self) -> bool:
        """Whether the period can be closed: refusals and late answers are facts that both logs state."""
        stated = ("refused", "answered_late", "denied")
        return not self.under_way and all(each.remark in stated for each in self.differences)

    @property
    def against(self) -> tuple[str, ...]:
        """The members against whom a proof stands, by id; empty where nothing is proven against anybody."""
        return tuple(sorted({each.against for each in self.differences if each.against}))


def unclear(one: View, other: View, since: datetime, until: datetime) -> list[bytes]:
    """Name the messages of which both logs must be asked more: those that only one of them spoke of so far."""
    found: dict[bytes, None] = {}
    for sender, recipient in ((one, other), (other, one)):
        for digest, shown in _entries(sender, _SENT).items():
            if since <= shown.proof.time < until and not recipient.of(digest, _TAKEN):
                found[digest] = None
        for digest in _entries(recipient, _TAKEN):
            if not sender.of(digest, _SENT) and not recipient.of(digest, _SENT):
                found[digest] = None
    return list(found)


def compare(one: View, other: View, *, since: datetime, until: datetime, now: datetime, allowed: timedelta) -> Result:
    """Compare two logs over a period. The views must hold the period, and all of what `unclear` named."""
    differences: list[Difference] = []
    exchanged: list[ExchangedMessage] = []
    agreed = under_way = 0
    for sender, recipient in ((one, other), (other, one)):
        for digest, sent in _entries(sender, _SENT).items():
            if not since <= sent.proof.time < until:
                continue
            difference, waits = _compare_sent(sent, digest, sender, recipient, now, allowed)
            under_way += waits
            if difference is not None:
                differences.append(difference)
            elif not waits:
                agreed += 1
            answer = _answer(recipient.of(digest, ("RECEIVED", "REFUSED")), sent)
            if sent.proof.event == "RELEASED" and answer is not None:
                exchanged.append(ExchangedMessage(sender.member, digest, sent.leaf, answer.leaf))
        differences.extend(_unexplained(sender, recipient))
    differences.sort(key=lambda each: (each.sender, _time(each), each.digest))
    digest = log_queries.period_digest((one.member, other.member), since, until, exchanged)
    return Result(agreed, under_way, tuple(differences), digest)


def _compare_sent(  # noqa: PLR0911 - one way it can stand, one line
    sent: VisibleEntry, digest: bytes, sender: View, recipient: View, now: datetime, allowed: timedelta
) -> tuple[Difference | None, bool]:
    """Return what is wrong with one message that was sent, and whether it merely waits."""

    def differs(kind: Kind, remark: str, answered: VisibleEntry | None = None, **more: object) -> Difference:
        return Difference(
            kind,
            digest,
            sender.member,
            recipient.member,
            remark,
            sent.proof,
            answered.proof if answered is not None else None,
            **more,  # type: ignore[arg-type]  # fields of Difference, by name
        )

    received = _answer(recipient.of(digest, ("RECEIVED",)), sent)
    if received is not None:
        if received.content == "missing":
            said = tuple(recipient.consulted[-1:])
            return differs(
                "lost", "content_missing", received, against=recipient.member, proofs=(received.proof, *said)
            ), False
        if received.proof.time - sent.proof.time > allowed:
            return differs("late", "answered_late", received, proofs=(sent.proof, received.proof)), False
        return None, False
    refused = _answer(recipient.of(digest, ("REFUSED", "DENIED")), sent)
    if refused is not None:
        kind: Kind = "refused" if refused.proof.event == "REFUSED" else "denied"
        return differs(kind, kind, refused, reason=refused.proof.reason, proofs=(refused.proof,)), False
    receipt = next((proof for proof, _ in sent.held if proof.event in _TAKEN and proof.part_number is None), None)
    if receipt is not None and recipient.may_have_retired(receipt):
        return None, False  # the receipt stands for the entry that is no more
    if receipt is not None:
        said = tuple(each for each in (recipient.followed.get(digest),) if each is not None)
        return differs("lost", "receipt_not_shown", against=recipient.member, proofs=(receipt, *said)), False
    if given_up := sender.of(digest, ("EXPIRED",)):
        return differs("late", "given_up", reason=given_up[0].proof.reason, proofs=(given_up[0].proof,)), False
    if rejected := sender.of(digest, ("DELIVERY_REFUSED",)):
        reason = rejected[0].proof.reason
        return differs("refused", "refused_unproven", reason=reason, proofs=(rejected[0].proof,)), False
    if now - sent.proof.time > allowed:
        return differs("late", "not_answered", proofs=(sent.proof,)), False
    return None, True


def _unexplained(sender: View, recipient: View) -> Iterable[Difference]:
    """Yield what the recipient says it took, and the sender's log does not say it sent."""
    for digest, taken in _entries(recipient, _TAKEN).items():
        if sender.of(digest, _SENT):
            continue
        if taken.proof.event == "DENIED" and not taken.held:
            continue  # a denial of something else than a message that was passed on
        held = [proof for proof, _ in taken.held if proof.event in _SENT]
        if any(proof.event == "FORWARDED" and proof.counterpart != recipient.member for proof in held):
            continue  # the author was told that its message was passed on to a third member
        shown = next((proof for proof in held if proof.counterpart == recipient.member), None)
        if shown is not None and sender.may_have_retired(shown):
            continue
        said = tuple(each for each in (sender.followed.get(digest),) if each is not None)
        if shown is not None:
            yield Difference(
                "only-here",
                digest,
                sender.member,
                recipient.member,
                "release_not_shown",
                answered=taken.proof,
                against=sender.member,
                proofs=(shown, *said),
            )
        else:
            yield Difference(
                "only-here",
                digest,
                sender.member,
                recipient.member,
                "no_release",
                answered=taken.proof,
                proofs=(taken.proof, *said),
            )


def _entries(view: View, events: frozenset[str]) -> Mapping[bytes, VisibleEntry]:
    """Return the first entry of these events about each message."""
    found: dict[bytes, VisibleEntry] = {}
    for _, shown in sorted(view.entries.items()):
        proof = shown.proof
        if proof.event in events and proof.digest and _of_exchange(proof):
            found.setdefault(proof.digest, shown)
    return found


def _of_exchange(proof: Proof) -> bool:
    """Return whether an entry is about the exchange of a message, and not of a part of it."""
    return proof.event in _SENT or proof.part_number is None


def _answer(answers: Sequence[VisibleEntry], sent: VisibleEntry) -> VisibleEntry | None:
    """Return the answer that the sender holds a proof of, else the first."""
    held = {raw for _, raw in sent.held}
    return next((each for each in answers if each.raw in held), answers[0] if answers else None)


def _time(difference: Difference) -> datetime:
    proof = difference.sent or difference.answered
    assert proof is not None, "a difference is about something that one log says"
    return proof.time
