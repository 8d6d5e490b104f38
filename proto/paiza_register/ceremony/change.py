"""A change of who belongs to a federation: a member more, suspended, back or gone, another custodian or threshold.

A change builds on one register, which travels with it, and makes the next root and the next top-level targets. The
root must be signed by enough of the custodians of before, and by enough of those after; the targets by enough of those
after.
"""

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256
from typing import Any, Final

from tuf.api.metadata import DelegatedRole, Key, Metadata, Root, Snapshot, TargetFile, Targets, Timestamp

from paiza_register import Register, carried, load_set, roles
from paiza_register.ceremony.application import Application
from paiza_register.ceremony.draft import Draft, signed_bytes
from paiza_register.ceremony.federation_file import holders, pin, to_json
from paiza_register.ceremony.founding import check_threshold
from paiza_register.ceremony.times import ROOT_LIFE, expiry, read_time, time_text
from paiza_register.documents import Federation
from paiza_register.pair_key import PairKey
from paiza_register.reader import ReadFiles
from paiza_register.register_file import RegisterFile
from paiza_register.verified_set import FEDERATION, root_path, target_path
from paiza_wire.errors import Rejected

KIND: Final = "change"

ADMIT, SUSPEND, REINSTATE, REMOVE, CUSTODIAN, THRESHOLD = (
    "admit",
    "suspend",
    "reinstate",
    "remove",
    "custodian",
    "threshold",
)
_WITH_APPLICATION: Final = (ADMIT, REINSTATE, CUSTODIAN)
_WITH_MEMBER: Final = (SUSPEND, REMOVE)

_FIELDS: Final = ("kind", "what", "member", "application", "threshold", "time", "base")


@dataclass(frozen=True)
class Base:
    """The register that a change builds on, verified, and the metadata of it that a change may change."""

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
        read = ReadFiles(carried_file.files)
        register = load_set(read, carried_file.first_root, at)
        file = RegisterFile({**read.read, root_path(1): carried_file.first_root})
        timestamp = Metadata[Timestamp].from_bytes(file.files["metadata/timestamp.json"]).signed
        snapshot = (
            Metadata[Snapshot]
            .from_bytes(file.files[f"metadata/{timestamp.snapshot_meta.version}.snapshot.json"])
            .signed
        )
        version = snapshot.meta["targets.json"].version
        targets = Metadata[Targets].from_bytes(file.files[f"metadata/{version}.targets.json"]).signed
        root = Metadata[Root].from_bytes(file.files[root_path(file.newest)]).signed
        document = json.loads(file.files[target_path(targets.targets[FEDERATION])])
        return cls(file, register, root, targets, snapshot, document)

    @property
    def publishers(self) -> dict[str, Key]:
        """Return the keys that publish, by member in their order."""
        return {each["member"]: self.root.keys[each["key"]] for each in self.federation["publishers"]}

    def key_of(self, role: str) -> Key:
        """Return the one key of a delegated role."""
        assert self.targets.delegations is not None
        assert self.targets.delegations.roles is not None
        (keyid,) = self.targets.delegations.roles[role].keyids
        return self.targets.delegations.keys[keyid]

    def custodians(self, root: Root, federation: Mapping[str, Any]) -> dict[str, tuple[PairKey, str]]:
        """Return the custodians' keys that federation.json names and a root holds: key id -> key and member."""
        found = {}
        for each in federation["custodians"]:
            key = root.keys[each["key"]]
            assert isinstance(key, PairKey)
            found[each["key"]] = (key, each["member"])
        return found


