"""A controlled delivery between three real nodes: refused, released, converging, stopped."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import grpc
import pytest

from paiza.core.v1 import message_pb2
from paiza_wire import log_entries
from tests import delivery
from tests.federation import Federation
from tests.integration.workflow.conftest import MEMBERS
from tests.integration.workflow.desk import WAIT_SECONDS, Desk, Workflow, comparable, now

FLASH: Final[Any] = {"urgency": message_pb2.URGENCY_FLASH, "urgency_reason": "consignment-moving"}


async def authorised(unit_directory: Mapping[str, Desk]) -> tuple[bytes, Workflow]:
    """Authorise a request of kaz as every state; return the thread and its state at kaz."""
    thread, request = await unit_directory["kaz"].request(MEMBERS)
    for desk in unit_directory.values():
        await desk.until(thread, lambda found: found.status.overall == "requested")
        permit = delivery.authorisation(MEMBERS, now())
        await desk.send("cd-authorisation", permit, MEMBERS, thread=thread, parents=[request], two=True)
    return thread, await unit_directory["kaz"].until(thread, lambda found: found.status.overall == "authorised")


async def test_step_that_breaks_a_rule_is_refused_by_name_and_logged(unit_directory: Mapping[str, Desk]) -> None:
    """An activation before every state has authorised is refused, names the rule and whose authorisation is missing."""
    kaz = unit_directory["kaz"]
    thread, request = await kaz.request(MEMBERS)
    raw = kaz.step("cd-plan", delivery.plan(MEMBERS, now()), MEMBERS, thread=thread, parents=[request])
    (result,) = await kaz.submit(raw)
    assert result.rejection.reason == "workflow_breach"
    assert ("authorisation_missing", {"member": "tjk"}) in [(each.rule, dict(each.values)) for each in result.breaches]
    (entry,) = await kaz.denials()
    assert (entry.actor, log_entries.reason(entry)) == (kaz.liaison.id, "workflow_breach")
    found = await kaz.workflow(thread)
    assert [step.kind for step in found.steps] == ["cd-request"]
    assert set(found.participants) == set(MEMBERS)
    assert list(found.heads) == [request]


async def test_all_nodes_come_to_the_same_standing(unit_directory: Mapping[str, Desk]) -> None:
    """Request, authorisations, plan and activation: every node shows the same steps and standing; the board as well."""
    kaz = unit_directory["kaz"]
    thread, found = await authorised(unit_directory)
    plan = await kaz.send("cd-plan", delivery.plan(MEMBERS, now()), MEMBERS, thread=thread, parents=found.heads)
    await kaz.send("cd-activation", delivery.activation(now()), MEMBERS, thread=thread, parents=[plan])
    workflow_state = [
        await desk.until(thread, lambda each: each.status.overall == "active") for desk in unit_directory.values()
    ]
    assert workflow_state[0].status.responsible == "kaz"
    assert [(state.member, state.role, state.status) for state in workflow_state[0].status.states] == [
        ("kaz", "origin", "authorised"),
        ("tjk", "transit", "authorised"),
        ("uzb", "destination", "authorised"),
    ]
    assert all(step.effective for step in workflow_state[0].steps)
    assert comparable(workflow_state[0]) == comparable(workflow_state[1]) == comparable(workflow_state[2])
    for desk in unit_directory.values():
        (line,) = await desk.board()
        assert (line.thread_name, line.overall) == (found.status.thread_name, "active")
    with pytest.raises(grpc.aio.AioRpcError, match="no workflow"):
        await kaz.workflow(bytes(16))


async def test_of_two_who_move_at_once_one_is_refused(unit_directory: Mapping[str, Desk]) -> None:
    """Two plans released at the same moment by one node: the second is always checked against the first."""
    kaz = unit_directory["kaz"]
    thread, found = await authorised(unit_directory)
    plan = await kaz.send("cd-plan", delivery.plan(MEMBERS, now()), MEMBERS, thread=thread, parents=found.heads)
    begun = [
        kaz.step("cd-activation", delivery.activation(now()), MEMBERS, thread=thread, parents=[plan]) for _ in range(8)
    ]
    results = await asyncio.gather(*(kaz.submit(raw) for raw in begun))
    outcomes = sorted(str(result.WhichOneof("result")) for (result,) in results)
    assert outcomes == [*["rejection"] * 7, "released"]


async def test_stop_overtakes_thousands_and_everyone_acknowledges(
    unit_directory: Mapping[str, Desk], federation: Federation
) -> None:
    """Behind 2,000 FLASH and 1,000 bulk messages that wait for a node which was away, a stop arrives before all."""
    kaz, tjk, uzb = (unit_directory[member] for member in MEMBERS)
    thread, request = await kaz.request(MEMBERS)
    await tjk.until(thread, lambda found: found.status.overall == "requested")
    federation.node("tjk").stop()
    flood = [kaz.liaison.compose(["tjk"], **FLASH) for _ in range(2000)]
    flood += [kaz.liaison.compose(["tjk"]) for _ in range(1000)]
    for first in range(0, len(flood), 250):
        results = await kaz.submit(*flood[first : first + 250])
        assert {result.WhichOneof("result") for result in results} == {"released"}
    stop = await kaz.send("cd-stop", delivery.stop(), MEMBERS, thread=thread, parents=[request], **FLASH)
    federation.node("tjk").start()
    order: dict[bytes, int] = {}
    async with asyncio.timeout(WAIT_SECONDS), tjk.watching(after=0) as notifier:
        async for item in notifier:
            order.update((bytes(each.message_digest), each.sequence) for each in item.messages)
            if len(order) > 500:
                break
    flooded = [sequence for digest, sequence in order.items() if digest not in (request, stop)]
    assert order[request] < order[stop] < min(flooded)
    found = await tjk.until(thread, lambda each: each.status.overall == "stop-ordered")
    (alarm,) = found.status.alarms
    assert (alarm.message_digest, alarm.in_force, set(alarm.waiting_for)) == (stop, True, {"tjk", "uzb"})
    for desk in (tjk, uzb):
        await desk.until(thread, lambda each: each.status.overall == "stop-ordered")
        taken = delivery.acknowledgement(stop)
        await desk.send("cd-acknowledgement", taken, MEMBERS, thread=thread, parents=[stop], **FLASH)
    found = await kaz.until(thread, lambda each: not each.status.alarms[0].waiting_for)
    assert set(found.status.alarms[0].acknowledged_by) == {"tjk", "uzb"}
