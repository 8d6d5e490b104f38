"""Count seizures by substance and year, with small numbers hidden.

With `make up` running, and PAIZA_HOME set as it prints; send some notices first (`import_seizures.py`):

    python examples/count_seizures.py kaz-liaison

Every notice is opened for it, which the node logs. A number behind which fewer than three notices stand is an asterisk.
"""

import asyncio
import sys

from paiza_client.data.statistics import count_seizures
from paiza_client.sdk import connect
from paiza_officer import profiles


async def main(profile: str) -> None:
    """Count, and print the table."""
    async with connect(profiles.find(profile)) as session:
        counted = await count_seizures(session, by="substance", across="year", reason="an example")
    print(counted.table.title)
    for row in (counted.table.columns, *counted.table.rows):
        print("\t".join(map(str, row)))
    print(f"from {counted.notices} notices, {counted.tabulation.hidden} numbers hidden")


if not sys.argv[1:] or "--help" in sys.argv:
    sys.exit(__doc__)
asyncio.run(main(sys.argv[1]))
