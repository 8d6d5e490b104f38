"""What is remembered of a proposal, what there is room for, and what is removed again. No I/O."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final

from paiza_node.features.ceremonies.model import (
    KEPT,
    MAX_ALONE,
    MAX_ALONE_BYTES,
    MAX_CLOSED,
    MAX_CLOSED_ALONE,
    MAX_OPEN,
    MAX_OPEN_BYTES,
    HeldProposal,
    HeldState,
)
from paiza_register import carried
from paiza_register.ceremony.proposal import Proposal
from paiza_wire.errors import Rejected

_DEAD: Final = bytes(32)


@dataclass(frozen=True, slots=True)
class Outdated:
    """Closed proposals that are removed, and those of which only the file is, by fingerprint."""

    rows: tuple[bytes, ...] = ()
    files: tuple[bytes, ...] = ()


def outdated(rows: Iterable[HeldProposal], root_version: int, now: datetime) -> Outdated:
    """Return what is removed of the closed proposals.

    The files of all that was closed a day ago, and older ones beyond the limit of their size. The row of a refused
    proposal stays until another root has followed, and those of the last published ones stay: without them, another
    member's node could bring a proposal back.
    """
    gone, emptied, count, size = [], [], 0, 0
    closed = [(each.closed_time, each) for each in rows if each.closed_time is not None]
    for _time, each in sorted(closed, key=lambda pair: (pair[0], pair[1].fingerprint), reverse=True):
        count, size = count + 1, size + each.size
        is_old = not is_recent(each, now)
        is_needed = each.state is HeldState.PUBLISHED or (
            each.state is HeldState.DEAD and each.base_root_version >= root_version
        )
        if (is_old and not is_needed) or count > MAX_CLOSED:
            gone.append(each.fingerprint)
        elif each.size and (is_old or size > MAX_OPEN_BYTES):
            emptied.append(each.fingerprint)
    return Outdated(tuple(gone), tuple(emptied))


def digest_of(rows: Iterable[HeldProposal]) -> bytes:
    """Return the digest of the proposals that are passed on, as nodes announce it; empty if there are none.

    Refused ones are among them for a day, in one state: nodes may know different refusals of one.
    """
    states = sorted(
        each.fingerprint + (_DEAD if each.state is HeldState.DEAD else each.state_sha256) for each in passed_on(rows)
    )
    return sha256(b"".join(states)).digest() if states else b""


def passed_on(rows: Iterable[HeldProposal]) -> list[HeldProposal]:
    """Return the proposals that other members' nodes may need.

    These are what waits and, for a day, what was refused, and what was published: its last signatures come after it.
    """
    return [each for each in rows if each.size and each.state is not HeldState.SUPERSEDED]


def is_recent(held: HeldProposal, now: datetime) -> bool:
    """Return whether a proposal was closed within the last day."""
    return held.closed_time is not None and now - held.closed_time <= KEPT


def state_of(proposal: Proposal) -> bytes:
    """Return a digest of who has signed and refused a proposal.

    It does not depend on the bytes of signatures: a key can sign the same any number of times.
    """
    signed = sorted([role, key] for role, made in proposal.signatures.items() for key in made)
    values = {"proposal": proposal.fingerprint.hex(), "signed": signed, "refused": sorted(proposal.refusals)}
    return carried.digest(values)


def deciding_keys(proposal: Proposal) -> set[str]:
    """Return the ids of the keys of those who decide that have signed."""
    return proposal.draft.deciders.keys() & proposal.signatures.get(proposal.draft.main_role, {}).keys()


def held_of(proposal: Proposal, data: bytes, before: HeldProposal | None, now: datetime) -> HeldProposal:
    """Return a proposal as it is to be held from now on."""
    base, draft = proposal.act.base, proposal.draft
    assert base is not None, "the reader refuses a founding"
    main = draft.main_role
    deciding = deciding_keys(proposal)
    state = HeldState.COMPLETE if proposal.is_complete else HeldState.DEAD if proposal.is_dead else HeldState.OPEN
    versions = sorted(draft.roles, key=lambda role: (role != main, role))
    return HeldProposal(
        fingerprint=proposal.fingerprint,
        kind=str(proposal.act.values()["kind"]),
        state=state,
        base_register_version=base.name.register_version,
        base_root_version=base.name.root_version,
        versions=tuple(f"{role}={draft.roles[role].version}" for role in versions),
        signed_sha256=proposal.digest(main),
        alone_key=next(iter(deciding)) if len(deciding) == 1 else "",
        signed_by=tuple(proposal.signed_by()),
        refused_by=tuple(sorted(proposal.refused_by())),
        waits_for=tuple(proposal.waits_for()) if state is HeldState.OPEN else (),
        missing=proposal.missing,
        state_sha256=state_of(proposal),
        size=len(data),
        received_time=before.received_time if before else now,
        changed_time=now,
        closed_time=now if state is HeldState.DEAD else None,
        data=data,
    )


def check_room(held: HeldProposal, others: Sequence[HeldProposal], now: datetime) -> None:
    """Refuse a new proposal that there is no room for."""
    waiting = [each for each in others if each.is_waiting]
    if len(waiting) >= MAX_OPEN or held.size + sum(each.size for each in waiting) > MAX_OPEN_BYTES:
        raise Rejected("proposals_full", f"{len(waiting)} proposals wait here already")
    alone = [each for each in others if each.alone_key and each.alone_key == held.alone_key]
    waiting = [each for each in alone if each.is_waiting]
    if len(waiting) >= MAX_ALONE or held.size + sum(each.size for each in waiting) > MAX_ALONE_BYTES:
        raise Rejected("proposals_full", f"{len(waiting)} proposals that only this key has signed wait here already")
    if sum(is_recent(each, now) for each in alone) >= MAX_CLOSED_ALONE:
        raise Rejected("proposals_full", f"{MAX_CLOSED_ALONE} proposals that only this key signed were closed today")
