"""Show a thread: its messages, and who has answered what.

With `make up` running, and PAIZA_HOME set as it prints; the thread is named as `send_draft.py` prints it:

    python examples/read_thread.py kaz-liaison KAZ-2026-00001
"""

import asyncio
import sys

from paiza_client.sdk import connect, threads, wording
from paiza_officer import profiles


async def main(profile: str, name: str) -> None:
    """List a thread, and open its requests and answers, which the node logs."""
    async with connect(profiles.find(profile)) as session:
        listed = await threads.list_messages(session, await threads.find(session, name))
        opened = await threads.open_messages(session, listed, threads.is_of_requests, "reading the thread")
        statuses = await threads.request_statuses(session, opened)
    for each in listed:
        print(f"{wording.when(each.stored_time)}  {each.header.author}: {wording.kind_title(each.header)}")
    for status in statuses:
        for addressee in status.addressees:
            for question in addressee.questions:
                print(f"{addressee.member}, question {question.number}: {question.state.value}")
        print(f"without an answer: {', '.join(status.without_answer) or 'nobody'}")


if not sys.argv[2:] or "--help" in sys.argv:
    sys.exit(__doc__)
asyncio.run(main(sys.argv[1], sys.argv[2]))
