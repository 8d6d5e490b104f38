"""Where the metrics are served."""

import socket

import pytest

from paiza_node.core.api import metrics
from paiza_node.core.errors import NodeStopped


@pytest.mark.parametrize("host", ["127.0.0.1", "203.0.113.1"])
def test_address_that_cannot_be_listened_on_is_an_error_of_the_configuration(host: str) -> None:
    """In use by another program, or of another machine: the operator is told which, where it stands, and a remedy."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(NodeStopped) as stopped:
            metrics.serve(f"{host}:{port}")
    what, where, remedy = stopped.value.translated(str)
    assert stopped.value.reason == "bad_configuration"
    assert f"{host}:{port}" in what
    assert where == "metrics_listen in node.toml"
    assert remedy
