"""The exit codes of `paiza`, `paiza-node` and `paiza-trust`."""

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of a program; documented in the READMEs and never renumbered."""

    OK = 0
    INTERNAL_ERROR = 1
    """An error of the program itself."""
    USAGE = 2
    """The command line itself is wrong."""
    REFUSED = 3
    """Invalid input or configuration, or refused for good."""
    UNAVAILABLE = 4
    """Not now; the same command may succeed later. A message being sent waits in the outbox."""
    NOT_PROVEN = 5
    """A signature, digest or log proof does not hold; nothing was shown."""
    PROFILE = 6
    """The profile of an officer, its key, passphrase or certificate."""
    INCOMPLETE = 7
    """The result is there and lacks part of what was asked for; it says how much, and why."""
    WARNED = 10
    """`paiza-node doctor` found something that needs attention."""
    FAILED = 11
    """`paiza-node doctor` found something that does not work."""
    INTERRUPTED = 130
