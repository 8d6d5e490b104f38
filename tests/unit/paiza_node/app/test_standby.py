"""A process that waits takes nothing from the one that serves."""

import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from paiza_node.app.standby import Standby


async def test_a_second_process_leaves_the_operators_socket_to_the_writer(tmp_path: Path) -> None:
    """Two processes with one configuration: the operator still reaches the one that serves, and after it waited too."""
    path = tmp_path / "admin.sock"
    with socket.socket(socket.AF_UNIX) as writer:
        writer.bind(str(path))
        writer.listen()
        config: Any = SimpleNamespace(admin_socket=path, metrics_listen="")
        standby = Standby(config, 1)
        await standby.serve()
        await standby.close()
        with socket.socket(socket.AF_UNIX) as operator:
            operator.connect(str(path))
