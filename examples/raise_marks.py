"""Raise the marks of a text that quotes other messages to theirs.

With `make up` running, and PAIZA_HOME set as it prints; the messages quoted are named by id or thread:

    python examples/raise_marks.py kaz-liaison KAZ-2026-00001
"""

import asyncio
import sys
from collections.abc import Sequence

from paiza.content.v1.free_message_pb2 import FreeMessage
from paiza.core.v1.message_pb2 import Handling
from paiza_client.sdk import connect, drafts, messages, sending, wording
from paiza_domain.drafts.drafts import Draft
from paiza_officer import profiles


async def main(profile: str, names: Sequence[str]) -> None:
    """Prepare a summary of messages for every member, and check that it could be sent."""
    content = FreeMessage(subject="Summary", text="What we know of the invented lorry.")
    draft = Draft(drafts.kind_of_content(content), content, handling=Handling(tlp="GREEN", code="H1"))
    prepared = drafts.prepare(draft, "summary")
    async with connect(profiles.find(profile)) as session:
        quoted = [await messages.find(session, each) for each in names]
        others = [each.id for each in session.register().active_members() if each.id != session.profile.member]
        raised = drafts.raise_marks(drafts.address(prepared, others), quoted)
        await sending.check(session, raised)
    print(f"{wording.handling(draft.handling)} becomes {wording.handling(raised.envelope.handling)}")


if not sys.argv[2:] or "--help" in sys.argv:
    sys.exit(__doc__)
asyncio.run(main(sys.argv[1], sys.argv[2:]))
