"""The agent: real processes that hold the keys of a profile, answer their own user, and end."""

import os
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from paiza_officer import profiles, unlocked
from paiza_officer.agent import client, wire
from paiza_officer.agent.start import start
from paiza_officer.errors import ProfileProblem
from paiza_officer.profiles import Profile
from paiza_wire.identity import keys, load_certificate
from paiza_wire.identity.certificate_profiles import p256_key
from paiza_wire.identity.token_uri import TokenUri
from paiza_wire.identity.tokens import Tokens
from tests import softhsm
from tests.unit.paiza_officer.test_profiles import PASSPHRASE, make, never

PAE = b"DSSEv1 4 type 4 data"
HALF_AN_HOUR = timedelta(minutes=30)


@pytest.fixture(autouse=True)
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of sockets of the test's own; its path is short, as that of a socket must be."""
    with tempfile.TemporaryDirectory(prefix="paiza-") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield Path(folder) / "paiza"


@pytest.fixture
def profile(tmp_path: Path) -> Iterator[Profile]:
    """A profile with a sealed key, whose agent ends with the test."""
    made = profiles.load(make(tmp_path / "home", passphrase=PASSPHRASE))
    yield made
    client.lock(made.folder)


def no_pin(token: str) -> bytes:
    """Fail where a PIN is asked for without need."""
    raise AssertionError(f"the PIN of {token} was asked for")


def unlock(profile: Profile, length: timedelta = HALF_AN_HOUR) -> int:
    """Start the agent of a profile and return its process id."""
    return start(profile, length, lambda: PASSPHRASE, no_pin)


def name_of(file: Path) -> bytes:
    """Return the fingerprint of the key in a certificate."""
    return keys.fingerprint(p256_key(load_certificate(profiles.read_certificate(file)[1])))


def signature_of(profile: Profile, data: bytes = PAE) -> bytes | None:
    """Have the agent sign with the signing key."""
    return client.sign(profile.folder, name_of(profile.signing_certificate), data)


def has_ended(process: int) -> bool:
    """Wait until a process, which is a child of this one, has ended; False if it does not within seconds."""
    for _ in range(600):
        if os.waitpid(process, os.WNOHANG) != (0, 0):
            return True
        time.sleep(0.1)
    return False


def test_an_agent_signs_until_it_is_locked(profile: Profile) -> None:
    """Signatures hold under the profile's key; after `lock` there is no process and no answer."""
    process = unlock(profile)
    signature = signature_of(profile)
    assert signature is not None
    _pem, certificate = profiles.read_certificate(profile.signing_certificate)
    keys.verify(p256_key(load_certificate(certificate)), signature, PAE)
    assert client.lock(profile.folder)
    assert has_ended(process)
    assert signature_of(profile) is None
    assert not client.lock(profile.folder)


def test_each_key_is_for_its_use(profile: Profile) -> None:
    """The authentication key is handed over and signs nothing here; the signing key never leaves the agent."""
    unlock(profile)
    authentication, signing = (
        name_of(each) for each in (profile.authentication_certificate, profile.signing_certificate)
    )
    opened = profiles.open_credentials(profile, lambda: PASSPHRASE)
    assert client.authentication_key(profile.folder, authentication) == opened.key_pem
    assert client.authentication_key(profile.folder, signing) is None
    assert client.signs_with(profile.folder, signing)
    assert not client.signs_with(profile.folder, authentication)
    assert client.sign(profile.folder, authentication, PAE) is None


def test_with_an_agent_nobody_is_asked(profile: Profile) -> None:
    """Commands connect and sign without a passphrase; it is asked for again once the agent has gone."""
    now = datetime.now(UTC)
    process = unlock(profile)
    assert unlocked.authentication(profile, never) == profiles.open_credentials(profile, lambda: PASSPHRASE)
    with Tokens(no_pin) as tokens:
        signer = unlocked.signer(profile, never, tokens, now)
        late = unlocked.signer(profile, lambda: PASSPHRASE, tokens, now)
        assert signer.sign(PAE)
        os.kill(process, signal.SIGKILL)
        assert has_ended(process)
        assert late.sign(PAE), "a command goes on when the agent ends while it runs"
        with pytest.raises(AssertionError):
            signer.sign(PAE)
        with pytest.raises(AssertionError):
            unlocked.signer(profile, never, tokens, now)


def test_an_agent_signs_with_a_token(tmp_path: Path) -> None:
    """The PIN is asked for once, also for a card that wants it at every signature."""
    library = softhsm.make_token()
    softhsm.make_key(library, "agent", asks_always=True)
    uri = TokenUri(module=library, token=softhsm.LABEL, label="agent")
    with Tokens(lambda _token: softhsm.PIN.encode()) as tokens:
        folder = make(tmp_path / "home", passphrase=PASSPHRASE, signing_key=tokens.signer(uri), uri=str(uri))
    profile = profiles.load(folder)
    asked = []

    def pin(token: str) -> bytes:
        asked.append(token)
        return softhsm.PIN.encode()

    start(profile, HALF_AN_HOUR, lambda: PASSPHRASE, pin)
    assert signature_of(profile)
    assert signature_of(profile)
    assert client.lock(folder)
    assert asked == [softhsm.LABEL]


