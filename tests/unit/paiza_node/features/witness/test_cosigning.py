"""A witness never cosigns two roots of one size, a smaller size, or an unstored checkpoint."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paiza_node.features.recovery.progress import RecoveryHold
from paiza_node.features.witness.cosigning import LEAST_INTERVAL, Cosigner, Permit
from paiza_wire.errors import PaizaError, Rejected
from paiza_wire.tlog.checkpoint import VerifiedCheckpoint

AT = datetime(2026, 5, 4, 12, tzinfo=UTC)


def checkpoint(size: int, history: int = 0) -> VerifiedCheckpoint:
    """Return a checkpoint of one of two histories of tjk's log."""
    return VerifiedCheckpoint("tjk.example/log/1", size, sha256(b"%d %d" % (history, size)).digest(), b"")


def reason(cosigner: Cosigner, size: int, known: int, at: datetime = AT, history: int = 0) -> str:
    """Return the reason for which a checkpoint is not cosigned; empty where it may be."""
    try:
        cosigner.consider("tjk", checkpoint(size, history), known, at)
    except Rejected as refused:
        return refused.reason
    return ""


def cosigned(cosigner: Cosigner, size: int, at: datetime = AT) -> None:
    """Cosign a checkpoint as the node does."""
    permit = cosigner.consider("tjk", checkpoint(size), size, at)
    cosigner.stored(checkpoint(size))
    cosigner.redeem(permit)


def test_only_the_largest_known_is_cosigned() -> None:
    """A smaller checkpoint than is known, or than was cosigned, is stale."""
    cosigner = Cosigner({"tjk.example/log/1": 9}, hold=frozenset)
    assert reason(cosigner, 8, 9) == "stale_checkpoint"
    cosigned(cosigner, 12)
    assert reason(cosigner, 10, 10, AT + LEAST_INTERVAL) == "stale_checkpoint"
    assert reason(cosigner, 12, 12, AT + LEAST_INTERVAL) == ""


def test_one_log_is_not_cosigned_twice_in_a_moment() -> None:
    """Within the least interval the answer is busy; a clock that was set back does not stop a witness."""
    cosigner = Cosigner({}, hold=frozenset)
    cosigned(cosigner, 3)
    assert reason(cosigner, 4, 4, AT + LEAST_INTERVAL / 2) == "busy"
    assert reason(cosigner, 4, 4, AT - timedelta(hours=1)) == ""


def test_a_distrusted_log_is_not_cosigned_until_trust_is_restored() -> None:
    """Neither considered nor redeemed: a permit given before the finding is worth nothing."""
    cosigner = Cosigner({}, hold=frozenset)
    permit = cosigner.consider("tjk", checkpoint(2), 2, AT)
    cosigner.stored(checkpoint(2))
    cosigner.distrust("tjk")
    assert reason(cosigner, 2, 2) == "log_forked"
    with pytest.raises(Rejected, match="log_forked"):
        cosigner.redeem(permit)
    cosigner.restore_trust("tjk", {})
    cosigner.redeem(permit)


def test_a_next_log_begins_anew() -> None:
    """A member that goes on under another origin is cosigned from its beginning, once that is stored."""
    cosigner = Cosigner({"tjk.example/log/1": 9}, hold=frozenset)
    cosigned(cosigner, 9)
    following = VerifiedCheckpoint("tjk.example/log/2", 2, sha256(b"next").digest(), b"")
    permit = cosigner.consider("tjk", following, 2, AT + LEAST_INTERVAL)
    with pytest.raises(AssertionError):
        cosigner.redeem(permit)
    cosigner.stored(following)
    cosigner.redeem(permit)


def test_what_is_held_is_not_cosigned() -> None:
    """A restored witness cosigns nothing at first, then every log whose state it has recovered."""
    hold = RecoveryHold()
    cosigner = Cosigner({}, hold=hold)
    assert reason(cosigner, 2, 2) == "witness_held"
    hold.members = {"uzb"}
    assert reason(cosigner, 2, 2) == ""
    hold.members = {"tjk"}
    assert reason(cosigner, 2, 2) == "witness_held"


def test_nothing_is_signed_before_it_is_stored() -> None:
    """To redeem a permit whose checkpoint was not committed is a defect."""
    cosigner = Cosigner({"tjk.example/log/1": 4}, hold=frozenset)
    permit = cosigner.consider("tjk", checkpoint(5), 5, AT)
    with pytest.raises(AssertionError):
        cosigner.redeem(permit)


@given(
    st.lists(st.tuples(st.integers(1, 6), st.integers(0, 1), st.integers(0, 3), st.booleans()), min_size=1, max_size=40)
)
def test_whatever_comes_in_whatever_order_one_history_is_cosigned(steps: list[tuple[int, int, int, bool]]) -> None:
    """Permits are held and redeemed late, sizes fall and histories differ: sizes never fall, no size has two roots."""
    cosigner = Cosigner({}, hold=frozenset)
    held: list[Permit] = []
    said: list[VerifiedCheckpoint] = []
    for number, (size, history, seconds, keep) in enumerate(steps):
        at = AT + timedelta(seconds=4 * number + seconds)
        try:
            permit = cosigner.consider("tjk", checkpoint(size, history), size, at)
        except PaizaError:
            continue
        held.append(permit)
        if keep:
            continue
        while held:
            permit = held.pop()
            cosigner.stored(permit.checkpoint)
            try:
                cosigner.redeem(permit)
            except PaizaError:
                continue
            said.append(permit.checkpoint)
    assert [each.size for each in said] == sorted(each.size for each in said)
    assert len({each.size for each in said}) == len({(each.size, each.root) for each in said})
