"""The founding of a federation: several members' applications become its first root and its first register.

The first root counts only if every founding custodian signed it. The first of the applications names who publishes the
reference data, and the order of the applications is that in which the nodes publish.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final

from tuf.api.metadata import DelegatedRole, Delegations, Key, Root, Snapshot, TargetFile, Targets, Timestamp

from paiza_register import carried, roles
from paiza_register.ceremony.application import Application
from paiza_register.ceremony.draft import Draft
from paiza_register.ceremony.federation_file import federation_file
from paiza_register.ceremony.times import ROOT_LIFE, expiry, read_time, time_text
from paiza_register.documents import LANGUAGES, MAX_MEMBERS, Federation
from paiza_register.verified_set import FEDERATION, target_path
from paiza_wire.errors import Rejected

KIND: Final = "found"

_FIELDS: Final = ("kind", "names", "threshold", "time", "applications", "documents", "legal_bases")


@dataclass(frozen=True)
class Founding:
    """The act of founding: ``documents`` are the reference data of the first register, by target path."""

    names: Mapping[str, str]
    threshold: int
    time: datetime
    applications: Sequence[Application]
    documents: Mapping[str, bytes]
    legal_bases: Mapping[str, Mapping[str, str]]

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
        if any(roles.role_of(path) != roles.REFERENCE for path in self.documents):
            raise Rejected("malformed", "a founding publishes reference data and nothing else of the federation's own")

    @classmethod
    def read(cls, values: dict[str, Any]) -> "Founding":
        """Read the act from a proposal."""
        carried.only(values, _FIELDS)
        applications = values["applications"]
        if not isinstance(applications, list) or not all(isinstance(each, str) for each in applications):
            raise Rejected("malformed", "applications are no list of texts")
        if type(values["threshold"]) is not int:
            raise Rejected("malformed", "threshold is not a whole number")
        titles = values["legal_bases"]
        if not isinstance(titles, dict):
            raise Rejected("malformed", "legal_bases is not an object")
        return cls(
            names=carried.texts(values, "names"),
            threshold=values["threshold"],
            time=read_time(carried.text(values, "time")),
            applications=[Application.read(each.encode()) for each in applications],
            documents={path: text.encode() for path, text in carried.texts(values, "documents").items()},
            legal_bases={code: carried.texts(titles, code) for code in titles},
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
        }

    @property
    def federation(self) -> str:
        """Return the name that all applications are to."""
        return self.applications[0].federation

    @cached_property
    def draft(self) -> Draft:
        """Return the first root, the top-level targets, and the reference data, with what the members signed."""
        first = self.applications[0]
        custodians = {each.member: each.custodian for each in self.applications}
        publishers: dict[str, Key] = {each.member: each.publisher for each in self.applications}
        documents = {
            FEDERATION: federation_file(
                self.federation,
                self.names,
                [each.document for each in self.applications],
                custodians=custodians,
                publishers=publishers,
                reference={first.member: first.reference},
                legal_bases=self.legal_bases,
            )
        }
        Federation(documents[FEDERATION])  # refuses names and titles that no reader would read
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
        reference = Targets(version=1, expires=expires, targets=_described(self.documents))
        files = {
            target_path(TargetFile.from_data(path, data, ["sha256"])): data for path, data in self._files(documents)
        }
        for each in self.applications:
            files |= {f"metadata/1.{role}.json": data for role, data in each.roles.items()}
        by_custodian = {key.keyid: (key, member) for member, key in custodians.items()}
        return Draft(
            roles={Root.type: root, Targets.type: top, roles.REFERENCE: reference},
            signers={
                Root.type: by_custodian,
                Targets.type: by_custodian,
                roles.REFERENCE: {first.reference.keyid: (first.reference, first.member)},
            },
            files=files,
            first_root=None,
            publishers=publishers,
            version=1,
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
            signers |= {roles.revocations_of(each.member): each.revocations, each.member: each.key}
        delegated = {
            name: DelegatedRole(name, [key.keyid], 1, terminating=True, paths=[roles.paths_of(name)])
            for name, key in signers.items()
        }
        return Delegations({key.keyid: key for key in signers.values()}, delegated)


def check_threshold(threshold: int, count: int) -> None:
    """Refuse a threshold that lets a minority decide, or that one lost custodian makes unreachable."""
    if not count // 2 < threshold <= count:
        raise Rejected("malformed", f"the threshold of {count} custodians is more than half of them, and no more")
    if threshold == count > 2:  # noqa: PLR2004 - of two, both must sign, or one decides alone
        raise Rejected("malformed", "with a threshold of all custodians, one who is lost stops every change")


def found(
    names: Mapping[str, str],
    threshold: int,
    applications: Sequence[Application],
    documents: Mapping[str, bytes],
    legal_bases: Mapping[str, Mapping[str, str]],
    now: datetime,
) -> Founding:
    """Propose a founding."""
    time = now.astimezone(UTC).replace(microsecond=0)
    return Founding(names, threshold, time, applications, documents, legal_bases)


def _described(documents: Mapping[str, bytes]) -> dict[str, TargetFile]:
    return {path: _described_file(path, data) for path, data in documents.items()}


def _described_file(path: str, data: bytes) -> TargetFile:
    return TargetFile.from_data(path, data, ["sha256"])
