"""A federation of three real nodes, two of them running, and `paiza` as an officer calls it."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from paiza_client import language
from paiza_client.__main__ import run
from tests.federation import Federation

MEMBERS = ("kaz", "tjk", "uzb")
RUNNING = ("kaz", "tjk")

DRAFT = """\
kind: free-message
to: [tjk]
urgency: routine
handling: {tlp: AMBER, code: H2, classification: 1}
review: 3 years
content:
  subject: Exercise
  text: Nothing of this is real.
"""


@dataclass(frozen=True)
class Ran:
    """The output of one command, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The result of a command with --json."""
        assert self.code == 0, self.err
        return json.loads(self.out)


Paiza = Callable[..., Ran]


@pytest.fixture(scope="session")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """Three members; the nodes of kaz and tjk run, that of uzb does not."""
    with Federation.create(tmp_path_factory.mktemp("client") / "f", MEMBERS) as federation:
        federation.start(*RUNNING)
        yield federation
        federation.stop()


@pytest.fixture(scope="module", autouse=True)
def _tidy_desks(federation: Federation) -> Iterator[None]:
    """Leave nobody's outbox to the next module: what waits there is looked for at every command."""
    yield
    for outbox in federation.home.glob("*/outbox"):
        shutil.rmtree(outbox)


@pytest.fixture
def paiza(
    federation: Federation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Paiza]:
    """Call `paiza` in this process; the first argument is the profile."""
    for name in ("PAIZA_PROFILE", "PAIZA_LANG", "PAIZA_PASSPHRASE_FILE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANGUAGE", "en")
    monkeypatch.setenv("PAIZA_HOME", str(federation.home))

    def call(profile: str, *arguments: str | Path) -> Ran:
        capsys.readouterr()
        code = run([*map(str, arguments), "--profile", profile])
        printed = capsys.readouterr()
        return Ran(code, printed.out, printed.err)

    yield call
    language.use("en")


@pytest.fixture
def draft(tmp_path: Path) -> Path:
    """A complete draft of a free message to tjk."""
    path = tmp_path / "draft.yaml"
    path.write_text(DRAFT)
    return path
