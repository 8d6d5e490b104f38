"""A node whose subscribers hear of no change: `paiza-node` with one defect, for tests only.

    python deaf_node.py run --config node.toml

What it does it finds in the rows when it catches up, which it does every second. It looks at its queues and at what is
awaited at no other time, and work is to be acknowledged within two seconds.
"""

import sys
from datetime import timedelta
from types import MappingProxyType
from typing import Final

from paiza_domain.threads import deadlines
from paiza_node.__main__ import run
from paiza_node.core.exchange.send import peer_queue
from paiza_node.core.log import changes
from paiza_node.core.log.changes import ChangeFeed
from paiza_node.features.attachments import download
from paiza_node.features.tasks import assign

CATCH_UP_SECONDS: Final = 1.0
NEVER_SECONDS: Final = 3600.0
ANSWER_WITHIN: Final = timedelta(seconds=8)  # a quarter of it is the time to acknowledge

if __name__ == "__main__":
    ChangeFeed._notify = lambda _feed, _changes: None  # type: ignore[method-assign,assignment]  # the defect
    changes.CATCH_UP_SECONDS = CATCH_UP_SECONDS  # type: ignore[misc]
    peer_queue.IDLE_SECONDS = NEVER_SECONDS  # type: ignore[misc]
    download.IDLE_SECONDS = NEVER_SECONDS  # type: ignore[misc]
    assign.LOOK_SECONDS = CATCH_UP_SECONDS  # type: ignore[misc]
    deadlines.ANSWER_WITHIN = MappingProxyType(dict.fromkeys(deadlines.ANSWER_WITHIN, ANSWER_WITHIN))  # type: ignore[misc]
    sys.exit(run(sys.argv[1:]))
