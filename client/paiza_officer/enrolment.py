"""Enrolment: an invitation becomes a profile, whose keys an administrator has yet to confirm.

1. Both keys are made in the profile's folder, and are on the disk before anything is sent (`new_keys`).
2. The node that the invitation names is asked. It is not believed unless its certificate is from a node CA in the
   invitation.
3. The answer is checked: certificates of these keys for this officer, and the first root that the invitation names.
4. The root, the digests of both roots and the certificates are written, profile.toml last.

After a crash or a lost answer the same command goes on with the same keys, which the node answers again.
"""

import asyncio
import json
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Final

from google.protobuf.message import DecodeError

from paiza.core.v1 import enrolment_pb2 as statements_pb2
from paiza.enrolment.v1 import enrolment_pb2
from paiza_officer import channel, new_keys
from paiza_officer.errors import NotProven, Refused, Unreachable, disk_problem
from paiza_officer.new_keys import NewKeys
from paiza_officer.profiles import PROFILE_FILE, Profile, load, read_certificate
from paiza_register.archive import write_durably
from paiza_register.joining import DIGESTS
from paiza_wire.errors import PaizaError, Rejected
from paiza_wire.identity import SpiffeId, invitations, keys, load_certificate
from paiza_wire.identity.certificate_profiles import p256_key
from paiza_wire.identity.sealing import Sealer
from paiza_wire.identity.token_uri import TokenUri
from paiza_wire.identity.tokens import Tokens

ROOT_FILE: Final = "root.json"
WAIT_SECONDS: Final = 120.0
"""How long the command waits for another member to witness the invitation, or for its turn."""

PAUSE_SECONDS: Final = 2.0
_WORTH_WAITING: Final = frozenset({"busy", "not_witnessed"})


@dataclass(frozen=True, slots=True)
class Invited:
    """A readable invitation: who is invited, as what, until when. ``sha256`` names it."""

    invitation: enrolment_pb2.Invitation
    officer: SpiffeId
    roles: tuple[str, ...]
    unit: str
    expiry_time: datetime
    sha256: bytes

    @property
    def label(self) -> str:
        """What the files of this invitation's keys have in their names."""
        return self.sha256.hex()[:8]


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A whole profile; ``digest`` is what is compared as words, ``node_ahead`` by how much the node's clock is."""

    profile: Profile
    digest: bytes
    node_ahead: timedelta


def read(text: str) -> Invited:
    """Read an invitation; ``Rejected("bad_invitation")`` if it is none."""
    invitation = invitations.from_text(text)
    try:
        statement = statements_pb2.InvitationStatement.FromString(invitation.statement)
        expiry_time = statement.expiry_time.ToDatetime(tzinfo=UTC)
    except (DecodeError, ValueError, OverflowError) as error:
        raise Rejected("bad_invitation", "its statement cannot be read") from error
    return Invited(
        invitation,
        SpiffeId.parse(invitation.officer_id),
        tuple(statement.roles),
        statement.unit,
        expiry_time,
        invitations.invitation_sha256(invitation.statement),
    )


def enrolled_before(folder: Path, invited: Invited) -> Enrolled | None:
    """Return what this invitation led to, if the profile has its keys: the words are then known without the node."""
    if not (folder / PROFILE_FILE).exists():
        return None
    profile = load(folder)
    files = (profile.authentication_certificate, profile.signing_certificate)
    if any(invited.label not in file.name for file in files):
        return None
    first, second = (p256_key(load_certificate(read_certificate(file)[1])) for file in files)
    spkis = keys.public_key_to_spki(first), keys.public_key_to_spki(second)
    return Enrolled(profile, invitations.keys_digest(*spkis, invited.sha256), timedelta())


def make_keys(folder: Path, invited: Invited, sealer: Sealer, tokens: Tokens, token: TokenUri | None) -> NewKeys:
    """Step 1. ProfileProblem and Unreachable as `new_keys.make`."""
    return new_keys.make(folder, invited.label, invited.officer, sealer, tokens, token)


def words_digest(invited: Invited, made: NewKeys) -> bytes:
    """Return the digest whose words officer and administrator compare."""
    return invitations.keys_digest(made.authentication_spki, made.signing_spki, invited.sha256)


async def enrol(invited: Invited, made: NewKeys, waiting: Callable[[str], None]) -> Enrolled:
    """Steps 2 to 4. ``waiting`` is called with a reason once the node asks for patience.

    Refused with the node's reason. Unreachable: the node or its issuer, for now; ``own_clock_wrong`` where the clock of
    this machine is outside the life of the node's certificate. NotProven: the answer does not hold.
    """
    # 2.
    began = datetime.now(UTC)
    answer = await _asked(invited, made, waiting)
    ended = datetime.now(UTC)
    # 3.
    if sha256(answer.first_root).digest() != invited.invitation.first_root_sha256:
        raise NotProven("register_invalid", invited.invitation.enrol_address, "the first root is another one")
    # 4.
    _write_roots(made.folder, invited.invitation, answer.first_root)
    settings = {
        "id": str(invited.officer),
        "member": invited.officer.member,
        "federation": invited.officer.federation,
        "node": invited.invitation.node_address,
        "root": ROOT_FILE,
    }
    profile = new_keys.install(made, answer.authentication_certificate, answer.signing_certificate, settings)
    try:
        node_time = answer.node_time.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        node_time = ended
    return Enrolled(profile, words_digest(invited, made), node_time - (began + (ended - began) / 2))


async def _asked(invited: Invited, made: NewKeys, waiting: Callable[[str], None]) -> enrolment_pb2.EnrolResponse:
    request = enrolment_pb2.EnrolRequest(
        invitation_sha256=invited.sha256,
        secret=invited.invitation.secret,
        authentication_request=made.authentication_request,
        signing_request=made.signing_request,
    )
    until = asyncio.get_running_loop().time() + WAIT_SECONDS
    while True:
        try:
            return await channel.enrol(invited.invitation, request)
        except Unreachable as error:
            if error.reason == "node_unreachable":
                await _check_clock(invited.invitation)
            if error.reason not in _WORTH_WAITING or asyncio.get_running_loop().time() > until:
                raise
            waiting(error.reason)
        await asyncio.sleep(PAUSE_SECONDS)


async def _check_clock(invitation: enrolment_pb2.Invitation) -> None:
    """Raise if TLS failed because this machine's clock is wrong: TLS itself does not name the cause."""
    try:
        shown = ssl.PEM_cert_to_DER_cert((await channel.shown_certificate(invitation.enrol_address)).decode())
        certificate = load_certificate(shown)
    except (PaizaError, ValueError):
        return  # the node does not answer at all, which was raised already
    begins, ends, now = certificate.not_valid_before_utc, certificate.not_valid_after_utc, datetime.now(UTC)
    if not begins <= now <= ends:
        life = " … ".join(each.isoformat(timespec="minutes") for each in (begins, ends))
        raise Refused("own_clock_wrong", now.isoformat(timespec="minutes"), f"the node's certificate is valid {life}")


def _write_roots(folder: Path, invitation: enrolment_pb2.Invitation, first_root: bytes) -> None:
    digests = {
        "first_root": {"version": 1, "sha256": invitation.first_root_sha256.hex()},
        "newest_root": {"version": invitation.newest_root_version, "sha256": invitation.newest_root_sha256.hex()},
    }
    try:
        write_durably(folder / ROOT_FILE, first_root)
        write_durably(folder / DIGESTS, json.dumps(digests).encode() + b"\n")
    except OSError as error:
        raise disk_problem(error, str(folder)) from error
