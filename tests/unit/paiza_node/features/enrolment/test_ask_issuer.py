"""The node and its issuer over a real socket: a real log, a real register, cosignatures by another member."""

import asyncio
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from paiza.core.v1 import log_pb2
from paiza.issuer.v1 import issuer_pb2
from paiza_node.core.api.issuer_server import IssuerChannel, issuer_server
from paiza_node.core.log.ledger import Ledger
from paiza_node.core.log.signer import LogSigner
from paiza_node.core.storage import open_store
from paiza_node.features.enrolment import ask_issuer
from paiza_node.features.enrolment.ask_issuer import AskIssuer
from paiza_node.features.enrolment.issuing import EnrolmentRequest, RenewalRequest
from paiza_node.features.witness.exchange import cosigners
from paiza_node.features.witness.rounds import Rounds
from paiza_node.ops.issuer import issue
from paiza_node.ops.issuer.service import IssuerService
from paiza_wire import log_entries
from paiza_wire.errors import PaizaError, Rejected, Unavailable
from paiza_wire.identity import SpiffeId, certificates, keys, statements
from paiza_wire.tlog.cosignatures import WitnessSigner, add_signatures, cosign
from paiza_wire.tlog.notes import SignerKey
from tests.unit.paiza_node.ops.issuer.asking import MEMBER, WITNESS, Asking, OfficerKeys
from tests.unit.paiza_node.room import NoFile
from tests.unit.paiza_register.ceremony.world import FEDERATION


class Between:
    """A node's log, the cosignatures of it, and the issuer that the node asks."""

    def __init__(self, folder: Path) -> None:
        self.asking = Asking(folder / "issuer")
        self.store = open_store(f"sqlite:///{folder / 'paiza.db'}")
        signer = SignerKey.from_ed25519(self.asking.log.origin, self.asking.applicant.log)
        self.ledger = Ledger(self.store, LogSigner([signer]), NoFile(), lambda: bytes(32), lambda: self.asking.now)
        self.rounds = Rounds(None)
        cache = SimpleNamespace(last=self.asking.reader.last)
        self.core: Any = SimpleNamespace(store=self.store, ledger=self.ledger, register_cache=cache)
        self.socket = folder / "issuer.sock"

    async def log(self, entry: log_pb2.LogEntry) -> int:
        """Commit an entry; return its index."""
        return (await self.ledger.commit(lambda tx: tx.append(entry))).result.index

    async def invite(self, name: str) -> tuple[int, bytes]:
        """Commit an invitation; return the index and the statement."""
        statement = self.asking.statements[self.asking.invite(name)]
        entry = log_entries.officer_invited(actor="os-user:root", invitation_sha256=sha256(statement).digest())
        return await self.log(entry), statement

    def cosign(self) -> None:
        """Let another member cosign the newest checkpoint."""
        checkpoint, now = self.ledger.checkpoint, self.asking.now
        register = self.asking.reader.current(now)
        assert register is not None
        self.rounds.begin(checkpoint, cosigners(register, MEMBER, now))
        witness = self.asking.world.members[WITNESS]
        signer = WitnessSigner.from_private_key(witness.document["witness_keys"][-1]["name"], witness.witness)
        self.rounds.add(WITNESS, add_signatures(checkpoint.note, [cosign(checkpoint, signer, now)]))

    @asynccontextmanager
    async def node(self) -> AsyncIterator[AskIssuer]:
        """Serve the issuer, and ask it as the node does."""
        server = issuer_server(self.socket, None, IssuerService(self.asking.issuer))
        await server.start()
        asks = AskIssuer(self.core, IssuerChannel(self.socket), self.asking.reader, self.rounds)
        try:
            yield asks
        finally:
            await asks.close()
            await server.stop(None)


@pytest.fixture
def between(tmp_path: Path) -> Iterator[Between]:
    """Return a node and its issuer."""
    made = Between(tmp_path)
    yield made
    made.ledger.close()
    made.store.close()


def enrolment(index: int, statement: bytes, officer: OfficerKeys) -> EnrolmentRequest:
    """Return what enrolment asks for an officer."""
    authentication, signing = officer.requests
    return EnrolmentRequest(index, statement, authentication, signing)


