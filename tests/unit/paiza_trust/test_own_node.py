"""Custodians at their own nodes: propose, list, sign, refuse, and go between the node and files."""

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import grpc
import pytest
from grpc.aio import AioRpcError, Metadata

from paiza.officer.v1 import ceremony_pb2, ceremony_pb2_grpc
from paiza_officer import channel, connection, register_cache
from paiza_officer.channel import REASON_KEY
from paiza_officer.connection import Connection
from paiza_officer.profiles import Credentials, Profile
from paiza_register import Register, load_set
from paiza_register.ceremony import Base, BaseName, Proposal
from paiza_register.register_file import RegisterFile
from paiza_trust import own_node, publishing, status
from paiza_trust.apply import NodeFolder
from tests.profiles import FILES
from tests.unit.paiza_officer.test_profiles import PASSPHRASE, make
from tests.unit.paiza_trust.ceremony import FEDERATION, FOUNDERS, trust
from tests.unit.paiza_trust.test_commands import run
from tests.unit.paiza_trust.test_status import replaced

CALL = channel.call


class Node:
    """The federation's nodes in one: what one of them stores, all have. It publishes what is complete."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = RegisterFile.read((folder / "1.register").read_bytes())
        self.proposals: dict[bytes, Proposal] = {}
        self.published: dict[bytes, bytes] = {}
        self.fails: AioRpcError | None = None
        self.alters: Callable[[bytes], bytes] = lambda data: data

    async def list_proposals(self, request: Any, **_options: float) -> Any:
        """Return those that wait, or all."""
        self._fail()
        held = [self.held(each) for each in self.proposals.values()]
        open_ = [each for each in held if request.all or each.state == own_node.OPEN]
        return ceremony_pb2.ListProposalsResponse(proposals=open_)

    async def get_proposal(self, request: Any, **_options: float) -> Any:
        """Return one without its register."""
        self._fail()
        data = self.proposals[request.fingerprint].to_bytes(with_register=False)
        return ceremony_pb2.GetProposalResponse(data=self.alters(data))

    async def submit_proposal(self, request: Any, **_options: float) -> Any:
        """Store or merge one, and publish it if it is complete."""
        self._fail()
        given = Proposal.read(request.data, self._base)
        known = self.proposals.get(given.fingerprint)
        proposal = given if known is None else known.merged(given)
        before = self.held(proposal)
        self.proposals[proposal.fingerprint] = proposal
        if proposal.is_complete and proposal.fingerprint not in self.published:
            before.state = own_node.COMPLETE  # it is published while the answer is on its way
            now = datetime.now(UTC)
            self.file = publishing.publish(proposal, NodeFolder.open(self.folder / "kaz/node"), now)
            self.published[proposal.fingerprint] = self.register().version
        return ceremony_pb2.SubmitProposalResponse(held=before)

    def held(self, proposal: Proposal) -> ceremony_pb2.HeldProposal:
        """Return what a list says of a proposal."""
        state = own_node.OPEN
        if proposal.is_dead:
            state = own_node.DEAD
        if proposal.fingerprint in self.published:
            state = own_node.PUBLISHED
        return ceremony_pb2.HeldProposal(
            fingerprint=proposal.fingerprint,
            kind="change",
            size=0 if state == own_node.PUBLISHED else len(proposal.to_bytes(with_register=False)),
            state=state,
            signed_by=proposal.signed_by(),
            refused_by=proposal.refused_by(),
            waits_for=proposal.waits_for(),
            missing=proposal.missing,
            register_version=self.published.get(proposal.fingerprint, b""),
        )

    def register(self) -> Register:
        """Return the register in force."""
        return load_set(self.file.files, self.file.first_root, datetime.now(UTC))

    def _base(self, name: BaseName) -> Base:
        base = Base.verify(self.file, None)
        if base.name != name:
            raise error(grpc.StatusCode.FAILED_PRECONDITION, "conflict")
        return base

    def _fail(self) -> None:
        if self.fails is not None:
            raise self.fails


def error(code: grpc.StatusCode, reason: str = "", detail: str = "") -> AioRpcError:
    """Return the error of a call, with a reason code if a node gave one."""
    trailing = Metadata((REASON_KEY, reason)) if reason else Metadata()
    return AioRpcError(code, Metadata(), trailing, detail)


@pytest.fixture
def node(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    """Put a node at the other end of every connection, and a profile of each member's custodian under PAIZA_HOME."""
    node = Node(folder)

    async def call(address: str, attempt: Callable[[], Awaitable[Any]]) -> Any:
        return await CALL(address, attempt, 1)

    async def refresh(profile: Profile, _channel: object) -> Register:
        if node.fails is not None:
            await call(profile.node, lambda: node.list_proposals(ceremony_pb2.ListProposalsRequest()))
        reader = register_cache.reader(profile)
        return await asyncio.to_thread(reader.refresh, datetime.now(UTC), node.file.fetch())

    @asynccontextmanager
    async def connect(
        profile: Profile, _passphrase: Callable[[], bytes], _pin: Callable[[str], bytes]
    ) -> AsyncIterator[Connection]:
        register = await refresh(profile, None)
        # Its own CA's certificate in place of the officer's: only the expiry is read from it.
        certificate = ssl.PEM_cert_to_DER_cert((folder / profile.member / "trust/officer-ca.crt").read_text())
        credentials = Credentials(b"", certificate, b"")
        yield Connection(profile, credentials, cast("Any", None), cast("Any", None), register)

    monkeypatch.setattr(connection, "refresh", refresh)
    monkeypatch.setattr(connection, "connect", connect)
    monkeypatch.setattr(channel, "call", call)
    monkeypatch.setattr(own_node, "PAUSE_SECONDS", 0)
    monkeypatch.setattr(own_node, "PUBLISHED_SECONDS", 0.2)
    stub = SimpleNamespace(
        ListProposals=node.list_proposals, GetProposal=node.get_proposal, SubmitProposal=node.submit_proposal
    )
    monkeypatch.setattr(ceremony_pb2_grpc, "CeremonyServiceStub", lambda _channel: stub)
    monkeypatch.setenv("PAIZA_HOME", str(folder / "home"))
    monkeypatch.delenv("PAIZA_PROFILE", raising=False)
    for member in FOUNDERS:
        home = folder / "home" / member
        home.mkdir(parents=True)
        (home / "root.json").write_bytes(node.file.first_root)
        officer = f"spiffe://{member}.{FEDERATION}/officer/custodian"
        settings = {"id": officer, "member": member, "federation": FEDERATION, "node": "127.0.0.1:7401"}
        settings |= {**FILES, "root": "root.json"}
        (home / "profile.toml").write_text("".join(f"{name} = {json.dumps(each)}\n" for name, each in settings.items()))
    return node


