"""A node that gives a receipt and drops the message is found by reconciling, with what proves it against that node."""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from paiza.v1 import message_pb2
from tests.federation import Federation
from tests.integration.client.conftest import Paiza
from tests.integration.oversight.conftest import DROPPING, Scene


@pytest.fixture(params=["lose", "hide"])
def broken(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Scene, str]]:
    """Two members; the node of tjk has the defect asked for."""
    folder = tmp_path_factory.mktemp("dropping") / "f"
    with Federation.create(folder, ["kaz", "tjk"]) as federation:
        federation.node("tjk").program = (sys.executable, str(DROPPING), request.param)
        federation.start()
        yield Scene(federation), request.param


def test_what_was_dropped_after_the_receipt_is_found(broken: tuple[Scene, str], paiza: Paiza) -> None:
    """The one message is named lost, against the one member; the others agree; the period is not closed."""
    scene, defect = broken
    scene.send("kaz", ["tjk"], 3)
    (dropped,) = scene.send("kaz", ["tjk"], 1, urgency=message_pb2.URGENCY_PRIORITY)
    scene.send("tjk", ["kaz"], 1)
    since = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    for member in ("kaz", "tjk"):  # the broken node's own coordinator finds it too
        arguments = ("audit", "reconcile", "kaz", "tjk", "--since", since, "--json")
        ran = paiza(scene.federation, f"{member}-coordinator", *arguments)
        assert ran.code == 5, ran
        found = json.loads(ran.out)
        (difference,) = found["differences"]
        assert difference["what"] == "lost"
        assert difference["why"] == {"lose": "content_missing", "hide": "receipt_not_shown"}[defect]
        assert (difference["digest"], difference["against"]) == (dropped.hex(), "tjk")
        receipt, consulted = difference["proofs"]
        assert (receipt["event"], receipt["member"]) == ("RECEIVED", "tjk")
        assert (consulted["event"], consulted["member"]) == ("CONSULTED", "tjk")
        assert (found["agreed"], found["closed"]) == (4, None)
    text = paiza(scene.federation, "kaz-coordinator", "audit", "reconcile", "kaz", "tjk", "--since", since)
    assert (text.code, "gave a receipt" in text.out) == (5, True), text
