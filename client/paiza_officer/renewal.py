"""Renewal: in the last month of an officer's certificates, whichever command connects gets new ones.

1. The next keys are made, and are on the disk (`new_keys`); by the agent, if one holds the present keys.
2. A statement for them is signed with the present signing key, and kept in the profile's folder.
3. The node answers with new certificates, which count at once; the present ones count until they end.
4. The certificates are written, and profile.toml names the new keys.

After a crash or a lost answer the next command goes on with the same statement, which the node answers again. Nothing
here stops the command that connected: what cannot be done now is tried by the next one. What was refused, or gave no
later end since the CA ends, is tried again a day later: each trial is an entry of the node's log.
"""

import asyncio
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Final

from google.protobuf.message import DecodeError

from paiza.core.v1 import enrolment_pb2
from paiza.officer.v1 import renewal_pb2, renewal_pb2_grpc
from paiza_officer import channel, new_keys
from paiza_officer.agent import client
from paiza_officer.agent.held import make_next
from paiza_officer.connection import Connection
from paiza_officer.errors import Refused, located
from paiza_officer.new_keys import NewKeys
from paiza_officer.profiles import Profile, read_certificate, write_private
from paiza_register import Register
from paiza_register.archive import write_durably
from paiza_wire.errors import PaizaError, Rejected
from paiza_wire.identity import statements
from paiza_wire.identity.tokens import Tokens

RENEW_BEFORE: Final = timedelta(days=30)
"""Before the end of a certificate; officers who are away for weeks renew all the same."""

AGAIN_AFTER: Final = timedelta(days=1)
"""Between a renewal that was refused or gained nothing and the next one."""

TRIED_FILE: Final = "renewal-tried"
SALT_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Renewal:
    """What became of a renewal. ``expiry_time`` is when the certificates in use end now; ``error`` why it failed."""

    expiry_time: datetime
    error: PaizaError | None = None


async def renew_if_due(
    connection: Connection, passphrase: Callable[[], bytes], pin: Callable[[str], bytes], now: datetime
) -> Renewal | None:
    """Renew the certificates of a connected officer in their last month; None before.

    ``passphrase`` and ``pin`` are called as `connect` calls them. No error is raised: the officer has other work.
    """
    profile = connection.profile
    register = connection.register
    ends = expiry_time(profile, register)
    if ends - now > RENEW_BEFORE or _in_vain(profile, now):
        return None
    try:
        renewed = await _renewed(connection, passphrase, pin, now)
    except PaizaError as error:
        if isinstance(error, Refused):
            _note_in_vain(profile, now)
        return Renewal(ends, error)
    later = expiry_time(renewed, register)
    if later <= ends:
        _note_in_vain(profile, now)
    return Renewal(later)


def expiry_time(profile: Profile, register: Register) -> datetime:
    """Return when the first of a profile's certificates ends, by itself or with its CA.

    Of a CA that the register names no longer, no later than that register.
    """
    verifier = register.certificate_verifier()
    files = (profile.authentication_certificate, profile.signing_certificate)
    try:
        return min(verifier.expiry_time(read_certificate(file)[1]) for file in files)
    except Rejected:
        return register.issued_time


def _in_vain(profile: Profile, now: datetime) -> bool:
    """Return whether a renewal was refused or gained nothing less than a day ago."""
    try:
        tried = datetime.fromisoformat((profile.folder / TRIED_FILE).read_text())
        return timedelta() <= now - tried < AGAIN_AFTER
    except (OSError, ValueError, TypeError):
        return False


def _note_in_vain(profile: Profile, now: datetime) -> None:
    with suppress(OSError):  # then the next command tries again
        write_private(profile.folder / TRIED_FILE, now.isoformat().encode())


async def _renewed(
    connection: Connection, passphrase: Callable[[], bytes], pin: Callable[[str], bytes], now: datetime
) -> Profile:
    profile = connection.profile
    # The present certificate names the files: a command that goes on finds the keys of the one before.
    label = sha256(read_certificate(profile.authentication_certificate)[1]).hexdigest()[:8]
    # 1.
    new = await asyncio.to_thread(_next_keys, profile, label, passphrase, pin)
    # 2.
    request = await asyncio.to_thread(_request, connection, new, now)
    # 3.
    stub = renewal_pb2_grpc.RenewalServiceStub(connection.channel)
    try:
        answer = await channel.call(profile.node, lambda: stub.Renew(request, timeout=channel.SUBMIT_SECONDS))
    except Refused:
        _file(new).unlink(missing_ok=True)  # this statement is refused for good: the next command makes another one
        raise
    # 4.
    installed = new_keys.install(new, answer.authentication_certificate, answer.signing_certificate, {})
    with suppress(PaizaError):  # an agent that cannot open the new keys leaves them to the passphrase
        await asyncio.to_thread(client.open_again, profile.folder)
    return installed


def _next_keys(profile: Profile, label: str, passphrase: Callable[[], bytes], pin: Callable[[str], bytes]) -> NewKeys:
    made = client.make_next(profile.folder, label)
    if made is not None:
        return new_keys.from_json(made, profile.folder, label, profile.id)
    with Tokens(pin) as tokens:
        return make_next(profile, label, passphrase, tokens)


def _request(connection: Connection, new: NewKeys, now: datetime) -> renewal_pb2.RenewRequest:
    """Return the signed statement for new keys: that of the command before, if there is one."""
    file = _file(new)
    kept = _kept(file)
    if kept is not None:
        return kept
    statement = enrolment_pb2.RenewalStatement(
        officer_id=str(new.officer),
        authentication_request=new.authentication_request,
        signing_request=new.signing_request,
        salt=secrets.token_bytes(SALT_BYTES),
    )
    statement.request_time.FromDatetime(now.astimezone(UTC))
    data = statement.SerializeToString(deterministic=True)
    signer = connection.signer()
    request = renewal_pb2.RenewRequest(
        statement=data,
        signing_certificate=signer.certificate,
        signature=signer.sign(statements.signed_renewal(data)),
    )
    with located(str(file)):
        write_durably(file, request.SerializeToString())
    return request


def _file(new: NewKeys) -> Path:
    return new.folder / f"renewal-{new.label}.request"


def _kept(file: Path) -> renewal_pb2.RenewRequest | None:
    try:
        return renewal_pb2.RenewRequest.FromString(file.read_bytes())
    except (FileNotFoundError, DecodeError):
        return None