async def test_an_officer_is_enrolled_and_renewed_and_the_node_certified(
    between: Between, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Enrolment, renewal and a node's certificate, each for an entry of the log; the journal lists the officer's."""
    monkeypatch.setattr(issue, "OFFICER_LIFE", timedelta(days=30))
    officer, new, tls = OfficerKeys("petrov"), OfficerKeys("petrov"), keys.generate_p256()
    async with between.node() as issuer:
        index, statement = await between.invite("petrov")
        between.cosign()
        issued = await issuer.enrol(enrolment(index, statement, officer))
        assert await issuer.enrol(enrolment(index, statement, officer)) == issued
        confirmed = await between.log(
            log_entries.officer_confirmed(
                actor="os-user:root",
                authentication_certificate_sha256=sha256(issued.authentication).digest(),
                signing_certificate_sha256=sha256(issued.signing).digest(),
            )
        )
        asked = between.asking.statements[between.asking.ask_renewal(new)]
        entry = log_entries.officer_renewal(actor=str(new.id), request_sha256=sha256(asked).digest())
        index = await between.log(entry)
        between.cosign()
        signature = statements.sign_renewal(officer.signing, asked)
        renewed = await issuer.renew(RenewalRequest(index, asked, issued.signing, signature, confirmed))
        digest = keys.fingerprint(tls.public_key())
        index = await between.log(log_entries.key_announced(actor="os-user:root", key_sha256=digest, kind="tls"))
        between.cosign()
        csr = certificates.create_csr(SpiffeId(MEMBER, FEDERATION, "node"), tls)
        certified = await issuer.certify_node(index, csr)
        listed = await issuer.issued()
        assert await issuer.node_certificates() == [certified]
    assert [each.certificates for each in listed] == [issued, renewed]
    assert [each.renewed for each in listed] == [False, True]
    assert [each.statement for each in listed] == [statement, asked]


async def test_the_issuers_refusal_reaches_the_node(between: Between) -> None:
    """A refusal keeps its reason and its family over the socket."""
    async with between.node() as issuer:
        index, statement = await between.invite("petrov")
        between.cosign()
        await issuer.enrol(enrolment(index, statement, OfficerKeys("petrov")))
        with pytest.raises(Rejected) as refusal:
            await issuer.enrol(enrolment(index, statement, OfficerKeys("petrov")))
        assert refusal.value.reason == "already_issued"
        between.asking.now += between.asking.world.base.register.life * 4
        with pytest.raises(Unavailable) as unavailable:
            await issuer.enrol(enrolment(index, statement, OfficerKeys("petrov")))
        assert unavailable.value.reason == "register_expired"


async def test_an_entry_is_cosigned_before_the_issuer_is_asked(
    between: Between, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new entry is waited for; if no other member cosigns it, the caller is told so and may try again."""
    officer = OfficerKeys("petrov")
    async with between.node() as issuer:
        index, statement = await between.invite("petrov")
        monkeypatch.setattr(ask_issuer, "WITNESS_SECONDS", 0.0)
        with pytest.raises(Unavailable) as refusal:
            await issuer.enrol(enrolment(index, statement, officer))
        assert refusal.value.reason == "not_witnessed"
        monkeypatch.setattr(ask_issuer, "WITNESS_SECONDS", 20.0)
        asked = asyncio.create_task(issuer.enrol(enrolment(index, statement, officer)))
        await asyncio.sleep(0.05)
        between.cosign()
        assert (await asked).signing


async def test_a_newer_register_is_brought(between: Between) -> None:
    """The node brings its register before it asks; the issuer verifies it by itself."""
    officer = OfficerKeys("petrov")
    async with between.node() as issuer:
        index, statement = await between.invite("petrov")
        between.cosign()
        issued = await issuer.enrol(enrolment(index, statement, officer))
        held = between.asking.issuer.state().timestamp_version
        own = Asking(between.socket.parent / "node", world=between.asking.world)
        own.revoke(sha256(issued.signing).digest(), keys.fingerprint(officer.signing.public_key()))
        between.asking.now = own.now
        between.core.register_cache.last = own.reader.last
        asks = AskIssuer(between.core, IssuerChannel(between.socket), own.reader, between.rounds)
        new = OfficerKeys("petrov")
        asked = between.asking.statements[between.asking.ask_renewal(new)]
        entry = log_entries.officer_renewal(actor=str(new.id), request_sha256=sha256(asked).digest())
        index = await between.log(entry)
        between.cosign()
        signature = statements.sign_renewal(officer.signing, asked)
        with pytest.raises(PaizaError) as refusal:
            await asks.renew(RenewalRequest(index, asked, issued.signing, signature))
        await asks.close()
    assert refusal.value.reason == "certificate_revoked"
    assert between.asking.issuer.state().timestamp_version > held


async def test_a_register_by_strangers_is_refused(between: Between) -> None:
    """A thief of the socket cannot bring a register of its own: it does not follow the issuer's root."""
    stranger = Asking(between.socket.parent / "stranger")
    files = [issuer_pb2.RegisterFile(path=path, data=data) for path, data in stranger.world.held.files.items()]
    async with between.node():
        channel = IssuerChannel(between.socket)
        with pytest.raises(PaizaError) as refusal:
            await channel.call("UpdateRegister", issuer_pb2.UpdateRegisterRequest(files=files))
        await channel.close()
    assert refusal.value.reason == "register_invalid"


async def test_without_an_issuer_the_caller_is_told(between: Between) -> None:
    """A socket at which nobody answers is named as such."""
    asks = AskIssuer(between.core, IssuerChannel(between.socket), between.asking.reader, between.rounds)
    with pytest.raises(Unavailable) as refusal:
        await asks.issued()
    await asks.close()
    assert refusal.value.reason == "issuer_unreachable"


async def test_an_issuer_that_starts_again_answers_at_once(between: Between) -> None:
    """However often it was asked for in vain before."""
    channel = IssuerChannel(between.socket)
    for _ in range(20):
        with pytest.raises(Unavailable):
            await channel.call("GetState", issuer_pb2.GetStateRequest())
        await asyncio.sleep(0.15)
    async with between.node():
        for _ in range(10):  # steps, and not a time: a machine that stands still meanwhile lets the channel stand too
            await asyncio.sleep(0.1)
            with suppress(Unavailable):
                await channel.call("GetState", issuer_pb2.GetStateRequest())
                break
        else:
            pytest.fail("the channel still waits before it tries again")
        await channel.close()


async def test_the_socket_is_for_its_user_and_group(between: Between) -> None:
    """Nobody but the issuer's user and its group opens the socket."""
    async with between.node():
        assert stat.S_IMODE(between.socket.stat().st_mode) == 0o660
