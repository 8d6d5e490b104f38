"""The `paiza` program: what an officer calls."""

import sys
from collections.abc import Sequence

from paiza_cli.commands import localised
from paiza_client.cli import frame
from paiza_client.language import _


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit with its documented code."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Choose the language, then build and run the command; give the exit code."""
    frame.speak(arguments)
    from paiza_client.cli.root import paiza  # noqa: PLC0415 - a defect in loading it is told like any other

    return frame.guarded(localised(paiza, _), arguments)


if __name__ == "__main__":
    main()
