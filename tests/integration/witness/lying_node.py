"""A node that does not stop where it finds out that it shows two histories: a lying one, run in place of `paiza_node`."""

import sys

from paiza_node.__main__ import run
from paiza_node.courier import Courier
from paiza_wire.checkpoint import VerifiedCheckpoint


def _go_on(_courier: Courier, _known: VerifiedCheckpoint) -> None:
    """Know better than the peer what was signed."""


if __name__ == "__main__":
    Courier._check_not_rolled_back = _go_on  # type: ignore[method-assign]
    sys.exit(run(sys.argv[1:]))
