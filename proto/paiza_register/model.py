"""The model of the federation: one verified version of the register, as frozen data."""

from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Literal, TypeVar

from paiza_register.pair_key import PairKey
from paiza_register.tuf_workflow import State
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.identity import CertificateVerifier, MemberAuthority
from paiza_wire.message import key_wrapping
from paiza_wire.tlog import checkpoint as checkpoints
from paiza_wire.tlog import cosignatures
from paiza_wire.tlog.checkpoint import VerifiedCheckpoint
from paiza_wire.tlog.cosignatures import Cosignature
from paiza_wire.tlog.notes import VerifierKey, parse_note
from paiza_wire.tlog.witnessed_time import witnessed_time

_Value = TypeVar("_Value")


def _nothing() -> Mapping[str, _Value]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class LogKey:
    """A key that signs a log's checkpoints, as a C2SP vkey whose name is the log's origin.

    The log has abandoned it from ``until`` on; None if it has not. ``key`` is the same key parsed.
    """

    origin: str
    vkey: str
    until: datetime | None
    key: VerifierKey = field(repr=False, compare=False)

    def is_abandoned(self, at: datetime) -> bool:
        """Return whether the log signs nothing new with it at this time."""
        return self.until is not None and at >= self.until


@dataclass(frozen=True, slots=True)
class WitnessKey:
    """The key with which a member's node cosigns logs, as a C2SP vkey named ``<member>.<federation>/witness/<n>``.

    The witness has abandoned it from ``until`` on; None if it has not. ``key`` is the same key parsed.
    """

    name: str
    vkey: str
    until: datetime | None
    key: cosignatures.WitnessKey = field(repr=False, compare=False)

    def is_abandoned(self, at: datetime) -> bool:
        """Return whether the witness cosigns nothing with it at this time."""
        return self.until is not None and at >= self.until


@dataclass(frozen=True, slots=True)
class EncryptionKey:
    """A member's key for wrapping part keys: X-Wing, 1,216 public bytes, named by their SHA-256.

    ``key`` is the same key parsed, since parsing costs more than wrapping.
    """

    key_id: bytes
    public: bytes
    not_before: datetime
    not_after: datetime
    key: key_wrapping.EncryptionKey = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Member:
    """A member as it describes itself, with the status that the federation assigns."""

    id: str
    names: Mapping[str, str]
    status: Literal["active", "suspended"]
    authority: MemberAuthority
    endpoints: tuple[str, ...]
    log_keys: tuple[LogKey, ...]
    witness_keys: tuple[WitnessKey, ...]
    encryption_keys: tuple[EncryptionKey, ...]
    classification_ceiling: int

    def current_encryption_key(self, at: datetime) -> EncryptionKey:
        """Return the key to wrap for: the most recent one that is valid now."""
        valid = [key for key in self.encryption_keys if key.not_before <= at <= key.not_after]
        if not valid:
            raise Unavailable("encryption_key_expired", f"{self.id} has no encryption key valid at {at.isoformat()}")
        return max(valid, key=lambda key: (key.not_before, key.key_id))

    @property
    def origin(self) -> str:
        """Return the origin of the member's newest log, the one in use."""
        return self.log_keys[-1].origin

    @property
    def origins(self) -> tuple[str, ...]:
        """Return the origins of all logs of this member, in their order."""
        return tuple(dict.fromkeys(key.origin for key in self.log_keys))

    def keys_of_log(self, origin: str) -> tuple[VerifierKey, ...]:
        """Return all keys that a log of this member ever had; ``Rejected("unknown_log")`` if it has no such log."""
        if found := tuple(key.key for key in self.log_keys if key.origin == origin):
            return found
        raise Rejected("unknown_log", f"{self.id} has no log {origin!r} in the register")

    def checkpoint(self, note: bytes, origin: str, *, new_at: datetime | None = None) -> VerifiedCheckpoint:
        """Verify a checkpoint of a log of this member by every key that the log ever had.

        ``new_at`` is the time at which a note is accepted that was not known before: one that only keys signed that
        the log has abandoned by then is refused. Without it the caller held the note before, or a quorum cosigned it.
        ``Rejected("bad_checkpoint", "unknown_log")`` otherwise.
        """
        keys = self.keys_of_log(origin)
        abandoned = [key.key for key in self.log_keys if new_at is not None and key.is_abandoned(new_at)]
        return checkpoints.verify(note, keys, origin, abandoned=abandoned)

    def abandoned_since(self, note: bytes, origin: str, at: datetime) -> datetime | None:
        """Return since when all keys of a log that signed a verified note are abandoned; None if one of them counts."""
        known = {key.key.key_id: key for key in self.log_keys if key.origin == origin}
        signed = {each.key_id for each in parse_note(note).signatures if each.name == origin}
        found = [known[key_id] for key_id in signed & known.keys()]
        ends = [key.until for key in found if key.until is not None and key.is_abandoned(at)]
        return max(ends) if ends and len(ends) == len(found) else None


