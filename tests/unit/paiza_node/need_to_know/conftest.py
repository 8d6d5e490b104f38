"""A federation in a folder, whose nodes are built in this process."""

import os
from pathlib import Path
from unittest.mock import patch

import pytest

from paiza_trust import dev


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a federation; none of its nodes runs as a process."""
    folder = tmp_path_factory.mktemp("need_to_know") / "federation"
    with patch.object(os, "fsync", lambda _handle: None):
        dev.create(folder, ["kaz", "tjk"])
    return folder
