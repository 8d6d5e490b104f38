"""The unit of a stored message decides who may see it: `verify` names every message whose unit was changed."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from paiza.content.v1 import common_pb2, information_pb2
from paiza.core.v1 import message_pb2
from paiza.officer.v1 import task_pb2
from paiza_node.ops.cli.verify import verify
from paiza_node.ops.config import load
from paiza_node.ops.tables import METADATA
from tests.bent.rows import Bend, rows
from tests.federation import NodeProcess
from tests.in_process import InProcess
from tests.scenario import Scenario, digest_of, free, make

MEMBERS: Final = ("kaz", "tjk")
UNITS: Final = ("duty-desk", "operations", "liaison-bureau", "data-office", "", None)


async def test_a_message_of_another_unit_is_named(tmp_path: Path) -> None:
    """Messages of five ways to get a unit are changed to every other unit, and to none."""
    folder = tmp_path / "f"
    node = folder / "nodes" / "kaz"
    make(folder, MEMBERS)
    NodeProcess("kaz", node).configure(duty_unit="duty-desk")
    async with InProcess.started(folder, MEMBERS) as nodes:
        await _exchange(Scenario(folder, nodes))
    database = node / "data/paiza.db"
    assert _found(node) == []
    table = METADATA.tables["message"]
    numbers, units = table.columns.keys().index("seq"), table.columns.keys().index("unit")
    stored = {row[numbers]: row[units] for row in rows(database, table)}
    assert len(stored) == 5
    unbent = tmp_path / "unbent.db"
    shutil.copy(database, unbent)
    for number, unit in stored.items():
        for other in UNITS:
            if other != unit:
                assert Bend("message", (number,), "changed", "unit", other).apply(database)
                assert len(_found(node)) >= 1, (number, unit, other)
                shutil.copy(unbent, database)


async def _exchange(s: Scenario) -> None:
    """Send one message; receive one for a unit and its answer, one for nobody, and one that is assigned to a unit."""
    await s.send("kaz-liaison", s.write("kaz-liaison", ["tjk"], "free-message", free()))
    officer = s.officer("tjk-liaison")
    header = officer.header(["kaz"])
    header.recipients[0].attention = "operations"
    addressed = s.seal(officer, header, free())
    following = s.write("tjk-liaison", ["kaz"], "free-message", free(), about=[addressed])
    request = information_pb2.InformationRequest(
        reference="EX-2",
        subject="Exercise",
        purposes=["investigate"],
        facts="Nothing of this is real.",
        questions=[common_pb2.Question(number=1, text="Is anything of this real?")],
        why_addressee="Exercise",
    )
    asked = s.write("tjk-liaison", ["kaz"], "information-request", request, urgency=message_pb2.URGENCY_PRIORITY)
    await _send(s, [addressed, following, asked, s.write("tjk-liaison", ["kaz"], "free-message", free())])
    assigned = task_pb2.AssignTaskRequest(message_digest=digest_of(asked), unit="operations", note="Exercise")
    await s.ask("kaz-duty", "TaskService/AssignTask", assigned)


async def _send(s: Scenario, messages: Sequence[bytes]) -> None:
    for each in messages:
        await s.send("tjk-liaison", each)
        await s.arrived("kaz", digest_of(each))


def _found(node: Path) -> list[str]:
    parts = verify(load(node / "node.toml", {}), log_only=False, quiet=True)
    return [str(each) for part in parts for each in part.findings]
