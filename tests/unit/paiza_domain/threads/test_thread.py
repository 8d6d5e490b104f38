"""Recalls and corrections: who may make them, and what they do to what was said before."""

import itertools

from paiza_domain.threads.thread import Amendments, affected_digests, amendments, erases
from tests.unit.paiza_domain.threads.making import name, said

NOTE = said("note", "free-message", "kaz")


def test_only_its_author_recalls_a_message() -> None:
    """A recall by anybody else does nothing; the author's own is found by the header alone."""
    foreign = said("foreign", "recall", "tjk", "note", hours=1)
    own = said("own", "recall", "kaz", "note", hours=2)
    assert amendments([NOTE, foreign]) == {}
    assert amendments([NOTE, foreign, own]) == {NOTE.digest: Amendments(recalled_by=(own.digest,))}


def test_a_recall_takes_back_all_its_parents_and_a_correction_its_first() -> None:
    """The second parent of a correction is what replaces the first, and is itself untouched."""
    assert affected_digests(said("r", "recall", "kaz", "a", "b").header) == (name("a"), name("b"))
    assert affected_digests(said("c", "correction", "kaz", "a", "b").header) == (name("a"),)
    assert affected_digests(said("f", "feedback", "kaz", "a").header) == ()


def test_a_recall_cannot_be_recalled_but_a_correction_can() -> None:
    """A recall is final; a recalled correction corrects nothing."""
    recall = said("recall", "recall", "kaz", "note", hours=1)
    undo = said("undo", "recall", "kaz", "recall", hours=2)
    assert amendments([NOTE, recall, undo])[NOTE.digest].recalled_by == (recall.digest,)
    better = said("better", "free-message", "kaz", "note", hours=1)
    correction = said("correction", "correction", "kaz", "note", "better", hours=1)
    undo = said("undo", "recall", "kaz", "correction", hours=2)
    assert amendments([NOTE, better, correction])[NOTE.digest] == Amendments((), (correction.digest,), better.digest)
    assert amendments([NOTE, better, correction, undo]) == {correction.digest: Amendments((undo.digest,))}


def test_a_step_of_a_workflow_is_corrected_but_not_recalled() -> None:
    """A step is undone only by another step, by the workflow's rules."""
    step = said("step", "cd-authorisation", "kaz")
    recall = said("recall", "recall", "kaz", "step", hours=1)
    correction = said("correction", "correction", "kaz", "step", hours=1)
    assert amendments([step, recall]) == {}
    assert amendments([step, correction])[step.digest].corrected_by == (correction.digest,)


def test_an_author_erases_its_own_but_no_request_and_no_step() -> None:
    """Messages that others rest on, and erasure requests, cannot be erased by request."""
    assert erases("kaz", "kaz", "free-message")
    assert not erases("tjk", "kaz", "free-message")
    assert not erases("kaz", "kaz", "erasure-request")
    assert not erases("kaz", "kaz", "cd-authorisation")


def test_marks_do_not_depend_on_the_order_of_arrival() -> None:
    """Every holder sees the same amendments for any order of arrival."""
    thread = [
        NOTE,
        said("better", "free-message", "kaz", "note", hours=1),
        said("correction", "correction", "kaz", "note", "better", hours=1),
        said("again", "correction", "kaz", "note", "best", hours=2),
        said("recall", "recall", "kaz", "better", hours=3),
    ]
    expected = amendments(thread)
    assert expected[NOTE.digest].replaced_by == name("best")
    assert all(amendments(order) == expected for order in itertools.permutations(thread))
