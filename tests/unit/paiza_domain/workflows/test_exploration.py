"""The fold holds the six invariants in every thread there can be, up to a depth, and in long ones drawn at random.

`make explore` goes as deep as is written in `FULL`; `make test` as deep as seconds allow. What was covered is printed.
"""

import os
from dataclasses import dataclass

import pytest
from typing_extensions import override

from paiza.content.v1 import controlled_delivery_pb2 as pb
from paiza_domain.workflows.controlled_delivery import reduce
from tests.unit.paiza_domain.workflows import deliveries
from tests.unit.paiza_domain.workflows.exploration import (
    Exploration,
    Moves,
    decisions,
    handovers,
    linear_extensions,
    movements,
    tell,
)
from tests.unit.paiza_domain.workflows.oracle import Oracle
from tests.unit.paiza_domain.workflows.random_runs import RandomRun

EXPLORE = bool(os.environ.get("PAIZA_EXPLORE"))
SEED = int(os.environ.get("PAIZA_EXPLORE_SEED", "1"))
RUNS = 3_000 if EXPLORE else 40  # random threads


@dataclass(frozen=True)
class Region:
    """Part of what there can be: `states`, from the request or from the activation on, to a depth of further steps."""

    states: int
    moves: Moves
    depth: int
    forgetful: bool = False
    most: int = 0  # threads followed further at each depth; 0 for all

    @override
    def __str__(self) -> str:
        """Name it in the test's id."""
        forgetful = "-forgetful" if self.forgetful else ""
        return f"{self.states}-{self.moves.__name__}-{self.depth}{forgetful}{f'-{self.most}' if self.most else ''}"


BRIEF = (
    Region(2, decisions, 3),
    Region(3, decisions, 2),
    Region(2, handovers, 4),
    Region(3, handovers, 3),
    Region(2, movements, 2, forgetful=True),
    Region(2, movements, 3),
    Region(3, movements, 2),
    Region(4, handovers, 3),
    Region(3, movements, 7, most=60),
)
FULL = (
    Region(2, movements, 4),
    Region(3, movements, 3),
    Region(4, movements, 3),
    Region(2, handovers, 8),
    Region(4, handovers, 5),
    Region(3, handovers, 6),
    Region(2, decisions, 5),
    Region(3, decisions, 4),
    Region(4, decisions, 3),
    Region(2, movements, 3, forgetful=True),
    Region(3, handovers, 5, forgetful=True),
    Region(2, movements, 12, most=1_000),
    Region(3, movements, 12, most=1_000),
    Region(4, movements, 12, most=1_000),
    Region(2, movements, 5),
    Region(3, movements, 4),
)


@pytest.mark.timeout(14_400)
@pytest.mark.parametrize("region", FULL if EXPLORE else BRIEF, ids=str)
def test_every_thread_holds_the_invariants_on_every_node(region: Region, capsys: pytest.CaptureFixture[str]) -> None:
    """All nodes agree for any knowledge at release, and no invariant is broken."""
    thread = deliveries.Thread(states=deliveries.NAMES[: region.states], salt=str(SEED))
    if region.moves is decisions:
        thread.request()
    else:
        thread.activate()
    exploration = Exploration(thread, region.moves, region.depth, region.forgetful, region.most, SEED)
    assert exploration.run() == []
    assert exploration.concurrent
    if EXPLORE:
        with capsys.disabled():
            print(f"\n{region}: {exploration.met} threads, {exploration.concurrent} with concurrent ends")


@pytest.mark.timeout(14_400)
def test_long_threads_at_random_hold_the_invariants() -> None:
    """Honest and dishonest steps, unknown ancestors, jumps in time: everyone agrees, also who holds only a part."""
    moved = 0
    for seed in range(SEED * 100_000, SEED * 100_000 + RUNS):
        run = RandomRun(seed, states=2 + seed % 3, length=12 + seed % 30)
        view = reduce(run.steps)
        complaints = list(Oracle(run.steps, view).complaints())
        part = run.known_somewhere()
        complaints += Oracle(part, reduce(part)).complaints()
        if reduce(run.in_some_order()) != view:
            complaints.append("two orders of arrival differ")
        assert complaints == [], [seed, *map(tell, run.steps)]
        moved += len(view.custody) > 1
    assert moved > RUNS // 10  # the threads are not all of them stuck


@pytest.mark.timeout(14_400)
def test_every_order_of_arrival_gives_the_same_standing() -> None:
    """All orders in which ancestors come first, and between them every prefix that somebody holds."""
    thread = deliveries.Thread(states=deliveries.NAMES[:3])
    active = thread.activate()
    offer = thread.offer("tjk", "uzb", after=[active])
    other = thread.offer("tjk", "uzb", after=[active])
    thread.accept("uzb", offer, after=[offer])
    thread.accept("uzb", other, after=[other])
    stop = thread.add("stop", "kaz", after=[active])
    thread.add("acknowledgement", "tjk", after=[stop])
    expected = reduce(thread.steps)
    orders = 0
    for order in linear_extensions(thread.steps, 5_000 if EXPLORE else 300):
        assert reduce(order) == expected
        orders += 1
    assert orders > 50
    for length in range(1, len(thread.steps) + 1):
        held = thread.steps[:length]
        assert list(Oracle(held, reduce(held)).complaints()) == []


def told_wrong(salt: str) -> list[str]:
    """Build a case in which each rule forbids something; return the oracle's findings."""
    thread = deliveries.Thread(states=deliveries.NAMES[:3], salt=salt)
    thread.request()
    thread.authorise("tjk")
    narrow = pb.ControlledDeliveryAuthorisation(scope=deliveries.scope(kilograms=1))
    thread.add("authorisation", "uzb", narrow, signers=[("a", "liaison")])
    thread.authorise("kaz")
    thread.plan()
    thread.add("activation", "tjk")
    complaints = list(Oracle(thread.steps, reduce(thread.steps)).complaints())
    thread = deliveries.Thread(states=deliveries.NAMES[:3], salt=salt)
    active = thread.activate()
    for _branch in range(2):
        thread.accept("uzb", offer := thread.offer("tjk", "uzb", after=[active]), after=[offer])
    noted = pb.ControlledDeliveryAcknowledgement(message_digest=thread.steps[0].digest)
    thread.add("stop", "kaz", after=[thread.add("acknowledgement", "kaz", noted, after=[active])])
    thread.offer("tjk", "uzb")
    return complaints + list(Oracle(thread.steps, reduce(thread.steps)).complaints())


@pytest.mark.parametrize(
    ("rule", "invariant"),
    [
        ("reducer.overtakes", "3"),
        ("reducer.Reduction._conflicts", "2"),
        ("legality._stopped", "3"),
        ("legality._two_officers", "4"),
        ("legality.lacking", "1"),
    ],
)
def test_the_oracle_sees_a_reducer_without_one_of_its_rules(
    rule: str, invariant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each rule taken away breaks the invariant it is there for, so the oracle is not blind."""
    assert not [each for salt in "abcdefgh" for each in told_wrong(salt)]
    if rule == "reducer.Reduction._conflicts":  # the stop would settle the collision before it is met
        monkeypatch.setattr("paiza_domain.workflows.controlled_delivery.reducer.overtakes", lambda *_: False)
    monkeypatch.setattr(f"paiza_domain.workflows.controlled_delivery.{rule}", lambda *_: ())
    complaints = [each for salt in "abcdefgh" for each in told_wrong(salt)]
    assert invariant in {complaint.split(":")[0] for complaint in complaints}
