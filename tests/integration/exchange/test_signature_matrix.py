"""Message signatures in every state of the signer's certificate: at Submit, at approval, and at a peer.

The register announces three CAs of officers for each author: one whose time is over, the one in use, and the next.
What the client and evidence make of the same states is in `tests.unit.paiza_client.verify.test_signature_states`.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

import grpc
import pytest
import pytest_asyncio

from paiza.content.v1.free_message_pb2 import FreeMessage
from paiza.core.v1 import message_pb2
from paiza.officer.v1 import approval_pb2, approval_pb2_grpc, officer_pb2, officer_pb2_grpc
from paiza_node.ops.admin.client import AdminClient
from paiza_node.ops.config import load
from paiza_node.ops.keys import load_keys
from paiza_register.ceremony.member_file import ca_entry
from paiza_wire import message
from paiza_wire.identity import CertificateAuthority, SpiffeId, certificates, keys, load_certificate
from paiza_wire.message import OfficerSigner
from paiza_wire.tlog import cosignatures
from tests.federation import Federation
from tests.integration.exchange.hostile import HostilePeer
from tests.officer import Officer, subject_of
from tests.registers import read_register
from tests.revocations import revocation
from tests.system.minting import Identity, Mint

pytestmark = pytest.mark.asyncio(loop_scope="module")

AUTHORS: Final = ("kaz", "tjk")
SECONDS: Final = 60
DAY: Final = timedelta(days=1)
CONTENT: Final = FreeMessage(subject="Exercise", text="Nothing of this is real.").SerializeToString()


@dataclass(frozen=True)
class Authority:
    """A CA of officers with its key."""

    certificate: bytes
    key: Any

    def issue(self, officer: SpiffeId, begins: datetime) -> Identity:
        """Certify a new signing key."""
        own = keys.generate_p256()
        ca = load_certificate(self.certificate)
        made = certificates.issue(own.public_key(), ca, self.key, officer, "signing", begins, begins + 30 * DAY)
        return Identity(keys.private_key_to_pem(own), made)


class World:
    """A federation with one node, and signers in every state for two authors."""

    def __init__(self, federation: Federation) -> None:
        self.federation = federation
        self.former, self.following = ({member: self._ca(member) for member in AUTHORS} for _ in range(2))
        now = datetime.now(UTC).replace(microsecond=0)
        for member in AUTHORS:
            former = CertificateAuthority(self.former[member].certificate, now - 20 * DAY, now - DAY)
            following = CertificateAuthority(self.following[member].certificate, now - DAY, now + 20 * DAY)
            self._edit(member, "member", "officer_cas", [ca_entry(former), ca_entry(following)])
        self.mint = Mint(federation.folder, read_register(federation.folder))
        self.before = self.mint.register.version
        self.revoked = {
            member: self.mint.issue(member, "officer", self.officer(member), use="signing") for member in AUTHORS
        }
        for member in AUTHORS:
            self._edit(member, "revoked", "certificates", [revocation(self.revoked[member].certificate)])
        self.register = read_register(federation.folder)

    def _edit(self, member: str, name: str, field: str, added: Sequence[Mapping[str, str]]) -> None:
        """Add entries to a list in a file of a member."""
        self.federation.join(self.federation.edit(member, name, lambda document: document[field].extend(added)), "kaz")

    def officer(self, member: str, name: str = "liaison") -> SpiffeId:
        """Return the id of an officer."""
        return SpiffeId(member, "paiza.example", "officer", name)

    def signer(self, state: str, officer: SpiffeId) -> OfficerSigner:
        """Return what signs as an officer, with a certificate in this state."""
        identity: Callable[[], Identity] = {
            "in use": lambda: self.mint.signing_identity(f"{officer.member}-{officer.name}"),
            "not valid yet": lambda: self._issue(officer, begins=datetime.now(UTC) + DAY),
            "expired": lambda: self._issue(officer, begins=datetime.now(UTC) - 9 * DAY, life=8 * DAY),
            "renewed": lambda: self._issue(officer),
            "of the next CA": lambda: self.following[officer.member].issue(officer, datetime.now(UTC) - DAY / 2),
            "of a former CA": lambda: self.former[officer.member].issue(officer, datetime.now(UTC) - DAY / 2),
            "of an unknown CA": lambda: self.mint.stranger(officer, "signing"),
            "revoked": lambda: self._revoked(officer),
            "of a revoked key": lambda: self._same_key(officer),
            "of another member": lambda: self.mint.signing_identity("uzb-liaison"),
            "of another member's CA": lambda: self.mint.issue("uzb", "officer", officer, use="signing"),
            "of a colleague": lambda: self.mint.signing_identity(f"{officer.member}-authoriser"),
            "for authentication": lambda: self.mint.officer(f"{officer.member}-{officer.name}"),
            "of the node": lambda: self.mint.node(officer.member),
        }[state]
        return identity().signer(str(officer))

    def cosigned(self, note: bytes, witnesses: Sequence[str], at: datetime) -> bytes:
        """Return a note of the log of tjk with the cosignatures of these members' witnesses."""
        verified = self.register.member("tjk").checkpoint(note, self.register.member("tjk").origin)
        lines = [
            cosignatures.cosign(verified, load_keys(load(config, {}), self.register.member(each)).witness, at)
            for each in witnesses
            for config in [self.federation.node(each).config]
        ]
        return cosignatures.add_signatures(note, lines)

    def _issue(self, officer: SpiffeId, **when: Any) -> Identity:
        return self.mint.issue(officer.member, "officer", officer, use="signing", **when)

    def _revoked(self, officer: SpiffeId) -> Identity:
        assert officer.name == "liaison"
        return self.revoked[officer.member]

    def _same_key(self, officer: SpiffeId) -> Identity:
        held = self._revoked(officer)
        ca = load_certificate(self.register.member(officer.member).authority.officer_cas[0].certificate)
        ca_key = self.federation.folder / f"trust/{officer.member}/officer-ca.key"
        own, now = keys.private_key_from_pem(held.key_pem).public_key(), datetime.now(UTC)
        issuer_key: Any = keys.private_key_from_pem(ca_key.read_bytes())
        key: Any = own
        return Identity(held.key_pem, certificates.issue(key, ca, issuer_key, officer, "signing", now - DAY, now + DAY))

    @staticmethod
    def _ca(member: str) -> Authority:
        key, begins = keys.generate_p256(), datetime.now(UTC) - 30 * DAY
        made = certificates.issue_ca(
            member, "paiza.example", "officer", key, not_before=begins, not_after=begins + 300 * DAY
        )
        return Authority(made, key)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Run the node of kaz under that register; the others exist only as keys."""
    folder = tmp_path_factory.mktemp("matrix") / "federation"
    with Federation.create(folder, ["kaz", "tjk", "uzb"]) as made:
        world = World(made)
        made.start("kaz")
        yield world


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def peer(world: World) -> AsyncIterator[HostilePeer]:
    """Return the node of tjk, which delivers what its officers signed, whatever it is."""
    hostile = HostilePeer(world.federation.folder, "tjk", world.federation.node("kaz"), world.register)
    async with hostile.channel:
        yield hostile


RECEIVED: Final = ("received", "")
ANYWHERE: Final[Mapping[str, str]] = {
    "not valid yet": "certificate_expired",
    "expired": "certificate_expired",
    "of a former CA": "certificate_expired",
    "of an unknown CA": "bad_certificate",
    "revoked": "certificate_revoked",
    "of a revoked key": "certificate_revoked",
    "of another member": "wrong_member",
    "of another member's CA": "bad_certificate",
    "of a colleague": "wrong_member",
    "for authentication": "bad_certificate",
    "of the node": "bad_certificate",
}
"""States in which a signature counts nowhere, with the reason."""

AT_A_PEER: Final[Mapping[str, tuple[str, str]]] = {
    "in use": RECEIVED,
    "renewed": RECEIVED,
    "of the next CA": RECEIVED,
    **{state: ("rejection", reason) for state, reason in ANYWHERE.items()},
}
AT_HOME: Final[Mapping[str, str]] = {
    "renewed": "officer_not_enrolled",  # the own node knows which certificate its officer has
    "of the next CA": "officer_not_enrolled",
    **ANYWHERE,
}


def written(world: World, member: str, signer: OfficerSigner) -> bytes:
    """Write a message of a member's liaison officer, and sign it with this."""
    recipient = next(other for other in AUTHORS if other != member)
    officer = Officer(world.federation.folder, f"{member}-liaison", world.register)
    officer.signer = signer
    return officer.seal(officer.header([recipient]), CONTENT)


