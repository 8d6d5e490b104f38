"""Send a draft; where the node is away, leave it sealed in the outbox.

With `make up` running, and PAIZA_HOME set as it prints:

    python examples/send_draft.py kaz-liaison examples/request.yaml
"""

import asyncio
import sys
from pathlib import Path

from paiza_client.sdk import connect, drafts, sending
from paiza_officer import profiles
from paiza_officer.errors import Unreachable


async def main(name: str, path: Path) -> None:
    """Read, prepare and send a draft, and print what the node's log proves."""
    profile = profiles.find(name)
    prepared = drafts.prepare(drafts.read(path, profile), str(path))
    try:
        async with connect(profile) as session:
            sent = await sending.send(session, prepared)
    except Unreachable as error:
        if error.saved or sending.seal_offline(profile, prepared):
            print(f"The node is away ({error.reason}); the message waits in the outbox.")
            return
        raise
    print(f"Sent as {sent.id} in {sent.outcome.thread_name}")
    for proof in sent.outcome.proofs:
        print(f"{proof.event} to {proof.counterpart}: {proof.origin} #{proof.index}")


if not sys.argv[2:] or "--help" in sys.argv:
    sys.exit(__doc__)
asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
