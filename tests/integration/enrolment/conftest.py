"""A node that officers enrol at, over TLS on a port of its own, and a home of the person who enrols."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.integration.enrolment.desk import Desk


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of profiles, and a passphrase in a file."""
    passphrase = tmp_path / "passphrase"
    passphrase.write_text("correct horse battery staple\n")
    passphrase.chmod(0o600)
    monkeypatch.setenv("PAIZA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PAIZA_PASSPHRASE_FILE", str(passphrase))
    return tmp_path / "home"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """The node of kaz."""
    with capture_logs(), Desk(f"sqlite:///{tmp_path / 'paiza.db'}") as made:  # the node's log is not the command's
        yield made
