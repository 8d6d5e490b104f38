"""Every difference of a reconciliation has its words in both languages, with who has to do what."""

import pytest

from paiza_client import language
from paiza_client.reconciliation.compare import REMARKS, Difference
from paiza_client.sdk import comparison_words


@pytest.mark.parametrize("lang", ["en", "ru"])
@pytest.mark.parametrize("remark", REMARKS)
def test_a_difference_says_who_has_to_do_what(remark: str, lang: str) -> None:
    """The reason code stands behind the sentence; members are named as the caller names them."""
    language.use("ru" if lang == "ru" else "en")
    try:
        difference = Difference("lost", bytes(32), "kaz", "tjk", remark, reason="invalid_draft")
        said = comparison_words.remark(difference, "Kazakhstan", "Tajikistan")
        duty = comparison_words.duty(difference)
    finally:
        language.use("en")
    assert said.endswith("(invalid_draft)")
    assert "{" not in said
    assert set(duty.members) <= {"kaz", "tjk"}
    assert duty.members
    assert duty.text
