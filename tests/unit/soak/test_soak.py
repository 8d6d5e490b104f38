"""The judgement of a soak: what was lost, doubled or invented is found, and so is what grows."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.soak import samples
from tests.soak.accounts import Account, Balance, balance
from tests.soak.traffic import Sender

FIRST, SECOND = b"1" * 32, b"2" * 32
ENTRIES = [b"released 1", b"released 2"]

Accounts = dict[str, Account]


def account(**named: object) -> Account:
    """Return the account of a node that did nothing, but for these."""
    nothing: dict[str, object] = {"entries": [], "settled": frozenset(), "inbox": frozenset(), "sent": frozenset()}
    counters: dict[str, object] = {name: Counter() for name in ("released", "received", "delivered", "queued")}
    return Account(**{**nothing, **counters, **named})  # type: ignore[arg-type]


def judged(change: Callable[[Accounts], None] = lambda _accounts: None) -> Balance:
    """Judge two messages from kaz to tjk, after a change to what was found on disk."""
    pairs = Counter({(FIRST, "tjk"): 1, (SECOND, "tjk"): 1})
    sender = Sender(officer=None, others=["tjk"])  # type: ignore[arg-type]
    sender.written = {FIRST: "tjk", SECOND: "tjk"}
    sender.receipts = {FIRST: ("tjk", 0, ENTRIES[0]), SECOND: ("tjk", 1, ENTRIES[1])}
    accounts = {
        "kaz": account(
            entries=ENTRIES,
            released=pairs,
            delivered=pairs.copy(),
            queued=pairs.copy(),
            settled=frozenset(pairs),
            sent=frozenset({FIRST, SECOND}),
        ),
        "tjk": account(
            received=Counter({(FIRST, "kaz"): 1, (SECOND, "kaz"): 1}),
            inbox=frozenset({(FIRST, "kaz"), (SECOND, "kaz")}),
        ),
    }
    change(accounts)
    return balance({"kaz": sender, "tjk": Sender(officer=None, others=["kaz"])}, accounts)  # type: ignore[arg-type]


def _lost_on_the_way(accounts: Accounts) -> None:
    del accounts["tjk"].received[SECOND, "kaz"]


def _lost_from_the_inbox(accounts: Accounts) -> None:
    accounts["tjk"] = replace(accounts["tjk"], inbox=frozenset({(FIRST, "kaz")}))


def _other_entry(accounts: Accounts) -> None:
    accounts["kaz"] = replace(accounts["kaz"], entries=[ENTRIES[0], b"another entry"])


def _received_twice(accounts: Accounts) -> None:
    accounts["tjk"].received[SECOND, "kaz"] += 1


def _released_twice(accounts: Accounts) -> None:
    accounts["kaz"].released[SECOND, "tjk"] += 1


def _received_from_nowhere(accounts: Accounts) -> None:
    accounts["tjk"].received[bytes(32), "kaz"] += 1


def _log_rewritten(accounts: Accounts) -> None:
    accounts["tjk"] = replace(accounts["tjk"], broken="the log does not hash to its head")


def test_messages_that_both_sides_hold_once_balance() -> None:
    """Two messages, each released, delivered and received once."""
    assert judged() == Balance(messages=2)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        *((_lost_on_the_way, "lost"), (_lost_from_the_inbox, "lost"), (_other_entry, "lost")),
        *((_received_twice, "doubled"), (_released_twice, "doubled")),
        *((_received_from_nowhere, "invented"), (_log_rewritten, "invented")),
    ],
)
def test_what_is_wrong_on_either_side_is_counted(change: Callable[[Accounts], None], field: str) -> None:
    """One thing wrong on one disk is counted as that, with an example."""
    found = judged(change)
    assert {name: getattr(found, name) for name in ("lost", "doubled", "invented")} == {
        "lost": 0,
        "doubled": 0,
        "invented": 0,
        field: 1,
    }
    assert len(found.examples) == 1


def test_a_slope_is_not_moved_by_an_outlier() -> None:
    """Steady growth is found as it is, and one bad window does not look like growth."""
    assert samples.slope([(float(at), 3.0 * at) for at in range(10)]) == pytest.approx(3.0)
    assert samples.slope([(float(at), 100.0 if at == 9 else 1.0) for at in range(10)]) == 0.0


def test_disk_that_grows_faster_is_seen_in_the_second_half() -> None:
    """Files grow in steps; what a message takes is counted from end to end of each half."""
    points = [(float(at), float(at // 4 * 400 if at <= 8 else 800 + (at - 8) * 300)) for at in range(17)]
    first, second = samples.halves(points)
    assert (first, second) == (100.0, 300.0)
