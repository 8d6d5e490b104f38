"""`paiza-node officer` as an operator uses it, against the real service over a real store."""

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from ssl import DER_cert_to_PEM_cert
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from structlog.testing import capture_logs

from paiza.core.v1 import enrolment_pb2
from paiza.enrolment.v1.enrolment_pb2 import Invitation
from paiza_cli.fingerprint_words import enrolment_words
from paiza_node.__main__ import run
from paiza_node.core.access import store as access_store
from paiza_node.core.api import services
from paiza_node.core.api.server import plain_handler
from paiza_node.core.api.services import method_name
from paiza_node.features.approvals import store as approvals_store
from paiza_node.features.approvals.model import ApprovalRow
from paiza_node.features.officers import enrol
from paiza_node.features.officers.model import CertificatePair
from paiza_node.features.officers.revoke import Revocations
from paiza_node.ops.admin.officer_service import OfficerAdminService
from paiza_wire.errors import Unavailable
from paiza_wire.identity import invitations
from tests.unit.paiza_node.office import ACTOR, Office, officer_id
from tests.unit.paiza_wire.minting import FEDERATION

TOML = f"""\
member = "kaz"
federation = "{FEDERATION}"
listen = "127.0.0.1:7401"
bootstrap_root = "root.json"
admin_socket = "admin.sock"
"""


class Counter:
    """The operator at a node: the service on its socket, in a thread, and the program on the terminal."""

    def __init__(self, office: Office, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.office = office
        self.issuer: Any = SimpleNamespace(requires_administrator=self._requires_administrator)
        self.administrators = 0
        self.issuer_runs = True
        self._folder = folder
        self._capsys = capsys
        (folder / "node.toml").write_text(TOML)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server: Any = asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(30)

    async def _start(self) -> Any:
        office = self.office
        cache = SimpleNamespace(last=SimpleNamespace(certificate_verifier=office.verifier))
        core: Any = SimpleNamespace(
            member="kaz", register_cache=cache, ledger=office.ledger, store=office.store, clock=office.clock
        )
        unused: Any = None
        revocations = Revocations(office.directory, unused, frozenset, office.clock)
        service = OfficerAdminService(
            core,
            office.directory,
            revocations,
            federation=FEDERATION,
            duty_unit="desk",
            envelope=self._envelope,
            issuer=self.issuer,
        )
        found = services.handlers_of([service], [service.service])
        plain = {each.name: plain_handler(each, found[method_name(each)]) for each in service.service.methods}
        served = grpc.aio.server()
        served.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service.service.full_name, plain),))
        served.add_insecure_port(f"unix:{self._folder / 'admin.sock'}")
        await served.start()
        return served

    async def _requires_administrator(self) -> bool:
        if not self.issuer_runs:
            raise Unavailable("issuer_unreachable", "issuer.sock: UNAVAILABLE")
        return bool(self.administrators)

    def _envelope(self, officer: str) -> Invitation:
        return Invitation(
            enrol_address="node.kaz:7402",
            node_address="node.kaz:7401",
            member="kaz",
            federation=FEDERATION,
            officer_id=officer,
            node_cas=[each.certificate for each in self.office.member.authority.node_cas],
            first_root_sha256=bytes(32),
            newest_root_version=1,
            newest_root_sha256=bytes(32),
        )

    def close(self) -> None:
        """Stop the service."""
        asyncio.run_coroutine_threadsafe(self._server.stop(None), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __call__(self, *arguments: str | Path, lang: str = "en") -> tuple[int, str, str]:
        """Run a command; return the exit code and what it printed."""
        self._capsys.readouterr()
        config = ("--config", self._folder / "node.toml", "--lang", lang)
        code = run(["officer", *map(str, arguments), *map(str, config)])
        printed = self._capsys.readouterr()
        return code, printed.out, printed.err

    def json(self, *arguments: str | Path) -> Any:
        """Run a command with --json that succeeds."""
        code, out, err = self(*arguments, "--json")
        assert code == 0, err
        return json.loads(out)

    def refused(self, *arguments: str | Path) -> tuple[str, str]:
        """Run a command that is refused; return the reason and the remedy."""
        code, _out, err = self(*arguments, "--json")
        assert code == 3, err
        told = json.loads(err)
        return told["reason"], told["remedy"]

    def enrolled(self, name: str) -> tuple[CertificatePair, bytes]:
        """Let the invited person enrol; return their certificates and the digest of their words."""
        (invitation,) = (each for each in self.office.invitations(name) if each.state == "open")
        pair = self.office.pair(name)
        work = self.office.directory.commit(
            self.office.ledger, lambda tx: enrol.certify(tx, pair, actor=ACTOR, invitation=invitation)
        )
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)
        return pair, pair.keys_sha256(invitation.invitation_sha256)

    def approval(self, number: int, drafter: str, missing: str) -> None:
        """Store a message that waits for another officer's signature."""
        digest, time = bytes([number]) * 32, self.office.clock()
        row = ApprovalRow(digest, digest, drafter, b"", 0, time, time, missing=(missing,), signed=b"")
        work = self.office.ledger.commit(lambda tx: approvals_store.add_approval(tx.conn, row))
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)


