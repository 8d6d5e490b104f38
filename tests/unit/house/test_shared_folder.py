"""A run of tests ends with a line on what it skipped because the shared folder was not there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

NAMED = "tests/unit/paiza_wire/tlog/test_merkle.py"  # one of its tests needs the folder
OTHER = "tests/unit/paiza_wire/tlog/test_tiles.py"


@pytest.mark.parametrize(("kept", "said"), [(NAMED, f"1, of {NAMED}"), (OTHER, "none")])
def test_the_last_line_names_what_was_skipped(root: Path, tmp_path: Path, kept: str, said: str) -> None:
    """The skipped tests are listed without the folder, over the workers of `make test`; also if there are none."""
    command = [sys.executable, "-m", "pytest", "-n", "2", "-p", "no:cacheprovider", kept]
    environment = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        command,
        cwd=root,
        env={**environment, "PAIZA_SHARED": str(tmp_path)},
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.stdout.splitlines()[-1] == f"Tests skipped for want of the shared folder {tmp_path}: {said}"
