"""The data folder of a node: its creation, and the register's cache and archive in it."""

import os
import stat
from pathlib import Path
from typing import Final

from paiza_node.core.errors import N_, NodeStopped
from paiza_node.ops.config import Config
from paiza_register import RegisterReader

ROOT: Final = 0  # a number of a user


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
    # Root may act for the user whom the data folder belongs to.
    user = config.data.stat().st_uid if os.geteuid() == ROOT else os.geteuid()
    for folder in (config.data, config.admin_socket.parent):
        _check_owner(folder, user)


def _check_owner(folder: Path, user: int) -> None:
    """Refuse a folder that another user made first, or that anybody may write to: they can replace what is in it.

    The name of a folder in /tmp can be foreseen. Whoever puts a socket of their own in the place of the admin socket
    answers the operator's commands, and learns what they hand over.
    """
    status = folder.stat()
    anybody = status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX
    if status.st_uid in {ROOT, user} and not anybody:
        return
    raise NodeStopped(
        "bad_configuration",
        what=N_("Others than the node's user can change {path} ({how}): they decide what this node believes and does."),
        where="{path}",
        remedy=N_("Give it to the node's user or root, and chmod go-w {path}. Find out who used it."),
        path=folder,
        how=f"{stat.S_IMODE(status.st_mode):04o}" if anybody else f"uid {status.st_uid}",
    )


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
