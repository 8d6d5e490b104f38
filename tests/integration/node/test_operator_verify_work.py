"""That `verify` finds what was changed of attachments and second signatures, and says where."""

import asyncio
import shutil
import sqlite3
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path

import pytest

from paiza.content.v1.free_message_pb2 import FreeMessage
from paiza.core.v1 import message_pb2
from paiza.officer.v1 import approval_pb2, approval_pb2_grpc
from paiza_wire import message
from tests.attaching import bring, seal, settled, signed, submit
from tests.federation import Federation
from tests.integration.node.conftest import SECONDS, Command
from tests.officer import Officer

SIZE = 100_000
DAMAGE = {
    "a submission lost": ("DELETE FROM approval WHERE state = 2", "SUBMITTED / approval"),
    "one declined that the log released": ("UPDATE approval SET state = 3, reason = 'approval_declined'", "message"),
    "one waiting that the log released": ("UPDATE approval SET state = 1 WHERE state = 2", "message"),
    "another drafter": ("UPDATE approval SET drafter = drafter || 'x'", "SUBMITTED / approval"),
    "another reason why it ended": (
        "UPDATE approval SET reason = 'x' WHERE state = 4",
        "DECLINED, WITHDRAWN, LAPSED / approval",
    ),
    "another header": ("UPDATE approval SET header = CAST(header || x'00' AS BLOB)", "message"),
}


async def exchange(federation: Federation, folder: Path) -> None:
    """Send a film; sign one message as a second officer, and withdraw another that waits for them."""
    first, second = (Officer(federation.folder, f"kaz-{name}") for name in ("liaison", "duty"))
    async with first.channel() as channel, second.channel() as other:
        header = first.header(["tjk"])
        film = seal(folder, header, SIZE)
        await bring(channel, film)
        sent = await submit(channel, signed(first, header, [film.said]))
        for decided in (True, False):
            raw, waiting = two_signers(first, second)
            assert (await submit(channel, raw)).WhichOneof("result") == "waiting"
            digest = message.message_digest(waiting)
            if decided:
                # With every signature there already it waits all the same, until the other officer himself signs.
                whole = message.add_signature(raw, message.countersign(waiting, second.signer))
                assert (await submit(channel, whole)).WhichOneof("result") == "waiting"
                request = approval_pb2.ApproveRequest(
                    message_digest=digest, signature=message.countersign(waiting, second.signer)
                )
                answer = await approval_pb2_grpc.ApprovalServiceStub(other).Approve(request, timeout=SECONDS)
                assert answer.result.WhichOneof("result") == "released"
            else:
                take_back = approval_pb2.DeclineRequest(message_digest=digest)
                await approval_pb2_grpc.ApprovalServiceStub(channel).Decline(take_back, timeout=SECONDS)
        await asyncio.wait_for(settled(channel, sent.released.message_digest), SECONDS)


def two_signers(first: Officer, second: Officer) -> tuple[bytes, bytes]:
    """Write a message for two officers, signed by the first; gives it and its header."""
    header = first.header(["tjk"])
    header.required_signers.add(id=second.id, role="duty")
    moment = header.author_time.ToDatetime(tzinfo=UTC)
    content = FreeMessage(subject="Exercise", text="Nothing of this is real.").SerializeToString()
    keys = [first.recipient_key(member, moment) for member in ("tjk", "kaz")]
    sealed = message.seal(header, [message.PlainPart(message_pb2.PART_KIND_MAIN, content)], keys)
    return message.sign(sealed, [first.signer]), sealed.header


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of the nodes, which are stopped."""
    folder = tmp_path_factory.mktemp("work")
    with Federation.create(folder / "f", ["kaz", "tjk"]) as federation:
        federation.start()
        asyncio.run(exchange(federation, folder))
        federation.stop()
        yield federation.node("kaz").folder.parent


@pytest.fixture
def copy(stopped: Path, tmp_path: Path) -> Path:
    """A copy of the nodes' folders that a test may damage."""
    for name in ("kaz", "tjk"):
        shutil.copytree(stopped / name, tmp_path / name, ignore=shutil.ignore_patterns("admin.sock", "node.log"))
    return tmp_path


@pytest.mark.parametrize("member", ["kaz", "tjk"])
def test_what_is_not_damaged_holds(copy: Path, command: Command, member: str) -> None:
    """Sender and recipient verify, and count what they looked at: the findings below come from the damage."""
    code, told = command("verify", "--config", str(copy / member / "node.toml"))
    counts = {each["part"]: each["counts"] for each in told["parts"]}
    assert (code, told["passed"]) == (0, True)
    assert counts["approvals"] == {"approvals": 2 if member == "kaz" else 0}
    assert counts["attachments"]["files"] == 1
    assert counts["attachments"]["bytes"] > SIZE


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_to_approvals_is_found(kind: str, copy: Path, command: Command) -> None:
    """The log tells of other submissions, ends or releases than the rows."""
    statement, where = DAMAGE[kind]
    database = sqlite3.connect(copy / "kaz" / "data" / "paiza.db")
    with database:
        assert database.execute(statement).rowcount != 0
    database.close()
    code, told = command("verify", "--config", str(copy / "kaz" / "node.toml"))
    found = {each["part"]: each for each in told["parts"]}["approvals"]
    assert (code, found["passed"]) == (5, False)
    assert any(where in finding["where"] for finding in found["findings"]), found


@pytest.mark.parametrize("member", ["kaz", "tjk"])
@pytest.mark.parametrize("change", ["altered", "cut", "removed"])
def test_damage_to_a_file_is_found(change: str, member: str, copy: Path, command: Command) -> None:
    """A file that is not the attachment any more, or is gone, at the sender's as at the recipient's."""
    (path,) = (copy / member / "data" / "attachments").iterdir()
    data = path.read_bytes()
    if change == "removed":
        path.unlink()
    else:
        path.write_bytes(data[:-1] if change == "cut" else data[:-1] + bytes([data[-1] ^ 1]))
    code, told = command("verify", "--config", str(copy / member / "node.toml"))
    found = {each["part"]: each for each in told["parts"]}["attachments"]
    assert (code, found["passed"]) == (5, False)
    assert [finding["where"] for finding in found["findings"]] == [str(path)]
