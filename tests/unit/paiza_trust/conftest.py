"""A federation of three that was founded by files, with a fourth member that has applied."""

import shutil
from collections.abc import Iterator
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
def folder(founded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a copy of the folders that a test may change; its path is short, as that of a node's socket must be."""
    above = tmp_path_factory.mktemp("of")
    yield Path(shutil.copytree(founded, above / "copy"))
    shutil.rmtree(above)