@dataclass(frozen=True)
class Change:
    """The act of changing a register. ``member`` is whom it is about, empty for a threshold alone."""

    what: str
    member: str
    application: Application | None
    threshold: int
    time: datetime
    base: Base

    @classmethod
    def read(cls, values: dict[str, Any]) -> "Change":
        """Read the act from a proposal, and verify the register it builds on."""
        carried.only(values, _FIELDS)
        text = carried.text(values, "application")
        if type(values["threshold"]) is not int:
            raise Rejected("malformed", "threshold is not a whole number")
        time = read_time(carried.text(values, "time"))
        return cls(
            what=carried.text(values, "what"),
            member=carried.text(values, "member"),
            application=Application.read(text.encode()) if text else None,
            threshold=values["threshold"],
            time=time,
            base=Base.verify(RegisterFile.read(carried.text(values, "base").encode()), time),
        )

    def values(self) -> dict[str, Any]:
        """Return what a proposal holds of it."""
        return {
            "kind": KIND,
            "what": self.what,
            "member": self.member,
            "application": "" if self.application is None else self.application.data.decode(),
            "threshold": self.threshold,
            "time": time_text(self.time),
            "base": self.base.file.to_bytes().decode(),
        }

    @property
    def federation(self) -> str:
        """Return the federation's name."""
        return self.base.register.federation

    @cached_property
    def draft(self) -> Draft:
        """Return the next root and the next top-level targets."""
        base = self.base
        self._check()
        document = json.loads(json.dumps(base.federation))
        root, targets = deepcopy(base.root), deepcopy(base.targets)
        files = dict(base.file.files)
        assert targets.delegations is not None
        assert targets.delegations.roles is not None
        delegated = targets.delegations.roles
        if self.what in {SUSPEND, REMOVE, CUSTODIAN}:
            _drop(document, root, "custodians", self.member, (Root.type, Targets.type))
        if self.what in {SUSPEND, REMOVE}:
            _drop(document, root, "publishers", self.member, (Snapshot.type, Timestamp.type))
        if self.what == SUSPEND:
            document["members"][self.member]["status"] = "suspended"
        if self.what == REMOVE:
            del document["members"][self.member]
            for role in (roles.revocations_of(self.member), self.member):
                del targets.delegations.keys[delegated.pop(role).keyids[0]]
            files = {path: data for path, data in files.items() if not _is_of(path, self.member)}
        if (applied := self.application) is not None:
            _add(document, root, "custodians", {self.member: applied.custodian}, (Root.type, Targets.type))
            if self.what in {ADMIT, REINSTATE}:
                document["members"][self.member] = {"status": "active"}
                _add(document, root, "publishers", {self.member: applied.publisher}, (Snapshot.type, Timestamp.type))
            if self.what == ADMIT:
                own = applied.document
                document["log_keys"] += [pin("origin", key["vkey"]) for key in own["log_keys"]]
                document["witness_keys"] += [pin("name", key["vkey"]) for key in own["witness_keys"]]
                for role, key in ((roles.revocations_of(self.member), applied.revocations), (self.member, applied.key)):
                    targets.delegations.keys[key.keyid] = key
                    delegated[role] = DelegatedRole(
                        role, [key.keyid], 1, terminating=True, paths=[roles.paths_of(role)]
                    )
                files |= {target_path(_described(path, data)): data for path, data in applied.files.items()}
                files |= {f"metadata/1.{role}.json": data for role, data in applied.roles.items()}
        for role in (Root.type, Targets.type):
            root.roles[role].threshold = self.threshold
        check_threshold(self.threshold, len(root.roles[Root.type].keyids))
        data = to_json(document)
        Federation(data)
        del files[target_path(targets.targets[FEDERATION])]
        targets.targets[FEDERATION] = _described(FEDERATION, data)
        files[target_path(targets.targets[FEDERATION])] = data
        del files["metadata/timestamp.json"]
        del files[f"metadata/{base.snapshot.version}.snapshot.json"]
        del files[f"metadata/{targets.version}.targets.json"]
        for signed in (root, targets):
            signed.version += 1
            signed.expires = expiry(self.time, ROOT_LIFE)
        after = base.custodians(root, document)
        publishers = {each["member"]: root.keys[each["key"]] for each in document["publishers"]}
        return Draft(
            roles={Root.type: root, Targets.type: targets},
            signers={Root.type: {**base.custodians(base.root, base.federation), **after}, Targets.type: after},
            files=files,
            first_root=base.file.first_root,
            publishers=publishers,
            version=base.snapshot.version + 1,
            deciders=base.custodians(base.root, base.federation),
            needed=base.root.roles[Root.type].threshold,
            meta=base.snapshot.meta,
            signed_before={
                version: sha256(
                    signed_bytes(Metadata[Root].from_bytes(base.file.files[root_path(version)]).signed)
                ).digest()
                for version in range(1, base.file.newest + 1)
            },
        )

    def _check(self) -> None:
        """Refuse a change that the register does not allow, or that changes nothing."""
        base, member = self.base, self.member
        status = base.federation["members"].get(member, {}).get("status", "")
        wanted = {ADMIT: ("",), SUSPEND: ("active",), REINSTATE: ("suspended",), CUSTODIAN: ("active",)}
        if (self.application is not None) != (self.what in _WITH_APPLICATION) or (
            self.what not in {*_WITH_APPLICATION, *_WITH_MEMBER, THRESHOLD}
        ):
            raise Rejected("malformed", "the change is none that this version knows")
        if bool(member) == (self.what == THRESHOLD):
            raise Rejected("malformed", "a threshold is of the federation, every other change of a member")
        if self.what == THRESHOLD and self.threshold == base.root.roles[Root.type].threshold:
            raise Rejected("conflict", "that is the threshold already")
        if self.what == REMOVE and not status:
            raise Rejected("unknown_member", "the register has no such member")
        if self.what in wanted and status not in wanted[self.what]:
            raise Rejected("conflict", f"the member is {status or 'not in the register'}")
        if self.what in _WITH_MEMBER and any(each["member"] == member for each in base.federation["reference"]):
            raise Rejected("conflict", "the member publishes the reference data; another must do so first")
        if self.time < base.register.issued_time:
            raise Rejected("clock_skew", "the change is of an earlier time than the register it builds on")
        if (applied := self.application) is None:
            return
        if (applied.member, applied.federation) != (member, self.federation):
            raise Rejected("conflict", "the application is another member's, or to another federation")
        if applied.time > self.time:
            raise Rejected("clock_skew", "the application is of a later time than the change")
        if self.what == ADMIT and f"{member}.json" in base.snapshot.meta:
            raise Rejected("conflict", "a member of that id was removed; the versions of its files would begin anew")
        if self.what != ADMIT and applied.key != base.key_of(member):
            raise Rejected("bad_key", "the application is not of the key that signs for this member")