@pytest.mark.parametrize(("state", "outcome"), AT_A_PEER.items(), ids=AT_A_PEER.keys())
async def test_at_a_peer(world: World, peer: HostilePeer, state: str, outcome: tuple[str, str]) -> None:
    """A peer judges by the register: which of an officer's certificates is in use, only their own node knows."""
    signed = written(world, "tjk", world.signer(state, world.officer("tjk")))
    assert (await peer.deliver(peer.dispatch(signed))).reason() == outcome


async def test_a_peer_counts_a_revocation_that_the_release_does_not_know(world: World, peer: HostilePeer) -> None:
    """The own register counts where the release names the one before the revocation, unless witnesses saw it then."""
    signed = written(world, "tjk", world.signer("revoked", world.officer("tjk")))
    index = peer.release(signed, register_version=world.before)
    assert (await peer.deliver(peer.dispatch(signed, index))).reason() == ("retry", "release_unwitnessed")


@pytest.mark.parametrize(
    ("witnesses", "witnessed", "outcome"),
    [
        (("kaz", "uzb"), DAY, RECEIVED),
        (("uzb",), DAY, ("retry", "release_unwitnessed")),
        (("kaz", "uzb"), timedelta(0), ("rejection", "certificate_revoked")),
    ],
)
async def test_a_peer_counts_a_release_that_was_witnessed_before_the_revocation(
    world: World, peer: HostilePeer, witnesses: Sequence[str], witnessed: timedelta, outcome: tuple[str, str]
) -> None:
    """A quorum that saw it before the revocation proves it; less than that, or a later time, does not."""
    signed = written(world, "tjk", world.signer("revoked", world.officer("tjk")))
    index = peer.release(signed, register_version=world.before)
    dispatch, at = peer.dispatch(signed, index), datetime.now(UTC) - witnessed
    dispatch.release.witnessed.proven.CopyFrom(dispatch.release.released)
    dispatch.release.witnessed.checkpoint = world.cosigned(peer.note(), witnesses, at)
    assert (await peer.deliver(dispatch)).reason() == outcome


