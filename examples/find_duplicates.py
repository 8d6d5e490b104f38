"""Show which earlier requests a draft repeats, before it is sent.

With `make up` running, and PAIZA_HOME set as it prints; send the draft once before (`send_draft.py`):

    python examples/find_duplicates.py kaz-liaison examples/request.yaml
"""

import asyncio
import sys
from pathlib import Path

from paiza_client.sdk import connect, drafts, duplicates
from paiza_officer import profiles


async def main(name: str, path: Path) -> None:
    """Compare a draft with what was asked before; nothing is sent."""
    profile = profiles.find(name)
    prepared = drafts.prepare(drafts.read(path, profile), str(path))
    async with connect(profile) as session:
        found = await duplicates.find(session, await drafts.resolve(session, prepared))
    for each in found:
        why = f"no answer from {', '.join(each.silent)}" if each.silent else f"the same {', '.join(each.same)}"
        print(f"{each.thread_name} of {each.time:%Y-%m-%d}: {why}")
    print(f"Earlier requests found: {len(found)}")


if not sys.argv[2:] or "--help" in sys.argv:
    sys.exit(__doc__)
asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
