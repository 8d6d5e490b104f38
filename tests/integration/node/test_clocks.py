"""Four nodes, one with a wrong clock: it finds that out, the others name it, and everything else goes on."""

import os
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from paiza_node.core.peers.clocks import MAX_ERROR
from tests.federation import Federation, NodeProcess
from tests.integration.node.conftest import Command

AHEAD = 40.5  # seconds
ERROR = MAX_ERROR.total_seconds()  # of one comparison, on a machine however busy
BACK_SECONDS = 60.0
FAST = Path(__file__).with_name("fast_node.py")


def eventually(holds: Callable[[], object]) -> None:
    """Ask other processes until something holds."""
    deadline = time.monotonic() + BACK_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.2)


def offsets(node: NodeProcess) -> tuple[float | None, dict[str, float]]:
    """Return how far a node finds its own clock off, and those of its peers, in seconds."""
    status = node.status()
    peers = {each.member: each.clock_offset.ToTimedelta() for each in status.peers if each.HasField("clock_offset")}
    own = status.clock_offset.ToTimedelta().total_seconds() if status.HasField("clock_offset") else None
    return own, {member: offset.total_seconds() for member, offset in peers.items()}


def test_a_wrong_clock_is_found_by_its_node_and_named_by_the_others(tmp_path: Path, command: Command) -> None:
    """The node logs it and shows it in its status; the doctor of another names the member."""
    with Federation.create(tmp_path / "f", ["kaz", "kgz", "tjk", "uzb"]) as federation:
        federation.start("kgz", "tjk", "uzb")
        kaz = federation.node("kaz")
        kaz.program = (sys.executable, str(FAST))
        kaz.start(environment={**os.environ, "PAIZA_TEST_AHEAD": str(AHEAD)})
        eventually(lambda: len(offsets(kaz)[1]) == 3 and "clock_off" in kaz.log.read_text())
        own, peers = offsets(kaz)
        assert own is not None
        assert own == pytest.approx(AHEAD, abs=ERROR)
        assert peers == pytest.approx({"kgz": -AHEAD, "tjk": -AHEAD, "uzb": -AHEAD}, abs=ERROR)
        tjk = federation.node("tjk")
        eventually(lambda: "peer_clock_off" in tjk.log.read_text())
        own, peers = offsets(tjk)
        assert own is not None
        assert own == pytest.approx(0, abs=ERROR)
        assert peers == pytest.approx({"kaz": AHEAD, "kgz": 0, "uzb": 0}, abs=ERROR)
        _code, told = command("peers", "--config", str(tjk.config))
        (peer,) = (each for each in told["peers"] if each["member"] == "kaz")
        assert peer["clock_offset_seconds"] == pytest.approx(AHEAD, abs=ERROR)
        _code, told = command("doctor", "--config", str(tjk.config))
        ((level, what),) = ((each["level"], each["what"]) for each in told["checks"] if each["check"] == "clock")
        assert level == "warn"
        told_of = re.fullmatch(r"The clock of kaz is (\d+) secs ahead of the median of 3 peers\.", what)
        assert told_of is not None, what
        assert int(told_of[1]) == pytest.approx(AHEAD, abs=2 * ERROR + 1), "of two comparisons, in whole seconds"
