"""Send a message, write a file that proves what became of it with its main part disclosed, and read it as a court.

With `make up` running, and PAIZA_HOME set as it prints:

    python examples/evidence_for_a_court.py kaz-liaison tjk evidence.zip

The node logs permission and opening. The file needs no node: `paiza audit verify evidence.zip --root root.json`.
"""

import asyncio
import sys
from pathlib import Path

from paiza_client.evidence import container, evidence, extract
from paiza_client.sdk import connect, drafts, messages, sending
from paiza_client.sdk.evidence_files import Disclosure
from paiza_officer import profiles
from paiza_officer.register_cache import bootstrap_root

MARKS = "{tlp: GREEN, code: H1, classification: 0, purposes: [prosecute]}"  # else the rules refuse the disclosure
DRAFT = f"kind: free-message\nhandling: {MARKS}\ncontent: {{subject: An exercise, text: Nothing of this is real.}}\n"


async def make(profile: profiles.Profile, to: str, file: Path) -> None:
    """Send the message, and disclose its main part to a court."""
    draft = drafts.parse(DRAFT.encode(), "an example", profile)
    async with connect(profile) as session:
        sent = await sending.send(session, drafts.prepare(draft, "an example", drafts.Overrides(recipients=(to,))))
        disclosure = Disclosure(("main",), "court of Almaty", "prosecute", "case 123/26")
        made = await session.evidence_files.disclose(await messages.find(session, sent.id), disclosure)
    container.write_file(file, made.data)


if not sys.argv[3:] or "--help" in sys.argv:
    sys.exit(__doc__)
chosen, path = profiles.find(sys.argv[1]), Path(sys.argv[3])
asyncio.run(make(chosen, sys.argv[2], path))
found = evidence.verify_path(path, bootstrap_root(chosen.root))
print(f"It holds: from {found.message.header.author}, released at {found.time}", extract.read_part(found, 0).content)
