"""The data folder of a node: its creation, and the register's cache and archive in it."""

from paiza_node.core.errors import N_, NodeStopped
from paiza_node.ops.config import Config
from paiza_register import RegisterReader


def prepare_data(config: Config) -> None:
    """Create the data folder, for the node's own user only."""
    try:
        config.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        config.admin_socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise NodeStopped(
            "file_unwritable",
            what=N_("The data folder cannot be made: {error}."),
            where="{path}",
            remedy=N_("Choose a folder the node's user may write to."),
            error=error.strerror,
            path=config.data,
        ) from error


def open_reader(config: Config) -> RegisterReader:
    """Open the register's cache and archive in the data folder."""
    try:
        root = config.bootstrap_root.read_bytes()
    except OSError as error:
        raise NodeStopped(
            "bad_configuration",
            what=N_("The bootstrap root cannot be read: {error}."),
            where="{path}",
            remedy=N_("Put the federation's register into the node's folder with `paiza-node join`."),
            error=error.strerror,
            path=config.bootstrap_root,
        ) from error
    return RegisterReader(config.data / "register", root)
