"""What one member's node publishes, and when. No I/O: sets, the time and what others announce come from the caller.

Every active member's node publishes, in the order of federation.json. A publisher's *rank* is its place in it, without
those whose keys are disqualified. Nobody is asked beforehand: ranks only keep many from doing the same at once.

- Content submitted at this node goes out at once.
- Content that others hold too goes out after rank × 10 s, if the newest set still lacks it.
- A set of other publishers that this node verified and could not accept is merged with its own after rank × 10 s.
- The timestamp is renewed when a 24th of its life is over (1 h of 24), and for each rank another 144th (10 min).

A node that hears no other member keeps no register fresh: it does not renew, and what it publishes or merges does not
last longer than the timestamp before it. A member is heard at the time at which it spoke, by its own clock: a word that
was under way while both machines slept is old when it arrives.

A node also waits, for a minute, while another announces a later timestamp than its own: after a restore it must not
sign a version that it signed before. Each member can make it wait once an hour.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from securesystemslib.signer import Signer
from tuf.api.metadata import Snapshot
from typing_extensions import override

from paiza_register.open_set import OpenSet, Versions
from paiza_register.publishing import SIGN_AGAIN, described_roles, lacking, merged, published, renewed
from paiza_register.succession import follows
from paiza_register.validity import check_versions
from paiza_wire.errors import PaizaError, Rejected

RANK_WAIT: Final = timedelta(seconds=10)
"""For each rank, before content that others hold too is published, or sets are merged."""

RENEWED_IN: Final = 24
"""A timestamp is renewed when this part of its life is over."""

RANKS_IN: Final = 144
"""For each rank, this part of a timestamp's life passes before it is renewed."""

BEHIND_WAIT: Final = timedelta(minutes=1)
"""For how long a node waits for the later timestamp that another announces."""

MAX_PENDING: Final = 64
"""Changes that wait to be published; more are not needed by 64 members."""

BEHIND_AGAIN: Final = timedelta(hours=1)
"""Before the same member makes it wait once more."""

MAX_OTHERS: Final = 8
"""Sets to be merged at one time; each may be large."""


@dataclass(kw_only=True)
class Waiting:
    """What waits to be published. ``refused_by`` is the set that it could not follow, for ``reason``.

    It is tried again with the next one.
    """

    since: datetime
    refused_by: OpenSet | None = None
    reason: PaizaError | None = None

    @property
    def roles(self) -> Collection[str]:
        """Return the roles whose metadata it has."""
        raise NotImplementedError


@dataclass(kw_only=True)
class WaitingChange(Waiting):
    """A change that the newest set lacks; ``own`` if it was submitted at this node."""

    change: Mapping[str, bytes]
    own: bool

    @property
    @override
    def roles(self) -> Collection[str]:
        return described_roles(self.change).keys()


@dataclass(kw_only=True)
class WaitingSet(Waiting):
    """A set that this node verified and could not accept."""

    other: OpenSet

    @property
    @override
    def roles(self) -> Collection[str]:
        return [name.removesuffix(".json") for name in self.other.snapshot.meta]


