"""A federation of four real nodes that witness each other's logs."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from paiza_node.__main__ import run
from tests.federation import Federation


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """Run four nodes: each log has three witnesses, and needs all of them."""
    with Federation.create(tmp_path_factory.mktemp("witness") / "f", ["kaz", "tjk", "uzb", "kgz"]) as made:
        made.start()
        yield made


Command = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run an operator's command with --json; gives its exit code and the object it printed."""

    def call(*arguments: str) -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        code = run([*arguments, "--json"])
        out, err = capsys.readouterr()
        return code, json.loads((out or err).splitlines()[-1])

    return call
