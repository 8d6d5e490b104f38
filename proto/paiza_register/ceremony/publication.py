"""A publication: the next version of one delegated role, decided by the holder of its key alone.

A member says what is true of itself (member.json, profile.json), a data officer what the reference data are, a node
which certificates count no more and who the liaison officers are. No custodian is asked. A publication that changes no
file signs the role anew, for another year.

One publication of a role is open at a time, since each is of one version. One that was signed and given to nobody is
replaced by one of a later version: versions may leap.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final

from paiza_register import carried, roles
from paiza_register.ceremony.base import Base
from paiza_register.ceremony.draft import Draft, Quorum
from paiza_register.ceremony.federation_file import to_json
from paiza_register.ceremony.metadata import described
from paiza_register.ceremony.rotation import refuse_lost_ca
from paiza_register.ceremony.successor import MAX_LEAP
from paiza_register.ceremony.times import ROOT_LIFE, expiry, read_time, time_text
from paiza_register.documents import Federation, parse_member, parse_revoked
from paiza_register.pair_key import PairKey
from paiza_register.verified_set import FEDERATION, target_path
from paiza_wire.errors import Rejected

KIND: Final = "publication"

_FIELDS: Final = ("kind", "role", "version", "files", "time", "base")
_OWN: Final = ("member", "profile")


@dataclass(frozen=True)
class Publication:
    """The act of publishing one role. ``files`` are those that change, by target path; an empty one is removed."""

    role: str
    version: int
    files: Mapping[str, bytes]
    time: datetime
    base: Base

    @classmethod
    def read(cls, values: dict[str, Any], base: Base) -> "Publication":
        """Read the act from a proposal."""
        carried.only(values, _FIELDS)
        return cls(
            role=carried.text(values, "role"),
            version=carried.number(values, "version"),
            files={path: text.encode() for path, text in carried.texts(values, "files").items()},
            time=read_time(carried.text(values, "time")),
            base=base,
        )

    def values(self) -> dict[str, Any]:
        """Return what a proposal holds of it."""
        return {
            "kind": KIND,
            "role": self.role,
            "version": self.version,
            "files": {path: data.decode() for path, data in self.files.items()},
            "time": time_text(self.time),
            "base": self.base.name.values(),
        }

    @property
    def federation(self) -> str:
        """Return the federation's name."""
        return self.base.register.federation

    @property
    def member(self) -> str:
        """Return the member whose role it is; empty of the reference data."""
        return "" if self.role == roles.REFERENCE else self.role.partition(".")[0]

    @cached_property
    def draft(self) -> Draft:
        """Return the next version of the role."""
        self._check()
        metadata = self.base.role(self.role)
        metadata.version, metadata.expires = self.version, expiry(self.time, ROOT_LIFE)
        published = {}
        for path, data in self.files.items():
            metadata.targets.pop(path, None)
            if data:
                metadata.targets[path] = described(path, data)
                published[target_path(metadata.targets[path])] = data
        signers = self._signers()
        return Draft(
            roles={self.role: metadata},
            signers={self.role: signers},
            quorums={self.role: (Quorum(frozenset(signers), 1),)},
            files=published,
            publishers=self.base.publishers,
            deciders=signers,
            needed=1,
        )

    def _signers(self) -> dict[str, tuple[PairKey, str]]:
        holders = {each["key"]: each["member"] for each in self.base.federation["reference"]}
        return {key.keyid: (key, self.member or holders[key.keyid]) for key in self.base.keys_of(self.role)}

    def _check(self) -> None:
        """Refuse what its readers would refuse, or what takes back what must stay for ever."""
        base = self.base
        if self.role not in base.delegations:
            raise Rejected("unknown_member", "the register delegates nothing to this role")
        if not 0 < self.version - base.version_of(self.role) <= MAX_LEAP:
            raise Rejected("register_rolled_back", f"{self.role} has the version {base.version_of(self.role)}")
        if self.time < base.issued_time:
            raise Rejected("clock_skew", "the publication is of an earlier time than the register it builds on")
        own = {f"members/{self.member}/{name}.json" for name in _OWN} if self.role == self.member else None
        if any(roles.role_of(path) != self.role or (own and path not in own) for path in self.files):
            raise Rejected("malformed", f"a file is none that {self.role} publishes")
        for name in ("member", "revoked"):
            if self.files.get(f"members/{self.member}/{name}.json") == b"":
                raise Rejected("malformed", f"{name}.json cannot be removed")
        try:
            self._check_content()
        except Rejected as error:
            if error.reason == "register_invalid":
                raise Rejected("malformed", error.detail) from error
            raise

    def _check_content(self) -> None:
        member = self.member
        if data := self.files.get(f"members/{member}/revoked.json"):
            known = self.base.register.revocations.get(member, frozenset())
            if not known <= parse_revoked(member, data):
                raise Rejected("register_rolled_back", "the publication takes back a revocation")
        if data := self.files.get(f"members/{member}/member.json"):
            federation = Federation(self.base.file.files[target_path(self.base.targets.targets[FEDERATION])])
            own = parse_member(member, federation, data, frozenset())  # refuses a dropped key
            named = sum(len(json.loads(data)[listed]) for listed in ("log_keys", "witness_keys"))
            if named != len(own.log_keys) + len(own.witness_keys):
                raise Rejected("conflict", "a new log or witness is admitted by the custodians")
            if (before := self.base.register.described.get(member)) is not None:
                refuse_lost_ca(before.authority, own.authority, self.time)


def publication(
    role: str, files: Mapping[str, bytes], base: Base, now: datetime, *, version: int | None = None
) -> Publication:
    """Propose to publish files of a role, as of now; without a version, as the next one. No file signs it anew."""
    time = now.astimezone(UTC).replace(microsecond=0)
    proposed = Publication(role, version or base.version_of(role) + 1, files, time, base)
    proposed.draft  # noqa: B018 - refused here, not by the first who reads it
    return proposed


def member_file(base: Base, member: str, changes: Mapping[str, Any], now: datetime) -> bytes:
    """Return member.json with these fields changed, as its readers know them.

    Encryption keys that have expired are left out, and those in ``changes`` are added to the rest.
    ``Rejected("member_unusable")`` if the register has no file of this member that can be used.
    """
    document = base.document(member)
    added = changes.get("encryption_keys", [])
    valid = [key for key in document["encryption_keys"] if read_time(key["not_after"]) >= now]
    return to_json({**document, **changes, "encryption_keys": [*valid, *added]})
