"""Import of seizure records from tables in other layouts: `import_seizures` does it all at the own node.

`maps` reads the layout (`map_checks` judges it), `rows` the file (`layouts` names a wrong
encoding or separator), `values` and `dates` single cells, `meanings` words, `mapping` a row; `content`
makes the message, `plan` walks the whole file, `report` counts, `rejects` writes what has to be mended, `seizures`
sends. README.md describes the format of a map. Only `seizures` needs the network.
"""

from paiza_client.data.imports.maps import ImportMap, load_map
from paiza_client.data.imports.plan import EqualRows, Outcome
from paiza_client.data.imports.report import ImportReport, RejectedRow
from paiza_client.data.imports.seizures import (
    ImportInterrupted,
    ImportResult,
    check_members,
    check_readable,
    import_seizures,
    rejects_path,
)

__all__ = [
    "EqualRows",
    "ImportInterrupted",
    "ImportMap",
    "ImportReport",
    "ImportResult",
    "Outcome",
    "RejectedRow",
    "check_members",
    "check_readable",
    "import_seizures",
    "load_map",
    "rejects_path",
]