@dataclass(frozen=True, slots=True)
class Register:
    """One verified version of the register.

    ``version`` is SHA-256 of snapshot.json and commits to every other file but the roots and the timestamp.
    ``expiry_time`` is the earliest expiry of anything in it. ``late`` is set when this time has passed and the grace
    period runs. ``reference`` holds the signed files of reference data, by target path. They are parsed on use
    (`paiza_domain.reference.read`), so that no wrong list can stop an exchange. ``key_pins`` are the keys of logs and
    witnesses that were ever admitted: name and SHA-256 of the vkey.

    ``members`` are those whose own files can be used. ``unusable`` holds every other member and the reason: it may not
    speak and counts as away. ``life`` is the time from ``issued_time``, when the timestamp was signed, to its expiry;
    ``grace`` the use after it. ``custodians`` are pairs by member, of whom ``threshold`` must sign. ``publishers`` are
    key ids by member, in the order in which they publish. ``role_expiries`` holds the expiry of every role of the
    metadata but those of removed members. ``root_sha256``, 32 bytes, is of what the newest root's signatures are over:
    two files of it with other signatures are one root. ``reference_fault`` is why the reference data of the federation
    are out of date or left out; empty if they are not.

    ``untimely`` are the unusable members whose files are well formed, but whose roles have expired; ``faults`` holds
    for every other one, and for the role of the reference data, what is wrong at any time. ``revocations`` are those
    that each member's file holds, a removed one's too, ``revocation_keys`` the ids of the keys that sign it,
    ``former_node_keys`` those that did before, by member, and ``state`` is what later versions are compared with.
    """

    version: bytes
    federation: str
    names: Mapping[str, str]
    members: Mapping[str, Member]
    expiry_time: datetime
    legal_bases: Mapping[str, Mapping[str, str]]
    agreements: tuple[tuple[str, str], ...]
    reference: Mapping[str, bytes] = field(repr=False)
    late: bool
    role_versions: Mapping[str, int] = field(repr=False)
    key_pins: frozenset[tuple[str, bytes]] = field(repr=False)
    _verifier: CertificateVerifier = field(repr=False, compare=False)
    _: KW_ONLY
    unusable: Mapping[str, str] = field(default_factory=_nothing)
    faults: Mapping[str, str] = field(default_factory=_nothing, repr=False)
    suspended_ids: frozenset[str] = frozenset()
    life: timedelta = timedelta(hours=24)
    grace: timedelta = timedelta(hours=48)
    exercise: bool = False
    """Whether all messages of the federation are exercises."""
    custodians: Mapping[str, PairKey] = field(default_factory=_nothing, repr=False)
    threshold: int = 1
    publishers: Mapping[str, str] = field(default_factory=_nothing, repr=False)
    root_sha256: bytes = bytes(32)
    role_expiries: Mapping[str, datetime] = field(default_factory=_nothing, repr=False)
    reference_fault: str = ""
    state: State = field(default_factory=State, repr=False)
    revocations: Mapping[str, frozenset[bytes]] = field(default_factory=_nothing, repr=False)
    revocation_keys: Mapping[str, frozenset[str]] = field(default_factory=_nothing, repr=False)
    former_node_keys: frozenset[tuple[str, str]] = frozenset()
    untimely: Mapping[str, Member] = field(default_factory=_nothing, repr=False)

    @property
    def root_version(self) -> int:
        """Return the version of the newest root."""
        return self.state.root

    @property
    def timestamp_version(self) -> int:
        """Return the version of the timestamp."""
        return self.state.timestamp.version

    @property
    def snapshot_version(self) -> int:
        """Return the version of the snapshot."""
        return self.state.snapshot.version

    @property
    def described(self) -> Mapping[str, Member]:
        """Return the members whose files are well formed, whether their roles have expired or not."""
        return {**self.members, **self.untimely}

    def described_member(self, member_id: str) -> Member:
        """Return a member whose files are well formed: to exchange the register with it, in which it may be renewed.

        Errors as of `member`, but for a role that has expired.
        """
        found = self.untimely.get(member_id)
        return self.member(member_id) if found is None else found

    @property
    def active_ids(self) -> frozenset[str]:
        """Return the ids of all active members, usable or not: quorums count these."""
        active = {member.id for member in self.members.values() if member.status == "active"}
        return frozenset(active | (self.unusable.keys() - self.suspended_ids))

    @property
    def issued_time(self) -> datetime:
        """Return when the timestamp was signed."""
        return self.role_expiries["timestamp"] - self.life

    @property
    def published_by(self) -> tuple[str, ...]:
        """Return the members whose nodes signed the timestamp, in the order of the publishers."""
        return tuple(member for member, key in self.publishers.items() if key in self.state.timestamp.signers)

    def active_members(self) -> tuple[Member, ...]:
        """Return the active members whose own files can be used, ordered by id."""
        return tuple(member for _, member in sorted(self.members.items()) if member.status == "active")

    def member(self, member_id: str) -> Member:
        """Return a member, active or suspended.

        ``Rejected("unknown_member")`` if the register has no such member, ``Rejected("member_unusable")`` if its own
        files cannot be used.
        """
        if member_id in self.unusable:
            raise Rejected("member_unusable", self.unusable[member_id])
        member = self.members.get(member_id)
        if member is None:
            raise Rejected("unknown_member", "this member is not in the register")
        return member

    def active_member(self, member_id: str) -> Member:
        """Return an active member; a suspended one is ``Rejected("member_suspended")``."""
        member = self.member(member_id)
        if member.status != "active":
            raise Rejected("member_suspended", f"{member_id} is suspended")
        return member

    def cosignatures(self, note: bytes) -> tuple[Cosignature, ...]:
        """Return the cosignatures of a note by all keys of active members, the owner of the log among them.

        One that does not hold is ``Rejected("bad_checkpoint")``. Use `witnesses` for those that count.
        """
        return cosignatures.cosignatures(
            note, [key.key for member in self.active_members() for key in member.witness_keys]
        )

    def witnesses(self, found: Iterable[Cosignature], owner: str) -> Mapping[str, Cosignature]:
        """Return the cosignature that counts of each active member but the owner of the log, by member.

        Each counts once, whichever of its keys it used, by the earliest; a key counts until it was abandoned.
        """
        keys = {key.name: (member.id, key) for member in self.active_members() for key in member.witness_keys}
        first: dict[str, Cosignature] = {}
        for each in found:
            member, key = keys[each.name]
            if member == owner or key.is_abandoned(each.time):
                continue
            if member not in first or each.time < first[member].time:
                first[member] = each
        return first

    def witnessed_time(self, note: bytes, owner: str) -> datetime | None:
        """Return the median time of the cosignatures by which a quorum witnessed a note of this member's log.

        None if fewer active members than a quorum cosigned it. ``Rejected("bad_checkpoint")`` if a cosignature does not
        hold.
        """
        first = self.witnesses(self.cosignatures(note), owner)
        return witnessed_time(first.values(), cosignatures.quorum(len(self.active_ids - {owner})))

    def certificate_verifier(self) -> CertificateVerifier:
        """Return the one verifier of this version, with its cache.

        It also knows suspended members: their signatures stay provable. Use `active_member` to check that a member may
        act.
        """
        return self._verifier
