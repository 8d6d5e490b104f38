"""The matrix puts the words of members together, and takes what a member did not name for what it says: nothing."""

from typing import Any

from paiza_client.reconciliation.matrix import Cell, cells
from paiza_client.verify.log_query_checks import Counts, CountsReply

NO_PROOF: Any = None  # the matrix shows numbers; what proves that they were said is checked before


def word(member: str, *counts: Counts, only_with_asker: bool = False) -> CountsReply:
    """Return what a member says."""
    return CountsReply(member, counts, None, None, only_with_asker, NO_PROOF)


def sent(counterpart: str, number: int) -> Counts:
    """Return what a sender says whose messages were all answered by a receipt."""
    return Counts(counterpart, number, number, 0, 0, 0, 0)


def test_a_member_that_names_nothing_from_us_disputes_all_we_have_receipts_for() -> None:
    """A missing row in a member's answer counts as zero received."""
    found = cells([word("kaz", sent("tjk", 3)), word("tjk", only_with_asker=True)])
    assert found == [Cell("kaz", "tjk", 3, 3, 0, 0, 0, 3)]


def test_whoever_told_nothing_disputes_nothing() -> None:
    """A member without a word, and one that does not tell of others, leave the recipient's column open."""
    found = cells([word("kaz", sent("tjk", 3)), word("uzb", sent("tjk", 2), sent("centre", 1)), word("centre")])
    assert found == [
        Cell("kaz", "tjk", 3, 3, 0, 0, None, None),
        Cell("uzb", "centre", 1, 1, 0, 0, 0, 1),
        Cell("uzb", "tjk", 2, 2, 0, 0, None, None),
    ]
    silent = cells([word("kaz"), word("uzb", sent("tjk", 2)), word("tjk", only_with_asker=True)])
    assert silent == [Cell("uzb", "tjk", 2, 2, 0, 0, None, None)]
