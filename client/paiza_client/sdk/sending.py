"""Sending a prepared message: checked, sealed and signed on this machine, in the outbox before it is on the wire."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from paiza_client.compose.composer import Composer, Sealed
from paiza_client.files.attaching import Progress
from paiza_client.local.outbox import Outbox
from paiza_client.sdk import breaches, drafts, templates
from paiza_client.sdk.drafts import Prepared
from paiza_client.sdk.session import Session
from paiza_client.verify.model import Outcome
from paiza_officer import register_cache, unlocked
from paiza_officer.connection import no_passphrase, no_pin
from paiza_officer.errors import Refused, Unreachable
from paiza_officer.profiles import Profile, remembered_roles
from paiza_wire.identity.tokens import Tokens
from paiza_wire.reasons import REASONS


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that the own node took: released to every recipient, or waiting for the signature of others.

    ``outcome.state`` is "released" or "waiting"; ``outcome.proofs`` are the node's verified log entries, and
    ``outcome.missing`` the officers who have not signed.
    """

    sealed: Sealed
    outcome: Outcome

    @property
    def id(self) -> str:
        """Message id as 32 hex digits."""
        return self.sealed.id

    @property
    def digest(self) -> bytes:
        """Digest of the message, 32 bytes."""
        return self.sealed.digest

    @property
    def is_released(self) -> bool:
        """Whether it is on its way to the recipients, rather than waiting for a second officer."""
        return self.outcome.state == "released"


async def check(session: Session, prepared: Prepared, *, now: datetime | None = None) -> Prepared:
    """Refuse exactly what `send` refuses before the node sees the message; return it resolved. Nothing is sent.

    Refused("invalid_draft") names every field that a receiver would refuse; otherwise as `drafts.resolve`. An answer is
    judged by itself: whether the request asks a question of that number, or was answered before, is not checked.
    """
    prepared = await drafts.resolve(session, prepared)
    composer = await session.composer()
    composer.validate(prepared.kind, prepared.content, prepared.annex, prepared.envelope, now or drafts.writing_time())
    return prepared


async def send(
    session: Session,
    prepared: Prepared,
    *,
    now: datetime | None = None,
    on_sealing: Progress | None = None,
    on_upload: Progress | None = None,
) -> Sent:
    """Seal, sign and submit a message; return what the node's log proves about it.

    The callbacks are called with the name of an attachment, its bytes done and its bytes in all: ``on_sealing`` from
    another thread. The node logs RELEASED for each recipient, or SUBMITTED where a second officer must sign.

    Refused: as `check`, or with the node's reason and the rules that a step of a workflow breaks. Unreachable with
    ``saved``: the message is in the outbox until `Session.flush`, which the next `paiza` command calls as well; neither
    `connect` nor another `send` sends it. To send it again makes a second message. Unreachable without ``saved``: there
    is no message yet, see `seal_offline`.
    """
    prepared = await drafts.resolve(session, prepared)
    composer = await session.composer()
    sealed = await asyncio.to_thread(_seal, composer, prepared, now or drafts.writing_time(), on_sealing)
    with session.attachments.telling(on_upload):
        outcome = (await session.submit([sealed]))[0]
    if outcome.state == "refused":
        raise Refused(_known(outcome.reason), sealed.id, outcome.detail, breaches.problems(outcome.breaches))
    if outcome.state == "retry":
        raise Unreachable(_known(outcome.reason), sealed.id, outcome.detail, saved=True)
    templates.remember(session.profile, prepared.kind, prepared.content)
    return Sent(sealed, outcome)


def seal_offline(
    profile: Profile,
    prepared: Prepared,
    *,
    passphrase: Callable[[], bytes] = no_passphrase,
    pin: Callable[[str], bytes] = no_pin,
    now: datetime | None = None,
    dry_run: bool = False,
    on_sealing: Progress | None = None,
) -> bool:
    """Seal and sign a message into the outbox while the node is away, by the register and roles last known.

    Return False, with nothing done, where that needs the node: no register or roles are known, or the message answers
    others or names a second officer that were not resolved. ``passphrase`` and ``pin`` are called as
    `connect` calls them, for the signing key. With ``dry_run`` the message is only checked. Refused and ProfileProblem
    as `send` and `connect` raise them.
    """
    known = register_cache.cached(profile)
    roles = remembered_roles(profile)
    if known is None or not roles or prepared.parents or prepared.second:
        return False
    now = now or drafts.writing_time()
    prepared = drafts.completed(known, profile.member, prepared)
    with Tokens(pin) as tokens:
        composer = Composer(profile, lambda: unlocked.signer(profile, passphrase, tokens, now), known, roles)
        if dry_run:
            composer.validate(prepared.kind, prepared.content, prepared.annex, prepared.envelope, now)
        else:
            Outbox(profile.outbox).put([_seal(composer, prepared, now, on_sealing).item()])
    return True


def _seal(composer: Composer, prepared: Prepared, now: datetime, on_sealing: Progress | None) -> Sealed:
    message = composer.validate(prepared.kind, prepared.content, prepared.annex, prepared.envelope, now)
    return composer.seal(message, progress=on_sealing)


def _known(reason: str) -> str:
    return reason if reason in REASONS else "unexpected_answer"
