"""Officers who may not act: each is told exactly why and what to do, in both languages."""

import asyncio
import json
import shutil
from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from paiza.officer.v1 import officer_pb2, officer_pb2_grpc
from paiza_node.__main__ import run as run_node
from paiza_node.ops.admin.client import AdminClient
from paiza_wire.identity import SpiffeId
from tests.federation import Federation, NodeProcess
from tests.integration.client.conftest import Paiza
from tests.profiles import USES
from tests.registers import read_register
from tests.system.minting import Identity, Mint

CUT_SECONDS = 60.0  # a limit on shared machines, not a measure
REMEDIES = {
    "officer_not_enrolled": ("paiza enrol", "paiza enrol"),
    "officer_suspended": ("Ask the administrator of your node why", "Узнайте причину у администратора"),
    "officer_removed": ("invite you again", "пригласить вас заново"),
    "wrong_certificate": ("authentication_certificate is for the node", "authentication_certificate — для связи"),
}


class Visitor:
    """An officer of kaz with a profile of their own, and the operator who decides about them."""

    def __init__(self, federation: Federation) -> None:
        self.node: NodeProcess = federation.node("kaz")
        self.folder = federation.home / "kaz-visitor"
        self.mint = Mint(federation.folder, read_register(federation.folder))
        self.id = SpiffeId("kaz", self.mint.register.federation, "officer", "visitor")
        known = federation.home / "kaz-liaison"
        self.folder.mkdir(mode=0o700)
        settings = (known / "profile.toml").read_text().replace("/officer/liaison", "/officer/visitor")
        (self.folder / "profile.toml").write_text(settings)
        shutil.copy(known / "root.json", self.folder)
        self.identities = {use: self.mint.issue("kaz", "officer", self.id, use=use) for use in USES}
        for use, identity in self.identities.items():
            self.write(use, identity)

    def write(self, use: str, identity: Identity) -> None:
        """Put a key with its certificate into the profile."""
        for path, data in (
            (self.folder / f"{use}.key", identity.key_pem),
            (self.folder / f"{use}.crt", identity.certificate_pem),
        ):
            path.write_bytes(data)
            path.chmod(0o600)

    def admit(self) -> None:
        """Admit the officer."""
        admission = self.mint.admission("kaz", "visitor", self.identities["authentication"])
        admission.signing_certificate = self.identities["signing"].certificate
        with AdminClient(self.node.admin_socket) as operator:
            operator.admit_officers([admission])

    def operate(self, *arguments: str) -> None:
        """Run a command of `paiza-node officer`."""
        assert run_node(["officer", *arguments, "--config", str(self.node.config), "--json"]) == 0


@pytest.fixture
def visitor(federation: Federation) -> Iterator[Visitor]:
    """An officer who is certified and not enrolled."""
    visitor = Visitor(federation)
    yield visitor
    shutil.rmtree(visitor.folder)


def test_each_is_told_why_in_both_languages(visitor: Visitor, paiza: Paiza) -> None:
    """The first connection of a fresh profile too, without a cached register."""

    def told(reason: str, code: int = 3) -> None:
        for lang, remedy in zip(("en", "ru"), REMEDIES[reason], strict=True):
            ran = paiza("kaz-visitor", "inbox", "--json", "--lang", lang)
            error = json.loads(ran.err)
            assert (ran.code, error["reason"]) == (code, reason)
            assert remedy in error["remedy"]

    told("officer_not_enrolled")
    visitor.admit()
    assert paiza("kaz-visitor", "inbox", "--json").code == 0
    visitor.operate("suspend", "visitor", "--reason", "exercise")
    told("officer_suspended")
    visitor.operate("reinstate", "visitor", "--reason", "exercise")
    assert paiza("kaz-visitor", "inbox", "--json").code == 0
    visitor.write("authentication", visitor.identities["signing"])
    told("wrong_certificate", 6)
    visitor.write("authentication", visitor.identities["authentication"])
    visitor.operate("remove", "visitor", "--reason", "exercise")
    told("officer_removed")
    said = [json.loads(line) for line in visitor.node.log.read_text().splitlines() if line.startswith("{")]
    named = {each["reason"] for each in said if each.get("event") == "denied" and each["officer"] == str(visitor.id)}
    assert {"officer_not_enrolled", "officer_suspended", "officer_removed"} <= named
    by = paiza("kaz-auditor", "audit", "log", "--event", "DENIED", "--by", str(visitor.id), "--json").json["entries"]
    assert len(by) >= len(named)


async def test_a_suspension_cuts_the_open_streams_of_that_officer_alone(visitor: Visitor) -> None:
    """At once, with the reason, without a restart; another officer's watch goes on."""
    visitor.admit()
    address, register = visitor.node.address, visitor.mint.register
    liaison = visitor.mint.officer("kaz-liaison")
    async with (
        visitor.identities["authentication"].channel(address, "kaz", register) as own,
        liaison.channel(address, "kaz", register) as other,
    ):
        cut, goes_on = (asyncio.ensure_future(_watched(channel)) for channel in (own, other))
        for channel in (own, other):  # answered after the watch of the same connection has begun
            await _session(channel)
        await asyncio.to_thread(visitor.operate, "unit", "visitor", "elsewhere")
        async with asyncio.timeout(CUT_SECONDS):
            assert await cut == "busy"  # the client opens it again, and sees what the new unit may see
        cut = asyncio.ensure_future(_watched(own))
        await _session(own)
        await asyncio.to_thread(visitor.operate, "suspend", "visitor", "--reason", "exercise")
        async with asyncio.timeout(CUT_SECONDS):
            assert await cut == "officer_suspended"
        assert not goes_on.done()
        goes_on.cancel()
    await asyncio.to_thread(visitor.operate, "remove", "visitor", "--reason", "exercise")


async def _session(channel: grpc.aio.Channel) -> None:
    await officer_pb2_grpc.OfficerServiceStub(channel).GetSession(officer_pb2.GetSessionRequest(), timeout=60)


async def _watched(channel: grpc.aio.Channel) -> str:
    """Watch until the node ends it; return the reason."""
    stub: Any = officer_pb2_grpc.OfficerServiceStub(channel)
    try:
        async for _response in stub.Watch(officer_pb2.WatchRequest()):
            pass
    except grpc.aio.AioRpcError as error:
        return str(dict(error.trailing_metadata() or ()).get("paiza-reason"))
    return "ended"
