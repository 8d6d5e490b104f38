"""A node that answers each caller as often as it asks: `paiza-node` without limits by the minute, for tests only.

python unlimited_node.py run --config node.toml
"""

import sys
from unittest.mock import patch

from paiza_node.__main__ import run
from paiza_node.core.rate_limit import RateLimit

if __name__ == "__main__":
    with patch.object(RateLimit, "wait", lambda *_asked: 0.0):
        sys.exit(run(sys.argv[1:]))
