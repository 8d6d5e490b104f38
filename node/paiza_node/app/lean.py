"""`paiza-node run`, loaded without libraries that others import only because they are installed.

structlog imports rich for tracebacks that nobody asks for, and securesystemslib imports pkcs11 for signers of its own.
A serving node needs neither, and both together take 6 MiB. Who asks for one of them later gets it: the verification's
progress, the keys on a token.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Final

UNNEEDED: Final = ("rich", "pkcs11")


@contextmanager
def _absent(names: tuple[str, ...]) -> Iterator[None]:
    """Let imports of these libraries fail in the block, unless they were imported before."""
    absent = [name for name in names if name not in sys.modules]
    modules: dict[str, Any] = sys.modules
    modules.update(dict.fromkeys(absent))  # None: the import fails
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


def _load() -> Any:
    with _absent(UNNEEDED):
        return import_module("paiza_node.app.run").command


command: Final = _load()