def change(what: str, about: Application | str, threshold: int | None, register: RegisterFile, now: datetime) -> Change:
    """Propose a change; ``about`` is a member's application or its id. Without a threshold the present one stays."""
    time = now.astimezone(UTC).replace(microsecond=0)
    base = Base.verify(register, time)
    applied = about if isinstance(about, Application) else None
    member = about.member if isinstance(about, Application) else about
    proposed = Change(what, member, applied, threshold or base.root.roles[Root.type].threshold, time, base)
    proposed.draft  # noqa: B018 - refused here, not by the first who reads it
    return proposed


def _drop(document: dict[str, Any], root: Root, listed: str, member: str, of: tuple[str, str]) -> None:
    """Remove a member's key from federation.json and from two roles of the root."""
    for each in [each for each in document[listed] if each["member"] == member]:
        document[listed].remove(each)
        for role in of:
            root.revoke_key(each["key"], role)


def _add(document: dict[str, Any], root: Root, listed: str, keys: Mapping[str, Key], of: tuple[str, str]) -> None:
    """Put a member's key into federation.json and two roles of the root."""
    document[listed] += holders(keys)
    for key in keys.values():
        for role in of:
            root.add_key(key, role)


def _is_of(path: str, member: str) -> bool:
    """Return whether a published path is of a member's metadata or files."""
    folder, _, name = path.rpartition("/")
    role = name.removesuffix(".json").partition(".")[2]
    return folder == f"targets/members/{member}" or (
        folder == "metadata" and role in {member, roles.revocations_of(member)}
    )


def _described(path: str, data: bytes) -> TargetFile:
    return TargetFile.from_data(path, data, ["sha256"])