def at(folder: Path, member: str) -> tuple[object, ...]:
    """Return the options of a member's custodian at their own node."""
    return ("--profile", member, "--keys", folder / member / "trust", "--yes")


def suspended(folder: Path, node: Node) -> str:
    """Propose at kaz to suspend uzb; return the beginning of the fingerprint."""
    trust("propose", "suspend", "uzb", *at(folder, "kaz"))
    (proposal,) = node.proposals.values()
    return proposal.fingerprint.hex()[:12]


def test_a_change_is_made_at_the_desks(folder: Path, node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    """One proposes at their node, another finds it, signs it there and gets the register that a new member joins."""
    applied = folder / "kgz/kgz.application"
    trust("propose", "admit", applied, "--threshold", 3, *at(folder, "kaz"))
    code, out, _ = run(capsys, "pending", "--profile", "tjk")
    assert code == 0
    assert "Kyrgyzstan (kgz) will belong to the federation" in out
    assert "signed by kaz; missing: 2, of kgz, tjk, uzb" in out
    fingerprint = out.split()[0]
    assert f"paiza-trust sign {fingerprint} --profile tjk\n" in out
    code, out, _ = run(capsys, "sign", fingerprint, *at(folder, "tjk"), "-o", folder / "2.register")
    assert code == 0
    assert "It waits for more signatures" in out
    assert f"{folder / '2.register'} was not written." in out
    assert f"paiza-trust export --profile tjk -o {folder / '2.register'}" in out
    assert not (folder / "2.register").exists()
    assert node.register().members.keys() == set(FOUNDERS)
    code, out, _ = run(capsys, "sign", fingerprint, *at(folder, "uzb"), "-o", folder / "2.register")
    assert code == 0
    assert "Fingerprint of the newest root, version 2" in out
    assert "Only a new member joins with it" in out
    written = RegisterFile.read((folder / "2.register").read_bytes())
    assert "kgz" in load_set(written.files, written.first_root, datetime.now(UTC)).members
    code, out, _ = run(capsys, "pending", "--profile", "tjk", "--all", "--lang", "ru")
    assert "изменение" in out
    code, out, _ = run(capsys, "pending", "--profile", "tjk", "--all", "--json")
    (listed,) = json.loads(out)["proposals"]
    assert (listed["state"], listed["register_version"]) == ("published", node.register().version.hex())
    code, out, _ = run(capsys, "pending", "--profile", "tjk", "--lang", "en")
    assert out == "No proposal waits for signatures.\n"


def test_a_proposal_goes_over_the_air_gap_and_back(
    folder: Path, node: Node, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is exported holds the register; signed without a network and imported, it is the same proposal."""
    fingerprint = suspended(folder, node)
    trust("export", fingerprint, "--profile", "tjk", "-o", folder / "carried.proposal")
    trust("sign", folder / "carried.proposal", "--keys", folder / "tjk/trust", "--yes")
    code, out, _ = run(capsys, "import", folder / "carried.proposal", "--profile", "tjk")
    assert code == 0
    assert "Enough have signed" in out
    assert node.register().member("uzb").status == "suspended"
    out = trust("export", "--profile", "kaz", "-o", folder / "newest.register")
    assert "Only a new member joins with it" in out
    newest = RegisterFile.read((folder / "newest.register").read_bytes())
    assert newest.files == node.file.files
    code, out, _ = run(capsys, "export", "--profile", "kaz", "-o", folder / "other.register", "--json")
    assert json.loads(out)["newest_root"]["version"] == 2


def test_a_file_is_signed_and_handed_to_the_node(folder: Path, node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    """With a profile, a file and the node get the same signatures."""
    proposal = folder / "uzb.proposal"
    code, out, _ = run(capsys, "propose", "suspend", "uzb", *at(folder, "kaz"), "-o", proposal, "--json")
    assert code == 0
    assert json.loads(out)["signed"] == ["kaz"]
    (held,) = node.proposals.values()
    assert held.to_bytes() == proposal.read_bytes()
    code, out, _ = run(capsys, "show", proposal, "--json")
    assert [json.loads(out)["lines"][each][0].partition(":")[0] for each in ("ru", "en")] == [
        "Узбекистан (uzb)",
        "Uzbekistan (uzb) will be suspended",
    ]
    code, out, _ = run(capsys, "sign", proposal, *at(folder, "tjk"), "-o", folder / "2.register", "--json")
    told = json.loads(out)
    assert (told["state"], told["file"]) == ("published", str(folder / "2.register"))


def test_refusals_at_the_node_end_a_proposal(folder: Path, node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    """So many who refuse it that it can never count end it for everybody."""
    fingerprint = suspended(folder, node)
    trust("refuse", fingerprint, *at(folder, "tjk"))
    code, out, _ = run(capsys, "refuse", fingerprint, *at(folder, "uzb"), "--json")
    told = json.loads(out)
    assert (code, told["refused"]) == (0, ["tjk", "uzb"])
    code, out, _ = run(capsys, "pending", "--profile", "kaz", "--all", "--lang", "ru")
    assert "не вступит в силу" in out
    assert failed(capsys, "propose", "suspend", "tjk", *at(folder, "kaz")) == (3, "conflict")
    trust("propose", "suspend", "tjk", *at(folder, "kaz"), "--instead", fingerprint)
    assert len(node.proposals) == 2


def test_what_waits_and_who_signs_is_shown(folder: Path, node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    """`status` shows keys, signatures, what waits, expiries with the command that renews them, and attendance."""
    fingerprint = suspended(folder, node)
    keys = ("--keys", folder / "tjk/trust")
    code, out, _ = run(capsys, "status", "--profile", "tjk", *keys)
    assert code == 0
    assert f"paiza-trust sign {fingerprint} --profile tjk\n" in out
    assert "paiza-trust propose resign tjk" in out
    _, russian, _ = run(capsys, "status", "--profile", "tjk", *keys, "--lang", "ru")
    assert "метка времени (timestamp)" in russian
    run(capsys, "status", "--profile", "tjk", *keys, "--lang", "en")
    code, out, _ = run(capsys, "status", "--profile", "tjk", *keys, "--json")
    told = json.loads(out)
    custodian = next(each for each in told["keys"] if each["name"] == "custodian-tjk")
    signed_time = told["signed"][-1]["time"].replace("Z", "+00:00")
    assert custodian == {"name": "custodian-tjk", "token": None, "in_use": True, "signed_time": signed_time}
    assert [each["role"] for each in told["signed"][-1]["signed"]] == ["root", "targets"]
    assert [(each["member"], each["away"]) for each in told["attendance"]] == [(member, False) for member in FOUNDERS]
    commands = {each["what"]: each["command"] for each in told["expiries"]}
    assert commands == {
        "root": "paiza-trust propose resign",
        "targets": "paiza-trust propose resign",
        "tjk": "paiza-trust propose resign tjk",
        "federation.reference": "paiza-trust propose resign federation.reference",
        "tjk.node": "",
        "snapshot": "",
        "timestamp": "",
        "node_ca": "paiza-trust propose node-ca tjk",
        "officer_ca": "paiza-trust propose officer-ca tjk",
        "encryption_key": "paiza-node rotate encryption",
        "officer_certificate": "paiza-trust ca certify authentication.csr signing.csr",
    }


def failed(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    """Run a command that must fail; return exit code and reason."""
    capsys.readouterr()
    code, out, err = run(capsys, *arguments, "--json")
    assert out == ""
    assert "Traceback" not in err
    return code, json.loads(err)["reason"]


@pytest.mark.parametrize(
    ("fails", "code", "reason"),
    [
        (error(grpc.StatusCode.UNAVAILABLE), 4, "node_unreachable"),
        (error(grpc.StatusCode.PERMISSION_DENIED, "policy_denied", "custodian-signs"), 3, "policy_denied"),
        (error(grpc.StatusCode.RESOURCE_EXHAUSTED, "busy"), 4, "busy"),
        (error(grpc.StatusCode.INVALID_ARGUMENT, "of_tomorrow"), 3, "unexpected_answer"),
        (error(grpc.StatusCode.UNIMPLEMENTED), 4, "unexpected_answer"),
    ],
)
def test_a_node_that_fails_is_told(
    folder: Path, node: Node, capsys: pytest.CaptureFixture[str], fails: AioRpcError, code: int, reason: str
) -> None:
    """Each failure of the node has its reason, its exit code and the node's address."""
    fingerprint = suspended(folder, node)
    trust("export", fingerprint, "--profile", "tjk", "-o", folder / "carried.proposal")
    node.fails = fails
    for command in (
        ("pending", "--profile", "tjk"),
        ("sign", fingerprint, *at(folder, "tjk")),
        ("import", folder / "carried.proposal", "--profile", "tjk"),
        ("propose", "threshold", 2, *at(folder, "tjk")),
    ):
        assert failed(capsys, *command) == (code, reason)
    _, _, err = run(capsys, "pending", "--profile", "tjk", "--lang", "ru")
    assert "127.0.0.1:7401" in err
    assert "Что делать" in err


def test_what_names_no_proposal_is_told(folder: Path, node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown profile or fingerprint, a short one, and a fingerprint without a node have a reason each."""
    fingerprint = suspended(folder, node)
    assert failed(capsys, "pending", "--profile", "nobody") == (6, "unknown_profile")
    assert failed(capsys, "pending") == (2, "profile_ambiguous")
    assert failed(capsys, "show", "0" * 12, "--profile", "tjk") == (3, "unknown_proposal")
    assert failed(capsys, "show", fingerprint) == (4, "file_unreadable")
    assert failed(capsys, "show", fingerprint[:4], "--profile", "tjk") == (4, "file_unreadable")
    assert failed(capsys, "sign", fingerprint, "-o", folder / "r") == (2, "usage")
    assert failed(capsys, "sign", fingerprint, *at(folder, "tjk"), "-o", folder / "1.register")[0] == 4
    assert failed(capsys, "propose", "suspend", "uzb", "-o", folder / "b") == (2, "usage")
    assert failed(capsys, "propose", "suspend", "uzb", "--register", folder / "1.register") == (2, "usage")
    assert failed(capsys, "status") == (2, "usage")
    assert failed(capsys, "import", folder / "1.register", "--profile", "tjk") == (3, "malformed")


def test_an_answer_that_lies_is_refused(folder: Path, node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    """A node that answers with a changed proposal, a forged signature or another proposal shows nothing."""
    fingerprint = suspended(folder, node)

    def changed(data: bytes) -> bytes:
        return data.replace(b'"member":"uzb"', b'"member":"tjk"')

    def forged(data: bytes) -> bytes:
        values = json.loads(data)
        made = values["signatures"]["root"]
        keyid = next(iter(made))
        made[keyid] = made[keyid][:-2] + ("00" if made[keyid][-2:] != "00" else "01")
        return json.dumps(values, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode() + b"\n"

    for alters in (changed, forged):
        node.alters = alters
        assert failed(capsys, "sign", fingerprint, *at(folder, "tjk")) == (3, "bad_signature")
    other = folder / "other.proposal"
    keys = ("--keys", folder / "uzb/trust", "--yes")
    trust("propose", "suspend", "tjk", "--register", folder / "1.register", *keys, "-o", other)
    node.alters = lambda _data: other.read_bytes()
    assert failed(capsys, "sign", fingerprint, *at(folder, "tjk")) == (3, "unexpected_answer")
    assert "root 2" not in (folder / "tjk/trust/signed.json").read_text()


def test_an_old_register_is_no_base(folder: Path, node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    """A change of a register that is no longer in force is refused by the node."""
    trust("sign", suspended(folder, node), *at(folder, "tjk"))
    proposal = folder / "late.proposal"
    keys = ("--keys", folder / "uzb/trust", "--yes")
    trust("propose", "suspend", "tjk", "--register", folder / "1.register", *keys, "-o", proposal)
    assert failed(capsys, "import", proposal, "--profile", "kaz") == (3, "conflict")


def test_the_key_of_the_officer_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its passphrase comes from a file or the terminal; then a node that is not there is told."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        node = f"127.0.0.1:{closed.getsockname()[1]}"
    make(tmp_path / "home", "kaz-custodian", passphrase=PASSPHRASE, settings={"node": node})
    monkeypatch.setenv("PAIZA_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("PAIZA_PASSPHRASE_FILE", raising=False)
    assert failed(capsys, "pending") == (3, "passphrase_missing")
    (tmp_path / "home/kaz-broken").mkdir()
    (tmp_path / "home/kaz-broken/profile.toml").write_text('colour = "blue"\n')
    code, _, err = run(capsys, "pending", "--profile", "kaz-broken", "--lang", "ru", "--json")
    assert (code, len(json.loads(err)["problems"])) == (6, 10)
    where = str(tmp_path / "home/kaz-broken/profile.toml: colour")
    wrong = {"where": where, "what": "Такой настройки нет.", "code": "unknown_setting"}
    assert wrong.items() <= json.loads(err)["problems"][0].items()
    _, _, err = run(capsys, "pending", "--profile", "kaz-broken", "--lang", "ru")
    assert f"Где: {where}: Такой настройки нет." in err
    phrase = tmp_path / "phrase"
    for text, found in (("wrong\n", (6, "bad_passphrase")), (PASSPHRASE.decode(), (4, "node_unreachable"))):
        phrase.write_text(text)
        phrase.chmod(0o600)
        monkeypatch.setenv("PAIZA_PASSPHRASE_FILE", str(phrase))
        code, _, err = run(capsys, "pending", "--profile", "kaz-custodian", "--lang", "en", "--json")
        told = json.loads(err)
        assert (code, told["reason"]) == found
        assert (str(phrase) in told["remedy"]) is (found[1] == "bad_passphrase")


def test_a_list_tells_the_present_and_the_new_custodian_apart(
    folder: Path, node: Node, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where a member has two keys, it names the one that has signed and the one that it waits for."""
    replaced(folder)
    trust("propose", "custodian", folder / "uzb.application", *at(folder, "kaz"))
    (proposal,) = node.proposals.values()
    fingerprint = proposal.fingerprint.hex()[:12]
    trust("sign", fingerprint, *at(folder, "uzb"))
    code, out, _ = run(capsys, "pending", "--profile", "uzb", "--lang", "en")
    assert code == 0
    assert "signed by kaz, uzb (new custodian); missing: 1, of tjk, uzb (present custodian)" in out
    assert f"It waits for uzb (present custodian): paiza-trust sign {fingerprint} --profile uzb\n" in out
    _, out, _ = run(capsys, "pending", "--profile", "tjk", "--lang", "en")
    assert f"It waits for you: paiza-trust sign {fingerprint} --profile tjk\n" in out
    _, out, _ = run(capsys, "pending", "--profile", "kaz", "--lang", "en")
    assert "It waits for" not in out


def test_an_officer_of_the_issuer_renews_by_working(
    folder: Path, node: Node, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A certificate of the issuer has a short life, and no command of the CA renews it."""
    suspended(folder, node)
    monkeypatch.setattr(status, "LONGEST_OF_ISSUER", timedelta(days=4000))
    _, out, _ = run(capsys, "status", "--profile", "tjk", "--keys", folder / "tjk/trust", "--json")
    commands = {each["what"]: each["command"] for each in json.loads(out)["expiries"]}
    assert commands["officer_certificate"] == "paiza inbox"
