"""A node whose clock is fast: `paiza-node` on a machine with the wrong time, for tests only.

PAIZA_TEST_AHEAD=40 python fast_node.py run --config node.toml
"""

import os
import sys
from datetime import UTC, datetime, timedelta

from paiza_node.__main__ import run
from paiza_node.app import start

if __name__ == "__main__":
    ahead = timedelta(seconds=float(os.environ.pop("PAIZA_TEST_AHEAD")))
    start._now = lambda: datetime.now(UTC) + ahead
    sys.exit(run(sys.argv[1:]))
