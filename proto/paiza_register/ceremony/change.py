"""A change of a register that its custodians decide: who belongs, whose keys sign, which keys and rules hold.

A change builds on one register and makes the next top-level targets; the next root too, where custodians, publishers
or the threshold change; and the next metadata of a member's role or of the reference data, where their key changes or
they must name a new one. The root must be signed by enough of the custodians of before, and by enough of those after;
the targets by enough of those after; every other role by its own key. What a member signs with a new key comes signed
in its application.

Every change makes the next version of the targets, and a custodian signs one content of a version: so one change is
open at a time. A second one waits until the first is published or refused, and is then proposed on the register that
follows; it is never rebased, since signatures cover its bytes.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import takewhile
from typing import Any, Final

from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.signer import Key
from tuf.api.metadata import Metadata, Root, Targets

from paiza_register import carried, roles
from paiza_register.agreements import check_agreements
from paiza_register.ceremony.application import Application
from paiza_register.ceremony.base import Base, custodians
from paiza_register.ceremony.draft import Draft
from paiza_register.ceremony.founding import AGREEMENT, check_threshold
from paiza_register.ceremony.successor import CUSTODIANS, PUBLISHERS, Successor
from paiza_register.ceremony.times import ROOT_LIFE, read_time, time_text
from paiza_register.documents import REMOVED
from paiza_register.pair_key import PairKey
from paiza_wire.errors import Rejected

KIND: Final = "change"

ADMIT: Final = "admit"
SUSPEND: Final = "suspend"
REINSTATE: Final = "reinstate"
REMOVE: Final = "remove"
CUSTODIAN: Final = "custodian"
THRESHOLD: Final = "threshold"
MEMBER_KEY: Final = "member-key"
PUBLISHER: Final = "publisher"
REFERENCE_HOLDER: Final = "reference-holder"
LOG_KEY: Final = "log-key"
LOG_ORIGIN: Final = "log-origin"
WITNESS: Final = "witness"
POLICY: Final = "policy"
RESIGN: Final = "resign"

ATTENDANCE: Final = timedelta(days=395)
"""A custodian who signed nothing for so long, 13 months, may have lost the key."""

_FIELDS: Final = ("kind", "what", "member", "applications", "vkey", "until", "policy", "threshold", "time", "base")
_POLICY: Final = ("timestamp_life_hours", "grace_hours", "agreements", "legal_bases")


@dataclass(frozen=True)
class Policy:
    """Rules of a federation: both times are stated always, of the rest what changes.

    ``agreements`` are Cedar files by their name, `AGREEMENT`; an empty one is removed. ``legal_bases`` are titles by
    language, by code; an empty one is removed.
    """

    timestamp_life_hours: int
    grace_hours: int
    agreements: Mapping[str, str]
    legal_bases: Mapping[str, Mapping[str, str]]

    @classmethod
    def read(cls, values: object) -> "Policy":
        """Read it from an act; ``Rejected("malformed")`` if it is none."""
        fields = carried.only(values, _POLICY)
        titles = fields["legal_bases"]
        if not isinstance(titles, dict):
            raise Rejected("malformed", "legal_bases is not an object")
        return cls(
            carried.number(fields, "timestamp_life_hours"),
            carried.number(fields, "grace_hours"),
            carried.texts(fields, "agreements"),
            {code: carried.texts(titles, code) for code in titles},
        )

    def values(self) -> dict[str, Any]:
        """Return what an act holds of it."""
        return {
            "timestamp_life_hours": self.timestamp_life_hours,
            "grace_hours": self.grace_hours,
            "agreements": dict(self.agreements),
            "legal_bases": {code: dict(titles) for code, titles in self.legal_bases.items()},
        }


@dataclass(frozen=True)
class Change:
    """The act of changing a register. What is not needed is empty: "" or (), of the policy None.

    ``member`` is the one that is suspended, removed, or has another key ``vkey`` of a log or a witness, whose former
    keys are abandoned from ``until`` on; None if they are not. Every other change of members is by their
    ``applications``. ``threshold`` is the one that holds afterwards.
    """

    what: str
    member: str
    applications: Sequence[Application]
    vkey: str
    until: datetime | None
    policy: Policy | None
    threshold: int
    time: datetime
    base: Base

    @classmethod
    def read(cls, values: dict[str, Any], base: Base) -> "Change":
        """Read the act from a proposal."""
        carried.only(values, _FIELDS)
        applications = values["applications"]
        if not isinstance(applications, list) or not all(isinstance(each, str) for each in applications):
            raise Rejected("malformed", "applications are no list of texts")
        return cls(
            what=carried.text(values, "what"),
            member=carried.text(values, "member"),
            applications=tuple(Application.read(each.encode()) for each in applications),
            vkey=carried.text(values, "vkey"),
            until=read_time(until) if (until := carried.text(values, "until")) else None,
            policy=None if values["policy"] is None else Policy.read(values["policy"]),
            threshold=carried.number(values, "threshold"),
            time=read_time(carried.text(values, "time")),
            base=base,
        )

    def values(self) -> dict[str, Any]:
        """Return what a proposal holds of it."""
        return {
            "kind": KIND,
            "what": self.what,
            "member": self.member,
            "applications": [each.data.decode() for each in self.applications],
            "vkey": self.vkey,
            "until": "" if self.until is None else time_text(self.until),
            "policy": None if self.policy is None else self.policy.values(),
            "threshold": self.threshold,
            "time": time_text(self.time),
            "base": self.base.name.values(),
        }

    @property
    def federation(self) -> str:
        """Return the federation's name."""
        return self.base.register.federation

    @property
    def members(self) -> tuple[str, ...]:
        """Return the members that the change is about."""
        return (self.member,) if self.member else tuple(each.member for each in self.applications)

    @cached_property
    def draft(self) -> Draft:
        """Return the next targets, with all that changes beside them."""
        base, successor = self.base, Successor(self.base, self.time)
        self._check()
        _CHANGES[self.what].make(self, successor)
        for role in (Root.type, Targets.type):
            successor.root.roles[role].threshold = self.threshold
        after = custodians(successor.root, successor.document)
        check_threshold(self.threshold, len(after))
        if self.threshold != base.threshold or set(after) != set(base.custodians):
            self._check_attendance({keyid: key for keyid, (key, _member) in after.items()})
        return successor.draft(root_anew=self.what == RESIGN)

    def _check(self) -> None:
        """Refuse a change that is not in the form of its kind, or of an earlier time than what it builds on."""
        form = _CHANGES.get(self.what)
        if form is None:
            raise Rejected("malformed", "the change is none that this version knows")
        given = (bool(self.member), bool(self.applications), bool(self.vkey), self.policy is not None)
        if given != (form.member, form.applications, form.vkey, form.policy):
            raise Rejected("malformed", f"a change {self.what} states more, or less, than it needs")
        if self.until is not None and not form.until:
            raise Rejected("malformed", f"a change {self.what} ends no key")
        if self.until is not None and self.until < self.time:
            raise Rejected("clock_skew", "a key is abandoned at an earlier time than that of the change")
        if len(self.applications) > 1 and not form.several:
            raise Rejected("malformed", f"a change {self.what} is of one application")
        if len(set(self.members)) != len(self.members):
            raise Rejected("conflict", "a member has applied twice")
        if self.time < self.base.issued_time:
            raise Rejected("clock_skew", "the change is of an earlier time than the register it builds on")
        for each in self.applications:
            if each.federation != self.federation:
                raise Rejected("conflict", "an application is to another federation")
            if each.time > self.time:
                raise Rejected("clock_skew", "an application is of a later time than the change")

    def _check_attendance(self, after: Mapping[str, PairKey]) -> None:
        """Refuse custodians of whom too few have shown in the last 13 months that they still hold their keys.

        A signature under a root or the newest targets shows it, or the application by which a key came here.
        """
        since, seen = self.time - ATTENDANCE, {each.custodian.keyid for each in self.applications}
        for metadata, keys in _signed_since(self.base, since):
            if len(after.keys() & seen) >= self.threshold:
                return
            for keyid in (after.keys() & keys.keys() & metadata.signatures.keys()) - seen:
                with suppress(UnverifiedSignatureError):
                    keys[keyid].verify_signature(metadata.signatures[keyid], metadata.signed_bytes)
                    seen.add(keyid)
        count = len(after.keys() & (seen | _new_since(self.base, since)))
        if count < self.threshold:
            why = f"only {count} of the custodians afterwards have signed anything for 13 months"
            raise Rejected("conflict", why)


