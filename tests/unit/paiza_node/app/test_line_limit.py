"""The program's log takes so many lines of each caller in a minute, and says how many it left out."""

import io
import json
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import structlog

from paiza_node.app import line_limit
from paiza_node.app.line_limit import EVENT_ERRORS, OTHERS, REFUSALS, SAME_ERRORS, LineLimit
from paiza_node.app.run import set_up_logs
from paiza_node.core.api import metrics
from paiza_node.core.caller import CALLER, NODE, CallerKey

PEER = CallerKey("peer", "tjk")
OFFICER = CallerKey("officer", "spiffe://org/kaz/officer/aigul")


class Clock:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        """Return the seconds."""
        return self.now


class Log:
    """A log in memory with its limit."""

    def __init__(self, limit: LineLimit, stream: io.StringIO) -> None:
        self.limit = limit
        self.stream = stream
        self.logger = structlog.get_logger("test")

    def lines(self, event: str) -> list[dict[str, object]]:
        """Return the lines of an event."""
        written = [json.loads(line) for line in self.stream.getvalue().splitlines()]
        return [each for each in written if each["event"] == event]


@pytest.fixture
def clock() -> Clock:
    """The clock of the limit, at 0."""
    return Clock()


@pytest.fixture
def log(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Log]:
    """The log as `paiza-node run` sets it up, with the clock of the test."""
    monkeypatch.setattr("paiza_node.app.run.LineLimit", lambda: LineLimit(clock))
    monkeypatch.setattr(line_limit, "log", structlog.get_logger("paiza.log"))  # a logger keeps its first file
    stream = io.StringIO()
    limit = set_up_logs("info", stream)
    try:
        yield Log(limit, stream)
        limit.report()  # ends its timer
    finally:
        structlog.reset_defaults()


def by(caller: CallerKey, log: Log, event: str, count: int) -> None:
    """Write lines of an event for a caller."""
    before = CALLER.set(caller)
    try:
        for number in range(count):
            log.logger.warning(event, number=number)
    finally:
        CALLER.reset(before)


def left_out(log: Log) -> dict[tuple[object, object], object]:
    """Return the counts that the log tells, by event and caller."""
    log.limit.report()
    return {(each["of"], each["caller"]): each["count"] for each in log.lines("lines_left_out")}


def test_lines_of_one_event_of_a_caller_are_bounded_and_the_rest_counted(log: Log) -> None:
    """A flood of one event leaves a minute's lines, and one line with the number of the others."""
    counted = metrics.LINES_LEFT_OUT.labels("not_received")._value.get()
    by(PEER, log, "not_received", 10_000)
    assert len(log.lines("not_received")) == REFUSALS.event
    assert left_out(log) == {("not_received", "tjk"): 10_000 - REFUSALS.event}
    assert metrics.LINES_LEFT_OUT.labels("not_received")._value.get() - counted == 10_000 - REFUSALS.event


def test_nothing_is_said_where_nothing_is_left_out(log: Log) -> None:
    """A caller within the limits causes no summary, and each count is told once."""
    by(PEER, log, "not_received", REFUSALS.event)
    assert left_out(log) == {}
    by(PEER, log, "not_received", 1)
    assert left_out(log) == {("not_received", "tjk"): 1}
    log.limit.report()
    assert len(log.lines("lines_left_out")) == 1


def test_next_minute_has_lines_again(log: Log, clock: Clock) -> None:
    """The bound holds for a minute."""
    by(PEER, log, "not_received", REFUSALS.event + 1)
    clock.now = line_limit.PERIOD_SECONDS
    by(PEER, log, "not_received", REFUSALS.event + 1)
    assert len(log.lines("not_received")) == 2 * REFUSALS.event
    assert left_out(log) == {("not_received", "tjk"): 2}


def test_one_caller_does_not_hide_the_lines_of_another(log: Log) -> None:
    """Each caller has a share of its own, for one event and for all."""
    for number in range(20):
        by(PEER, log, f"event_{number}", REFUSALS.event)
    by(OFFICER, log, "event_0", REFUSALS.event)
    assert sum(len(log.lines(f"event_{number}")) for number in range(20)) == REFUSALS.caller + REFUSALS.event


def test_all_callers_together_are_bounded_and_hide_nothing_of_the_node(log: Log) -> None:
    """A hundred callers write no more than so much; the node's own lines do not count there."""
    for number in range(100):
        by(CallerKey("officer", f"officer-{number}"), log, "denied", REFUSALS.event)
    by(NODE, log, "officer_suspended", 1)
    assert len(log.lines("denied")) == REFUSALS.all
    assert len(log.lines("officer_suspended")) == 1


