"""The doctor of a node whose configuration names an issuer."""

import socket
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from paiza_node.ops.config import Config, load
from paiza_node.ops.doctor.machine import Level, check_issuer
from paiza_trust import dev


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Config]:
    """The configuration of a node with an issuer_socket, where nothing listens yet."""
    dev.create(tmp_path / "federation", ["kaz"], base_port=20_000)
    made = load(tmp_path / "federation/nodes/kaz/node.toml")
    with tempfile.TemporaryDirectory(prefix="paiza-") as short:  # sockets have short paths
        yield replace(made, issuer_socket=Path(short) / "issuer.sock")


def test_an_issuer_that_does_not_answer_is_warned_of(config: Config) -> None:
    """No socket, and the socket of a process that ended, are warnings; one that listens is well."""
    (missing,) = check_issuer(config)
    assert missing.level == Level.WARN
    with socket.socket(socket.AF_UNIX) as issuer:
        issuer.bind(str(config.issuer_socket))
        issuer.listen()
        assert [each.level for each in check_issuer(config)] == [Level.OK]
    (left,) = check_issuer(config)
    assert left.level == Level.WARN
    assert "paiza-node issuer run" in left.remedy


def test_a_node_without_an_issuer_has_no_such_check(config: Config) -> None:
    """Officers are certified by hand there."""
    assert list(check_issuer(replace(config, issuer_socket=None))) == []
