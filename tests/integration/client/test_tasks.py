"""Tasks over real nodes: what is addressed to a unit reaches it, others do not see it, and late work is passed on."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from paiza.officer.v1 import (
    audit_pb2,
    audit_pb2_grpc,
    forwarding_pb2,
    forwarding_pb2_grpc,
    officer_pb2,
    officer_pb2_grpc,
    task_pb2,
    task_pb2_grpc,
)
from tests.federation import Federation
from tests.integration.client.conftest import DRAFT, Paiza
from tests.integration.client.test_commands import arrives
from tests.officer import Officer


@pytest.fixture(scope="module")
def divided(federation: Federation) -> Iterator[Federation]:
    """The federation with a duty unit at tjk, so that its units do not see each other's messages."""
    node = federation.node("tjk")
    node.stop()
    node.configure(duty_unit="duty")
    node.start()
    yield federation
    node.stop()
    node.configure(duty_unit=None)
    node.start()


def sent_to(paiza: Paiza, federation: Federation, folder: Path, attention: str) -> str:
    """Send a message from kaz to a unit of tjk, wait until it is there, and give its id."""
    draft = folder / "draft.yaml"
    draft.write_text(
        DRAFT.replace("to: [tjk]", f"to: [tjk]\nattention: {{tjk: {attention}}}" if attention else "to: [tjk]")
    )
    message_id = str(paiza("kaz-liaison", "send", "free-message", draft, "--json").json["id"])
    asyncio.run(asyncio.wait_for(arrives(federation, "tjk-duty", message_id), 60))
    return message_id


def seen(paiza: Paiza, profile: str, message_id: str) -> bool:
    """Return whether an officer's inbox lists a message."""
    return message_id in [each["id"] for each in paiza(profile, "inbox", "--json").json["messages"]]


def test_a_unit_sees_its_own_and_nobody_elses(paiza: Paiza, divided: Federation, tmp_path: Path) -> None:
    """The addressed unit and duty see it; to another unit it is unknown, and the attempt is logged."""
    message_id = sent_to(paiza, divided, tmp_path, "operations")
    assert seen(paiza, "tjk-authoriser", message_id)
    assert seen(paiza, "tjk-duty", message_id)
    assert seen(paiza, "tjk-coordinator", message_id)
    assert not seen(paiza, "tjk-liaison", message_id)
    assert json.loads(paiza("tjk-liaison", "open", message_id, "--json").err)["reason"] == "unknown_id"
    digest = bytes.fromhex(paiza("tjk-duty", "thread", message_id, "--json").json[0]["digest"])
    liaison = Officer(divided.folder, "tjk-liaison")

    async def force() -> str:
        async with liaison.channel() as channel:
            stub = officer_pb2_grpc.OfficerServiceStub(channel)
            try:
                await stub.OpenMessage(officer_pb2.OpenMessageRequest(message_digest=digest))
            except Exception as error:  # noqa: BLE001 - its reason is looked at
                return str(dict(error.trailing_metadata())["paiza-reason"])  # type: ignore[attr-defined]
        return "opened"

    assert asyncio.run(force()) == "unknown_id"
    trail = paiza("tjk-auditor", "audit", "trail", message_id, "--json").json["own"]
    assert ("DENIED", liaison.id) in [(each["event"], each["actor"]) for each in trail]
    assert paiza("tjk-authoriser", "open", message_id, "--json").json["content"]["subject"] == "Exercise"


def test_what_names_no_unit_goes_to_the_duty_unit(paiza: Paiza, divided: Federation, tmp_path: Path) -> None:
    """Duty sees it, and gives it to an officer, who sees it from then on and is done with it."""
    message_id = sent_to(paiza, divided, tmp_path, "")
    assert not seen(paiza, "tjk-liaison", message_id)
    given = paiza("tjk-duty", "tasks", "assign", message_id, "--officer", "liaison", "--json").json
    assert given["assignee"].endswith("/liaison")
    assert seen(paiza, "tjk-liaison", message_id)
    assert message_id in [each["id"] for each in paiza("tjk-liaison", "tasks", "list", "--json").json["tasks"]]
    assert paiza("tjk-liaison", "tasks", "ack", message_id, "--json").json["state"] == "done"
    assert paiza("tjk-liaison", "tasks", "done", message_id, "--json").json["state"] == "done"
    assert message_id not in [each["id"] for each in paiza("tjk-liaison", "tasks", "list", "--json").json["tasks"]]
    own = [each["event"] for each in paiza("tjk-auditor", "audit", "trail", message_id, "--json").json["own"]]
    # The lists above showed its subject; the last entry is of the trail itself.
    assert [each for each in own if each != "SUBJECTS_SHOWN"] == [
        "RECEIVED", "ASSIGNED", "ACKNOWLEDGED", "DONE", "CONSULTED",
    ]  # fmt: skip


