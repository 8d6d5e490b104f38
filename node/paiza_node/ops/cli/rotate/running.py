"""The running node, in commands that also work while it does not run."""

from collections.abc import Callable
from typing import TypeVar

from paiza.admin.v1 import rotation_pb2
from paiza_node.core.errors import NodeStopped
from paiza_node.ops.admin.client import AdminClient
from paiza_node.ops.config import Config
from paiza_wire.errors import Unavailable

_T = TypeVar("_T")


def ask_node(config: Config, call: Callable[[AdminClient], _T]) -> _T | None:
    """Return what the node answers to a call; None if it does not run."""
    try:
        with AdminClient(config.admin_socket) as client:
            return call(client)
    except Unavailable as error:
        if error.reason != "node_unreachable":
            raise
        return None


def reload_node(config: Config) -> rotation_pb2.ReloadResponse | None:
    """Let the node read its key folder again; None if it does not run. NodeStopped if it refuses what it reads."""
    done = ask_node(config, AdminClient.reload)
    if done is not None and done.HasField("refusal"):
        why = done.refusal
        raise NodeStopped(why.reason, what=why.what, where=why.where, remedy=why.remedy)
    return done