class Publisher:
    """The decisions of one member's node."""

    def __init__(self, member: str, signer: Signer, held: OpenSet) -> None:
        """Begin with the newest set that the node has accepted; ``signer`` is its key as publisher."""
        self.member = member
        self.held = held
        self.failure: PaizaError | None = None
        """Why the last renewal failed."""
        self._signer = signer
        self._publishers = held.publishers()
        self._above = held.versions
        self._changes: dict[bytes, WaitingChange] = {}
        self._others: dict[bytes, WaitingSet] = {}
        self._heard: dict[str, datetime] = {}
        self._first_heard: datetime | None = None
        self._ahead: dict[str, datetime] = {}
        self._not_ahead: set[str] = set()
        self._disqualified: dict[str, datetime] = {}

    @property
    def rank(self) -> int | None:
        """Return this node's place among the publishers; None if its key is not believed."""
        publishers = self.held.register.publishers
        if publishers.get(self.member) != self._signer.public_key.keyid:
            return None
        order = [member for member, key in publishers.items() if key not in self._disqualified]
        return order.index(self.member) if self.member in order else None

    @property
    def waiting(self) -> tuple[Waiting, ...]:
        """Return the changes, and the sets of others, that wait to be published."""
        return (*self._others.values(), *self._changes.values())

    def hold(self, held: OpenSet) -> None:
        """Note the newest set that the node has accepted, also one that was made here."""
        self.held, self.failure = held, None
        self._publishers = held.publishers()
        self._above = _highest(self._above, held.versions)
        self._changes = {key: each for key, each in self._changes.items() if can_follow(held, each.change)}
        self._others = {key: each for key, each in self._others.items() if _differs(held, each.other)}

    def submit(self, change: Mapping[str, bytes], now: datetime, *, own: bool) -> None:
        """Note a change that is signed completely: metadata and the files that they list, by published path.

        ``own`` if it was submitted at this node. ``Rejected("conflict")`` if the newest set has it or a later one.
        """
        if not can_follow(self.held, change):
            raise Rejected("conflict", "the register has this change, or a later one")
        key = sha256(b"".join(path.encode() + sha256(data).digest() for path, data in sorted(change.items()))).digest()
        if key not in self._changes and len(self._changes) >= MAX_PENDING:
            del self._changes[next(iter(self._changes))]
        self._changes.setdefault(key, WaitingChange(change=dict(change), since=now, own=own))

    def could_not_accept(self, other: OpenSet, now: datetime) -> None:
        """Note a set that was verified at its own time, and that this node could not accept."""
        if not _differs(self.held, other):
            return
        try:
            check_versions(other.register, now)
        except Rejected:  # no reader would accept what goes above it
            return
        self._above = _highest(self._above, other.versions)
        known = self._others.get(other.register.version)
        if known is None and len(self._others) >= MAX_OTHERS:
            del self._others[next(iter(self._others))]
        self._others[other.register.version] = WaitingSet(other=other, since=now if known is None else known.since)

    def hear(self, member: str, timestamp_version: int, announced: datetime, now: datetime) -> None:
        """Note that another member's node spoke, and the version of the timestamp that it announced.

        ``announced`` is when it spoke, by its own clock: its word may have been under way while both machines slept.
        """
        if member == self.member or member not in self.held.register.active_ids:
            return
        said = min(announced, now)
        self._heard[member] = max(said, self._heard.get(member, said))
        self._first_heard = self._first_heard or now
        if timestamp_version <= self.held.timestamp.version:
            self._not_ahead.add(member)
            return
        self._not_ahead.discard(member)
        if member not in self._ahead or now - self._ahead[member] > BEHIND_AGAIN:
            self._ahead[member] = now

    def go_above(self, timestamp_version: int) -> None:
        """Note a timestamp version that was seen validly signed, also of a set that is no longer held."""
        self._above = self._above._replace(timestamp=max(self._above.timestamp, timestamp_version))

    def disqualify(self, key_id: str, now: datetime) -> None:
        """Note that a publisher signed two sets of one version: its key is not believed here any more."""
        self._disqualified.setdefault(key_id, now)

    def publish(self, now: datetime) -> OpenSet | None:
        """Return the set to be published now; None if there is none.

        The caller accepts and stores it, hands it to `hold`, and only then lets others see it.
        """
        rank = self.rank
        if rank is None or self._behind(now):
            return None
        made = self.held
        for each in self.waiting:
            at_once = isinstance(each, WaitingChange) and each.own
            if each.refused_by is not self.held and (at_once or now >= each.since + rank * RANK_WAIT):
                try:
                    made = self._with(made, each, now)
                except PaizaError as error:
                    each.refused_by, each.reason = self.held, error
        if made is not self.held or not self._is_connected(now):
            return made if made is not self.held else None
        try:
            if self._must_sign_again(rank, now):
                return published(self.held, {}, self._signer, now, self._above)
            if self._must_renew(rank, now):
                return renewed(self.held, self._signer, now, self._above)
        except PaizaError as error:  # the root or the targets have expired: only custodians can help
            self.failure = error
        return None

    def _with(self, held: OpenSet, waiting: Waiting, now: datetime) -> OpenSet:
        """Return a set with what waits; `PaizaError` if no set can follow both."""
        expires = None if self._is_connected(now) else held.timestamp.expires
        if isinstance(waiting, WaitingSet):
            return merged(held, waiting.other, self._signer, now, self._above, expires)
        assert isinstance(waiting, WaitingChange)
        return published(held, waiting.change, self._signer, now, self._above, expires)

    def _behind(self, now: datetime) -> bool:
        """Return whether another announced a later timestamp a moment ago, which must be fetched first."""
        return any(now < since + BEHIND_WAIT for member, since in self._ahead.items() if member not in self._not_ahead)

    def _is_connected(self, now: datetime) -> bool:
        """Return whether another active member spoke lately, or there is none."""
        register = self.held.register
        others = register.active_ids - {self.member}
        lately = now - register.life / RENEWED_IN
        return not others or any(self._heard[each] >= lately for each in others & self._heard.keys())

    def _must_sign_again(self, rank: int, now: datetime) -> bool:
        """Return whether the snapshot expires soon, or is signed by a key that is not believed any more."""
        bad = [self._disqualified[key] for key in self._publishers & self._disqualified.keys()]
        if bad and now >= max(bad) + rank * RANK_WAIT:
            return True
        due = self.held.register.role_expiries[Snapshot.type] - SIGN_AGAIN
        return now >= due + rank * self.held.register.life / RANKS_IN

    def _must_renew(self, rank: int, now: datetime) -> bool:
        register = self.held.register
        due = register.issued_time + register.life / RENEWED_IN + rank * register.life / RANKS_IN
        if now < due:
            return False
        if not register.active_ids - {self.member}:
            return True
        # After a start the timestamp may be overdue for all: the ranks begin with the first word of another.
        begun = self._first_heard is not None and now >= self._first_heard + rank * RANK_WAIT
        return begun and any(time >= due for time in self._heard.values())


def can_follow(held: OpenSet, change: Mapping[str, bytes]) -> bool:
    """Return whether a set lacks metadata of a change, and has nothing else in their place."""
    try:
        return any(path.startswith("metadata/") for path in lacking(held, change))
    except Rejected:
        return False


def _differs(held: OpenSet, other: OpenSet) -> bool:
    """Return whether another set is of another register version, and is not followed by this one."""
    return other.register.version != held.register.version and not follows(held.register, other.register)


def _highest(one: Versions, other: Versions) -> Versions:
    return Versions(max(one.timestamp, other.timestamp), max(one.snapshot, other.snapshot))
