"""Between real nodes: missing steps are asked for, who joins late gets the thread, what falls due is told."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta

import grpc

from paiza.admin.v1 import admin_pb2, admin_pb2_grpc
from paiza.content.v1.controlled_delivery_pb2 import ControlledDeliveryRouteChange, ControlledDeliveryState
from paiza.content.v1.free_message_pb2 import FreeMessage
from tests import delivery
from tests.federation import Federation
from tests.integration.workflow.conftest import MEMBERS
from tests.integration.workflow.desk import WAIT_SECONDS, Desk, comparable, now


async def test_step_of_a_third_is_passed_on_by_who_names_it(
    unit_directory: Mapping[str, Desk], federation: Federation
) -> None:
    """A node that was away misses a step whose author is away now: it gets it from the node that followed it up."""
    kaz, tjk, uzb = (unit_directory[member] for member in MEMBERS)
    thread, request = await kaz.request(MEMBERS)
    for desk in (tjk, uzb):
        await desk.until(thread, lambda found: found.status.overall == "requested")
    federation.node("uzb").stop()
    taken = delivery.acknowledgement(request)
    theirs = await tjk.send("cd-acknowledgement", taken, MEMBERS, thread=thread, parents=[request])
    found = await kaz.until(thread, lambda each: theirs in each.heads)
    federation.node("tjk").stop()
    ours = await kaz.send("cd-acknowledgement", taken, MEMBERS, thread=thread, parents=found.heads)
    federation.node("uzb").start()
    found = await uzb.until(thread, lambda each: list(each.heads) == [ours])
    assert comparable(found) == comparable(await kaz.workflow(thread))
    assert {step.message_digest for step in found.steps} == {request, theirs, ours}


async def test_message_of_its_own_is_given_again(unit_directory: Mapping[str, Desk], federation: Federation) -> None:
    """A delivery dropped by an operator is served, as released, to the recipient that asks for it."""
    kaz, _, uzb = (unit_directory[member] for member in MEMBERS)
    thread, request = await kaz.request(MEMBERS)
    await uzb.until(thread, lambda found: found.status.overall == "requested")
    federation.node("uzb").stop()
    note = FreeMessage(subject="Exercise", text="Nothing of this is real.")
    dropped = await kaz.send("free-message", note, MEMBERS, thread=thread, parents=[request])
    with grpc.insecure_channel(f"unix:{federation.node('kaz').admin_socket}") as channel:
        admin = admin_pb2_grpc.AdminServiceStub(channel)
        queue = admin.ListQueue(admin_pb2.ListQueueRequest(recipient="uzb"), timeout=WAIT_SECONDS)
        (waiting,) = [each for each in queue.deliveries if each.message_digest == dropped]
        admin.DropDelivery(
            admin_pb2.DropDeliveryRequest(delivery_id=waiting.delivery_id, reason_text="Exercise."),
            timeout=WAIT_SECONDS,
        )
    taken = delivery.acknowledgement(request)
    last = await kaz.send("cd-acknowledgement", taken, MEMBERS, thread=thread, parents=[dropped])
    federation.node("uzb").start()
    found = await uzb.until(thread, lambda each: last in {step.message_digest for step in each.steps if step.effective})
    assert dropped in {step.message_digest for step in found.steps}
    assert not found.missing_digests


async def test_who_joins_late_gets_the_whole_thread(unit_directory: Mapping[str, Desk]) -> None:
    """A state that a route change brings in stands at once as the others do, with every step before it."""
    kaz, tjk, uzb = (unit_directory[member] for member in MEMBERS)
    pair = ("kaz", "tjk")
    thread, request = await kaz.request(pair)
    await tjk.until(thread, lambda found: found.status.overall == "requested")
    taken = delivery.acknowledgement(request)
    theirs = await tjk.send("cd-acknowledgement", taken, pair, thread=thread, parents=[request])
    found = await kaz.until(thread, lambda each: theirs in each.heads)
    change = ControlledDeliveryRouteChange(
        reason="Exercise.",
        route=delivery.route(MEMBERS, now()),
        new_states=[ControlledDeliveryState(member="uzb", role="destination")],
        latest_decision_time=delivery.at(now() + timedelta(days=1)),
    )
    changed = await kaz.send("cd-route-change", change, MEMBERS, thread=thread, parents=found.heads)
    joined = await uzb.until(thread, lambda each: list(each.heads) == [changed])
    assert [step.message_digest for step in joined.steps] == [request, theirs, changed]
    expected = await kaz.workflow(thread)
    assert list(joined.steps) == list(expected.steps)
    assert joined.status.states == expected.status.states


async def test_watching_officers_are_reminded(unit_directory: Mapping[str, Desk]) -> None:
    """A watch that begins is told what is due; as the hour before begins, it is told again."""
    kaz = unit_directory["kaz"]
    thread, _ = await kaz.request(MEMBERS, decision=timedelta(hours=1, seconds=15))
    await kaz.until(thread, lambda found: found.status.overall == "requested")
    told = []
    async with asyncio.timeout(WAIT_SECONDS), kaz.watching() as notifier:
        async for item in notifier:
            told += [notice for notice in item.notices if notice.code == "decision"]
            if len(told) == 2 * len(MEMBERS):
                break
    assert {notice.member for notice in told} == set(MEMBERS)
    assert {notice.thread_id for notice in told} == {thread}
    assert not any(notice.overdue for notice in told)
    assert "срок" in told[0].text.ru
