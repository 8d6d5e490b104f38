"""Numbers that forms and addresses name: those in question, and nothing that takes the page down."""

import pytest

from paiza_client.web import corrected
from paiza_client.web.language import language
from paiza_client.web.page import number_of
from paiza_domain import kinds
from paiza_domain.forms.description import describe
from paiza_domain.schema.diff import shown_text

HUGE = "1" * 5_000
"""More digits than Python turns into a number."""


@pytest.mark.parametrize("text", ["", "-1", "+1", "8", "07", HUGE, "٣", "²", " 5", "1e0", None, 5, b"5"])
def test_a_number_is_one_in_question(text: object) -> None:
    """Anything else is none, however it is written."""
    assert number_of(text, 7) is None
    assert number_of("7", 7) == 7
    assert number_of("0", 7) == 0
    assert number_of("0", -1) is None


@pytest.mark.parametrize("name", sorted(kinds.all_kinds()))
@pytest.mark.parametrize("step", ["", f"[{HUGE}]", "[²]", "[0]", "[", "]", "[-1]", "[1][2]"])
def test_a_correction_may_name_any_path(name: str, step: str) -> None:
    """Another member writes the paths of a correction: each is shown in some words."""
    kind = kinds.all_kinds()[name]
    description = describe(kind, language())
    keys = [*kind.shape.by_key, "annex", "content", "nothing"]
    below = [each for field in kind.shape.fields if field.shape is not None for each in field.shape.by_key]
    for path in [*keys, *(f"{first}{step}.{second}" for first in keys for second in (*below[:2], "", "x"))]:
        for each in (path, f"{path}{step}"):
            assert isinstance(corrected.label_of(description, each), str)
            for text in ("", HUGE, "1 kg"):
                assert isinstance(shown_text(kind.shape, each, text, "ru"), str)
