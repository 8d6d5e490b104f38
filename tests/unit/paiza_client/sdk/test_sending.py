"""What a program is told of a message that the node did not take."""

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from paiza.content.v1.free_message_pb2 import FreeMessage
from paiza.core.v1.message_pb2 import Handling, Header, Recipient
from paiza_client.compose.composer import Sealed
from paiza_client.sdk import drafts, sending
from paiza_client.verify.model import Outcome
from paiza_domain.drafts.drafts import Draft
from paiza_officer.errors import Refused, Unreachable


def session(outcome: Outcome, folder: Path = Path()) -> Any:
    """Return a session whose node answers a message with this outcome."""
    sealed = Sealed(b"", Header(message_id=bytes(16)), bytes(32))
    composer = SimpleNamespace(validate=lambda *_arguments: None, seal=lambda *_message, **_named: sealed)

    async def make() -> Any:
        return composer

    async def submit(_messages: object) -> list[Outcome]:
        return [outcome]

    return SimpleNamespace(
        composer=make,
        submit=submit,
        attachments=SimpleNamespace(telling=nullcontext),
        register=lambda: None,  # a free message is completed without it
        profile=SimpleNamespace(member="kaz", folder=folder),
    )


def prepared() -> drafts.Prepared:
    """Return a message that names nothing the node would have to find."""
    content = FreeMessage(subject="Exercise", text="Invented.")
    handling = Handling(tlp="AMBER", code="H2", classification=1)
    draft = Draft(drafts.kind_of_content(content), content, recipients=(Recipient(member="tjk"),), handling=handling)
    return drafts.prepare(draft, "a test")


async def test_a_refusal_of_the_node_is_raised_with_its_reason() -> None:
    """A program that goes on has a message that was taken."""
    with pytest.raises(Refused, match="policy_denied"):
        await sending.send(session(Outcome("refused", bytes(32), reason="policy_denied")), prepared())


async def test_a_reason_that_nobody_registered_is_not_passed_on() -> None:
    """A node of a later version may name a reason that this program cannot explain."""
    with pytest.raises(Refused, match="unexpected_answer"):
        await sending.send(session(Outcome("refused", bytes(32), reason="from the future")), prepared())


async def test_a_message_that_is_tried_again_is_said_to_be_safe() -> None:
    """It waits in the outbox: sending it once more would send it twice."""
    with pytest.raises(Unreachable) as told:
        await sending.send(session(Outcome("retry", bytes(32), reason="node_unreachable")), prepared())
    assert told.value.saved


@pytest.mark.parametrize(("state", "released"), [("released", True), ("waiting", False)])
async def test_what_the_node_took_is_returned(tmp_path: Path, state: Any, *, released: bool) -> None:
    """What waits for a second officer is no error, and is not on its way."""
    sent = await sending.send(session(Outcome(state, bytes(32)), tmp_path), prepared())
    assert sent.is_released is released
