"""The name under which acts of an operator are logged."""

import getpass


def operator() -> str:
    """Return the name of the operating-system user of the node: no other user can open its admin socket."""
    return f"os-user:{getpass.getuser()}"
