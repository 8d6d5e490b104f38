"""Four eyes as officers meet it: one writes, another reads the whole and signs, neither sends alone."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from paiza.core.v1 import message_pb2
from paiza.officer.v1 import (
    approval_pb2,
    approval_pb2_grpc,
    attachment_pb2,
    attachment_pb2_grpc,
    officer_pb2,
    officer_pb2_grpc,
)
from paiza_wire import message as wire
from tests.federation import Federation
from tests.integration.client.conftest import Paiza
from tests.officer import Officer
from tests.two_verifiers import agreed, second_verifier

# An annex to more than one other member: two officers must sign.
NOMINAL = """\
kind: information-request
to: [tjk, uzb]
urgency: routine
handling: {tlp: AMBER, code: H2, classification: 1}
review: 3 years
content:
  reference: EX-2
  subject: Exercise
  purposes: [investigate]
  facts: An invented lorry.
  questions:
    - number: 1
      text: Did it cross?
  why_addressee: The invented road leads there.
annex:
  persons:
    - surname: Fictional
      role: driver
      category: suspect
"""


@pytest.fixture
def nominal(tmp_path: Path) -> Path:
    """A draft that two officers must sign."""
    path = tmp_path / "nominal.yaml"
    path.write_text(NOMINAL)
    return path


def submitted(paiza: Paiza, draft: Path) -> Any:
    """Send the draft as the liaison officer of kaz, with the duty officer as the second."""
    return paiza("kaz-liaison", "send", "information-request", draft, "--second", "duty", "--json").json


def events(paiza: Paiza, message_id: str) -> list[str]:
    """Name what the own log says of a message, oldest first, but for that it was asked."""
    found = paiza("kaz-auditor", "audit", "trail", message_id, "--json").json
    return [each["event"] for each in found["own"] if each["event"] != "CONSULTED"]


def test_one_writes_another_signs_and_only_then_it_goes(
    paiza: Paiza, federation: Federation, nominal: Path, tmp_path: Path
) -> None:
    """A message is released only with the second signature; the recipients get both signatures."""
    waiting = submitted(paiza, nominal)
    assert (waiting["state"], waiting["missing"]) == ("waiting", ["spiffe://kaz.paiza.example/officer/duty"])
    assert [each["second"] for each in paiza("kaz-liaison", "outbox", "list", "--json").json] == [True]
    sent = paiza("kaz-duty", "inbox", "--sent", "--json").json["messages"]
    assert waiting["id"] not in [each["id"] for each in sent]
    listed = paiza("kaz-duty", "approve", "--json").json
    assert [each["for_me"] for each in listed if each["id"] == waiting["id"]] == [True]
    signed = paiza("kaz-duty", "approve", waiting["id"], "--yes", "--json").json
    assert signed["state"] == "released"
    assert signed["content"][1]["persons"][0]["surname"] == "Fictional"
    opened = paiza("kaz-liaison", "open", waiting["id"], "--json").json
    assert [each["id"].rpartition("/")[2] for each in opened["verified"]["signers"]] == ["liaison", "duty"]
    own = events(paiza, waiting["id"])
    assert [each for each in own if each not in {"OPENED", "DELIVERED"}] == [
        "SUBMITTED", "APPROVED", "RELEASED", "RELEASED",
    ]  # fmt: skip
    assert own.index("OPENED") < own.index("APPROVED")
    # The writer's outbox hears of it at the next command.
    assert paiza("kaz-liaison", "outbox", "list", "--json").json == []
    file = tmp_path / "evidence.zip"
    assert paiza("kaz-liaison", "audit", "evidence", waiting["id"], "-o", file).code == 0
    found = agreed(second_verifier(), file.read_bytes(), (federation.folder / "root.json").read_bytes())
    assert found is not None
    assert [each["id"].rpartition("/")[2] for each in found["signed"]] == ["liaison", "duty"]


def test_the_writer_cannot_be_the_second_officer(paiza: Paiza, federation: Federation, nominal: Path) -> None:
    """Neither by the command nor by calling the node: the refusal is logged, and the message still waits."""
    waiting = submitted(paiza, nominal)
    assert json.loads(paiza("kaz-liaison", "approve", waiting["id"], "--yes", "--json").err)["reason"] == (
        "self_approval"
    )
    officer = Officer(federation.folder, "kaz-liaison")

    async def force() -> str:
        async with officer.channel() as channel:
            stub = approval_pb2_grpc.ApprovalServiceStub(channel)
            shown = await stub.GetPendingApproval(
                approval_pb2.GetPendingApprovalRequest(message_digest=bytes.fromhex(waiting["digest"]))
            )
            signature = wire.countersign(shown.message.header, officer.signer)
            request = approval_pb2.ApproveRequest(message_digest=bytes.fromhex(waiting["digest"]), signature=signature)
            try:
                await stub.Approve(request)
            except Exception as error:  # noqa: BLE001 - its text is looked at
                return str(dict(error.trailing_metadata())["paiza-reason"])  # type: ignore[attr-defined]
        return "approved"

    assert asyncio.run(force()) == "self_approval"
    paiza("kaz-liaison", "approve", waiting["id"], "--decline", "--json")


def test_who_is_not_named_neither_reads_nor_signs(paiza: Paiza, federation: Federation, nominal: Path) -> None:
    """An officer of the same member whom the header does not name gets nothing of it."""
    waiting = submitted(paiza, nominal)
    officer = Officer(federation.folder, "kaz-authoriser")

    async def ask() -> list[str]:
        reasons = []
        async with officer.channel() as channel:
            stub = approval_pb2_grpc.ApprovalServiceStub(channel)
            digest = bytes.fromhex(waiting["digest"])
            signature = message_pb2.Signature(signer_id=officer.id, certificate=b"x", signature=b"y")
            for call in (
                stub.GetPendingApproval(approval_pb2.GetPendingApprovalRequest(message_digest=digest)),
                stub.Approve(approval_pb2.ApproveRequest(message_digest=digest, signature=signature)),
                stub.Decline(approval_pb2.DeclineRequest(message_digest=digest, reason_text="no")),
            ):
                try:
                    await call
                except Exception as error:  # noqa: BLE001 - its reason is looked at
                    reasons.append(str(dict(error.trailing_metadata())["paiza-reason"]))  # type: ignore[attr-defined]
        return reasons

    assert asyncio.run(ask()) == ["unknown_id"] * 3
    paiza("kaz-liaison", "approve", waiting["id"], "--decline", "--json")


def test_a_declined_message_never_goes_and_its_writer_is_told(paiza: Paiza, nominal: Path) -> None:
    """Declining needs a reason; afterwards the outbox shows the refusal, and nobody can sign any more."""
    waiting = submitted(paiza, nominal)
    assert json.loads(paiza("kaz-duty", "approve", waiting["id"], "--decline", "--json").err)["reason"] == (
        "reason_missing"
    )
    paiza("kaz-duty", "approve", waiting["id"], "--decline", "--reason", "The name is wrong.", "--json")
    assert json.loads(paiza("kaz-duty", "approve", waiting["id"], "--yes", "--json").err)["reason"] == "unknown_id"
    paiza("kaz-liaison", "outbox", "flush", "--json")
    listed = paiza("kaz-liaison", "outbox", "list", "--json").json
    assert [each["refused"] for each in listed if each["id"] == waiting["id"]] == ["approval_declined"]
    paiza("kaz-liaison", "outbox", "drop", waiting["id"], "--yes")


def test_a_withdrawn_message_leaves_the_outbox(paiza: Paiza, nominal: Path) -> None:
    """The writer who withdraws is told so; nothing waits or is refused at the next command."""
    waiting = submitted(paiza, nominal)
    withdrawn = paiza("kaz-liaison", "approve", waiting["id"], "--decline")
    assert "The message is withdrawn; it will not be sent." in withdrawn.out
    listed = paiza("kaz-liaison", "outbox", "list", "--json").json
    assert [each for each in listed if each["id"] == waiting["id"]] == []
    assert "outbox" not in paiza("kaz-liaison", "approve").err


def test_what_waits_survives_a_killed_node(paiza: Paiza, federation: Federation, nominal: Path) -> None:
    """The message still waits after kill -9, a repeated submission is the same, and it can be signed."""
    waiting = submitted(paiza, nominal)
    federation.node("kaz").kill()
    federation.node("kaz").start()
    assert [each["state"] for each in paiza("kaz-liaison", "outbox", "flush", "--json").json] == ["waiting"]
    assert paiza("kaz-duty", "approve", waiting["id"], "--yes", "--json").json["state"] == "released"
    assert [each for each in events(paiza, waiting["id"]) if each == "SUBMITTED"] == ["SUBMITTED"]


def test_two_officers_must_be_named(paiza: Paiza, nominal: Path) -> None:
    """A message without a second officer is refused before anything is sealed."""
    refused = paiza("kaz-liaison", "send", "information-request", nominal, "--json")
    assert json.loads(refused.err.splitlines()[-1])["problems"][0]["code"] == "second_officer_missing"


def test_colleagues_are_listed_to_choose_from(paiza: Paiza) -> None:
    """An officer sees the officers of their own member with roles and units."""
    found = paiza("kaz-liaison", "approve", "--officers", "--json").json
    assert {each["name"]: each["roles"] for each in found}["authoriser"] == ["authoriser"]


def test_the_second_officer_who_watches_is_told(paiza: Paiza, federation: Federation, nominal: Path) -> None:
    """The second officer is notified at once; the watch of an officer who is not named stays empty."""
    before = submitted(paiza, nominal)
    assert paiza("kaz-duty", "approve", before["id"], "--yes", "--json").json["state"] == "released"
    duty, authoriser = (Officer(federation.folder, name) for name in ("kaz-duty", "kaz-authoriser"))

    async def heard(watch: AsyncIterator[officer_pb2.WatchResponse], digest: str) -> list[str]:
        """Return the codes of the notices that come before news of a message."""
        codes: list[str] = []
        while True:
            answer = await anext(watch)
            codes.extend(notice.code for notice in answer.notices)
            if digest in {message.message_digest.hex() for message in answer.messages}:
                return codes

    async def watched() -> tuple[list[str], list[str]]:
        async with duty.channel() as one, authoriser.channel() as other:
            request = officer_pb2.WatchRequest(after_sequence=0)
            told = aiter(officer_pb2_grpc.OfficerServiceStub(one).Watch(request))
            untold = aiter(officer_pb2_grpc.OfficerServiceStub(other).Watch(request))
            # What is there already comes first; when it comes, both watches have begun.
            await asyncio.gather(heard(told, before["digest"]), heard(untold, before["digest"]))
            waiting = await asyncio.to_thread(submitted, paiza, nominal)
            await asyncio.to_thread(paiza, "kaz-duty", "approve", waiting["id"], "--yes", "--json")
            return await heard(told, waiting["digest"]), await heard(untold, waiting["digest"])

    told, untold = asyncio.run(watched())
    assert "approval_asked" in told
    assert not [code for code in untold if code.startswith("approval")]


def test_a_watch_that_begins_is_told_what_waits_already(paiza: Paiza, federation: Federation, nominal: Path) -> None:
    """A second officer who was not watching is notified first; the author and others get no notice."""
    waiting = submitted(paiza, nominal)
    names = ("kaz-duty", "kaz-liaison", "kaz-authoriser")

    async def first(name: str) -> list[tuple[str, str]]:
        """Return the notices about this message that come before the first message."""
        found = []
        async with Officer(federation.folder, name).channel() as channel:
            request = officer_pb2.WatchRequest(after_sequence=0)
            async for answer in officer_pb2_grpc.OfficerServiceStub(channel).Watch(request):
                if answer.messages:
                    break
                found += [
                    (notice.code, notice.text.en)
                    for notice in answer.notices
                    if notice.message_digest.hex() == waiting["digest"]
                ]
        return found

    async def all_of() -> list[list[tuple[str, str]]]:
        return await asyncio.wait_for(asyncio.gather(*map(first, names)), 60)

    duty, liaison, authoriser = asyncio.run(all_of())
    assert [code for code, _text in duty] == ["approval_asked"]
    assert f"paiza approve {waiting['id'][:18]}" in duty[0][1]
    assert (liaison, authoriser) == ([], [])
    paiza("kaz-liaison", "approve", waiting["id"], "--decline", "--json")


def test_the_second_officer_reads_the_attachments_before_he_signs(
    paiza: Paiza, federation: Federation, nominal: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second officer saves them while the message waits, each opening logged with its part; others get none."""
    (tmp_path / "list.csv").write_text("place,count\nhere,3\n")
    waiting = paiza(
        "kaz-liaison", "send", "information-request", nominal, "--second", "duty", "--attach", tmp_path / "list.csv",
        "--json",
    ).json  # fmt: skip
    assert waiting["state"] == "waiting"
    digest = bytes.fromhex(waiting["digest"])

    async def force() -> list[str]:
        reasons = []
        async with Officer(federation.folder, "kaz-authoriser").channel() as channel:
            key = approval_pb2.GetPendingApprovalRequest(message_digest=digest, attachment_number=2)
            download = attachment_pb2.DownloadRequest(message_digest=digest, part_number=2)
            stream = attachment_pb2_grpc.AttachmentServiceStub(channel).Download(download)
            for call in (approval_pb2_grpc.ApprovalServiceStub(channel).GetPendingApproval(key), anext(aiter(stream))):
                try:
                    await call
                except Exception as error:  # noqa: BLE001 - its reason is looked at
                    reasons.append(str(dict(error.trailing_metadata())["paiza-reason"]))  # type: ignore[attr-defined]
        return reasons

    assert asyncio.run(force()) == ["unknown_id"] * 2
    monkeypatch.setattr("sys.stdin", io.StringIO())
    unseen = paiza("kaz-duty", "approve", waiting["id"])  # nobody answers the question
    assert (unseen.code, "1 attachment belongs to it" in unseen.err) == (3, True)
    assert "unconfirmed (Sign this message?)" in unseen.err
    folder = tmp_path / "seen"
    folder.mkdir()
    signed = paiza("kaz-duty", "approve", waiting["id"], "--attachments", folder, "--yes", "--json").json
    assert (signed["state"], (folder / "list.csv").read_text()) == ("released", "place,count\nhere,3\n")
    (saved,) = signed["attachments"]
    assert (saved["part"], saved["name"], saved["media_type"], saved["size"]) == (2, "list.csv", "text/plain", 19)
    found = paiza("kaz-auditor", "audit", "trail", waiting["id"], "--json").json["own"]
    opened = [each for each in found if each["event"] == "OPENED" and each["part"] == 2]
    assert [each["actor"].rpartition("/")[2] for each in opened] == ["duty"]
    assert [each["event"] for each in found].count("DENIED") == 2
