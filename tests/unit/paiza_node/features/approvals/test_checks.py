"""`verify` on a log without a second officer's approval."""

from typing import Any, cast

from paiza.core.v1 import log_pb2
from paiza_node.features.approvals.checks import Approvals
from tests.log_entries import entry_of

DIGEST = bytes(32)


def heard(*entries: tuple[int, str, tuple[str, ...]]) -> frozenset[str]:
    """Read entries (event, actor, signers) of one message; return its signers at the release."""
    signed = Approvals(cast("Any", None))  # no row is read
    for index, (event, actor, signers) in enumerate(entries):
        logged = [log_pb2.LoggedSigner(id=each) for each in signers]
        said = {"signer": logged[0]} if event == log_pb2.LOG_EVENT_APPROVED else {"signers": logged}
        entry = entry_of(event, actor=actor, message_digest=DIGEST, **said)  # type: ignore[arg-type]
        signed.read_entry(index, entry)
    return signed.released[DIGEST]


SUBMITTED, APPROVED, RELEASED = (
    (log_pb2.LOG_EVENT_SUBMITTED, "one", ("one",)),
    (log_pb2.LOG_EVENT_APPROVED, "two", ("two",)),
    (log_pb2.LOG_EVENT_RELEASED, "two", ("one", "two")),
)


def test_only_an_approval_before_the_release_counts() -> None:
    """Neither one that comes later, nor one in which an officer names another."""
    assert heard(SUBMITTED, APPROVED, RELEASED) == {"one", "two"}
    assert heard(SUBMITTED, RELEASED, APPROVED) == {"one"}
    assert heard(SUBMITTED, (log_pb2.LOG_EVENT_APPROVED, "one", ("two",)), RELEASED) == {"one"}
