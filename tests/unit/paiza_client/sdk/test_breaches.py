"""The explanation of a refused step for an officer."""

import pytest

from paiza.officer.v1 import workflow_pb2
from paiza_client.sdk import breaches


@pytest.mark.parametrize(
    ("lang", "sentence"),
    [("en", "The delivery is stopped by kaz."), ("ru", "Поставку остановил участник kaz.")],
)
def test_a_broken_rule_is_told_in_the_language_of_the_officer(
    lang: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The node tells a code and a name; the sentence is the program's own, in Russian and in English."""
    monkeypatch.setattr(breaches, "language", lambda: lang)
    broken = workflow_pb2.WorkflowBreach(rule="stopped", values={"member": "kaz"})
    (told,) = breaches.problems([broken])
    assert (told.what, told.code) == (sentence, "stopped")
