"""The founding of a federation: several members' applications become its first root and its first register.

The first root counts only if every founding custodian signed it. The first of the applications names who publishes the
reference data, and the order of the applications is that in which the nodes publish.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Final

from tuf.api.metadata import DelegatedRole, Delegations, Key, Root, Snapshot, TargetFile, Targets, Timestamp

from paiza_register import carried, roles
from paiza_register.agreements import check_agreements
from paiza_register.ceremony.application import Application
from paiza_register.ceremony.draft import Draft, Quorum
from paiza_register.ceremony.federation_file import GRACE, LIFE, federation_file
from paiza_register.ceremony.metadata import described
from paiza_register.ceremony.times import ROOT_LIFE, expiry, read_time, time_text
from paiza_register.documents import LANGUAGES, MAX_MEMBERS, Federation
from paiza_register.verified_set import FEDERATION, target_path
from paiza_wire.errors import Rejected

KIND: Final = "found"

AGREEMENT: Final = re.compile(r"agreement-[a-z0-9-]{1,40}\.cedar")
"""The name of an agreement's file."""

_HOUR: Final = timedelta(hours=1)

_BOTH: Final = 2  # of two custodians both must sign, or one decides alone

_HOURS: Final = ("timestamp_life_hours", "grace_hours")
_FIELDS: Final = ("kind", "names", "threshold", "time", "applications", "documents", "legal_bases", "exercise", *_HOURS)


@dataclass(frozen=True)
class Founding:
    """The act of founding: ``documents`` are the first reference data and agreements, by target path.

    A timestamp lives ``timestamp_life_hours``, and an expired register is used for ``grace_hours`` more. ``exercise``:
    all messages of the federation are exercises, for good.
    """

    names: Mapping[str, str]
    threshold: int
    time: datetime
    applications: Sequence[Application]
    documents: Mapping[str, bytes]
    legal_bases: Mapping[str, Mapping[str, str]]
    timestamp_life_hours: int = LIFE // _HOUR
    grace_hours: int = GRACE // _HOUR
    exercise: bool = False

    def __post_init__(self) -> None:
        """Refuse what no federation can be founded on."""
        count = len(self.applications)
        if not 1 <= count <= MAX_MEMBERS:
            raise Rejected("malformed", f"a federation has 1 to {MAX_MEMBERS} members")
        if len({each.member for each in self.applications}) != count:
            raise Rejected("conflict", "a member has applied twice")
        if len({each.federation for each in self.applications}) != 1:
            raise Rejected("conflict", "the applications are to different federations")
        if set(self.names) != set(LANGUAGES):
            raise Rejected("malformed", "the federation has a name in Russian and one in English")
        check_threshold(self.threshold, count)
        if any(each.time > self.time for each in self.applications):
            raise Rejected("clock_skew", "an application is of a later time than the founding")
        if any(roles.role_of(path) != roles.REFERENCE and not AGREEMENT.fullmatch(path) for path in self.documents):
            raise Rejected("malformed", "a founding publishes reference data and agreements, and nothing else")
        agreements = {path: data for path, data in self.documents.items() if AGREEMENT.fullmatch(path)}
        try:
            check_agreements({path: data.decode() for path, data in agreements.items()})
        except UnicodeDecodeError as error:
            raise Rejected("malformed", "an agreement is not text") from error

    @classmethod
    def read(cls, values: dict[str, Any]) -> "Founding":
        """Read the act from a proposal."""
        carried.only(values, _FIELDS)
        applications = values["applications"]
        if not isinstance(applications, list) or not all(isinstance(each, str) for each in applications):
            raise Rejected("malformed", "applications are no list of texts")
        titles = values["legal_bases"]
        if not isinstance(titles, dict):
            raise Rejected("malformed", "legal_bases is not an object")
        return cls(
            names=carried.texts(values, "names"),
            threshold=carried.number(values, "threshold"),
            time=read_time(carried.text(values, "time")),
            applications=[Application.read(each.encode()) for each in applications],
            documents={path: text.encode() for path, text in carried.texts(values, "documents").items()},
            legal_bases={code: carried.texts(titles, code) for code in titles},
            timestamp_life_hours=carried.number(values, "timestamp_life_hours"),
            grace_hours=carried.number(values, "grace_hours"),
            exercise=carried.flag(values, "exercise"),
        )

    def values(self) -> dict[str, Any]:
        """Return what a proposal holds of it."""
        return {
            "kind": KIND,
            "names": dict(self.names),
            "threshold": self.threshold,
            "time": time_text(self.time),
            "applications": [each.data.decode() for each in self.applications],
            "documents": {path: data.decode() for path, data in self.documents.items()},
            "legal_bases": {code: dict(titles) for code, titles in self.legal_bases.items()},
            "timestamp_life_hours": self.timestamp_life_hours,
            "grace_hours": self.grace_hours,
            "exercise": self.exercise,
        }

    @property
    def federation(self) -> str:
        """Return the name that all applications are to."""
        return self.applications[0].federation

    @property
    def base(self) -> None:
        """Return that it builds on no register."""

    @cached_property
    def draft(self) -> Draft:
        """Return the first root, the top-level targets, and the reference data, with what the members signed."""
        first = self.applications[0]
        custodians = {each.member: each.custodian for each in self.applications}
        publishers: dict[str, Key] = {each.member: each.publisher for each in self.applications}
        agreements = {path: data for path, data in self.documents.items() if AGREEMENT.fullmatch(path)}
        documents = {
            **agreements,
            FEDERATION: federation_file(
                self.federation,
                self.names,
                [each.document for each in self.applications],
                custodians=custodians,
                publishers=publishers,
                reference={first.member: first.reference},
                legal_bases=self.legal_bases,
                life=timedelta(hours=self.timestamp_life_hours),
                grace=timedelta(hours=self.grace_hours),
                exercise=self.exercise,
            ),
        }
        Federation(documents[FEDERATION])  # refuses names, titles and times that no reader would read
        expires = expiry(self.time, ROOT_LIFE)
        root = Root(version=1, expires=expires, consistent_snapshot=True)
        for role in (Root.type, Targets.type):
            for custodian in custodians.values():
                root.add_key(custodian, role)
            root.roles[role].threshold = self.threshold
        for role in (Snapshot.type, Timestamp.type):
            for publisher in publishers.values():
                root.add_key(publisher, role)
        top = Targets(version=1, expires=expires, targets=_described(documents))
        top.delegations = self._delegations()
        reference_data = {path: data for path, data in self.documents.items() if path not in agreements}
        reference = Targets(version=1, expires=expires, targets=_described(reference_data))
        files = {target_path(described(path, data)): data for path, data in self._files(documents)}
        for each in self.applications:
            files |= {f"metadata/{each.versions[role]}.{role}.json": data for role, data in each.roles.items()}
        by_custodian = {key.keyid: (key, member) for member, key in custodians.items()}
        return Draft(
            roles={Root.type: root, Targets.type: top, roles.REFERENCE: reference},
            signers={
                Root.type: by_custodian,
                Targets.type: by_custodian,
                roles.REFERENCE: {first.reference.keyid: (first.reference, first.member)},
            },
            quorums={
                Root.type: (Quorum(frozenset(by_custodian), len(by_custodian)),),
                Targets.type: (Quorum(frozenset(by_custodian), self.threshold),),
                roles.REFERENCE: (Quorum(frozenset({first.reference.keyid}), 1),),
            },
            files=files,
            publishers=publishers,
            deciders=by_custodian,
            needed=len(by_custodian),
        )

    def _files(self, documents: Mapping[str, bytes]) -> list[tuple[str, bytes]]:
        own = [item for each in self.applications for item in each.files.items()]
        return [*documents.items(), *self.documents.items(), *own]

    def _delegations(self) -> Delegations:
        first = self.applications[0]
        signers = {roles.REFERENCE: first.reference}
        for each in self.applications:
            signers |= {roles.node_role_of(each.member): each.revocations, each.member: each.key}
        delegated = {
            name: DelegatedRole(name, [key.keyid], 1, terminating=True, paths=roles.paths_of(name))
            for name, key in signers.items()
        }
        return Delegations({key.keyid: key for key in signers.values()}, delegated)


