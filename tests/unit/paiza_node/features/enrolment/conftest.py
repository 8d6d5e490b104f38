"""A node that is asked for certificates."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.paiza_node.features.enrolment.enrolment_room import EnrolmentRoom
from tests.unit.paiza_node.office import officer_findings


@pytest.fixture
def room(tmp_path: Path) -> Iterator[EnrolmentRoom]:
    """The node of kaz; whatever a test does, its officers stand behind its log."""
    with EnrolmentRoom(f"sqlite:///{tmp_path / 'paiza.db'}") as made:
        yield made
        assert officer_findings(made.core.store) == []