def change(
    what: str,
    base: Base,
    now: datetime,
    *,
    member: str = "",
    applications: Sequence[Application] = (),
    vkey: str = "",
    until: datetime | None = None,
    policy: Policy | None = None,
    threshold: int | None = None,
) -> Change:
    """Propose a change, as of now. Without a threshold the present one stays.

    ``Unavailable("register_expired")`` if no reader uses the base any more: then only `RESIGN` builds on it.
    """
    if what != RESIGN:
        base.check_valid(now)
    time = now.astimezone(UTC).replace(microsecond=0)
    ends = None if until is None else until.astimezone(UTC).replace(microsecond=0)
    needed = base.threshold if threshold is None else threshold
    proposed = Change(what, member, tuple(applications), vkey, ends, policy, needed, time, base)
    proposed.draft  # noqa: B018 - refused here, not by the first who reads it
    return proposed


def _admit(change: Change, successor: Successor) -> None:
    (applied,) = change.applications
    _demand_status(successor, applied.member, "", REMOVED)
    successor.document["members"][applied.member] = {"status": "active"}
    successor.put(CUSTODIANS, applied.member, applied.custodian)
    successor.put(PUBLISHERS, applied.member, applied.publisher)
    _take_over(applied, successor)
    successor.pin_new(applied)


