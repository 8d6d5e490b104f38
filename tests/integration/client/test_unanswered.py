"""A request is listed as unanswered until an answer of our member is on its way, at a real node."""

import asyncio
from pathlib import Path

from paiza.content.v1.common_pb2 import Answer
from paiza.content.v1.information_pb2 import InformationAnswer
from paiza_client.sdk import Session, connect, replies, threads
from paiza_officer import profiles
from tests.federation import Federation
from tests.integration.client.conftest import Paiza
from tests.integration.client.test_commands import send

REQUEST = Path(__file__).parents[3] / "examples" / "request.yaml"
CONTENT = InformationAnswer(
    reference="OUR-1", answers=[Answer(question_number=1, status="full", text="Nothing of this is real.")]
)


async def is_listed(session: Session, request: str) -> bool:
    """Return whether the request is among the unanswered ones."""
    return request in [each.id async for each in threads.unanswered(session, kind="information-request")]


def test_an_answer_at_a_second_officer_counts_until_it_is_taken_back(paiza: Paiza, federation: Federation) -> None:
    """Opening changes nothing; an answer that waits or was released does; a withdrawn one does not."""
    asked = send(paiza, federation, REQUEST, "information-request")

    async def follow() -> list[bool]:
        async with connect(profiles.load(federation.home / "tjk-liaison")) as session:
            request = (await session.list_messages(id_prefix=asked)).messages[0]
            found = [await is_listed(session, asked)]
            await session.open_part(request.digest, 0, "exercise")
            found.append(await is_listed(session, asked))
            waiting = await replies.reply(session, request, CONTENT, second="duty")
            found.append(await is_listed(session, asked))
            await session.approvals.decline(await session.approvals.find(waiting.id))
            found.append(await is_listed(session, asked))
            await replies.reply(session, request, CONTENT)
            return [*found, await is_listed(session, asked)]

    assert asyncio.run(follow()) == [True, True, False, True, False]
