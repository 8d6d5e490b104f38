"""Compare what two members' logs say of their exchange, keep the comparison as a file, and close the period.

With `make up` running, and PAIZA_HOME set as it prints:

    python examples/reconcile.py kaz-coordinator tjk comparison.zip

Both logs note the questions, and once nothing differs that the period is closed. Anybody with the file and the
bootstrap root compares again without a node: `paiza audit reconcile --check comparison.zip --root root.json`.
"""

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from paiza_client.evidence import container
from paiza_client.sdk import comparisons, connect
from paiza_officer import profiles


async def main(profile: str, other: str, file: Path) -> None:
    """Compare a week with another member, and print what differs."""
    chosen = profiles.find(profile)
    week = comparisons.plan(chosen.member, other, since=datetime.now(UTC) - timedelta(weeks=1))
    async with connect(chosen) as session:
        found = await comparisons.compare(session, week, keep_answers=True)
        container.write_file(file, await comparisons.pack(session, found))
        for each in found.result.differences:
            print(each.kind, each.digest.hex()[:16], each.remark, f"against {each.against or 'nobody'}")
        print(f"{found.result.agreed} agree, {found.result.under_way} under way, against: {found.result.against}")
        if found.may_close:
            closed = await comparisons.close(session, found)
            print(f"closed by {closed.own.origin} #{closed.own.index} and {closed.theirs.origin}")


if not sys.argv[3:] or "--help" in sys.argv:
    sys.exit(__doc__)
asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
