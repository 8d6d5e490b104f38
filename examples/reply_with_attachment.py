"""Answer every unanswered information request with a file from a case system.

With `make up` running, and PAIZA_HOME set as it prints; send a request first (`send_draft.py`):

    python examples/reply_with_attachment.py tjk-liaison examples/seizures.csv
"""

import asyncio
import sys
from pathlib import Path

from paiza.content.v1.common_pb2 import Answer
from paiza.content.v1.information_pb2 import InformationAnswer, InformationRequest
from paiza_client.sdk import connect, messages, replies, threads
from paiza_officer import profiles


async def main(profile: str, file: Path) -> None:
    """Open each request, which the node logs with the reason, and answer every question of it."""
    async with connect(profiles.find(profile)) as session:
        async for request in threads.unanswered(session, kind="information-request"):
            opened = await session.open_part(request.digest, reason="answering from the case system")
            asked = messages.content(opened)
            assert isinstance(asked, InformationRequest)
            answers = [
                Answer(question_number=each.number, status="full", text="See the table.") for each in asked.questions
            ]
            content = InformationAnswer(reference=f"OUR-{request.id[:8]}", answers=answers)
            sent = await replies.reply(session, request, content, attachments=[file])
            print(f"Answered {request.thread_name} with {file.name}: {sent.id}")


if not sys.argv[2:] or "--help" in sys.argv:
    sys.exit(__doc__)
asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