def _suspend(change: Change, successor: Successor) -> None:
    _demand_status(successor, change.member, "active")
    _demand_no_reference(change)
    successor.document["members"][change.member]["status"] = "suspended"
    for listed in (CUSTODIANS, PUBLISHERS):
        successor.drop(listed, change.member)


def _reinstate(change: Change, successor: Successor) -> None:
    (applied,) = change.applications
    _demand_status(successor, applied.member, "suspended")
    _demand_own_key(change, applied)
    successor.document["members"][applied.member]["status"] = "active"
    successor.put(CUSTODIANS, applied.member, applied.custodian)
    successor.put(PUBLISHERS, applied.member, applied.publisher)


def _remove(change: Change, successor: Successor) -> None:
    _demand_status(successor, change.member, "active", "suspended")
    _demand_no_reference(change)
    # Its roles stay delegated to its keys: nobody else can raise their versions before it comes back.
    successor.document["members"][change.member]["status"] = REMOVED
    for listed in (CUSTODIANS, PUBLISHERS):
        successor.drop(listed, change.member)


def _custodian(change: Change, successor: Successor) -> None:
    for applied in change.applications:
        _demand_status(successor, applied.member, "active")
        _demand_own_key(change, applied)
        if applied.custodian.keyid in change.base.custodians:
            raise Rejected("conflict", f"the key of {applied.member}'s application is a custodian's already")
        successor.put(CUSTODIANS, applied.member, applied.custodian)


def _threshold(change: Change, _successor: Successor) -> None:
    if change.threshold == change.base.threshold:
        raise Rejected("conflict", "that is the threshold already")


def _member_key(change: Change, successor: Successor) -> None:
    (applied,) = change.applications
    _demand_status(successor, applied.member, "active", "suspended")
    base, revocations = change.base, roles.node_role_of(applied.member)
    if (applied.key, applied.revocations) == (base.key_of(applied.member), base.key_of(revocations)):
        raise Rejected("conflict", "the application is of the keys that the member has already")
    if not applied.pins <= base.register.key_pins:
        raise Rejected("conflict", "a new log or witness is another change than a new key of the member")
    _take_over(applied, successor)


def _publisher(change: Change, successor: Successor) -> None:
    (applied,) = change.applications
    _demand_status(successor, applied.member, "active")
    _demand_own_key(change, applied)
    role = roles.node_role_of(applied.member)
    same_publisher = change.base.publishers[applied.member] == applied.publisher
    same_revocations = change.base.key_of(role) == applied.revocations
    if same_publisher and same_revocations:
        raise Rejected("conflict", "the application is of the keys that the member's node has already")
    if not same_publisher:
        successor.put(PUBLISHERS, applied.member, applied.publisher)
    if not same_revocations:
        successor.delegate(role, [applied.revocations])
        successor.adopt(applied, role)


def _reference_holder(change: Change, successor: Successor) -> None:
    for applied in change.applications:
        _demand_status(successor, applied.member, "active")
        _demand_own_key(change, applied)
    named = {applied.member: applied.reference for applied in change.applications}
    if set(named.values()) == set(change.base.keys_of(roles.REFERENCE)):
        raise Rejected("conflict", "these are the keys that sign the reference data already")
    successor.delegate(roles.REFERENCE, named.values())
    successor.document["reference"] = [{"member": member, "key": key.keyid} for member, key in named.items()]
    successor.sign_anew(roles.REFERENCE)


def _log_key(change: Change, successor: Successor) -> None:
    _demand_status(successor, change.member, "active", "suspended")
    successor.add_key(change.member, "log_keys", "origin", change.vkey, same_name=True, until=change.until)


def _log_origin(change: Change, successor: Successor) -> None:
    _demand_status(successor, change.member, "active", "suspended")
    successor.add_key(change.member, "log_keys", "origin", change.vkey)


def _witness(change: Change, successor: Successor) -> None:
    _demand_status(successor, change.member, "active", "suspended")
    successor.add_key(change.member, "witness_keys", "name", change.vkey, until=change.until)


