"""The access table: every RPC of every service against every identity.

Each identity calls each RPC of a node with an empty request. An authenticated call may still be refused by
the verb, for a reason that has nothing to do with who called; what does not is refused with the reason in the table.
"""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

import grpc
import pytest

from paiza_node.core.api.services import HEALTH, accesses, method_name, public
from paiza_node.core.peers.rpcs import FILES
from paiza_node.ops.admin.client import AdminClient
from paiza_register.ceremony.change import REMOVE, SUSPEND
from paiza_register.ceremony.member_file import ca_entry
from paiza_register.register_file import RegisterFile
from paiza_wire.identity import CertificateAuthority, Role, SpiffeId
from tests.federation import Federation
from tests.registers import read_register
from tests.revocations import revocation
from tests.system.minting import Identity, Mint, NewCa

ANSWER_SECONDS: Final = 30.0  # a limit on shared machines, not a measure
STREAM_SECONDS: Final = 0.4  # a stream that should be let in and is silent for so long was let in
REASON_KEY: Final = "paiza-reason"

TLS: Final = "(no handshake)"
IN: Final = "(let in)"
# What a verb may say to an empty request of a caller who was let in.
VERBS_SAY: Final = frozenset(
    {
        "ok",
        "directory_invalid",
        "issuer_missing",
        "malformed",
        "unsupported_version",
        "unknown_id",
        "unknown_file",
        "unknown_proposal",
        "register_unknown",
        "search_empty",
        "reason_missing",
        "unknown_officer",
        "wrong_deputy",
        "silent",
    }
)

# Which callers each action of the policy is permitted to, of those an RPC is for; "-": any known caller. Peer: the
# node of another active member. The rest: officers of the own member, by role.
TABLE: Final = """
                   peer  liaison  duty    authoriser  coordinator  auditor  custodian  data
-                  in    in       in      in          in           in       in         in
exchange           in    .        .       .           .            .        .          .
consult            in    .        .       .           .            .        .          .
read_register      in    in       in      in          in           in       in         in
session            .     in       in      in          in           in       in         in
list               .     in       in      in          in           in       denied     denied
trail              .     in       in      in          in           in       denied     denied
evidence           .     in       in      in          in           in       denied     denied
watch              .     in       in      in          in           denied   denied     denied
search             .     in       in      in          in           denied   denied     denied
review             .     in       in      in          denied       denied   denied     denied
hold               .     denied   in      in          in           denied   denied     denied
read_log           .     denied   denied  denied      in           in       denied     denied
oversee            .     denied   denied  denied      in           denied   denied     denied
ceremony           .     denied   denied  denied      denied       denied   in         denied
upload             .     in       in      in          in           denied   denied     denied
publish_directory  .     denied   denied  denied      denied       denied   denied     in
"""
WORDS: Final = {"in": IN, ".": "forbidden", "denied": "policy_denied"}

# Callers that are never admitted: the kind, the reason if the call is for that kind, and the reason if not.
# TLS refuses some before the gate sees them; then no reason can be given.
NEVER: Final[Mapping[str, tuple[str, str, str]]] = {
    "no certificate": ("node", TLS, TLS),
    "node of an unknown CA": ("node", TLS, TLS),
    "officer of an unknown CA": ("officer", TLS, TLS),
    "expired node": ("node", TLS, TLS),
    "expired officer": ("officer", TLS, TLS),
    "node not valid yet": ("node", TLS, TLS),
    "officer not valid yet": ("officer", TLS, TLS),
    "node of a CA whose time is over": ("node", "certificate_expired", "forbidden"),
    "node of a CA whose time has not come": ("node", "certificate_expired", "forbidden"),
    "officer of a CA whose time is over": ("officer", "certificate_expired", "forbidden"),
    "officer of a CA whose time has not come": ("officer", "certificate_expired", "forbidden"),
    "revoked node": ("node", "certificate_revoked", "forbidden"),
    "revoked officer": ("officer", "certificate_revoked", "forbidden"),
    "node of a suspended member": ("node", "member_suspended", "forbidden"),
    "node of a removed member": ("node", TLS, TLS),
    "another member's CA for our node": ("node", TLS, TLS),
    "another member's CA for a third member's node": ("node", TLS, TLS),
    "another member's CA for our officer": ("officer", TLS, TLS),
    "another member's officer": ("officer", TLS, TLS),
    "another member's node CA for its officer": ("officer", "bad_certificate", "forbidden"),
    "our officer CA for our node": ("node", "bad_certificate", "forbidden"),
    "our officer CA for another member's node": ("node", TLS, TLS),
    "our own node": ("node", "wrong_member", "forbidden"),
    "our suspended officer": ("officer", "officer_suspended", "forbidden"),
    "our removed officer": ("officer", "officer_removed", "forbidden"),
    "our officer who is not enrolled": ("officer", "officer_not_enrolled", "forbidden"),
    "our officer with a certificate that is not enrolled": ("officer", "officer_not_enrolled", "forbidden"),
    "our officer with a certificate that was replaced": ("officer", "wrong_certificate", "forbidden"),
    "our officer with the signing certificate": ("officer", TLS, TLS),
}

