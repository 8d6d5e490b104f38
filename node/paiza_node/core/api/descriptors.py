"""Descriptors: how many the process may have, and how many of them connections may take.

Without one the node cannot open its database, sign to disk, call a peer, or answer its operator. Therefore connections
get what is left of the limit when all of that is reserved.
"""

import resource
import sys
from typing import Final

import structlog

from paiza_node.core.api import metrics
from paiza_node.core.errors import N_, NodeStopped

RESERVED: Final = 384
"""Of the node itself: its files and database (40), connections to 50 peers (150) and for enrolment (64), those of
operator and metrics, attachments under way."""

LEAST_CONNECTIONS: Final = 64  # below, one import and a few officers take all of them

log = structlog.get_logger("paiza.connections")


def reserve(connections: int) -> int:
    """Raise the limit of descriptors as far as needed and allowed; return how many connections may be accepted.

    NodeStopped("bad_configuration") if fewer than `LEAST_CONNECTIONS` are left.
    """
    soft, hard = (_number(each) for each in resource.getrlimit(resource.RLIMIT_NOFILE))
    wanted = RESERVED + connections
    if soft < min(wanted, hard):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
        except (OSError, ValueError) as error:  # the service manager forbids it
            log.warning("descriptors_not_raised", error=str(error))
        else:
            soft = min(wanted, hard)
    metrics.DESCRIPTORS_LIMIT.set(soft)
    left = min(connections, soft - RESERVED)
    if left < LEAST_CONNECTIONS:
        raise NodeStopped(
            "bad_configuration",
            what=N_("This process may open {found} files; the node needs {needed}."),
            where=N_("the limit of open files"),
            remedy=N_("Raise it: LimitNOFILE={wanted} in the service's unit, or ulimit -n {wanted} in the shell."),
            found=soft,
            needed=RESERVED + LEAST_CONNECTIONS,
            wanted=wanted,
        )
    if left < connections:
        log.warning("fewer_connections", allowed=left, wanted=connections, open_files=soft, needed=wanted)
    return left


def descriptor_limit() -> int:
    """Return how many descriptors this process may have."""
    return _number(resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def _number(limit: int) -> int:
    return sys.maxsize if limit == resource.RLIM_INFINITY else limit
