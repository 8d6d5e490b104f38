"""A federation of three that was founded by files, with a fourth member that has applied."""

import shutil
from pathlib import Path

import pytest

from tests.unit.paiza_trust.ceremony import FOUNDERS, prepare, propose, trust


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Found a federation of three, and prepare a fourth member."""
    folder = tmp_path_factory.mktemp("federation")
    proposal = propose(folder, *(prepare(folder / member, member) for member in FOUNDERS))
    for member in FOUNDERS:
        trust("sign", proposal, "--keys", folder / member / "trust", "--yes")
    trust("publish", proposal, "--node", folder / "kaz/node", "-o", folder / "1.register")
    prepare(folder / "kgz", "kgz")
    return folder


@pytest.fixture
def folder(founded: Path, tmp_path: Path) -> Path:
    """Return a copy of the folders that a test may change."""
    shutil.copytree(founded, tmp_path / "copy")
    return tmp_path / "copy"
