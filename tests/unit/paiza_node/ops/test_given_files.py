"""Files that commands are given are read up to a size."""

import errno
import os
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from paiza_node.core.errors import NodeStopped
from paiza_node.core.policy import member_rules
from paiza_node.ops import tls_rotation
from paiza_node.ops.cli import officer, register
from paiza_node.ops.cli.rotate import authorities
from paiza_node.ops.given_files import read_given


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    """A file that no memory holds, as a device is."""
    file = tmp_path / "endless"
    file.touch()
    os.truncate(file, 1 << 40)
    return file


def test_a_file_is_read_up_to_a_size(tmp_path: Path, endless: Path) -> None:
    """One of just that size is read, one that is larger is not."""
    file = tmp_path / "file"
    file.write_bytes(b"12345678")
    assert read_given(file, 8) == b"12345678"
    for given, most in ((file, 7), (endless, 8)):
        with pytest.raises(OSError, match="large") as caught:
            read_given(given, most)
        assert caught.value.errno == errno.EFBIG


@pytest.mark.parametrize(
    "read",
    [
        officer._read,
        register._certificate,
        authorities._read,
        member_rules.read,
        lambda file: tls_rotation.install(cast("Any", None), file, cast("Any", SimpleNamespace()), datetime.now(UTC)),
    ],
)
def test_every_command_refuses_a_file_without_end(read: Any, endless: Path) -> None:
    """Whatever a file is named as: officers, a certificate to revoke or to install, a CA's, rules."""
    with pytest.raises(NodeStopped) as caught:
        read(endless)
    assert caught.value.reason in {"file_unreadable", "policy_invalid", "too_large"}
