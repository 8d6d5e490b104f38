"""Two nodes whose messages worker processes verify, while these are killed: nothing is lost or answered wrongly."""

import asyncio
import os
import random
import signal
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pytest

from paiza.core.v1 import delivery_pb2
from paiza.core.v1 import message_pb2 as pb
from paiza.officer.v1 import officer_pb2
from paiza_node.core.executors import check_workers
from paiza_node.core.executors.check_workers import CheckWorkers
from paiza_node.core.executors.fair_threads import Slices
from tests.federation import Federation
from tests.in_process import InProcess
from tests.officer import Officer

SERVICE: Final = "/paiza.officer.v1.OfficerService"
ROUNDS: Final = 4
GOOD: Final = 24  # messages of each batch
SECONDS: Final = 300.0  # a limit, not a measure


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[CheckWorkers]]:
    """Let each node have two workers, whatever the machine; those that end are replaced at once."""
    found: list[CheckWorkers] = []
    spared: list[bool] = []
    whole, verify = CheckWorkers.__init__, CheckWorkers.verify

    def remember(self: CheckWorkers, count: int = 0) -> None:
        whole(self, count)
        found.append(self)

    def note(self: CheckWorkers, *arguments: Any) -> Slices[list[bool]]:
        verified = yield from verify(self, *arguments)
        spared.extend(verified)
        return verified

    monkeypatch.setattr(CheckWorkers, "verify", note)
    monkeypatch.setattr(check_workers, "spare_cores", lambda: 2)
    monkeypatch.setattr(check_workers, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(CheckWorkers, "__init__", remember)
    yield found
    assert sum(spared) > GOOD, "the workers did nothing"
    assert not all(spared)
    assert not any(Path(f"/proc/{pid}").exists() for workers in found for pid in workers.pids)


def batch(officer: Officer) -> tuple[list[bytes], list[str]]:
    """Return good messages between bad ones of several kinds, and the reason for which each is refused."""
    good = officer.compose(["tjk"])
    forged = pb.SignedMessage.FromString(good)
    signature = forged.signatures[0].signature
    forged.signatures[0].signature = signature[:-1] + bytes([signature[-1] ^ 1])
    cut = pb.SignedMessage.FromString(good)
    cut.parts[0].ciphertext += b"\x00"
    header = officer.header(["tjk"])
    header.required_signers[0].role = "auditor"
    bad = {
        "malformed": good[:-1],
        "bad_signature": forged.SerializeToString(deterministic=True),
        "part_digest_mismatch": cut.SerializeToString(deterministic=True),
        "unknown_field": good + b"\xf8\x07\x01",
        "policy_denied": officer.seal(header, b""),
    }
    messages = [*([officer.compose(["tjk"]) for _ in range(GOOD)]), *bad.values()]
    reasons = [*([""] * GOOD), *bad]
    order = random.Random(1).sample(range(len(messages)), len(messages))
    return [messages[at] for at in order], [reasons[at] for at in order]


async def killing(made: Sequence[CheckWorkers]) -> None:
    """Kill one worker after another, of both nodes, until cancelled."""
    chance = random.Random(2)
    while True:
        for workers in made:
            for pid in workers.pids[: chance.randrange(3)]:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(chance.random() / 5)


async def test_messages_pass_while_workers_are_killed(tmp_path: Path, made: list[CheckWorkers]) -> None:
    """Each message is answered as without workers; every good one is delivered once, and shows its receipt."""
    folder = Federation.create(tmp_path / "federation", ["kaz", "tjk"]).folder
    officer = Officer(folder, "kaz-liaison")
    reader = Officer(folder, "tjk-liaison")
    async with asyncio.timeout(SECONDS), InProcess.started(folder, ["kaz", "tjk"]) as nodes:
        while [workers.idle for workers in made] != [2, 2]:  # noqa: ASYNC110 - of which nothing tells
            await asyncio.sleep(0.02)
        released: list[bytes] = []
        for number in range(ROUNDS):
            killer = asyncio.create_task(killing(made)) if number else None
            messages, reasons = batch(officer)
            request = officer_pb2.SubmitRequest(items=[officer_pb2.SubmitItem(message=each) for each in messages])
            answer = await nodes["kaz"].ask(
                officer.certificate_pem, f"{SERVICE}/Submit", request, officer_pb2.SubmitResponse
            )
            assert [each.rejection.reason for each in answer.results] == reasons
            released += [each.released.message_digest for each in answer.results if each.HasField("released")]
            if killer is not None:
                await asyncio.sleep(0.5)
                killer.cancel()

        while True:
            sent = await listed(nodes["kaz"], officer, officer_pb2.BOX_SENT)
            if all(each.deliveries[0].state == delivery_pb2.DELIVERY_STATE_DELIVERED for each in sent):
                break
            await asyncio.sleep(0.05)
        received = await listed(nodes["tjk"], reader, officer_pb2.BOX_INBOX)
        assert len(released) == ROUNDS * GOOD
        for found in (sent, received):
            assert sorted(each.message_digest for each in found) == sorted(released)


async def listed(node: InProcess, officer: Officer, box: "officer_pb2.Box.ValueType") -> list[Any]:
    """Return the messages of a box."""
    request = officer_pb2.ListMessagesRequest(box=box, page_size=500)
    found = await node.ask(
        officer.certificate_pem, f"{SERVICE}/ListMessages", request, officer_pb2.ListMessagesResponse
    )
    return list(found.messages)