class WrongThreshold(Rejected):
    """So many custodians may not have this threshold."""

    def __init__(self, threshold: int, count: int) -> None:
        """Name the thresholds that are allowed in the detail."""
        self.threshold = threshold
        self.count = count
        self.allowed = ", ".join(map(str, thresholds(count)))
        super().__init__("malformed", f"the threshold {threshold}; with {count} custodians: {self.allowed}")


def thresholds(count: int) -> range:
    """Return the thresholds that so many custodians may have: more than half, and of three or more not all."""
    return range(count // 2 + 1, count if count > _BOTH else count + 1)


def check_threshold(threshold: int, count: int) -> None:
    """Refuse a threshold that lets a minority decide, or that one lost custodian makes unreachable.

    Raise WrongThreshold, whose detail names those that are allowed.
    """
    if threshold not in thresholds(count):
        raise WrongThreshold(threshold, count)


def found(
    names: Mapping[str, str],
    threshold: int,
    applications: Sequence[Application],
    documents: Mapping[str, bytes],
    legal_bases: Mapping[str, Mapping[str, str]],
    now: datetime,
    *,
    timestamp_life_hours: int = LIFE // _HOUR,
    grace_hours: int = GRACE // _HOUR,
    exercise: bool = False,
) -> Founding:
    """Propose a founding."""
    time = now.astimezone(UTC).replace(microsecond=0)
    return Founding(
        names, threshold, time, applications, documents, legal_bases, timestamp_life_hours, grace_hours, exercise
    )


def _described(documents: Mapping[str, bytes]) -> dict[str, TargetFile]:
    return {path: described(path, data) for path, data in documents.items()}
