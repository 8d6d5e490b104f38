"""What a page says about an error names pages, not commands."""

import pytest

from paiza_client import error_help
from paiza_client.web.advice import ADVICE
from paiza_client.web.page import problem
from paiza_officer.errors import Refused

BEFORE_A_PAGE = {  # no page can help: they are met on the command line, or before there is a console
    "directory_conflict", "directory_invalid", "officer_not_enrolled", "officer_unconfirmed", "profile_ambiguous",
    "unknown_profile", "wrong_certificate",
}  # fmt: skip


@pytest.mark.parametrize("reason", sorted(error_help.REMEDIES.keys() - BEFORE_A_PAGE))
def test_no_page_names_a_command(reason: str) -> None:
    """An officer who has only the console is led to a page."""
    assert "paiza " not in str(problem(Refused(reason))["remedy"])


def test_advice_is_about_errors_that_there_are() -> None:
    """No entry outlives its reason code."""
    assert ADVICE.keys() <= error_help.REMEDIES.keys()
