"""The name under which an operator's acts are logged."""

import getpass


def operator() -> str:
    """Name the operating-system user the node runs as: nobody else can open its admin socket."""
    return f"os-user:{getpass.getuser()}"