@pytest.fixture
def counter(office: Office, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Counter]:
    """An operator at a node without officers."""
    with capture_logs():  # the node's log is not the command's
        made = Counter(office, tmp_path, capsys)
        yield made
        made.close()


def test_three_acts_make_an_officer(counter: Counter, tmp_path: Path) -> None:
    """Invited into a file for them alone, enrolled, and confirmed with the words, in either language."""
    file = tmp_path / "petrov.invitation"
    told = counter.json("invite", "petrov", "--role", "liaison,duty", "--unit", "bureau", "-o", file)
    assert (told["file"], told["officer"]["state"]) == (str(file), "invited")
    assert file.stat().st_mode & 0o777 == 0o600
    invitation = invitations.from_text(file.read_text())
    statement = enrolment_pb2.InvitationStatement.FromString(invitation.statement)
    assert (statement.officer_id, list(statement.roles)) == (officer_id("petrov"), ["duty", "liaison"])
    _pair, digest = counter.enrolled("petrov")
    (listed,) = counter.json("list")["officers"]
    assert listed["state"] == "unconfirmed"
    assert counter.refused("confirm", "petrov", "six", "other", "words")[0] == "words_differ"
    confirmed = counter.json("confirm", "petrov", *enrolment_words(digest, "ru").split())
    assert (confirmed["state"], confirmed["roles"], confirmed["unit"]) == ("active", ["duty", "liaison"], "bureau")
    assert {(each["use"], each["state"]) for each in confirmed["certificates"]} == {
        ("authentication", "active"),
        ("signing", "active"),
    }
    assert counter.office.findings() == []


def test_nobody_is_invited_whom_the_issuer_would_not_certify(counter: Counter, tmp_path: Path) -> None:
    """It is down, or needs an administrator's signature: that is said before anything is logged."""
    file = tmp_path / "petrov.invitation"
    arguments = ("invite", "petrov", "--role", "liaison", "--unit", "bureau", "-o", file)
    counter.issuer_runs = False
    code, _out, err = counter(*arguments, lang="ru")
    assert (code, "Служба выдачи" in err) == (4, True), err
    counter.issuer_runs, counter.administrators = True, 1
    reason, remedy = counter.refused(*arguments)
    assert (reason, "--administrator" in remedy) == ("administrator_missing", True)
    assert not file.exists()
    assert counter.office.ledger.checkpoint.size == 0
    counter.administrators = 0
    assert counter.json(*arguments)["file"] == str(file)


def test_an_officer_who_leaves_leaves_work(counter: Counter, tmp_path: Path) -> None:
    """Open tasks, messages that wait for another's signature, and those that wait for theirs, are named."""
    counter.json("invite", "petrov", "--role", "liaison", "--unit", "bureau", "-o", tmp_path / "petrov.invitation")
    counter.enrolled("petrov")
    own, other = officer_id("petrov"), officer_id("other")
    counter.approval(1, own, other)
    counter.approval(2, other, own)
    told = counter.json("remove", "petrov", "--reason", "left")
    assert told["open_tasks"] == []
    assert (told["waiting_messages"], told["wanted_signatures"]) == (["01" * 32], ["02" * 32])


def test_an_invitation_overwrites_nothing(counter: Counter, tmp_path: Path) -> None:
    """And nobody is invited then."""
    file = tmp_path / "there"
    file.write_text("other")
    arguments = ("invite", "petrov", "--role", "liaison", "--unit", "bureau", "-o", file)
    assert counter.refused(*arguments)[0] == "file_unwritable"
    assert counter.json("list") == {"officers": []}


def test_a_former_invitation_of_the_same_person_is_replaced(counter: Counter, tmp_path: Path) -> None:
    """The new one makes it void. One for another person is kept, and nobody is invited then."""
    file = tmp_path / "petrov.invitation"
    arguments = ("--role", "liaison", "--unit", "bureau", "-o", file)
    counter.json("invite", "petrov", *arguments)
    former = file.read_text()
    assert counter.refused("invite", "sidorov", *arguments)[0] == "file_unwritable"
    assert file.read_text() == former
    counter.json("invite", "petrov", *arguments)
    assert file.read_text() != former
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_known_officer_keeps_roles_and_unit(counter: Counter, tmp_path: Path) -> None:
    """What is not named stays, and is shown; a new person needs roles, and an administrator names all they sign."""
    assert counter("invite", "petrov", "-o", tmp_path / "new")[0] == 2
    first = ("invite", "petrov", "--role", "liaison,duty", "--unit", "bureau", "-o", tmp_path / "first")
    counter.json(*first)
    code, _out, err = counter("invite", "petrov", "-o", tmp_path / "second")
    assert code == 0
    assert "duty, liaison" in err
    (listed,) = counter.json("list")["officers"]
    assert (listed["roles"], listed["unit"]) == (["duty", "liaison"], "bureau")
    moved = counter.json("invite", "petrov", "--unit", "desk", "-o", tmp_path / "third")["officer"]
    assert (moved["roles"], moved["unit"]) == (["duty", "liaison"], "desk")
    assert counter("invite", "petrov", "--administrator", "key", "-o", tmp_path / "fourth")[0] == 2


