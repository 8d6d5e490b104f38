"""A federation of four real nodes that witness each other's logs."""

from collections.abc import Iterator

import pytest

from tests.federation import Federation


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """Run four nodes: each log has three witnesses, and needs all of them."""
    with Federation.create(tmp_path_factory.mktemp("witness") / "f", ["kaz", "tjk", "uzb", "kgz"]) as made:
        made.start()
        yield made
