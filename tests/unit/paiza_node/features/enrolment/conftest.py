"""A node that is asked for certificates."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.paiza_node.features.enrolment.enrolment_room import EnrolmentRoom


@pytest.fixture
def room(tmp_path: Path) -> Iterator[EnrolmentRoom]:
    """The node of kaz."""
    with EnrolmentRoom(f"sqlite:///{tmp_path / 'paiza.db'}") as made:
        yield made
