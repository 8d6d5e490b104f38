"""The connection to the own node: authentication key, certificate, register, and only then the channel.

The node is believed to be our member's node because its certificate is from a node CA that the register names.
Until there is a verified register, a connection to whatever certificate is shown serves for nothing but fetching
one: the register is verified against the profile's bootstrap root, from any source.
"""

import asyncio
import fcntl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from ssl import PEM_cert_to_DER_cert
from typing import Final

from paiza.core.v1 import register_pb2, register_pb2_grpc
from paiza_officer import channel, register_cache, unlocked
from paiza_officer.channel import Channel
from paiza_officer.errors import NotProven, ProfileProblem, Refused, Unreachable, disk_problem, located
from paiza_officer.profiles import Credentials, Profile, check_certificate, remember_node
from paiza_register import Fetch, FetchMissing, Register, RegisterReader
from paiza_wire.errors import PaizaError, Rejected, Unavailable
from paiza_wire.identity.tokens import Tokens
from paiza_wire.message import OfficerSigner

FETCH_SECONDS: Final = 10.0  # one file of the register


@dataclass(frozen=True, slots=True)
class Connection:
    """An open channel to the own node, and the register in force at its start.

    ``signer`` opens the signing key when it is first called. ``node_certificate`` (PEM) is what the channel believes.
    """

    profile: Profile
    credentials: Credentials
    signer: Callable[[], OfficerSigner]
    channel: Channel
    register: Register
    node_certificate: bytes = b""


@asynccontextmanager
async def connect(
    profile: Profile,
    passphrase: Callable[[], bytes] | None = None,
    pin: Callable[[str], bytes] | None = None,
) -> AsyncIterator[Connection]:
    """Connect to the profile's node; ``passphrase`` is called at most once for each key that is encrypted.

    ``pin`` is called with the label of the token that holds the signing key. Neither is called while an agent holds the
    keys. The register is renewed from the node first. Where the profile names several addresses, they are tried one
    after the other, beginning with the one that answered last; ``profile`` of the connection has the one that answers.

    ProfileProblem: the key, the passphrase or the certificate. Unreachable: the node or the register, for now.
    """
    ask = passphrase or no_passphrase
    credentials = await asyncio.to_thread(unlocked.authentication, profile, ask)
    certificate, now = credentials.certificate_der, datetime.now(UTC)
    check_certificate(profile.authentication_certificate, certificate, "authentication", now)
    profile, current, roots = await _first_that_serves(profile, credentials)
    opened = channel.open_channel(profile, credentials, roots)
    with Tokens(pin or no_pin) as tokens:
        signer = cache(lambda: unlocked.signer(profile, ask, tokens, datetime.now(UTC)))
        try:
            yield Connection(profile, credentials, signer, opened, current, roots)
        finally:
            await opened.close()


def no_passphrase() -> bytes:
    """Refuse to open an encrypted key where nobody can be asked."""
    raise ProfileProblem("passphrase_missing")


def no_pin(token: str) -> bytes:
    """Refuse to open a token where nobody can be asked."""
    raise ProfileProblem("passphrase_missing", token, "nobody can be asked for the PIN")


async def _first_that_serves(profile: Profile, credentials: Credentials) -> tuple[Profile, Register, bytes]:
    """Return the profile with the first address whose node serves, the register, and the node's certificate.

    Unreachable, as of the first address, if none does. Whatever else an address does wrong is told, not passed over.
    """
    away: list[Unreachable] = []
    for address in profile.addresses:
        try:
            current, roots = await _believed_register(profile.at(address), credentials)
        except Unreachable as error:
            away.append(error)
        else:
            remember_node(profile.at(address))
            return profile.at(address), current, roots
    # A standby says more than an address that is silent, unless all wait.
    raise next((error for error in away if error.reason != "standby"), away[0])


async def _believed_register(profile: Profile, credentials: Credentials) -> tuple[Register, bytes]:
    """Return the register in force, renewed from the node, and the certificate (PEM) that the node showed for it.

    Until the certificate is verified against the renewed register, the connection to its holder serves for nothing but
    the register. A node CA may have been replaced, or the certificate revoked, since the last time.
    """
    shown = await channel.shown_certificate(profile.node)
    refreshed = await _refresh(profile, credentials, shown)
    with located(profile.node, NotProven):
        _check_node_certificate(refreshed, profile, shown)
    _check_own_certificate(refreshed, profile, credentials)
    return refreshed, shown


