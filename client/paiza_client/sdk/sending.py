"""Sending a prepared message: checked, sealed and signed on this machine, in the outbox before it is on the wire."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from paiza_client import error_help
from paiza_client.compose.composer import Composer, Sealed, Validated
from paiza_client.files.attaching import Progress
from paiza_client.language import _
from paiza_client.local.outbox import Outbox
from paiza_client.sdk import breaches, drafts, handed_in, templates
from paiza_client.sdk.drafts import Prepared
from paiza_client.sdk.session import Session
from paiza_client.verify.model import Outcome
from paiza_officer import register_cache, unlocked
from paiza_officer.connection import no_passphrase, no_pin
from paiza_officer.errors import FieldProblem, Refused, Unreachable
from paiza_officer.profiles import Profile, remembered_roles
from paiza_register import Register
from paiza_wire.identity.tokens import Tokens
from paiza_wire.message import OfficerSigner
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


@dataclass(frozen=True, slots=True)
class Tried:
    """A message that the own node would take. ``missing``: the officers (SPIFFE IDs) who would have to sign it too."""

    prepared: Prepared
    missing: tuple[str, ...] = ()


async def try_out(session: Session, prepared: Prepared, *, now: datetime | None = None) -> Tried:
    """Refuse exactly what `send` refuses at this moment, at the node too; nothing is signed, sent or stored.

    The node judges the message as when it is submitted: roles and policy, thread, markings, workflow rules, what was
    asked. The signing key stays closed, and attachments are not sealed. The node logs what it denies.

    Refused as `send`. Unreachable: the node, or the message would have to wait; `check` refuses what this machine can.
    """
    now = now or drafts.writing_time()
    resolved, composer, message = await _checked(session, prepared, now)
    sealed = await asyncio.to_thread(composer.seal_for_trial, message, now)
    outcome = await session.try_message(sealed)
    _raise_unless_taken(prepared.source, outcome, saved=False)  # the id of a trial is nobody's
    return Tried(resolved, outcome.missing)


async def check(session: Session, prepared: Prepared, *, now: datetime | None = None) -> Prepared:
    """Refuse exactly what `send` refuses before the node sees the message; return it resolved. Nothing is sent.

    Refused("invalid_draft") names every field that a receiver would refuse, with what is wrong with the second officer
    and the messages answered; otherwise as `drafts.resolve`. An answer is judged by itself: whether the request asks a
    question of that number, or was answered before, is not checked.
    """
    return (await _checked(session, prepared, now or drafts.writing_time()))[0]


async def _checked(session: Session, prepared: Prepared, now: datetime) -> tuple[Prepared, Composer, Validated]:
    """Return a message resolved and validated: the one check of what is sent and of what is only tried."""
    composer = await session.composer()
    unresolved: list[Refused] = []
    resolved = await drafts.resolve(session, prepared, unresolved)
    try:
        validated = validate(composer, resolved, now)
    except Refused as invalid:
        if not unresolved:
            raise
        raise _gathered(prepared, unresolved, invalid) from invalid
    if unresolved:
        raise _gathered(prepared, unresolved)
    return resolved, composer, validated


def _gathered(prepared: Prepared, unresolved: Sequence[Refused], invalid: Refused | None = None) -> Refused:
    """Return one refusal of what was not found and of the fields that are wrong.

    Another refusal than of fields is left out: it may follow from what stands in the place of what was not found.
    """
    fields = invalid.problems if invalid is not None and invalid.reason == "invalid_draft" else ()
    if len(unresolved) == 1 and not fields:
        return unresolved[0]
    detail = invalid.detail if invalid is not None and fields else ""
    return Refused("invalid_draft", prepared.source, detail, [*as_problems(unresolved), *fields])


def validate(composer: Composer, prepared: Prepared, now: datetime) -> Validated:
    """Return a resolved message as it will be sealed; Refused as `Composer.validate`."""
    return composer.validate(
        prepared.kind, prepared.content, prepared.annex, prepared.envelope, now, prepared.written()
    )


def as_problems(refused: Sequence[Refused]) -> list[FieldProblem]:
    """Return refusals as problems among others."""
    found: list[FieldProblem] = []
    for each in refused:
        found += each.problems or [FieldProblem(each.where, _(error_help.remedy(each.reason).what), each.reason)]
    return found


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
    _resolved, composer, message = await _checked(session, prepared, now or drafts.writing_time())
    sealed = await asyncio.to_thread(composer.seal, message, progress=on_sealing)
    with session.attachments.telling(on_upload):
        outcome = (await session.submit([sealed]))[0]
    _raise_unless_taken(sealed.id, outcome, saved=True)
    templates.remember(session.profile, prepared.kind, prepared.content)
    handed_in.note_sent(session.profile, prepared.source, sealed.id)
    return Sent(sealed, outcome)


def _raise_unless_taken(where: str, outcome: Outcome, *, saved: bool) -> None:
    if outcome.state == "refused":
        raise Refused(_known(outcome.reason), where, outcome.detail, breaches.problems(outcome.breaches))
    if outcome.state == "retry":
        raise Unreachable(_known(outcome.reason), where, outcome.detail, saved=saved)


def seal_offline(
    profile: Profile,
    prepared: Prepared,
    *,
    passphrase: Callable[[], bytes] = no_passphrase,
    pin: Callable[[str], bytes] = no_pin,
    now: datetime | None = None,
    on_sealing: Progress | None = None,
) -> bool:
    """Seal and sign a message into the outbox while the node is away, by the register and roles last known.

    Return False, with nothing done, where that needs the node: no register or roles are known, or the message answers
    others or names a second officer that were not resolved. ``passphrase`` and ``pin`` are called as
    `connect` calls them, for the signing key. Refused and ProfileProblem as `send` and `connect` raise them.
    """
    now = now or drafts.writing_time()
    with Tokens(pin) as tokens:
        made = _offline(profile, prepared, lambda: unlocked.signer(profile, passphrase, tokens, now))
        if made is None:
            return False
        prepared, _register, composer = made
        sealed = composer.seal(validate(composer, prepared, now), progress=on_sealing)
        Outbox(profile.outbox).put([sealed.item()])
    return True


def check_offline(
    profile: Profile, prepared: Prepared, *, now: datetime | None = None
) -> tuple[Prepared, Register] | None:
    """Refuse what `check` refuses while the node is away; return the message completed, and the register last known.

    None where `seal_offline` would need the node.
    """
    now = now or drafts.writing_time()
    made = _offline(profile, prepared, _never_signs)
    if made is None:
        return None
    prepared, known, composer = made
    validate(composer, prepared, now)
    return prepared, known


def _offline(
    profile: Profile, prepared: Prepared, signer: Callable[[], OfficerSigner]
) -> tuple[Prepared, Register, Composer] | None:
    known = register_cache.cached(profile)
    roles = remembered_roles(profile)
    if known is None or not roles or prepared.parents or prepared.second:
        return None
    return drafts.completed(known, profile.member, prepared), known, Composer(profile, signer, known, roles)


def _never_signs() -> OfficerSigner:
    raise AssertionError("what is only checked is not signed")


def _known(reason: str) -> str:
    return reason if reason in REASONS else "unexpected_answer"