def test_officers_are_admitted_from_a_file(counter: Counter, tmp_path: Path) -> None:
    """Suspended, reinstated, changed, and removed with a word for each; a removed one is listed only when asked for."""
    pair = counter.office.pair("petrov")
    listed = {
        "id": officer_id("petrov"),
        "roles": ["liaison"],
        "unit": "bureau",
        "authentication_certificate": DER_cert_to_PEM_cert(pair.authentication.der),
        "signing_certificate": DER_cert_to_PEM_cert(pair.signing.der),
    }
    file = tmp_path / "officers.json"
    file.write_text(json.dumps(listed))
    assert counter.json("admit", file)["unchanged"] == 0
    assert counter.json("admit", file)["unchanged"] == 1
    assert counter.json("suspend", "petrov", "--reason", "on leave")["state"] == "suspended"
    assert counter.json("reinstate", "petrov", "--reason", "back")["state"] == "active"
    assert counter.json("roles", "petrov", "duty,auditor")["roles"] == ["auditor", "duty"]
    assert counter.json("unit", officer_id("petrov"), "desk")["unit"] == "desk"
    stolen = counter.json("suspend", "petrov", "--reason", "bag", "--stolen")
    assert {each["revocation_waits"] for each in stolen["certificates"]} == {True}
    assert counter.json("remove", "petrov", "--reason", "gone")["state"] == "removed"
    assert counter.json("list") == {"officers": []}
    assert [each["state"] for each in counter.json("list", "--removed")["officers"]] == ["removed"]
    assert counter.office.findings() == []


@pytest.mark.parametrize(
    ("arguments", "reason", "remedy"),
    [
        (("suspend", "nobody", "--reason", "x"), "unknown_officer", "officer list"),
        (("reinstate", "nobody", "--reason", "x"), "unknown_officer", "officer list"),
        (("roles", "nobody", "duty"), "unknown_officer", "officer list"),
        (("remove", "nobody", "--reason", "x"), "unknown_officer", "officer list"),
        (("confirm", "nobody", "one", "two"), "unknown_id", "paiza enrol"),
        (("suspend", "nobody", "--reason", " "), "reason_missing", "state it"),
        (("suspend", "Not A Name", "--reason", "x"), "malformed", "Correct it"),
        (("suspend", "spiffe://tjk.federation.example/officer/x", "--reason", "x"), "wrong_member", ""),
        (("invite", "petrov", "--role", "king", "--unit", "bureau"), "malformed", "Correct it"),
        (("invite", "petrov", "--role", ",", "--unit", "bureau"), "malformed", "Correct it"),
        (("invite", "petrov", "--role", "liaison"), "unit_missing", "ame the unit"),
    ],
)
def test_a_refusal_says_what_to_do(
    counter: Counter,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    reason: str,
    remedy: str,
) -> None:
    """No entry is written, and no file."""
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.iterdir())
    found, words = counter.refused(*arguments)
    assert found == reason
    assert remedy in words.replace("State it", "state it")
    assert counter.office.logged() == []
    assert set(tmp_path.iterdir()) == before


def test_the_words_are_those_of_a_person(counter: Counter, tmp_path: Path) -> None:
    """Each act is told in a sentence, in both languages."""
    file = tmp_path / "petrov.invitation"
    invited = ("invite", "petrov", "--role", "liaison", "--unit", "bureau", "-o", file)
    said = counter(*invited)[1]
    assert "telephone you" in said
    file.unlink()
    assert "только этому человеку" in counter(*invited, lang="ru")[1]
    _pair, digest = counter.enrolled("petrov")
    assert "to be confirmed" in counter("list")[1]
    assert "не подтверждён" in counter("list", lang="ru")[1]
    assert "may act" in counter("confirm", "petrov", enrolment_words(digest, "en"))[1]
    assert "is suspended" in counter("suspend", "petrov", "--reason", "x", "--stolen")[1]
    assert "invite them" in counter("reinstate", "petrov", "--reason", "x")[1]
    assert "отзыв ещё не опубликован" in counter("list", lang="ru")[1]
    with counter.office.store.reads() as reads:
        assert [each.state for each in access_store.all_invitations(reads)] == ["void", "used"]