async def test_a_peer_is_shown_another_witnessed_entry(world: World, peer: HostilePeer) -> None:
    """The witnessed proof is of this release, and of the log that delivers it."""
    signed = written(world, "tjk", world.signer("revoked", world.officer("tjk")))
    other, index = (
        peer.release(signed, register_version=world.before),
        peer.release(signed, register_version=world.before),
    )
    dispatch, at = peer.dispatch(signed, index), datetime.now(UTC) - DAY
    dispatch.release.witnessed.proven.CopyFrom(peer.dispatch(signed, other).release.released)
    dispatch.release.witnessed.checkpoint = world.cosigned(peer.note(), ("kaz", "uzb"), at)
    assert (await peer.deliver(dispatch)).reason() == ("rejection", "bad_proof")


@pytest.mark.parametrize("state", ["in use", "revoked", "of an unknown CA"])
async def test_a_peer_first_fetches_the_register_that_a_release_names(
    world: World, peer: HostilePeer, state: str
) -> None:
    """A release under a register that is not here may be under one that revokes its signer: nothing is decided yet."""
    signed = written(world, "tjk", world.signer(state, world.officer("tjk")))
    index = peer.release(signed, register_version=bytes(32))
    assert (await peer.deliver(peer.dispatch(signed, index))).reason() == ("retry", "register_unknown")


@pytest.mark.parametrize(("state", "reason"), AT_HOME.items(), ids=AT_HOME.keys())
async def test_at_submit(world: World, state: str, reason: str) -> None:
    """The own node releases nothing under a certificate that its officer does not have."""
    signed = written(world, "kaz", world.signer(state, world.officer("kaz")))
    async with Officer(world.federation.folder, "kaz-liaison", world.register).channel() as channel:
        assert await submitted(channel, signed) == ("rejection", reason)
        signed = written(world, "kaz", world.signer("in use", world.officer("kaz")))
        assert await submitted(channel, signed) == ("released", "")


