"""A recall follows its message to whom another member passed it on before it could know of the recall."""

from pathlib import Path
from typing import Final

import pytest

from paiza.content.v1.free_message_pb2 import FreeMessage
from paiza.content.v1.recall_pb2 import Recall
from paiza.core.v1 import message_pb2 as pb
from tests.federation import Federation
from tests.integration.exchange.desk import Desk, digest_of

RECALL: Final = Recall(reason="source-at-risk", explanation="Exercise", measure="erase").SerializeToString()
CONTENT: Final = FreeMessage(subject="Exercise", text="Nothing of this is real.").SerializeToString()


@pytest.mark.asyncio
async def test_a_recall_reaches_whom_the_message_was_passed_on_to_meanwhile(tmp_path: Path) -> None:
    """The author's node, told of the new holder after its recall, passes the recall on; that holder's log says so."""
    folder = tmp_path / "federation"
    with Federation.create(folder, ["kaz", "tjk", "uzb"]) as federation:
        federation.start()
        kaz = Desk(folder, "kaz")
        header = kaz.officer.header(["tjk"])
        header.handling.CopyFrom(pb.Handling(code="H0", tlp="GREEN", purposes=["investigate"]))
        note = kaz.officer.seal(header, CONTENT)
        assert await kaz.send(note) == ""
        tjk, uzb = Desk(folder, "tjk"), Desk(folder, "uzb")
        digest = digest_of(note)
        await tjk.wait_for(digest)
        # Its author is away while tjk passes it on; and tjk is away while its author recalls it.
        federation.node("kaz").stop()
        assert await tjk.forward(digest, "uzb") == ""
        await uzb.wait_for(digest)
        federation.node("tjk").stop()
        federation.start("kaz")
        kaz = Desk(folder, "kaz")
        recall = kaz.write("recall", RECALL, [header], [digest], ["tjk"])
        assert await kaz.send(recall) == ""
        federation.start("tjk")
        await uzb.wait_for(digest_of(recall))
        assert list((await uzb.info(digest)).recalled_by) == [digest_of(recall)]
        assert await uzb.open(digest) == "recalled"
        assert "RECALLED" in await uzb.events(digest)
