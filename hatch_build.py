"""Build hook: compiles every gettext catalogue (.po) to the .mo beside it.

Runs for wheels and for editable installs alike. A catalogue is
`<source root>/<package>/**/locale/<language>/LC_MESSAGES/<package>.po`; the .mo is never committed.
"""

from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

CATALOGUES = "*/paiza_*/**/locale/*/LC_MESSAGES/*.po"


def compile_catalogues(root: Path) -> list[Path]:
    """Write the .mo of every catalogue below `root`; a broken catalogue raises `PoFileError`."""
    written = []
    for source in sorted(root.glob(CATALOGUES)):
        with source.open("rb") as lines:
            catalogue = read_po(lines, locale=source.parents[1].name, domain=source.stem, abort_invalid=True)
        target = source.with_suffix(".mo")
        with target.open("wb") as compiled:
            write_mo(compiled, catalogue)
        written.append(target)
    return written


class CatalogueHook(BuildHookInterface[Any]):
    """Compiles the catalogues before the files of the wheel are gathered."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 (hatchling's signature)
        """Compile, for a standard and for an editable build."""
        compile_catalogues(Path(self.root))
