"""The conditions for a log in default; a report alone accuses nobody."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paiza.core.v1 import fork_proof_pb2
from paiza_node.core.peers.log_views import PeerLogViews
from paiza_node.core.peers.model import Finding, FindingKind
from paiza_node.features.witness.consistency_monitor import (
    ASK_AGAIN,
    ASK_IN_DEFAULT,
    DEFAULT_AGAIN,
    FIRST_ASK,
    MAX_FAILURES,
    MAX_SILENCES,
    PATIENCE,
    QUIET,
    ConsistencyMonitor,
    Question,
)
from paiza_register import Register
from paiza_wire.errors import Unavailable
from paiza_wire.identity import keys
from paiza_wire.tlog.notes import SignerKey
from tests.unit.paiza_node.other_log import ORIGIN, OtherLog, member_of

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
UNREACHABLE = Unavailable("peer_unreachable", "nobody is there")
REFUSED = Unavailable("consistency_mismatch", "a size is larger than our log")


class Bench:
    """A monitor of kaz, the log of tjk before it, and a clock."""

    def __init__(self) -> None:
        self.now = NOW
        self.signer = SignerKey.from_ed25519(ORIGIN, keys.generate_ed25519())
        self.member = member_of(self.signer)
        self.log, self.other = OtherLog(self.signer), OtherLog(self.signer, b"other")
        self.register = Register(
            bytes(32), "paiza.example", {}, {"tjk": self.member}, NOW, {}, (), {}, late=False, role_versions={},
            key_pins=frozenset(),
            _verifier=cast("Any", None),
        )  # fmt: skip
        self.begin([])

    def begin(self, findings: list[Finding]) -> None:
        """Start, with what was found before."""
        self.logs = PeerLogViews({}, lambda: self.now, findings, lambda _member: ORIGIN)
        self.monitor = ConsistencyMonitor("kaz", self.logs, findings)

    def report(self, *notes: bytes, teller: str = "uzb", forks: tuple[fork_proof_pb2.ForkProof, ...] = ()) -> None:
        """Be told something."""
        self.monitor.add_report(teller, notes, forks, self.register)

    def ask(self, after: timedelta = ASK_AGAIN) -> Question | None:
        """Return what is to be asked after some time."""
        self.now += after
        due = self.monitor.due(self.register, self.now)
        return due[0] if due else None

    def fail(self, how: Callable[[Question], None], times: int) -> None:
        """Fail questions one after the other."""
        for _ in range(times):
            question = self.ask()
            assert question is not None
            how(question)

    def prove_nothing(self, question: Question) -> None:
        """Answer with a proof that leads nowhere."""
        answer = self.log.proof(30, *question.request.sizes)
        for proof in answer.proofs:
            proof.hashes[:] = [bytes(32)]
        self.monitor.answered(self.member, question, answer, self.now)

    def refuse(self, question: Question) -> None:
        """Refuse to answer."""
        self.monitor.not_answered(question, REFUSED, self.now)

    def be_silent(self, question: Question) -> None:
        """Be reached, but not by this question."""
        accepted = self.logs.counts.accepted
        accepted["tjk"] = accepted.get("tjk", 0) + 1
        self.monitor.not_answered(question, UNREACHABLE, self.now)


@pytest.fixture
def bench() -> Bench:
    """A bench with nine known entries of tjk and one unverified checkpoint."""
    made = Bench()
    made.logs.accept(made.member, made.log.consistency_claim(0, 9))
    made.report(made.log.note(12))
    assert made.ask(timedelta(0)) is None
    return made


def test_doubt_ends_with_one_proof(bench: Bench) -> None:
    """An honest log is asked once, from all known and unverified checkpoints; then nothing is left."""
    question = bench.ask(FIRST_ASK)
    assert question is not None
    assert list(question.request.sizes) == [9, 12]
    bench.monitor.answered(bench.member, question, bench.log.proof(20, 9, 12), bench.now)
    assert bench.ask() is None
    assert bench.logs.size("tjk") == 20
    assert bench.monitor.misbehaviour("tjk") == []


def test_nothing_is_asked_of_what_the_log_has_shown_meanwhile(bench: Bench) -> None:
    """The exchange of a round proves what another member was shown in it a moment before."""
    bench.logs.accept(bench.member, bench.log.consistency_claim(9, 12))
    assert bench.ask(FIRST_ASK) is None
    assert bench.logs.unverified("tjk", ORIGIN) == []


def test_each_unverified_checkpoint_is_waited_for(bench: Bench) -> None:
    """One that is proven by an exchange does not hasten the question about the next, nor put it off."""
    second = timedelta(seconds=1)
    assert bench.ask(second) is None
    bench.report(bench.log.note(15), teller="kgz")
    assert bench.ask(timedelta(0)) is None
    bench.logs.accept(bench.member, bench.log.consistency_claim(9, 12))
    assert bench.ask(FIRST_ASK - second) is None
    question = bench.ask(second)
    assert question is not None
    assert list(question.request.sizes) == [12, 15]


@pytest.mark.parametrize("way", ["prove_nothing", "refuse"])
def test_log_that_does_not_prove_is_in_default_after_so_many_tries_and_so_long(bench: Bench, way: str) -> None:
    """Not a try and not a second before; and it ends as soon as all is proven."""
    fail = getattr(bench, way)
    bench.fail(fail, MAX_FAILURES - 1)
    assert bench.monitor.misbehaviour("tjk") == []
    bench.fail(fail, 2)
    assert bench.now - NOW >= PATIENCE
    assert bench.monitor.misbehaviour("tjk") == ["log_in_default"]
    (begun,) = bench.monitor.begun
    assert (begun.known, begun.unverified) == (bench.log.note(9), bench.log.note(12))
    question = bench.ask(ASK_IN_DEFAULT)
    assert question is not None
    sizes = question.request.sizes
    bench.monitor.answered(bench.member, question, bench.log.proof(31, *sizes), bench.now)
    assert bench.monitor.misbehaviour("tjk") == []
    assert bench.monitor.ended == [(begun, False)]


def test_many_failures_in_a_moment_are_no_default(bench: Bench) -> None:
    """A log has its full time despite any number of failures."""
    for _ in range(MAX_FAILURES * 2):
        question = Question("tjk", bench.logs.link("tjk"), tuple(bench.logs.unverified_checkpoints.of("tjk", ORIGIN)))
        bench.refuse(question)
    assert bench.monitor.misbehaviour("tjk") == []


def test_whoever_is_not_reached_is_not_in_default(bench: Bench) -> None:
    """A node that is away for days is accused of nothing."""
    bench.fail(lambda question: bench.monitor.not_answered(question, UNREACHABLE, bench.now), 1000)
    assert bench.monitor.misbehaviour("tjk") == []


def test_whoever_answers_everything_else_is(bench: Bench) -> None:
    """Silence on this one question counts where the log went on being exchanged with, but takes longer."""
    bench.fail(bench.be_silent, MAX_SILENCES - 1)
    assert bench.monitor.misbehaviour("tjk") == []
    bench.fail(bench.be_silent, 1)
    assert bench.monitor.misbehaviour("tjk") == ["log_in_default"]


def test_default_and_its_doubt_outlive_a_restart(bench: Bench) -> None:
    """The same checkpoint is asked about again; only its proof ends the default."""
    bench.fail(bench.refuse, MAX_FAILURES + 1)
    (begun,) = bench.monitor.begun
    bench.begin([Finding(7, "tjk", ORIGIN, FindingKind.DEFAULT, begun.proof, NOW)])
    assert bench.monitor.misbehaviour("tjk") == ["log_in_default"]
    bench.ask(timedelta(0))
    question = bench.ask(FIRST_ASK)
    assert question is not None
    assert list(question.request.sizes) == [0, 12]
    bench.monitor.answered(bench.member, question, bench.other.proof(30, 0, 12), bench.now)
    assert bench.monitor.misbehaviour("tjk") == ["log_forked"]
    bench.ask()
    assert bench.monitor.ended == [(begun, True)]


def test_log_that_proves_itself_every_other_time_fills_no_log(bench: Bench) -> None:
    """A default is recorded once an hour at most, despite failures and proofs between."""
    for _ in range(3):
        bench.fail(bench.refuse, MAX_FAILURES + 1)
        question = bench.ask(ASK_IN_DEFAULT)
        assert question is not None
        answer = bench.log.proof(bench.logs.size("tjk") + 4, *question.request.sizes)
        bench.monitor.answered(bench.member, question, answer, bench.now)
        bench.report(bench.log.note(bench.logs.size("tjk") + 2))
        bench.ask(timedelta(0))
    assert len(bench.monitor.begun) == 1
    assert bench.monitor.misbehaviour("tjk") == []
    bench.now += DEFAULT_AGAIN
    bench.fail(bench.refuse, MAX_FAILURES + 1)
    assert len(bench.monitor.begun) == 2


def test_log_that_claims_to_be_smaller_than_it_was_is_asked(bench: Bench) -> None:
    """Nobody tells anything, and nothing can be accepted: after a while it has to prove what it signed, or is found."""
    question = bench.ask(FIRST_ASK)
    assert question is not None
    bench.monitor.answered(bench.member, question, bench.log.proof(20, 9, 12), bench.now)
    assert bench.ask() is None
    bench.ask(QUIET)
    bench.fail(bench.refuse, MAX_FAILURES + 1)
    assert bench.monitor.misbehaviour("tjk") == ["log_in_default"]
    (begun,) = bench.monitor.begun
    assert (begun.known, begun.unverified) == (bench.log.note(20), b"")


def test_many_tellers_do_not_crowd_each_other_out(bench: Bench) -> None:
    """One teller fills one place, however much it tells; what others tell is still asked about."""
    bench.report(*(bench.log.note(size) for size in range(13, 40)), teller="kgz")
    bench.report(bench.log.note(11), teller="rus")
    question = bench.ask(FIRST_ASK)
    assert question is not None
    assert sorted(question.request.sizes) == [9, 11, 12, 13]


@given(junk=st.lists(st.binary(max_size=200), max_size=5))
def test_whatever_is_told_accuses_nobody_without_the_logs_own_signatures(junk: list[bytes]) -> None:
    """Bytes, notes by other keys and of other logs, proofs of nothing: all is passed over."""
    bench = Bench()
    bench.logs.accept(bench.member, bench.log.consistency_claim(0, 9))
    stranger = OtherLog(SignerKey.from_ed25519(ORIGIN, keys.generate_ed25519()), b"other")
    forks = tuple(
        fork_proof_pb2.ForkProof(first_note=first, second_note=second)
        for first in (*junk, bench.log.note(9), stranger.note(9))
        for second in (*junk, bench.log.note(9), bench.log.note(12), stranger.note(9))
    )
    bench.report(*junk, stranger.note(9), stranger.note(30), forks=forks)
    assert bench.monitor.misbehaviour("tjk") == []
    assert not bench.logs.unverified_checkpoints.members()
