"""Renewal by itself: a command that connects in the last month renews, and what breaks off costs no keys."""

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from paiza.officer.v1 import renewal_pb2, renewal_pb2_grpc
from paiza_client.__main__ import run as paiza
from paiza_officer import profiles, renewal, unlocked
from paiza_officer.agent import client
from paiza_officer.agent.start import start
from paiza_officer.connection import Connection
from paiza_officer.errors import Refused, Unreachable
from paiza_officer.profiles import Profile
from paiza_officer.renewal import Renewal
from paiza_wire.identity.tokens import Tokens
from tests.integration.enrolment.desk import Desk

PASSPHRASE = b"correct horse battery staple"
PAE = b"DSSEv1 4 type 4 data"


REGISTER = SimpleNamespace()
"""The register of the connection; it names the CAs of the desk."""


def passphrase() -> bytes:
    """Return the passphrase of the profile."""
    return PASSPHRASE


def never(*_label: str) -> bytes:
    """Fail where somebody is asked without need."""
    raise AssertionError("a passphrase or a PIN was asked for")


class Node:
    """The node as the stub of the client sees it; ``lose`` is raised in place of an answer, once."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.lose: Exception | None = None
        self.asked: list[renewal_pb2.RenewRequest] = []

    async def Renew(self, request: renewal_pb2.RenewRequest, timeout: float) -> renewal_pb2.RenewResponse:  # noqa: N802, ASYNC109 - as gRPC names them
        """Answer as the node does."""
        assert timeout
        self.asked.append(request)
        officer = "spiffe://kaz.paiza.example/officer/petrov"
        answer = await asyncio.to_thread(lambda: self.desk.run(self.desk.renew.renew(officer, request)))
        lost, self.lose = self.lose, None
        if lost is not None:
            raise lost
        return answer


@pytest.fixture
def node(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Node:
    """The node, in place of its stub."""
    made = Node(desk)
    monkeypatch.setattr(renewal_pb2_grpc, "RenewalServiceStub", lambda _channel: made)
    return made


@pytest.fixture
def profile(desk: Desk, home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Iterator[Profile]:
    """An officer whose certificates end in ten days."""
    REGISTER.certificate_verifier = desk.authorities.verifier
    desk.issuer.life = timedelta(days=10)
    paiza(["enrol", str(desk.invited("petrov", tmp_path)), "--json"])
    capfd.readouterr()
    desk.confirm("petrov")
    desk.issuer.life = timedelta(days=90)
    with tempfile.TemporaryDirectory(prefix="paiza-") as runtime, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", runtime)
        made = profiles.load(home / "kaz-petrov")
        yield made
        client.lock(made.folder)


async def renew(profile: Profile, ask: Callable[..., bytes] = passphrase) -> Renewal | None:
    """Renew as a command does that has just connected."""
    now = datetime.now(UTC)
    with Tokens(never) as tokens:
        signer = partial(unlocked.signer, profile, ask, tokens, now)
        credentials = unlocked.authentication(profile, ask)
        connection = Connection(profile, credentials, signer, cast("Any", None), cast("Any", REGISTER))
        return await renewal.renew_if_due(connection, ask, never, now)


async def test_new_keys_are_made_and_used(node: Node, desk: Desk, profile: Profile) -> None:
    """The profile names new keys and certificates; the next command has nothing to do."""
    done = await renew(profile)
    assert done is not None
    assert done.error is None
    assert done.expiry_time - desk.clock.now > timedelta(days=89)
    renewed = profiles.load(profile.folder)
    assert renewed.authentication_key != profile.authentication_key
    assert renewed.signing_key != profile.signing_key
    assert profiles.open_credentials(renewed, passphrase).certificate_der
    assert (renewed.node, renewed.root) == (profile.node, profile.root)
    assert await renew(renewed) is None
    assert len(node.asked) == 1


async def test_a_certificate_is_renewed_before_the_announced_end_of_its_ca(
    node: Node, desk: Desk, profile: Profile
) -> None:
    """Its own end is far; others refuse it from the end of its CA on."""
    await renew(profile)
    renewed = profiles.load(profile.folder)
    desk.authorities.officer_end = datetime.now(UTC) + timedelta(days=20)
    done = await renew(renewed)
    assert done == Renewal(desk.authorities.officer_end)
    assert len(node.asked) == 2
    # It gained nothing, since the CA ends all the same: not every command tries again.
    assert await renew(profiles.load(profile.folder)) is None
    assert len(node.asked) == 2


async def test_a_lost_answer_is_asked_for_again(node: Node, desk: Desk, profile: Profile) -> None:
    """The same statement goes again, and has one entry in the log."""
    node.lose = Unreachable("node_unreachable", profile.node)
    lost = await renew(profile)
    assert lost is not None
    assert lost.error is not None
    assert profiles.load(profile.folder) == profile, "the present keys are in use until there are new certificates"
    done = await renew(profile)
    assert done is not None
    assert done.error is None
    assert node.asked[0] == node.asked[1]
    assert desk.events().count("OFFICER_RENEWAL") == desk.events().count("OFFICER_CERTIFIED") - 1 == 1


@pytest.mark.parametrize("at", range(6))
async def test_a_command_that_stops_at_any_write_costs_nothing(
    node: Node, profile: Profile, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """Whichever file was the last one that reached the disk, the next command renews with the same keys."""
    moves = []
    replace = Path.replace

    def counted(self: Path, target: Path) -> Path:
        moves.append(target)
        if len(moves) > at:
            raise KeyboardInterrupt
        return replace(self, target)

    with monkeypatch.context() as broken:
        broken.setattr(Path, "replace", counted)
        try:
            await renew(profile)
        except KeyboardInterrupt:
            assert profiles.load(profile.folder) == profile
    present = profiles.load(profile.folder)
    if present == profile:
        assert await renew(present)
    renewed = profiles.load(profile.folder)
    assert renewed.signing_key != profile.signing_key
    assert len(list(profile.folder.glob("signing-*.key"))) == 2
    assert len({each.statement for each in node.asked}) == 1


async def test_a_refusal_is_told_and_leaves_the_profile(node: Node, desk: Desk, profile: Profile) -> None:
    """What the node refuses for good is not asked again: another statement is made, a day later."""
    node.lose = Refused("issuer_missing", profile.node)
    refused = await renew(profile)
    assert refused is not None
    assert refused.error is not None
    assert (refused.error.reason, profiles.load(profile.folder)) == ("issuer_missing", profile)
    assert refused.expiry_time - desk.clock.now < timedelta(days=11)
    assert not list(profile.folder.glob("*.request"))
    assert await renew(profile) is None
    assert len(node.asked) == 1


async def test_an_agent_renews_without_asking(node: Node, profile: Profile) -> None:
    """The agent makes the keys under the same passphrase, and signs with the new one afterwards."""
    start(profile, timedelta(minutes=5), passphrase, never)
    done = await renew(profile, never)
    assert done is not None
    assert done.error is None
    renewed = profiles.load(profile.folder)
    with Tokens(never) as tokens:
        assert unlocked.signer(renewed, never, tokens, datetime.now(UTC)).sign(PAE)
    assert unlocked.authentication(renewed, never) == profiles.open_credentials(renewed, passphrase)
    assert len(node.asked) == 1


async def test_a_suspended_officer_renews_nothing(node: Node, desk: Desk, profile: Profile) -> None:
    """The error is the one that the node gives, and no entry is made."""
    desk.suspend("petrov")
    told = await renew(profile)
    assert told is not None
    assert told.error is not None
    assert told.error.reason == "officer_suspended"
    assert "OFFICER_RENEWAL" not in desk.events()
    assert node.asked