@pytest.mark.parametrize("data", [b"", b"0\x82\x01", b" " * 64 + b"TLS 1.3, client CertificateVerify\0", b"DSSEv2 "])
def test_an_agent_signs_nothing_but_dsse(profile: Profile, data: bytes) -> None:
    """A program of the officer's cannot have a certificate, a request or a handshake signed."""
    unlock(profile)
    assert signature_of(profile, data) is None


def test_an_agent_does_not_answer_for_other_keys(profile: Profile) -> None:
    """A profile whose key was renewed meanwhile does not get the old one."""
    unlock(profile)
    assert client.authentication_key(profile.folder, bytes(32)) is None
    assert client.sign(profile.folder, bytes(32), PAE) is None


def test_a_wrong_passphrase_starts_nothing(profile: Profile) -> None:
    """The error is the one of every command, at the key's file, and no socket is left."""
    with pytest.raises(ProfileProblem, match="bad_passphrase") as caught:
        start(profile, HALF_AN_HOUR, lambda: b"wrong", no_pin)
    assert caught.value.where == str(profile.authentication_key)
    assert not wire.socket_path(profile.folder).exists()


def test_an_unsealed_key_needs_no_passphrase(tmp_path: Path) -> None:
    """For exercises: nobody is asked."""
    profile = profiles.load(make(tmp_path / "home"))
    start(profile, HALF_AN_HOUR, never, no_pin)
    assert client.lock(profile.folder)


def test_the_time_ends_the_agent(profile: Profile) -> None:
    """At the end of its time the process ends by itself and leaves no socket."""
    process = unlock(profile, timedelta(seconds=1))
    assert has_ended(process)
    assert not wire.socket_path(profile.folder).exists()


def test_a_killed_agent_is_replaced(profile: Profile) -> None:
    """What kill -9 leaves behind is no answer, and no obstacle."""
    process = unlock(profile)
    os.kill(process, signal.SIGKILL)
    assert has_ended(process)
    assert signature_of(profile) is None
    unlock(profile)
    assert signature_of(profile)


def test_a_second_agent_replaces_the_first(profile: Profile) -> None:
    """Unlocking again makes the time anew, and there is one process."""
    first = unlock(profile)
    second = unlock(profile)
    assert has_ended(first)
    assert signature_of(profile)
    os.kill(second, signal.SIGTERM)
    assert has_ended(second)
    assert not wire.socket_path(profile.folder).exists()


def test_garbage_does_not_stop_an_agent(profile: Profile) -> None:
    """Frames that are cut off, oversized, or of an unknown kind cost only their sender."""
    unlock(profile)
    for sent in (b"", b"\0", b"\xff\xff\xff\xff", b"\0\0\0\1\xff", b"\0\0\0\0", b"\0\0\0\x01S", b"\0\0\0\x01X"):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(wire.socket_path(profile.folder)))
            connection.sendall(sent)
    assert signature_of(profile)


def test_a_slow_program_does_not_hold_an_agent_beyond_its_time(profile: Profile) -> None:
    """A request that trickles in, byte by byte, has one deadline; the keys end when they were to end."""
    process = unlock(profile, timedelta(seconds=2))
    ended = False
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(wire.socket_path(profile.folder)))
        connection.sendall((200_000).to_bytes(4, "big"))
        for _ in range(600):  # a request that has a new deadline with every byte would hold it all the while
            if ended := os.waitpid(process, os.WNOHANG) != (0, 0):
                break
            with suppress(OSError):
                connection.sendall(b"x")
            time.sleep(0.1)
    assert ended


def test_only_the_user_can_reach_the_socket(profile: Profile, runtime: Path) -> None:
    """Folder and socket let nobody else in; a folder that does is neither used nor asked."""
    unlock(profile)
    assert runtime.stat().st_mode & 0o777 == 0o700
    assert wire.socket_path(profile.folder).stat().st_mode & 0o777 == 0o600
    runtime.chmod(0o755)
    assert signature_of(profile) is None
    with pytest.raises(ProfileProblem, match="key_exposed"):
        unlock(profile)
    runtime.chmod(0o700)
    assert signature_of(profile)


def test_a_process_of_another_user_is_no_peer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's word on the other end counts, whoever opened the folder."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert wire.is_same_user(ours)
        other = os.geteuid() + 1
        monkeypatch.setattr(os, "geteuid", lambda: other)
        assert not wire.is_same_user(ours)


@pytest.mark.skipif(not Path("/proc/self/limits").exists(), reason="reads /proc")
def test_an_agent_leaves_no_core(profile: Profile) -> None:
    """A crash writes no memory to disk."""
    limits = Path(f"/proc/{unlock(profile)}/limits").read_text().splitlines()
    (core,) = [line.split() for line in limits if line.startswith("Max core file size")]
    assert core[4:6] == ["0", "0"]