def test_who_only_oversees_cannot_give_himself_sight(paiza: Paiza, divided: Federation, tmp_path: Path) -> None:
    """A coordinator lists work of other units and gives it to others; taking it himself is denied and logged."""
    message_id = sent_to(paiza, divided, tmp_path, "operations")
    for act in (("take",), ("ack",), ("done",), ("assign", "--officer", "coordinator")):
        name, *rest = act
        denied = paiza("tjk-coordinator", "tasks", name, message_id, *rest, "--json")
        assert json.loads(denied.err)["reason"] == "policy_denied", act
    assert paiza("tjk-coordinator", "tasks", "assign", message_id, "--officer", "liaison", "--json").code == 0
    refused = paiza("tjk-coordinator", "open", message_id, "--json")
    assert json.loads(refused.err)["reason"] == "policy_denied"
    own = [each["event"] for each in paiza("tjk-auditor", "audit", "trail", message_id, "--json").json["own"]]
    assert own == ["RECEIVED", *["DENIED"] * 4, "ASSIGNED", "DENIED", "CONSULTED"]


def test_an_answer_reaches_the_unit_that_asked(paiza: Paiza, divided: Federation, tmp_path: Path) -> None:
    """A reply to a message of a unit belongs to that unit, even if it names none."""
    draft = tmp_path / "question.yaml"
    draft.write_text(DRAFT.replace("to: [tjk]", "to: [kaz]"))
    asked = str(paiza("tjk-liaison", "send", "free-message", draft, "--json").json["id"])
    asyncio.run(asyncio.wait_for(arrives(divided, "kaz-liaison", asked), 60))
    answer = tmp_path / "answer.yaml"
    answer.write_text(DRAFT.replace("to: [tjk]\n", ""))
    answered = str(paiza("kaz-liaison", "reply", asked, answer, "--json").json["id"])
    asyncio.run(asyncio.wait_for(arrives(divided, "tjk-duty", answered), 60))
    assert seen(paiza, "tjk-liaison", answered)
    assert not seen(paiza, "tjk-authoriser", answered)


def test_a_deputy_sees_a_units_messages_until_the_end(paiza: Paiza, divided: Federation, tmp_path: Path) -> None:
    """Appointed by name, listed, and ended; then the message is unknown again, and the log says who had it when."""
    message_id = sent_to(paiza, divided, tmp_path, "operations")
    assert not seen(paiza, "tjk-liaison", message_id)
    said = paiza("tjk-authoriser", "tasks", "deputy", "liaison", "--until", "8h")
    assert "liaison is the deputy of authoriser until" in said.out
    assert [
        each["deputy"].rpartition("/")[2] for each in paiza("tjk-duty", "tasks", "deputy", "list", "--json").json
    ] == ["liaison"]
    assert seen(paiza, "tjk-liaison", message_id)
    assert paiza("tjk-liaison", "open", message_id, "--json").json["content"]["subject"] == "Exercise"
    assert message_id in [each["id"] for each in paiza("tjk-liaison", "tasks", "list", "--json").json["tasks"]]
    assert json.loads(paiza("tjk-liaison", "tasks", "take", message_id, "--json").err)["reason"] == "policy_denied"
    assert paiza("tjk-liaison", "tasks", "ack", message_id, "--json").json["state"] == "done"
    assert paiza("tjk-authoriser", "tasks", "deputy", "--end", "--json").code == 0
    assert not seen(paiza, "tjk-liaison", message_id)
    assert json.loads(paiza("tjk-liaison", "open", message_id, "--json").err)["reason"] == "unknown_id"
    assert json.loads(paiza("tjk-authoriser", "tasks", "deputy", "--end", "--json").err)["reason"] == "wrong_deputy"
    logged = paiza("tjk-auditor", "audit", "log", "--event", "DEPUTY_APPOINTED", "--json").json
    assert len(logged["entries"] if isinstance(logged, dict) else logged) == 1