def test_what_is_no_refusal_is_bounded_higher_and_apart(log: Log) -> None:
    """A call that succeeds costs a line too, and refusals hide no such lines."""
    before = CALLER.set(PEER)
    try:
        for _ in range(2 * OTHERS.event):
            log.logger.info("refused", reason="wrong_member")
            log.logger.info("attachment_served")
    finally:
        CALLER.reset(before)
    assert len(log.lines("refused")) == REFUSALS.event
    assert len(log.lines("attachment_served")) == OTHERS.event


def test_a_line_counts_for_whom_it_names_if_the_node_writes_it(log: Log) -> None:
    """A call that is refused before it is admitted counts for its officer."""
    for officer in ("aigul", "bolat"):
        for _ in range(REFUSALS.event + 5):
            log.logger.warning("denied", officer=officer)
    assert len(log.lines("denied")) == 2 * REFUSALS.event
    for _ in range(REFUSALS.event + 1):
        log.logger.info("gossip_ignored", teller="uzb", reason="bad_checkpoint")
    assert left_out(log) == {("denied", "aigul"): 5, ("denied", "bolat"): 5, ("gossip_ignored", "uzb"): 1}


def test_errors_are_written_whatever_a_caller_floods(log: Log) -> None:
    """Errors that differ are written beside a flood of warnings; repeats are bounded, and told as errors."""
    for number in range(20):
        by(PEER, log, f"event_{number}", REFUSALS.event)
    before = CALLER.set(PEER)
    try:
        for size in range(50):
            log.logger.critical("log_forked", size=size)
        for _ in range(50):
            log.logger.error("commit_waits", waits_for="database")
    finally:
        CALLER.reset(before)
    assert len(log.lines("log_forked")) == 50
    assert len(log.lines("commit_waits")) == SAME_ERRORS
    log.limit.report()
    assert [each["level"] for each in log.lines("lines_left_out") if each["of"] == "commit_waits"] == ["error"]


def test_errors_that_all_differ_are_bounded_too(log: Log) -> None:
    """Values that a peer chooses do not fill the disk."""
    for size in range(2 * EVENT_ERRORS):
        log.logger.critical("abandoned_key_used", size=size)
    assert len(log.lines("abandoned_key_used")) == EVENT_ERRORS


def test_tracebacks_of_one_place_are_repeats(log: Log) -> None:
    """What fails at one place fails in the same way, whatever else the line says."""
    for number in range(50):
        try:
            int(str(number) + "x")
        except ValueError:
            log.logger.exception("internal_error", number=number)
        log.logger.error("failed", number=number, exc_info=KeyError(number))
    assert len(log.lines("internal_error")) == SAME_ERRORS
    assert len(log.lines("failed")) == SAME_ERRORS


def test_state_is_bounded(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """Callers without end are not remembered without end."""
    monkeypatch.setattr(line_limit, "MAX_KEYS", 100)
    monkeypatch.setattr(line_limit, "MAX_REPORTS", 10)
    for number in range(1000):
        log.logger.warning("denied", officer=f"officer-{number}")
    assert len(log.lines("denied")) < 100 + REFUSALS.event
    told = left_out(log)
    assert len(told) <= 11
    assert len(log.lines("denied")) + sum(int(str(count)) for count in told.values()) == 1000


def test_threads_lose_no_count(log: Log) -> None:
    """Lines written and lines left out are all lines."""
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: by(PEER, log, "not_received", 500), range(8)))
    assert len(log.lines("not_received")) == REFUSALS.event
    assert left_out(log) == {("not_received", "tjk"): 8 * 500 - REFUSALS.event}


def test_count_is_told_without_a_further_line(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood that ends is told of, even if nothing is logged after it."""
    monkeypatch.setattr(line_limit, "PERIOD_SECONDS", 0.05)
    by(PEER, log, "not_received", REFUSALS.event + 1)
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer) and thread.interval == 0.05:
            thread.join(60)
    assert [each["count"] for each in log.lines("lines_left_out")] == [1]


def test_library_of_one_place_does_not_hide_another(log: Log) -> None:
    """Records of libraries are one event of many places."""
    for place in ("asyncio", "grpc"):
        for number in range(REFUSALS.event + 1):
            log.logger.log(logging.WARNING, "library_message", place=place, text=str(number))
    assert len(log.lines("library_message")) == 2 * REFUSALS.event
