"""`paiza-node` as it is, but for the pauses between rounds of the register's refresh: those pass by the real clock.

The clock of a calendar is moved in steps of hours; what a node does within a minute must not take a minute here.
"""

import sys
from typing import Final

from paiza_node.__main__ import main
from paiza_node.core.register import refresh

SECONDS: Final = {
    "ROUND_SECONDS": 0.2,
    "SILENT_SECONDS": 0.6,
    "LEAST_SECONDS": 0.1,
    "FIRST_PAUSE_SECONDS": 0.5,
    "LONGEST_PAUSE_SECONDS": 1.0,
}

if __name__ == "__main__":
    for name, seconds in SECONDS.items():
        assert hasattr(refresh, name), name
        setattr(refresh, name, seconds)
    main(sys.argv[1:])
