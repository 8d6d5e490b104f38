"""Send each row of a table of past seizures as a signed notice to every other member; rejected rows go into a file.

With `make up` running, and PAIZA_HOME set as it prints:

    python examples/import_seizures.py kaz-liaison examples/seizures.csv

The table has the columns of UNODC's Individual Drug Seizures; its rows are invented. Kazakhstan's are sent, those of
others are only counted. A second run sends nothing.
"""

import asyncio
import sys
from pathlib import Path

from paiza_client.data.imports import import_seizures, load_map
from paiza_client.sdk import connect
from paiza_officer import profiles


def show(done: int, total: int) -> None:
    """Show how far the import is."""
    print(f"\r{done} of {total} lines", end="\n" if done == total else "", file=sys.stderr)


async def main(profile: str, table: Path) -> None:
    """Import a table and print what became of its rows."""
    async with connect(profiles.find(profile)) as session:
        result = await import_seizures([session], table, load_map("ids"), on_progress=show)
    print(result.report.text())
    print(f"{result.sent} sent in {result.seconds:.1f} s, {len(result.refused)} refused by the node")
    if result.rejects:
        print(f"Correct the rows in {result.rejects} and import that file.")


if not sys.argv[2:] or "--help" in sys.argv:
    sys.exit(__doc__)
asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
