"""Texts of others on a terminal."""

import pytest

from paiza_cli.terminal import plain, plain_line

HOSTILE = "Ночь \x1b[2J\x9b31m\u202etxt.exe é"


@pytest.mark.parametrize("made", [plain, plain_line])
def test_nothing_steers_the_terminal(made: object) -> None:
    """Controls and marks of direction are replaced; letters and no-break spaces stay."""
    assert callable(made)
    assert made(HOSTILE) == "Ночь \ufffd[2J\ufffd31m\ufffdtxt.exe é"
    assert made("12,5\u00a0кг") == "12,5\u00a0кг"


def test_a_line_stays_one_line() -> None:
    """A peer's text forges no second row of a table."""
    assert plain("a\n\tb") == "a\n\tb"
    assert plain_line("a\nb\tc\u2028d") == "a\ufffdb\ufffdc\ufffdd"
