"""What one caller can make the node write to its log."""

from typing import Any

import pytest
import structlog

from paiza_node.app import repeated_lines
from paiza_node.app.repeated_lines import MAX_KINDS, OTHERS, REFUSALS, RepeatedLines


class Written:
    """The lines that a processor lets through."""

    def __init__(self) -> None:
        self.now = 0.0
        self.lines: list[Any] = []
        self._process = RepeatedLines(lambda: self.now)

    def write(self, level: str = "warning", times: int = 1, **event: object) -> None:
        """Log an event some times."""
        for _ in range(times):
            try:
                self.lines.append(self._process(None, level, dict(event)))
            except structlog.DropEvent:
                continue


@pytest.fixture
def written() -> Written:
    """Return a log without lines."""
    return Written()


def test_refusals_of_one_caller_are_bounded_and_counted(written: Written) -> None:
    """Those left out are told by the first line of the next minute."""
    written.write(event="not_received", peer="tjk", reason="wrong_member", times=100_000)
    assert len(written.lines) == REFUSALS
    written.now += repeated_lines.MINUTE_SECONDS
    written.write(event="not_received", peer="tjk", reason="wrong_member", times=2)
    assert [line.get("left_out") for line in written.lines[-2:]] == [100_000 - REFUSALS, None]


def test_other_callers_and_events_are_written(written: Written) -> None:
    """One caller's flood hides nothing of another's, nor anything else of theirs."""
    written.write("info", event="gossip_ignored", teller="tjk", reason="bad_checkpoint", times=1000)
    before = len(written.lines)
    written.write("info", event="gossip_ignored", teller="uzb", reason="bad_checkpoint")
    written.write(event="not_received", peer="tjk", reason="clock_skew")
    assert len(written.lines) == before + 2


def test_what_is_no_refusal_is_bounded_higher(written: Written) -> None:
    """A call that succeeds costs a line too."""
    written.write("info", event="attachment_served", peer="tjk", times=10_000)
    assert len(written.lines) == OTHERS


def test_alarms_are_all_written(written: Written) -> None:
    """They are rare by their nature."""
    written.write("critical", event="log_forked", member="tjk", times=1000)
    assert len(written.lines) == 1000


def test_what_is_remembered_is_bounded(written: Written) -> None:
    """Also of callers without number."""
    written.write(event="denied", officer="first", reason="forbidden", times=1000)
    for each in range(2 * MAX_KINDS):
        written.write(event="denied", officer=str(each), reason="forbidden")
    assert len(written._process._kinds) <= MAX_KINDS
