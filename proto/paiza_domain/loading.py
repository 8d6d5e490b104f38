"""What this package reads from its files: kinds, code lists and catalogues, each when it is first used.

A program that serves others reads all of it before it serves. Otherwise a request would fail that comes while no file
can be opened, or while an upgrade replaces them.
"""

from paiza_domain import codes, i18n, kinds


def load_all() -> None:
    """Read all kinds, code lists and catalogues; what follows reads no file."""
    kinds.all_kinds()
    for name in codes.names():
        codes.load(name)
    for lang in i18n.LANGUAGES:
        i18n.catalogue(lang)