async def check_node(connected: Connection) -> None:
    """Renew the register from the node; Unreachable if its certificate is refused now: the next connection judges it.

    Other errors as of `refresh`.
    """
    profile = connected.profile
    refreshed = await refresh(profile, connected.channel)
    try:
        _check_node_certificate(refreshed, profile, connected.node_certificate)
    except Rejected as error:
        raise Unreachable(error.reason, profile.node, error.detail) from error


def _check_node_certificate(known: Register, profile: Profile, pem: bytes) -> None:
    der = PEM_cert_to_DER_cert(pem.decode("ascii"))
    try:
        known.certificate_verifier().node(der, expected_member=profile.member, at=datetime.now(UTC))
    except Rejected as error:
        if error.reason != "certificate_revoked":
            raise
        raise Rejected("node_revoked", error.detail) from error  # not the officer's, whom it would tell to enrol again


async def _refresh(profile: Profile, credentials: Credentials, roots: bytes) -> Register:
    opened = channel.open_channel(profile, credentials, roots)
    try:
        return await refresh(profile, opened)
    finally:
        await opened.close()


async def refresh(profile: Profile, opened: Channel) -> Register:
    """Renew the register from the node; NotProven: the node's does not verify. Unreachable: the node, or no register.

    Refused: the node does not admit this officer.

    The files of what is returned are in `register_cache`.
    """
    stub = register_pb2_grpc.RegisterServiceStub(opened)
    loop = asyncio.get_running_loop()
    failures: list[PaizaError] = []

    async def get(path: str) -> bytes:
        request = register_pb2.GetFileRequest(path=path)
        answer = await channel.call(profile.node, lambda: stub.GetFile(request, timeout=FETCH_SECONDS), attempts=2)
        return answer.data

    def fetch(path: str, limit: int) -> bytes:
        try:
            data = asyncio.run_coroutine_threadsafe(get(path), loop).result()
        except Refused as error:
            if error.reason != "unknown_file":
                raise  # it does not admit the officer: that is no missing file, and no fault of the network
            raise FetchMissing(path) from error
        except PaizaError as error:
            failures.append(error)
            raise
        return data[: limit + 1]

    def read() -> Register:
        with _one_writer(profile.register_cache), located(profile.node, NotProven):
            try:
                found = newest(register_cache.reader(profile), fetch)
                register_cache.check_newest_root(profile, found)
            except OSError as error:
                raise disk_problem(error, str(profile.register_cache)) from error
        return found

    try:
        refreshed = await asyncio.to_thread(read)
    except Unavailable as error:
        raise _unreachable(profile, failures[0] if failures else error) from error
    if failures:
        # The last set still counts, but the node did not answer: nothing can be sent or read now.
        raise _unreachable(profile, failures[0])
    return refreshed


def newest(reader: RegisterReader, fetch: Fetch) -> Register:
    """Return the newest register of a node.

    The files are fetched one by one. Between two of them the node may put another register into force, which lacks the
    next one: then it is fetched once more.
    """
    try:
        found = reader.refresh(datetime.now(UTC), fetch)
    except Unavailable:
        found = None
    error = reader.last_error
    if found is None or (error is not None and error.reason == "register_unavailable"):
        return reader.refresh(datetime.now(UTC), fetch)
    return found


def _unreachable(profile: Profile, error: PaizaError) -> PaizaError:
    return error if isinstance(error, Unreachable) else Unreachable(error.reason, profile.node, error.detail)


def _check_own_certificate(known: Register, profile: Profile, credentials: Credentials) -> None:
    """Find out here, with the reason, what the node would only answer by closing the connection."""
    if profile.member in known.suspended_ids:
        raise ProfileProblem("own_member_suspended", profile.member, ", ".join(sorted(known.custodians)))
    with located(str(profile.authentication_certificate), ProfileProblem):
        known.active_member(profile.member)
        known.certificate_verifier().authentication(
            credentials.certificate_der, expected_id=str(profile.id), at=datetime.now(UTC)
        )


@contextmanager
def _one_writer(folder: Path) -> Iterator[None]:
    """Allow one process at a time to renew the register's cache; the lock ends with the process, however it ends."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