# Other certificates of callers in the table.
LIKE: Final[Mapping[str, str]] = {
    "peer with a renewed certificate": "peer",
    "peer with a certificate of its next CA": "peer",
    "liaison with a renewed certificate": "liaison",
    "liaison with a certificate of the next CA": "liaison",
}


@dataclass(frozen=True)
class Scene:
    """A node that serves, and everybody who may knock."""

    address: str
    federation: Federation
    mint: Mint
    identities: Mapping[str, Identity]

    def channel(self, who: str) -> grpc.aio.Channel:
        """Knock as somebody."""
        return self.identities[who].channel(self.address, "kaz", self.mint.register)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Make a federation and mint everybody before the node starts."""
    federation = Federation.create(
        tmp_path_factory.mktemp("identity") / "federation", ["kaz", "tjk", "uzb", "kgz", "tkm"]
    )
    mint = Mint(federation.folder, read_register(federation.folder))
    own_federation = mint.register.federation
    revoked = {
        "kaz": mint.issue("kaz", "officer", SpiffeId("kaz", own_federation, "officer", "revoked")),
        "tjk": mint.issue("tjk", "node", SpiffeId("tjk", own_federation, "node", "")),
    }
    left = {member: mint.node(member) for member in ("kgz", "tkm")}
    cas = announced_cas(federation, own_federation)
    for member, identity in revoked.items():
        entry = revocation(identity.certificate)
        change_register(federation, federation.edit(member, "revoked", partial(_extend, "certificates", [entry])))
    change_register(federation, federation.change(SUSPEND, member="kgz"))
    change_register(federation, federation.change(REMOVE, member="tkm", threshold=2))
    register = read_register(federation.folder)
    mint = Mint(federation.folder, register)

    def named(member: str, name: str = "") -> SpiffeId:
        return SpiffeId(member, register.federation, "officer" if name else "node", name)

    long_ago, tomorrow = datetime.now(UTC) - timedelta(minutes=30), datetime.now(UTC) + timedelta(days=1)
    ten_minutes = timedelta(minutes=10)
    suspended = mint.issue("kaz", "officer", named("kaz", "suspended"))
    removed = mint.issue("kaz", "officer", named("kaz", "removed"))
    replaced, renewed = (mint.issue("kaz", "officer", named("kaz", "renewed")) for _ in range(2))
    following = cas["kaz", "next"].issue(named("kaz", "following"))
    identities = {
        "no certificate": mint.nobody(),
        "node of an unknown CA": mint.stranger(named("tjk")),
        "officer of an unknown CA": mint.stranger(named("kaz", "liaison")),
        "expired node": mint.issue("tjk", "node", named("tjk"), begins=long_ago, life=ten_minutes),
        "expired officer": mint.issue("kaz", "officer", named("kaz", "expired"), begins=long_ago, life=ten_minutes),
        "node not valid yet": mint.issue("tjk", "node", named("tjk"), begins=tomorrow),
        "officer not valid yet": mint.issue("kaz", "officer", named("kaz", "early"), begins=tomorrow),
        "node of a CA whose time is over": cas["tjk", "over"].issue(named("tjk")),
        "node of a CA whose time has not come": cas["tjk", "to come"].issue(named("tjk")),
        "officer of a CA whose time is over": cas["kaz", "over"].issue(named("kaz", "liaison")),
        "officer of a CA whose time has not come": cas["kaz", "to come"].issue(named("kaz", "liaison")),
        "revoked node": revoked["tjk"],
        "revoked officer": revoked["kaz"],
        "node of a suspended member": left["kgz"],
        "node of a removed member": left["tkm"],
        "peer with a renewed certificate": mint.issue("tjk", "node", named("tjk")),
        "peer with a certificate of its next CA": cas["tjk", "next"].issue(named("tjk")),
        "liaison with a renewed certificate": renewed,
        "liaison with a certificate of the next CA": following,
        "another member's CA for our node": mint.issue("tjk", "node", named("kaz")),
        "another member's CA for a third member's node": mint.issue("tjk", "node", named("uzb")),
        "another member's CA for our officer": mint.issue("tjk", "node", named("kaz", "liaison")),
        "another member's officer": mint.officer("tjk-liaison"),
        "another member's node CA for its officer": mint.issue("tjk", "node", named("tjk", "liaison")),
        "our officer CA for our node": mint.issue("kaz", "officer", named("kaz")),
        "our officer CA for another member's node": mint.issue("kaz", "officer", named("tjk")),
        "our own node": mint.node("kaz"),
        "our suspended officer": suspended,
        "our removed officer": removed,
        "our officer who is not enrolled": mint.issue("kaz", "officer", named("kaz", "nameless")),
        "our officer with a certificate that is not enrolled": mint.issue("kaz", "officer", named("kaz", "renewed")),
        "our officer with a certificate that was replaced": replaced,
        "our officer with the signing certificate": mint.signing_identity("kaz-liaison"),
        "peer": mint.node("tjk"),
        **{role: mint.officer(f"kaz-{role}") for role in _header()[1:]},
    }
    with federation:
        federation.start("kaz")
        with AdminClient(federation.node("kaz").admin_socket) as operator:
            admitted = {"suspended": suspended, "removed": removed, "renewed": replaced, "following": following}
            operator.admit_officers([mint.admission("kaz", *each) for each in admitted.items()])
            operator.admit_officers([mint.admission("kaz", "renewed", renewed)])
            operator.suspend_officer("suspended", "exercise", stolen=False)
            operator.remove_officer("removed", "exercise")
        yield Scene(federation.node("kaz").address, federation, mint, identities)


def announced_cas(federation: Federation, name: str) -> dict[tuple[str, str], NewCa]:
    """Announce further CAs: of kaz for officers, of tjk for its node; one that counts, and two that do not."""
    now, day = datetime.now(UTC).replace(microsecond=0), timedelta(days=1)
    windows = {"over": (-9 * day, -day), "next": (-day, 9 * day), "to come": (day, 9 * day)}
    kinds: tuple[tuple[str, Role], ...] = (("kaz", "officer"), ("tjk", "node"))
    made: dict[tuple[str, str], NewCa] = {}
    for member, kind in kinds:
        own = {when: NewCa.make(member, name, kind) for when in windows}
        entries = [
            ca_entry(CertificateAuthority(own[when].certificate, now + begins, now + ends))
            for when, (begins, ends) in windows.items()
        ]
        change_register(federation, federation.edit(member, "member", partial(_extend, f"{kind}_cas", entries)))
        made |= {(member, when): ca for when, ca in own.items()}
    return made


def change_register(federation: Federation, register: RegisterFile) -> None:
    """Put a register into the node that will serve."""
    federation.join(register, "kaz")


def _extend(field: str, entries: list[dict[str, str]], document: dict[str, Any]) -> None:
    document[field].extend(entries)


def test_the_table_has_a_row_for_every_action() -> None:
    """An action without a row in the table fails here, and so does a row that no RPC asks for."""
    assert {access.action or "-" for access in accesses().values()} == {*_actions()}


def test_every_identity_is_minted(scene: Scene) -> None:
    """The columns of both tables are exactly the identities that knock."""
    assert {*scene.identities} == {*NEVER, *LIKE, *_header()}


@pytest.mark.parametrize(
    "who", [*NEVER, *LIKE, "peer", "liaison", "duty", "authoriser", "coordinator", "auditor", "custodian", "data"]
)
async def test_exactly_the_right_ones_pass(scene: Scene, who: str) -> None:
    """Every RPC lets in whom the table says and refuses everybody else with the reason the table says."""
    expected = {method: _expected(who, method) for method in _methods()}
    async with scene.channel(who) as channel:
        if set(expected.values()) == {TLS}:
            # One connection attempt tells for all: without a handshake no RPC can be named.
            found = dict.fromkeys(expected, await _knock(channel, "/grpc.health.v1.Health/Check", stream=False))
        else:
            # Who should be refused may have to wait for that: silence says something only after long.
            found = {
                method: await _knock(
                    channel,
                    method,
                    stream=stream,
                    silence_seconds=STREAM_SECONDS if expected[method] == IN else ANSWER_SECONDS,
                )
                for method, stream in _methods().items()
            }
    said = {method: IN if reason in VERBS_SAY else reason for method, reason in found.items()}
    assert said == expected


async def test_node_is_unharmed(scene: Scene) -> None:
    """The node still serves permitted callers after all of that."""
    async with scene.channel("liaison") as channel:
        assert await _knock(channel, "/paiza.officer.v1.OfficerService/GetSession", stream=False) == "ok"


async def _knock(
    channel: grpc.aio.Channel, method: str, *, stream: bool, silence_seconds: float = STREAM_SECONDS
) -> str:
    """Call with an empty request; gives the reason of the answer."""
    try:
        if stream:
            return await _listen(channel.unary_stream(method), silence_seconds)
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(method)
        await call(b"", timeout=ANSWER_SECONDS)
    except grpc.aio.AioRpcError as error:
        reason = dict(error.trailing_metadata() or ()).get(REASON_KEY)
        if reason is not None:
            return str(reason)
        return TLS if error.code() is grpc.StatusCode.UNAVAILABLE else f"{error.code().name} without a reason"
    return "ok"


async def _listen(method: "grpc.aio.UnaryStreamMultiCallable[bytes, bytes]", silence_seconds: float) -> str:
    call = method(b"", timeout=2 * ANSWER_SECONDS)
    try:
        async with asyncio.timeout(silence_seconds):
            await call.read()
    except TimeoutError:
        return "silent"
    finally:
        call.cancel()
    return "ok"


def _methods() -> dict[str, bool]:
    """Return every RPC the node serves to others, and whether it streams."""
    return {
        method_name(method): method.server_streaming for service in (*public(), HEALTH) for method in service.methods
    }


def _header() -> list[str]:
    return TABLE.strip().splitlines()[0].split()


def _actions() -> dict[str, dict[str, str]]:
    """Return who is let in, by action, as the table says."""
    rows = (line.split() for line in TABLE.strip().splitlines()[1:])
    return {row[0]: {who: WORDS[word] for who, word in zip(_header(), row[1:], strict=True)} for row in rows}


def _row(method: str) -> dict[str, str]:
    """Return who is let in to an RPC: what the table says, of the callers that its .proto names."""
    access = accesses()[method]
    row = _actions()[access.action or "-"]
    others = {"node": _header()[1:], "officer": ["peer"], "either": []}[access.who]
    return {who: WORDS["."] if who in others else word for who, word in row.items()}


def _expected(who: str, method: str) -> str:
    row = _row(method)
    if who not in NEVER:
        return row[LIKE.get(who, who)]
    if who == "node of a suspended member" and method in FILES:
        return IN  # it may learn that it was suspended, and that it was reinstated
    kind, own_calls, other_calls = NEVER[who]
    return other_calls if row["peer" if kind == "node" else "liaison"] == "forbidden" else own_calls
