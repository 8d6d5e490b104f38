"""The `paiza-node` program."""

import os
import sys
from collections.abc import Sequence

from paiza_cli.commands import localised
from paiza_cli.language import choose
from paiza_node.ops import language
from paiza_node.ops.cli import frame


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit with its documented code."""
    sys.exit(run(list(sys.argv[1:] if arguments is None else arguments)))


def run(arguments: Sequence[str]) -> int:
    """Choose the language, then build and run the command; return the exit code."""
    language.use(choose(arguments, os.environ))
    from paiza_node.ops.cli.root import paiza_node  # noqa: PLC0415 - its texts are in the language chosen

    return frame.guarded(localised(paiza_node, language._), arguments)


if __name__ == "__main__":
    main()