@pytest.mark.usefixtures("divided")
def test_a_unit_reads_its_notes_until_the_hand_over(paiza: Paiza) -> None:
    """They stand above its tasks; another unit has its own."""
    assert paiza("tjk-authoriser", "tasks", "note", "The lorry is due at night.").code == 0
    assert "The lorry is due at night." in paiza("tjk-authoriser", "tasks", "list").out
    assert "The lorry" not in paiza("tjk-liaison", "tasks", "list").out
    assert paiza("tjk-authoriser", "tasks", "handover", "Nothing is open.").code == 0
    assert [each["text"] for each in paiza("tjk-authoriser", "tasks", "note", "--json").json] == ["Nothing is open."]


def test_an_unknown_unit_is_refused(paiza: Paiza, divided: Federation, tmp_path: Path) -> None:
    """Tasks are assigned only to units and officers there are."""
    message_id = sent_to(paiza, divided, tmp_path, "")
    refused: Any = paiza("tjk-duty", "tasks", "assign", message_id, "--unit", "no-such-unit", "--json")
    assert json.loads(refused.err)["reason"] == "unknown_unit"


def test_only_those_who_oversee_see_all_work(divided: Federation) -> None:
    """An officer of one unit who asks for everything is refused."""
    liaison = Officer(divided.folder, "tjk-liaison")

    async def ask() -> str:
        async with liaison.channel() as channel:
            stub = task_pb2_grpc.TaskServiceStub(channel)
            try:
                await stub.ListTasks(task_pb2.ListTasksRequest(scope=task_pb2.TASK_SCOPE_ALL))
            except Exception as error:  # noqa: BLE001 - its reason is looked at
                return str(dict(error.trailing_metadata())["paiza-reason"])  # type: ignore[attr-defined]
        return "listed"

    assert asyncio.run(ask()) == "policy_denied"


def test_whatever_else_is_asked_of_anothers_message_is_refused_and_logged(
    paiza: Paiza, divided: Federation, tmp_path: Path
) -> None:
    """Forwarding, exporting, trail, evidence and holders: each refusal stands in the log by name."""
    message_id = sent_to(paiza, divided, tmp_path, "operations")
    digest = bytes.fromhex(paiza("tjk-duty", "thread", message_id, "--json").json[0]["digest"])
    liaison = Officer(divided.folder, "tjk-liaison")

    async def reasons() -> list[str]:
        found = []
        said: dict[str, Any] = {"purpose": "investigate", "reason_text": "Exercise."}

        async def reason_of(call: Any) -> str:
            try:
                await call
            except Exception as error:  # noqa: BLE001 - its reason is looked at
                return str(dict(error.trailing_metadata())["paiza-reason"])  # type: ignore[attr-defined]
            return ""

        async with liaison.channel() as channel:
            delivery_kind, audit = (
                forwarding_pb2_grpc.ForwardingServiceStub(channel),
                audit_pb2_grpc.AuditServiceStub(channel),
            )
            request = forwarding_pb2.ForwardRequest(message_digest=digest, recipients=["uzb"], **said)
            found.append(await reason_of(delivery_kind.Forward(request)))
            export = forwarding_pb2.AuthorizeExportRequest(
                message_digests=[digest],
                audience=forwarding_pb2.EXPORT_AUDIENCE_OWN_UNIT,
                recipient_text="Invented bureau",
                **said,
            )
            found += [each.rejection.reason for each in (await delivery_kind.AuthorizeExport(export)).results]
            for call in (
                delivery_kind.ListHolders(forwarding_pb2.ListHoldersRequest(message_digest=digest)),
                audit.GetTrail(audit_pb2.GetTrailRequest(message_digest=digest)),
                audit.GetEvidence(audit_pb2.GetEvidenceRequest(message_digest=digest)),
            ):
                found.append(await reason_of(call))
        return found

    assert asyncio.run(reasons()) == ["unknown_id"] * 5
    trail = paiza("tjk-auditor", "audit", "trail", message_id, "--json").json["own"]
    denied = [(each["actor"], each["reason"]) for each in trail if each["event"] == "DENIED"]
    assert denied == [(liaison.id, "unknown_id")] * 5
