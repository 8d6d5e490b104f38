"""Names of files that a file system takes, whatever letters they are of."""

from pathlib import Path

import pytest

from paiza_client.files.names import MAX_BYTES, shortened
from paiza_wire.message.attachment import MAX_NAME


@pytest.mark.parametrize(
    "name", ["a.jpg", "снимок.jpg", "ф" * (MAX_NAME - 4) + ".jpg", "\U0001f600" * MAX_NAME, "a." + "ф" * 190]
)
def test_every_name_of_the_protocol_is_one_of_a_file(name: str, tmp_path: Path) -> None:
    """A long one in Cyrillic has more bytes than a file system takes: it is shortened, and keeps its ending."""
    found = shortened(name)
    (tmp_path / found).write_bytes(b"x")
    assert len(found.encode()) <= MAX_BYTES
    assert found == name or name.startswith(found[:20])
    assert not name.endswith(".jpg") or found.endswith(".jpg")
