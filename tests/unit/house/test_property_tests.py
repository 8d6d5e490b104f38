"""Property tests say the same of the same code in every run, on whatever machine."""

import pytest
from hypothesis import settings


def test_neither_chance_nor_load_decides_a_property_test(pytestconfig: pytest.Config) -> None:
    """The same examples in every run, and no deadline; who asks for another profile gets that one."""
    if pytestconfig.getoption("--hypothesis-profile"):
        pytest.skip("another profile was asked for")
    assert settings().derandomize
    assert settings().deadline is None
