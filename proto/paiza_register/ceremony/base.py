"""The register that an act builds on: its name in the act, and its verified content."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256
from typing import Any, Final

from tuf.api.metadata import DelegatedRole, Key, Metadata, Root, Snapshot, Targets

from paiza_register import carried
from paiza_register.ceremony.metadata import signed_bytes
from paiza_register.ceremony.times import ROOT_LIFE
from paiza_register.documents import REMOVED, vkey_digest
from paiza_register.model import Register
from paiza_register.open_set import OpenSet
from paiza_register.pair_key import PairKey
from paiza_register.register_file import RegisterFile
from paiza_register.tuf_workflow import root_path
from paiza_register.validity import at_time
from paiza_register.verified_set import FEDERATION, target_path
from paiza_wire.errors import Rejected

_FIELDS: Final = ("register_version", "root_sha256", "root_version")


@dataclass(frozen=True)
class BaseName:
    """The name of a register in an act: SHA-256 of its snapshot, `Register.root_sha256`, and the newest root's version.

    The snapshot commits to everything but the roots and the timestamp. A renewed timestamp leaves the name as it is.
    """

    register_version: bytes
    root_sha256: bytes
    root_version: int

    @classmethod
    def read(cls, values: object) -> "BaseName":
        """Read it from an act; ``Rejected("malformed")`` if it is none."""
        fields = carried.only(values, _FIELDS)
        return cls(
            carried.sha256_of(fields, "register_version"),
            carried.sha256_of(fields, "root_sha256"),
            carried.number(fields, "root_version"),
        )

    def values(self) -> dict[str, Any]:
        """Return what an act holds of it."""
        return {
            "register_version": self.register_version.hex(),
            "root_sha256": self.root_sha256.hex(),
            "root_version": self.root_version,
        }


@dataclass(frozen=True)
class Base:
    """A verified register, and the metadata of it that an act may change."""

    file: RegisterFile
    register: Register
    root: Root
    targets: Targets
    snapshot: Snapshot
    federation: Mapping[str, Any]

    @classmethod
    def verify(cls, carried_file: RegisterFile, at: datetime | None) -> "Base":
        """Verify a register as of this time, or of its own; ``Rejected`` or ``Unavailable`` as every reader.

        Of its files only those that were verified are kept.
        """
        found = OpenSet.verify(carried_file.files, carried_file.first_root, at)
        document = json.loads(found.files[target_path(found.targets.targets[FEDERATION])])
        return cls(RegisterFile(found.files), found.register, found.root, found.targets, found.snapshot, document)

    @cached_property
    def name(self) -> BaseName:
        """Return the name of this register in acts."""
        return BaseName(self.register.version, self.register.root_sha256, self.register.root_version)

    @property
    def issued_time(self) -> datetime:
        """Return when the snapshot was signed. A timestamp may be renewed after an act was proposed; this stays."""
        return self.snapshot.expires.astimezone(UTC) - ROOT_LIFE

    def check_valid(self, at: datetime) -> None:
        """Raise ``Unavailable("register_expired")`` if no reader uses the register any more."""
        at_time(self.register, at)

    @property
    def publishers(self) -> dict[str, Key]:
        """Return the keys that publish, by member in their order."""
        return publishers(self.root, self.federation)

    @property
    def custodians(self) -> dict[str, tuple[PairKey, str]]:
        """Return the custodians: key id -> key and member."""
        return custodians(self.root, self.federation)

    @property
    def threshold(self) -> int:
        """Return how many custodians must sign."""
        return self.root.roles[Root.type].threshold

    @cached_property
    def removed(self) -> frozenset[str]:
        """Return the ids of the members that were removed."""
        return frozenset(name for name, each in self.federation["members"].items() if each["status"] == REMOVED)

    @property
    def delegations(self) -> Mapping[str, DelegatedRole]:
        """Return the delegations by role, without those to removed members."""
        assert self.targets.delegations is not None
        assert self.targets.delegations.roles is not None
        found, removed = self.targets.delegations.roles, self.removed
        return {name: role for name, role in found.items() if name.partition(".")[0] not in removed}

    def keys_of(self, role: str) -> tuple[PairKey, ...]:
        """Return the keys of a delegated role."""
        assert self.targets.delegations is not None
        keys = [self.targets.delegations.keys[keyid] for keyid in self.delegations[role].keyids]
        return tuple(key for key in keys if isinstance(key, PairKey))

    def key_of(self, role: str) -> PairKey:
        """Return the one key of a member's role."""
        (key,) = self.keys_of(role)
        return key

    def version_of(self, role: str) -> int:
        """Return the version of a role, also of a removed member's, or 0 if there never was one."""
        meta = self.snapshot.meta.get(f"{role}.json")
        return 0 if meta is None else meta.version

    def role(self, role: str) -> Targets:
        """Return the metadata of a delegated role."""
        return Metadata[Targets].from_bytes(self.file.files[f"metadata/{self.version_of(role)}.{role}.json"]).signed

    def target(self, role: str, path: str) -> bytes | None:
        """Return a file of a delegated role; None if it has none of that name."""
        info = self.role(role).targets.get(path)
        return None if info is None else self.file.files.get(target_path(info))

    def document(self, member: str) -> dict[str, Any]:
        """Return a member's member.json as values, without keys of logs and witnesses that were not admitted.

        ``Rejected("member_unusable")`` if the register has no file of this member that can be used.
        """
        data = self.target(member, f"members/{member}/member.json") if member in self.delegations else None
        if data is None or member not in self.register.described:
            why = "the member's own file cannot be used; the member must publish it anew first"
            raise Rejected("member_unusable", why)
        values: dict[str, Any] = json.loads(data)
        for listed in ("log_keys", "witness_keys"):
            values[listed] = [key for key in values[listed] if self._is_pinned(key["vkey"])]
        return values

    def _is_pinned(self, vkey: str) -> bool:
        return (vkey.partition("+")[0], vkey_digest(vkey)) in self.register.key_pins

    def pins_of(self, member: str) -> frozenset[tuple[str, bytes]]:
        """Return the pins of all keys of logs and witnesses that a member ever had."""
        return frozenset(pin for pin in self.register.key_pins if pin[0].startswith(f"{member}."))

    def roots(self) -> Iterator[Metadata[Root]]:
        """Yield all roots with their signatures, from the newest to the first."""
        for version in range(self.file.newest, 0, -1):
            yield Metadata[Root].from_bytes(self.file.files[root_path(version)])

    @cached_property
    def signed(self) -> Mapping[tuple[str, int], bytes]:
        """Return SHA-256 of the bytes that custodians signed: every root, the newest targets, by role and version."""
        signed = [*(root.signed for root in self.roots()), self.targets]
        return {(each.type, each.version): sha256(signed_bytes(each)).digest() for each in signed}


def custodians(root: Root, federation: Mapping[str, Any]) -> dict[str, tuple[PairKey, str]]:
    """Return the custodians' keys that federation.json names and a root holds: key id -> key and member."""
    found = {}
    for each in federation["custodians"]:
        key = root.keys[each["key"]]
        assert isinstance(key, PairKey)
        found[each["key"]] = (key, each["member"])
    return found


def publishers(root: Root, federation: Mapping[str, Any]) -> dict[str, Key]:
    """Return the publishers' keys that federation.json names and a root holds, by member in their order."""
    return {each["member"]: root.keys[each["key"]] for each in federation["publishers"]}
