"""Characters that a reader does not see are refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paiza_domain.schema.text_rules import line_problem, lines_problem


@pytest.mark.parametrize(
    "character", ["\x00", "\x1b", "\x7f", "\x85", "\u202e", "\u2066", "\u200f", "\u2028", "\ufeff", "\U000e0041"]
)
def test_unseen_characters_are_refused(character: str) -> None:
    """Controls, bidirectional overrides, separators and tags are refused in texts of one and of several lines."""
    assert line_problem(f"a{character}b", 10) == ("text_character", {"character": f"U+{ord(character):04X}"})
    assert lines_problem(f"a{character}b", 10) == ("text_character", {"character": f"U+{ord(character):04X}"})


@pytest.mark.parametrize("text", ["Груз № 5 — «молния»", "Ҳисор, Тоҷикистон", "12\xa0kg", "北京", "می\u200cخواهم"])
def test_ordinary_texts_of_the_region_pass(text: str) -> None:
    """Letters, signs and joiners of the languages in use are allowed."""
    assert line_problem(text, 100) is None


def test_line_breaks_belong_only_into_texts_of_several_lines() -> None:
    """A line feed is refused in one line and allowed in several; a carriage return is refused in both."""
    assert line_problem("a\nb", 10) is not None
    assert lines_problem("a\nb", 10) is None
    assert lines_problem("a\r\nb", 10) is not None


@given(st.text(max_size=50))
def test_what_passes_holds_no_control_character(text: str) -> None:
    """A text of one line that passes has only characters one can see, spaces and joiners."""
    if line_problem(text, 50) is None:
        assert not any(ord(each) < 32 or 0x7F <= ord(each) < 0xA0 for each in text)
        assert text == text.strip(" ")
