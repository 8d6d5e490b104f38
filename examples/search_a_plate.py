"""Search for a registration plate, and list what shares an identifier with each message found.

With `make up` running, and PAIZA_HOME set as it prints:

    python examples/search_a_plate.py kaz-liaison "А 123 ВС 77"

The plate may be written in either alphabet. A message is searchable a moment after it arrived.
"""

import asyncio
import sys

from paiza_client.sdk import connect
from paiza_officer import profiles


async def main(profile: str, plate: str) -> None:
    """Print the messages with that plate, and their links."""
    async with connect(profiles.find(profile)) as session:
        page = await session.search.search([("plate", plate)])
        for found in page.messages:
            print(found.message.thread_name, found.message.header.kind, found.message.header.author, found.event_time)
            for linked in await session.search.links(found.message.digest):
                print("    shares", ", ".join(linked.fields), "with", linked.message.thread_name)
    print(f"{len(page.messages)} found, {page.behind} not searchable yet")


if not sys.argv[2:] or "--help" in sys.argv:
    sys.exit(__doc__)
asyncio.run(main(sys.argv[1], sys.argv[2]))
