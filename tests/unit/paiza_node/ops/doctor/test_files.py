"""What the doctor says of files: who else can change them, and which keys are missing."""

import os
import shutil
import socket
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from paiza_node.ops.config import Config, load
from paiza_node.ops.doctor import files
from paiza_node.ops.doctor.files import changeable, check_data_folder, check_files, check_keys
from paiza_node.ops.doctor.machine import Check, Level
from paiza_register import Register
from paiza_register.model import LogKey
from paiza_trust import dev
from paiza_wire.identity import keys
from paiza_wire.tlog.notes import SignerKey
from tests.registers import read_register

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a federation once."""
    folder = tmp_path_factory.mktemp("files") / "federation"
    dev.create(folder, ["kaz", "tjk"], base_port=20_000)
    return folder


@pytest.fixture(scope="module")
def register(made: Path) -> Register:
    """Return the federation's register."""
    return read_register(made)


@pytest.fixture
def config(made: Path, tmp_path: Path) -> Config:
    """Return the configuration of a node whose folder is the test's own."""
    shutil.copytree(made / "nodes/kaz", tmp_path / "kaz")
    config = load(tmp_path / "kaz/node.toml", {})
    config.data.mkdir(mode=0o700, exist_ok=True)
    config.data.chmod(0o700)
    return config


def levels(checks: Iterable[Check]) -> list[Level]:
    """Return the levels of checks."""
    return [each.level for each in checks]


def test_files_of_the_node_alone_are_well(config: Config, register: Register) -> None:
    """A node as it is made has nothing to complain of, and the line names each file that was looked at."""
    (check,) = check_files(config)
    assert check.level is Level.OK
    for path in (config.path, config.bootstrap_root, config.keys, config.keys / "tls.key"):
        assert str(path) in check.values["files"]
    assert str(config.admin_socket) not in check.values["files"], "there is none yet"
    assert levels(check_data_folder(config)) == [Level.OK]
    assert max(levels(check_keys(config, register, NOW))) < Level.FAIL


@pytest.mark.parametrize("mode", [0o662, 0o620, 0o602])
@pytest.mark.parametrize("name", ["node.toml", "root.json", "keys/tls.key"])
def test_a_file_that_others_can_write_is_a_failure(config: Config, name: str, mode: int) -> None:
    """Group or others may write to configuration, root or a key."""
    path = config.path.parent / name
    path.chmod(mode)
    (check,) = check_files(config)
    assert (check.level, check.values["path"]) == (Level.FAIL, path)


@pytest.mark.parametrize("name", [".", "keys", "data"])
def test_a_folder_that_others_can_write_is_a_failure(config: Config, name: str) -> None:
    """Who can write to a folder can put another file in the place of one in it."""
    path = (config.path.parent / name).resolve()
    (config.data / "register").mkdir(exist_ok=True)
    path.chmod(0o777)
    found = {check.values["path"] for check in check_files(config) if check.level is Level.FAIL}
    assert found == {path}


def test_a_folder_with_the_sticky_bit_is_well(tmp_path: Path) -> None:
    """In a folder such as /tmp nobody can replace what belongs to another."""
    tmp_path.chmod(0o1777)
    (tmp_path / "file").touch(0o600)
    assert list(changeable(tmp_path / "file", {0, os.geteuid()})) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_another_user_is_a_failure(config: Config) -> None:
    """Who owns a file can change it, whatever its mode."""
    os.chown(config.bootstrap_root, 12_345, -1)
    (check,) = check_files(config)
    assert (check.level, check.values["how"]) == (Level.FAIL, "uid 12345")
    os.chown(config.data, 12_345, -1)
    assert files.node_user(config) == 12_345


def test_an_admin_socket_that_others_can_open_is_a_failure(config: Config, tmp_path: Path) -> None:
    """It is named, since who opens it operates the node."""
    short = replace(config, admin_socket=tmp_path / "a.sock")
    with socket.socket(socket.AF_UNIX) as admin:
        admin.bind(str(short.admin_socket))
        short.admin_socket.chmod(0o600)
        assert levels(check_data_folder(short)) == [Level.OK, Level.OK]
        short.admin_socket.chmod(0o666)
        assert levels(check_data_folder(short)) == [Level.OK, Level.FAIL]
        assert Level.FAIL in levels(check_files(short))


def test_a_data_folder_that_cannot_be_used_is_a_failure(config: Config) -> None:
    """Its mode counts for root too, who could write to it all the same."""
    config.data.chmod(0o500)
    assert levels(check_data_folder(config)) == [Level.FAIL]
    config.data.chmod(0o750)
    assert levels(check_data_folder(config)) == [Level.WARN]


@pytest.mark.parametrize("name", ["log.key", "revocations-p256.pem", "tls-next.key"])
def test_every_key_file_is_looked_at(config: Config, register: Register, name: str) -> None:
    """A key that is not in use, or that `run` opens later, must be its owner's alone too."""
    path = config.keys / name
    if not path.exists():
        shutil.copy(config.keys / "tls.key", path)
    path.chmod(0o640)
    (check,) = check_keys(config, register, NOW)
    assert (check.level, check.values["path"]) == (Level.FAIL, path)


def test_a_key_of_the_log_that_is_missing_is_a_failure(config: Config, register: Register) -> None:
    """The node signs with each key of its log until that is abandoned; one that is not there is named."""
    own = register.member("kaz")
    former = SignerKey.from_ed25519(own.origin, keys.generate_ed25519()).verifier_key
    for until, missing in ((None, True), (NOW + timedelta(days=1), True), (NOW, False)):
        log_keys = (LogKey(own.origin, former.to_vkey(), until, former), *own.log_keys)
        other = replace(register, members={**register.members, "kaz": replace(own, log_keys=log_keys)})
        found = [each for each in check_keys(config, other, NOW) if each.level is Level.FAIL]
        assert [each.values["key"] for each in found] == ([former.to_vkey()] if missing else [])


def test_keys_that_the_register_does_not_name(config: Config, register: Register) -> None:
    """A publisher's key and a pair for revocations that are not the register's are named; they do nothing."""
    strange = replace(register, publishers={}, revocation_keys={})
    found = list(check_keys(config, strange, NOW))
    assert {"publisher.key", "revocations"} <= {
        word for each in found for word in ("publisher.key", "revocations") if word in each.what
    }
    assert Level.OK not in levels(found)
