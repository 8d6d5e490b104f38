"""Write the seizures of the last week as UNODC rows, for the statisticians of the own member.

With `make up` running, and PAIZA_HOME set as it prints; send some notices first (`import_seizures.py`):

    python examples/export_unodc.py kaz-liaison rows.csv

The node is asked for leave and logs it, then it logs the openings. Messages that must not go are left out and counted.
"""

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from paiza_client.data.exports import Intent, Order, export_messages
from paiza_client.sdk import connect, wording
from paiza_officer import profiles


async def main(profile: str, file: Path) -> None:
    """Export a week of notices and print what stands in the file."""
    intent = Intent("own-member", "the department of statistics", "statistics", "yearly report")
    since = datetime.now(UTC) - timedelta(weeks=1)
    async with connect(profiles.find(profile)) as session:
        result = await export_messages(session, file, Order(intent, form="unodc", since=since, partial=True))
    print(f"{result.messages} notices written to {file}, marked {wording.handling(result.mark)}")
    for sentence in wording.left_out(result.left_out):
        print(sentence)


if not sys.argv[2:] or "--help" in sys.argv:
    sys.exit(__doc__)
asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
