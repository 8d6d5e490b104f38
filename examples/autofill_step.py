"""Acknowledge what waits in a controlled delivery: the step's fields and recipients are taken from the thread.

With `make up` running, and PAIZA_HOME set as it prints; `paiza cd request` begins a delivery:

    python examples/autofill_step.py kaz-duty TJK-2026-00001
"""

import asyncio
import sys

from paiza_client.sdk import connect, controlled_delivery, sending
from paiza_officer import profiles


async def main(profile: str, thread: str) -> None:
    """Fill a step in, send it, and print where the delivery stands."""
    async with connect(profiles.find(profile)) as session:
        delivery = await controlled_delivery.find(session, thread)
        fields = controlled_delivery.fill(delivery, "cd-acknowledgement")
        print(f"takes note of {fields['message_digest'][:16]}")
        step = controlled_delivery.step(delivery, "cd-acknowledgement", {"note": "The duty desk is informed."})
        sent = await sending.send(session, step)
        found = await controlled_delivery.status(session, thread)
    to = ", ".join(each.member for each in sent.sealed.header.recipients)
    print(f"Sent to {to}; {found.status.thread_name} has {len(found.steps)} steps: {found.status.overall_text.en}")


if not sys.argv[2:] or "--help" in sys.argv:
    sys.exit(__doc__)
asyncio.run(main(sys.argv[1], sys.argv[2]))
