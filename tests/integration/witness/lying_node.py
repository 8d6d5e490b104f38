"""A node that goes on where an honest one finds out that it shows two histories; run in place of `paiza_node`."""

import sys

from paiza_node.__main__ import run
from paiza_node.core.peers.agreement import LogAgreement
from paiza_wire.tlog.checkpoint import VerifiedCheckpoint


def _go_on(_agreement: LogAgreement, _known: VerifiedCheckpoint) -> None:
    """Know better than the peer what was signed."""


if __name__ == "__main__":
    setattr(LogAgreement, "_check_not_rolled_back", _go_on)  # noqa: B010 - a method, replaced
    sys.exit(run(sys.argv[1:]))