def _policy(change: Change, successor: Successor) -> None:
    assert change.policy is not None, "_check demands it"
    policy, document = change.policy, successor.document
    for name in ("timestamp_life_hours", "grace_hours"):
        document[name] = getattr(policy, name)
    for code, titles in policy.legal_bases.items():
        _set(document["legal_bases"], code, dict(titles))
    if not all(AGREEMENT.fullmatch(name) for name in policy.agreements):
        raise Rejected("malformed", "an agreement's name is agreement-…, of letters, digits and -, and ends in .cedar")
    check_agreements({name: text for name, text in policy.agreements.items() if text})
    for name, text in policy.agreements.items():
        if not text and name not in successor.targets.targets:
            raise Rejected("conflict", f"there is no {name}")
    successor.publish(successor.targets, {name: text.encode() for name, text in policy.agreements.items()})
    same = (document, successor.targets.targets) == (change.base.federation, change.base.targets.targets)
    if same and change.threshold == change.base.threshold:
        raise Rejected("conflict", "these rules hold already")


def _resign(_change: Change, _successor: Successor) -> None:
    """Change nothing: root and targets live another year."""


@dataclass(frozen=True)
class _Form:
    """How a change is made, and which of its fields it states."""

    make: Callable[[Change, Successor], None]
    member: bool = False
    applications: bool = False
    several: bool = False
    vkey: bool = False
    until: bool = False  # it may state one
    policy: bool = False


_CHANGES: Final[Mapping[str, _Form]] = {
    ADMIT: _Form(_admit, applications=True),
    SUSPEND: _Form(_suspend, member=True),
    REINSTATE: _Form(_reinstate, applications=True),
    REMOVE: _Form(_remove, member=True),
    CUSTODIAN: _Form(_custodian, applications=True, several=True),
    THRESHOLD: _Form(_threshold),
    MEMBER_KEY: _Form(_member_key, applications=True),
    PUBLISHER: _Form(_publisher, applications=True),
    REFERENCE_HOLDER: _Form(_reference_holder, applications=True, several=True),
    LOG_KEY: _Form(_log_key, member=True, vkey=True, until=True),
    LOG_ORIGIN: _Form(_log_origin, member=True, vkey=True),
    WITNESS: _Form(_witness, member=True, vkey=True, until=True),
    POLICY: _Form(_policy, policy=True),
    RESIGN: _Form(_resign),
}


def _take_over(applied: Application, successor: Successor) -> None:
    """Delegate to the keys of an application, and publish what it signed with them."""
    for role, key in ((roles.node_role_of(applied.member), applied.revocations), (applied.member, applied.key)):
        successor.delegate(role, [key])
        successor.adopt(applied, role)


def _demand_status(successor: Successor, member: str, *wanted: str) -> None:
    status = successor.status(member)
    if status not in wanted:
        if status in {"", REMOVED}:
            raise Rejected("unknown_member", "the register has no such member")
        raise Rejected("conflict", f"the status of {member} is {status}")


def _demand_own_key(change: Change, applied: Application) -> None:
    if applied.key != change.base.key_of(applied.member):
        raise Rejected("bad_key", "the application is not of the key that signs for this member")


def _demand_no_reference(change: Change) -> None:
    if any(each["member"] == change.member for each in change.base.federation["reference"]):
        raise Rejected("conflict", "the member publishes the reference data; another must do so first")


def _set(values: dict[str, Any], name: str, value: Any) -> None:
    """Set an entry; an empty one is removed, if it is there."""
    if value:
        values[name] = value
    elif values.pop(name, None) is None:
        raise Rejected("conflict", f"there is no {name}")


def _signed_since(base: Base, time: datetime) -> Iterator[tuple[Metadata[Any], Mapping[str, Key]]]:
    """Yield what custodians signed since a time, with the keys that could: the newest targets, and roots."""
    targets = Metadata[Targets].from_bytes(base.file.files[f"metadata/{base.targets.version}.targets.json"])
    if _signed_time(targets) >= time:
        yield targets, base.root.keys
    for root in takewhile(lambda root: _signed_time(root) >= time, base.roots()):
        yield root, root.signed.keys


def _new_since(base: Base, time: datetime) -> set[str]:
    """Return the keys of custodians that came to the register since a time: each was proven by an application."""
    before = next((root for root in base.roots() if _signed_time(root) < time), None)
    return set(base.custodians) - (set() if before is None else set(before.signed.keys))


def _signed_time(metadata: Metadata[Any]) -> datetime:
    expires: datetime = metadata.signed.expires
    return expires.astimezone(UTC) - ROOT_LIFE
