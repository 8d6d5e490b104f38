"""National names of classification levels, as the own member's profile in the register verified last gives them."""

from collections.abc import Mapping

from paiza_client.cli.terminal import current_terminal, lang
from paiza_client.local import reference_data, register_cache
from paiza_domain.reference.model import Texts


def levels() -> dict[str, int]:
    """Return the level of every name, in each language; none where there is no profile yet."""
    return {name: level for level, names in _own().items() for name in names.values()}


def name(level: int) -> str:
    """Name a level for the reader; empty where his member has no name for it."""
    return _own().get(level, {}).get(lang(), "")


def _own() -> Mapping[int, Texts]:
    profile = current_terminal().profile()
    known = register_cache.cached(profile)
    return {} if known is None else reference_data.level_names(known, profile.member)
