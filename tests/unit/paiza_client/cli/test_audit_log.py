"""The log in words: the reason column says why, in the reader's language."""

from datetime import UTC, datetime

import pytest

from paiza_client import language
from paiza_client.cli import audit_log
from paiza_client.verify.log_query_checks import VisibleEntry
from paiza_client.verify.model import Proof


def entry(reason: str, purpose: str, text: str) -> VisibleEntry:
    """Return an entry of the own log."""
    proof = Proof(
        event="DENIED",
        member="kaz",
        counterpart="",
        time=datetime(2026, 11, 29, tzinfo=UTC),
        actor="spiffe://kaz.paiza.example/officer/petrov",
        reason=reason,
        origin="kaz.paiza.example/log/1",
        index=7,
        tree_size=8,
        digest=bytes(32),
        part_number=None,
        register_version=bytes(32),
    )
    return VisibleEntry(proof, b"", text=text, purpose=purpose)


@pytest.mark.parametrize(
    ("act", "why"),
    [
        (entry("policy_denied", "", ""), "Правила не разрешают это действие вам или этому участнику."),
        (entry("", "investigate", "дело 12"), "Расследование; дело 12"),
        (entry("a_code_of_later", "", ""), "a_code_of_later"),
        (entry("", "", ""), ""),
    ],
)
def test_the_reason_is_in_words(act: VisibleEntry, why: str) -> None:
    """A refusal, a purpose and an officer's own words; a code that this program does not know stands as it is."""
    language.use("ru")
    try:
        assert audit_log._why(act) == why
    finally:
        language.use("en")
