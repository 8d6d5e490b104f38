"""`paiza enrol` against a node's listener: once, whatever breaks off, and only while somebody is expected."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import timedelta
from io import BytesIO, TextIOWrapper
from pathlib import Path
from ssl import DER_cert_to_PEM_cert
from typing import Any

import grpc
import pytest

from paiza.core.v1.enrolment_pb2 import InvitationStatement
from paiza.enrolment.v1 import enrolment_pb2, enrolment_pb2_grpc
from paiza_cli.exit_codes import ExitCode
from paiza_cli.fingerprint_words import are_enrolment_words
from paiza_client.__main__ import run as paiza
from paiza_node.core.access.model import InvitationAlarm
from paiza_node.core.api.enrolment_server import HANDSHAKE_SECONDS, MAX_CONNECTIONS
from paiza_node.features.officers.certificates import sleeping, waiting_keys_sha256
from paiza_officer import profiles
from paiza_wire.errors import Unavailable
from paiza_wire.identity import invitations, node_dns_name
from paiza_wire.identity.token_uri import TokenUri
from paiza_wire.identity.tokens import Tokens
from tests import softhsm
from tests.integration.enrolment.desk import Desk
from tests.unit.paiza_node.features.enrolment.enrolment_room import FEDERATION, MEMBER, OfficerKeys


def enrol(capfd: pytest.CaptureFixture[str], file: Path, *arguments: str) -> dict[str, Any]:
    """Run the command and return what it prints: the result, or the error."""
    code = paiza(["enrol", str(file), "--json", *arguments])
    out, err = capfd.readouterr()
    told: dict[str, Any] = json.loads(out if code == ExitCode.OK else err.splitlines()[-1])
    return told


def no_pin(token: str) -> bytes:
    """Fail where a PIN is asked for without need."""
    raise AssertionError(f"the PIN of {token} was asked for")


def no_passphrase() -> bytes:
    """Fail where a passphrase is asked for without need."""
    raise AssertionError("a passphrase was asked for")


def open_files() -> int:
    """Count what this process, in which the node runs, holds open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def process(file: Path) -> subprocess.Popen[str]:
    """Start the command as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "paiza_client", "enrol", str(file), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    )


def test_an_invited_person_becomes_an_officer(
    desk: Desk, home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The profile is whole, its keys are sealed, and the words are those that the operator compares."""
    told = enrol(capfd, desk.invited("petrov", tmp_path))
    assert told["profile"] == "kaz-petrov"
    assert are_enrolment_words(told["words"], waiting_keys_sha256(sleeping(desk.certificates("petrov"))))
    profile = profiles.load(home / "kaz-petrov")
    assert profile.sealed
    assert profile.root.read_bytes() == b"the first root"
    assert (home / "kaz-petrov").stat().st_mode & 0o777 == 0o700
    passphrase = b"correct horse battery staple"
    assert profiles.open_credentials(profile, lambda: passphrase).certificate_der
    with Tokens(no_pin) as tokens:
        assert profiles.open_signer(profile, lambda: passphrase, tokens, desk.clock.now).sign(b"data")
    assert abs(told["node_ahead_seconds"]) < 60


def test_a_repeat_shows_the_same_words(
    desk: Desk, home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Who closed the window before the telephone call runs the command again."""
    file = desk.invited("petrov", tmp_path)
    first, second = enrol(capfd, file), enrol(capfd, file)
    assert first["words"] == second["words"]
    assert len(list(home.glob("kaz-petrov/*.key"))) == 2
    assert desk.events().count("OFFICER_CERTIFIED") == 1


def test_who_comes_second_with_a_photograph_is_told(
    desk: Desk, home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thief was first: the officer learns it, and the node keeps an alarm."""
    file = desk.invited("petrov", tmp_path)
    monkeypatch.setenv("PAIZA_HOME", str(tmp_path / "elsewhere"))
    thief = enrol(capfd, file)
    monkeypatch.setenv("PAIZA_HOME", str(home))
    told = enrol(capfd, file)
    assert (told["reason"], told["exit_code"]) == ("invitation_used", ExitCode.REFUSED)
    invitation = invitations.from_text(file.read_text())
    assert desk.stored(invitation).alarm is InvitationAlarm.OTHER_KEYS
    assert not (home / "kaz-petrov" / "profile.toml").exists()
    assert thief["words"]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_client_killed_at_the_answer_goes_on(
    desk: Desk, home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], moment: str
) -> None:
    """A kill -9 before the node has issued, or when it has and nobody hears it: the same command ends it."""
    file = desk.invited("petrov", tmp_path)
    reached, go_on = threading.Event(), threading.Event()

    async def wait() -> None:
        reached.set()
        await asyncio.to_thread(go_on.wait, 30)

    setattr(desk, moment, wait)
    running = process(file)
    assert reached.wait(60)
    running.send_signal(signal.SIGKILL)
    running.communicate()
    go_on.set()
    setattr(desk, moment, None)
    assert not (home / "kaz-petrov" / "profile.toml").exists()
    keys_before = {each.name: each.read_bytes() for each in home.glob("kaz-petrov/*.key")}
    assert len(keys_before) == 2, "both keys are on disk before the node is asked"
    assert enrol(capfd, file)["profile"] == "kaz-petrov"
    assert {each.name: each.read_bytes() for each in home.glob("kaz-petrov/*.key")} == keys_before
    assert desk.events().count("OFFICER_CERTIFIED") == 1