@pytest.mark.parametrize(
    ("state", "reason"),
    [(state, reason) for state, reason in AT_HOME.items() if state not in {"revoked", "of a revoked key"}],
)
async def test_at_approval(world: World, state: str, reason: str) -> None:
    """A second officer's signature is judged in the same way; the message still waits for a good one."""
    second = world.officer("kaz", "duty")
    first, approver, sealed = for_two(world)
    async with first.channel() as one, approver.channel() as two:
        assert await submitted(one, message.sign(sealed, [first.signer])) == ("waiting", "")
        approve = partial(approved, two, sealed.header)
        assert await approve(world.signer(state, second)) == reason
        assert await approve(world.signer("in use", second)) == "released"


async def test_a_suspended_officer_signs_nothing(world: World) -> None:
    """The own node neither releases what a suspended officer signed, nor takes their second signature."""
    node, second = world.federation.node("kaz"), str(world.officer("kaz", "duty"))
    first, approver, sealed = for_two(world)
    both, waiting = message.sign(sealed, [first.signer, approver.signer]), for_two(world)[2]
    async with first.channel() as one, approver.channel() as two:
        assert await submitted(one, message.sign(waiting, [first.signer])) == ("waiting", "")
        with AdminClient(node.admin_socket) as operator:
            await asyncio.to_thread(operator.suspend_officer, second, "exercise", stolen=False)
            assert await submitted(one, both) == ("rejection", "officer_suspended")
            assert await approved(two, waiting.header, approver.signer) == "officer_suspended"
            await asyncio.to_thread(operator.reinstate_officer, second, "exercise")
        assert await submitted(one, both) == ("released", "")
        assert await approved(two, waiting.header, approver.signer) == "released"


async def test_a_certificate_revoked_while_a_message_waits(world: World) -> None:
    """What the first officer signed before the revocation is not released by a second signature after it."""
    first, approver, sealed = for_two(world)
    async with first.channel() as one, approver.channel() as two:
        assert await submitted(one, message.sign(sealed, [first.signer])) == ("waiting", "")
        with AdminClient(world.federation.node("kaz").admin_socket) as operator:
            await asyncio.to_thread(operator.revoke_certificate, first.signer.certificate)
        assert await approved(two, sealed.header, approver.signer) == "certificate_revoked"
        assert await submitted(one, message.sign(sealed, [first.signer])) == ("rejection", "certificate_revoked")


def for_two(world: World) -> tuple[Officer, Officer, message.UnsignedMessage]:
    """Return two officers of kaz, and a message that both must sign."""
    first, second = (Officer(world.federation.folder, f"kaz-{name}", world.register) for name in ("liaison", "duty"))
    header = first.header(["tjk"])
    header.required_signers.add(id=second.id, role="duty")
    moment = header.author_time.ToDatetime(tzinfo=UTC)
    recipients = [first.recipient_key(member, moment) for member in ("tjk", "kaz")]
    parts = [message.PlainPart(message_pb2.PART_KIND_MAIN, CONTENT)]
    return first, second, message.seal(header, parts, recipients, subject=subject_of(header, CONTENT))


async def submitted(channel: grpc.aio.Channel, signed: bytes) -> tuple[str, str]:
    """Submit a message; return what became of it, and why."""
    request = officer_pb2.SubmitRequest(items=[officer_pb2.SubmitItem(message=signed)])
    (result,) = (await officer_pb2_grpc.OfficerServiceStub(channel).Submit(request, timeout=SECONDS)).results
    which = result.WhichOneof("result") or ""
    return which, str(getattr(result, which).reason) if which in {"rejection", "retry"} else ""


async def approved(channel: grpc.aio.Channel, header: bytes, signer: OfficerSigner) -> str:
    """Sign a waiting message; return what became of it, or the reason of the refusal."""
    signature = message.countersign(header, signer)
    request = approval_pb2.ApproveRequest(message_digest=message.message_digest(header), signature=signature)
    try:
        answer = await approval_pb2_grpc.ApprovalServiceStub(channel).Approve(request, timeout=SECONDS)
    except grpc.aio.AioRpcError as error:
        return str(dict(error.trailing_metadata() or ()).get("paiza-reason", ""))
    return answer.result.WhichOneof("result") or ""
