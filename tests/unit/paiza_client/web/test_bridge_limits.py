"""The numbers that a request to the bridge may name."""

import pytest

from paiza_client.web.bridge.app import MOST, _limit
from paiza_officer.errors import Misused


@pytest.mark.parametrize("text", ["", "0", "-1", "+1", "1001", "0000000019999", "1" + "0" * 5000, "٣", " 5", "1e2"])
def test_a_page_has_its_most(text: str) -> None:
    """A length outside the limits is refused, however it is written."""
    with pytest.raises(Misused):
        _limit(text)
    assert _limit("0007") == 7
    assert _limit(str(MOST)) == MOST