@pytest.mark.parametrize("at", range(7))
def test_a_client_that_stops_at_any_write_goes_on(
    desk: Desk, home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """Whichever file was the last one that reached the disk, the same command makes a whole profile."""
    file = desk.invited("petrov", tmp_path)
    moves = []
    replace = Path.replace

    def counted(self: Path, target: Path) -> Path:
        moves.append(target)
        if len(moves) > at:
            raise KeyboardInterrupt
        return replace(self, target)

    with monkeypatch.context() as broken:
        broken.setattr(Path, "replace", counted)
        paiza(["enrol", str(file), "--json"])
    capfd.readouterr()
    assert enrol(capfd, file)["profile"] == "kaz-petrov"
    assert profiles.load(home / "kaz-petrov").id.name == "petrov"
    assert desk.events().count("OFFICER_CERTIFIED") == 1


def test_the_address_is_closed_while_nobody_is_expected(
    desk: Desk, home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Before an invitation, after its confirmation, and after its end nobody listens."""
    assert not desk.is_open()
    file = desk.invited("petrov", tmp_path)
    assert desk.is_open()
    enrol(capfd, file)
    desk.look()
    assert desk.is_open(), "the answer may have been lost"
    desk.confirm("petrov")
    desk.look()
    assert not desk.is_open()
    late = desk.invited("sidorov", tmp_path)
    assert desk.is_open()
    desk.clock.now += timedelta(hours=24)
    desk.look()
    assert not desk.is_open()
    told = enrol(capfd, late)
    assert (told["reason"], told["exit_code"]) == ("node_unreachable", ExitCode.UNAVAILABLE)
    assert home.exists()


def is_connected(connection: socket.socket) -> bool:
    """Return whether the other side has not closed a connection on which it sends nothing."""
    connection.settimeout(0)
    try:
        return bool(connection.recv(1))
    except BlockingIOError:
        return True
    except OSError:
        return False


def test_half_open_connections_are_bounded(
    desk: Desk, home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Hundreds of connections that say nothing take few places, and give them up within seconds."""
    file = desk.invited("petrov", tmp_path)
    before = open_files()
    host, _, port = desk.listen.rpartition(":")
    silent = [socket.create_connection((host, int(port)), 60) for _ in range(400)]
    try:
        time.sleep(0.5)
        taken = open_files() - before - len(silent)
        assert taken <= MAX_CONNECTIONS + 8
        deadline = time.monotonic() + 20 * HANDSHAKE_SECONDS
        while any(map(is_connected, silent)):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert enrol(capfd, file)["profile"] == "kaz-petrov"
    finally:
        for each in silent:
            each.close()
    assert home.exists()


def test_a_large_request_is_refused(desk: Desk, tmp_path: Path) -> None:
    """Nobody without a certificate makes the node take more than a few kilobytes."""
    invitation = invitations.from_text(desk.invited("petrov", tmp_path).read_text())
    request = desk.request(invitation, OfficerKeys())
    request.signing_request = bytes(64 * 1024)
    tls = grpc.ssl_channel_credentials(DER_cert_to_PEM_cert(invitation.node_cas[0]).encode())
    options = (("grpc.ssl_target_name_override", node_dns_name(MEMBER, FEDERATION)),)
    with grpc.secure_channel(desk.listen, tls, options) as channel:
        stub = enrolment_pb2_grpc.EnrolmentServiceStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            stub.Enrol(request, timeout=60)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        with pytest.raises(grpc.RpcError) as caught:
            stub.Enrol(enrolment_pb2.EnrolRequest(), timeout=60)
        told: Any = caught.value.trailing_metadata()
        assert ("paiza-reason", "invitation_unknown") in told


def test_a_node_of_another_authority_is_not_believed(
    desk: Desk, home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Who stands at the node's address with a certificate of another CA learns no secret."""
    file = desk.invited("petrov", tmp_path)
    invitation = invitations.from_text(file.read_text())
    other = Desk(f"sqlite:///{tmp_path / 'other.db'}")
    with other:
        invitation.node_cas[0] = other.authorities.node
        statement = InvitationStatement.FromString(invitation.statement)
        statement.envelope_sha256 = invitations.envelope_sha256(invitation)
        invitation.statement = statement.SerializeToString(deterministic=True)
        file.write_text(invitations.to_text(invitation))
        asked = []

        async def note() -> None:
            asked.append(1)

        desk.before = note
        assert enrol(capfd, file)["reason"] == "node_unreachable"
    assert asked == []
    assert not list(home.glob("*/profile.toml"))


@pytest.mark.parametrize(
    ("starts", "ends"), [(timedelta(days=1), timedelta(days=2)), (-timedelta(days=2), -timedelta(days=1))]
)
def test_a_wrong_clock_is_named(
    desk: Desk, home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], starts: timedelta, ends: timedelta
) -> None:
    """A clock outside the life of the node's certificate breaks TLS; the officer is told that it is the clock."""
    desk.identity.replace(desk.tls_keys(starts, ends))
    told = enrol(capfd, desk.invited("petrov", tmp_path))
    assert told["reason"] == "own_clock_wrong"
    assert home.exists()


def test_a_difference_of_clocks_is_named(
    desk: Desk, home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A clock that is some minutes off is told, with the difference; the profile is made."""
    file = desk.invited("petrov", tmp_path)
    desk.clock.now += timedelta(minutes=7)
    assert paiza(["enrol", str(file), "--lang", "ru"]) == ExitCode.OK
    out, err = capfd.readouterr()
    assert "Часы этого компьютера отстают от часов узла на" in err
    assert "Позвоните администратору" in out
    assert home.exists()


def test_the_client_waits_for_a_witness(
    desk: Desk, home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An invitation that no other member has seen yet is waited for; what lasts longer is told, and costs nothing."""
    monkeypatch.setattr("paiza_officer.enrolment.PAUSE_SECONDS", 0.1)
    file = desk.invited("petrov", tmp_path)
    refused = []

    async def later() -> None:
        refused.append(1)
        desk.issuer.broken = Unavailable("not_witnessed") if len(refused) < 3 else None

    desk.before = later
    assert enrol(capfd, file)["profile"] == "kaz-petrov"
    assert len(refused) == 3
    desk.before, desk.issuer.broken = None, Unavailable("issuer_unreachable")
    told = enrol(capfd, desk.invited("sidorov", tmp_path))
    assert (told["reason"], told["exit_code"]) == ("issuer_unreachable", ExitCode.UNAVAILABLE)
    assert home.exists()


def test_what_is_waited_for_is_told_before(
    desk: Desk, home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Who sees nothing for a minute would stop the command."""
    file, told = desk.invited("petrov", tmp_path), []

    async def asked() -> None:
        told.append(capfd.readouterr().err)

    desk.before = asked
    assert paiza(["enrol", str(file), "--lang", "en"]) == ExitCode.OK
    assert "once another member's node has witnessed the invitation" in told[0]
    assert home.exists()


def test_a_damaged_invitation_is_named(
    home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], desk: Desk
) -> None:
    """A file that was cut, or is none, makes nothing."""
    file = desk.invited("petrov", tmp_path)
    file.write_text(file.read_text()[:-20])
    assert enrol(capfd, file)["reason"] == "bad_invitation"
    assert enrol(capfd, tmp_path / "missing")["reason"] == "file_unreadable"
    assert not home.exists()


def test_a_token_holds_the_signing_key(
    desk: Desk, home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The key on the token is certified, and named in the profile; a repeat without the option uses it too."""
    library = softhsm.make_token()
    softhsm.make_key(library, "enrolment", asks_always=True)
    pin = tmp_path / "pin"
    pin.write_text(softhsm.PIN)
    pin.chmod(0o600)
    uri = TokenUri(module=library, token=softhsm.LABEL, label="enrolment", pin_source=pin)
    file = desk.invited("petrov", tmp_path)
    first = enrol(capfd, file, "--token", str(uri))
    again = enrol(capfd, file)
    assert again.get("words") == first["words"], again
    profile = profiles.load(home / "kaz-petrov")
    assert profile.signing_key == uri
    assert len(list(home.glob("kaz-petrov/*.key"))) == 1
    with Tokens(no_pin) as tokens:
        assert profiles.open_signer(profile, no_passphrase, tokens, desk.clock.now).sign(b"data")


def test_an_officer_who_enrols_anew_keeps_what_waits(
    desk: Desk, home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A second invitation replaces the keys of the profile, and nothing else in its folder."""
    enrol(capfd, desk.invited("petrov", tmp_path))
    desk.confirm("petrov")
    folder = home / "kaz-petrov"
    (folder / "outbox").mkdir()
    with (folder / "profile.toml").open("a") as settings:
        settings.write('lang = "ru"\n')
    former = profiles.load(folder)
    enrol(capfd, desk.invited("petrov", tmp_path))
    newer = profiles.load(folder)
    assert (newer.lang, (folder / "outbox").exists()) == ("ru", True)
    assert newer.authentication_key != former.authentication_key


def test_the_profile_of_another_officer_is_left_alone(
    desk: Desk, home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A name of a profile that is taken is refused before anything is made."""
    enrol(capfd, desk.invited("petrov", tmp_path))
    before = (home / "kaz-petrov/profile.toml").read_bytes()
    told = enrol(capfd, desk.invited("sidorov", tmp_path), "--profile", "kaz-petrov")
    assert told["exit_code"] == ExitCode.USAGE
    assert (home / "kaz-petrov/profile.toml").read_bytes() == before
    assert enrol(capfd, tmp_path / "sidorov.invitation", "--profile", "second")["profile"] == "second"


@pytest.mark.parametrize("name", ["..", ".", "a/..", "../other", "/tmp/other"])  # noqa: S108 - nothing is made
def test_no_name_of_a_profile_leads_out_of_its_home(
    desk: Desk, home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    """Keys are made in a folder below the home of the profiles, or nowhere."""
    told = enrol(capfd, desk.invited("petrov", tmp_path), "--profile", name)
    assert (told["exit_code"], told["where"]) == (ExitCode.USAGE, "--profile")
    assert not home.exists()
    assert not list(tmp_path.rglob("*.key"))


def test_what_is_no_text_is_no_invitation(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes of any kind at standard input are refused as a file of them is, in whatever encoding it is read."""
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(b"\xff\xfe\xfa"), "utf-8"))
    assert enrol(capfd, Path("-"))["reason"] == "bad_invitation"


def test_no_invitation_changes_the_root_of_a_profile(
    desk: Desk, home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who founds a federation of the same name, and invites an officer to it, gets nothing into their profile."""
    enrol(capfd, desk.invited("petrov", tmp_path))
    desk.confirm("petrov")
    before = {path: path.read_bytes() for path in (home / "kaz-petrov").iterdir()}
    monkeypatch.setattr("tests.unit.paiza_node.features.enrolment.enrolment_room.FIRST_ROOT", b"another first root")
    with Desk(f"sqlite:///{tmp_path / 'other.db'}") as other:
        forged = other.invited("petrov", tmp_path)
        told = enrol(capfd, forged)
        assert (told["exit_code"], told["where"]) == (ExitCode.USAGE, "--profile")
        assert {path: path.read_bytes() for path in (home / "kaz-petrov").iterdir()} == before
        assert enrol(capfd, forged, "--profile", "second")["profile"] == "second"


def test_the_words_are_shown_again_without_the_node(
    desk: Desk, home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Once the profile is whole, the node need not be asked, nor a passphrase be typed."""
    file = desk.invited("petrov", tmp_path)
    first = enrol(capfd, file)
    desk.confirm("petrov")
    desk.look()
    assert not desk.is_open()
    assert enrol(capfd, file)["words"] == first["words"]
    assert home.exists()
