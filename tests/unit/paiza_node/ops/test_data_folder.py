"""The folders that a node makes or finds at its start."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from paiza_node.core.errors import NodeStopped
from paiza_node.ops.data_folder import prepare_data


def config(data: Path, socket: Path) -> Any:
    """The settings that name folders."""
    return cast("Any", SimpleNamespace(data=data, admin_socket=socket))


def test_folders_are_made_for_the_nodes_user_alone(tmp_path: Path) -> None:
    """Both are private, and found so by the next start."""
    settings = config(tmp_path / "data", tmp_path / "run/admin.sock")
    for _start in range(2):
        prepare_data(settings)
    assert [folder.stat().st_mode & 0o777 for folder in (tmp_path / "data", tmp_path / "run")] == [0o700, 0o700]


@pytest.mark.parametrize("opened", ["data", "run"])
def test_a_folder_that_anybody_may_write_to_is_refused(tmp_path: Path, opened: str) -> None:
    """Who can put a socket or a file of their own into it decides what the operator and the node believe."""
    folder = tmp_path / opened
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(NodeStopped) as caught:
        prepare_data(config(tmp_path / "data", tmp_path / "run/admin.sock"))
    assert (caught.value.reason, caught.value.where) == ("bad_configuration", str(folder))
    folder.chmod(0o1777)  # as /tmp: nobody replaces what belongs to another user
    prepare_data(config(tmp_path / "data", tmp_path / "run/admin.sock"))


@pytest.mark.parametrize("opened", ["data", "run"])
def test_a_folder_of_another_user_is_refused(tmp_path: Path, opened: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever foresaw its name and made it first."""
    (tmp_path / opened).mkdir()
    stranger = (tmp_path / opened).stat().st_uid + 1 or 1
    monkeypatch.setattr("paiza_node.ops.data_folder.os.geteuid", lambda: stranger)
    monkeypatch.setattr("paiza_node.ops.data_folder.ROOT", -1)
    with pytest.raises(NodeStopped, match="bad_configuration"):
        prepare_data(config(tmp_path / "data", tmp_path / "run/admin.sock"))
