"""What a change makes of the register that it builds on, piece by piece."""

import json
from collections.abc import Collection, Iterable, Mapping
from copy import deepcopy
from datetime import datetime
from typing import Any, Final

from tuf.api.metadata import DelegatedRole, Delegations, Key, Metadata, Root, Snapshot, Targets, Timestamp

from paiza_register import roles
from paiza_register.ceremony.application import Application
from paiza_register.ceremony.base import Base, custodians, publishers
from paiza_register.ceremony.draft import Draft, Quorum, Signers
from paiza_register.ceremony.federation_file import holders, pin, to_json
from paiza_register.ceremony.metadata import described
from paiza_register.ceremony.times import ROOT_LIFE, expiry, time_text
from paiza_register.documents import Federation, parse_member
from paiza_register.pair_key import PairKey
from paiza_register.verified_set import FEDERATION, target_path
from paiza_wire.errors import Rejected

CUSTODIANS: Final = "custodians"
PUBLISHERS: Final = "publishers"
FORMER_NODE_KEYS: Final = "former_node_keys"

MAX_LEAP: Final = 1 << 10
"""Versions of a member's role that may be skipped, since one was signed in vain."""

_ROLES: Final = {CUSTODIANS: (Root.type, Targets.type), PUBLISHERS: (Snapshot.type, Timestamp.type)}


class Successor:
    """The next register: ``document`` is its federation.json, ``root`` and ``targets`` its metadata, as copies.

    Each method changes one thing, and is ``Rejected`` where the base does not allow it.
    """

    def __init__(self, base: Base, time: datetime) -> None:
        self.base = base
        self.document: dict[str, Any] = json.loads(json.dumps(base.federation))
        self.root, self.targets = deepcopy(base.root), deepcopy(base.targets)
        self._time = time
        self._roles: dict[str, Targets] = {}
        self._files: dict[str, bytes] = {}

    @property
    def delegations(self) -> Delegations:
        """Return the delegations of the next top-level targets."""
        assert self.targets.delegations is not None
        return self.targets.delegations

    @property
    def delegated(self) -> dict[str, DelegatedRole]:
        """Return its delegated roles."""
        assert self.delegations.roles is not None
        return self.delegations.roles

    def status(self, member: str) -> str:
        """Return the status of a member; empty if the register has no such member."""
        return str(self.document["members"].get(member, {}).get("status", ""))

    def drop(self, listed: str, member: str) -> None:
        """Remove a member's key as custodian or publisher from federation.json and the root."""
        for each in [each for each in self.document[listed] if each["member"] == member]:
            self.document[listed].remove(each)
            for role in _ROLES[listed]:
                self.root.revoke_key(each["key"], role)

    def put(self, listed: str, member: str, key: Key) -> None:
        """Put a member's key as custodian or publisher into federation.json and the root, in place of its old one."""
        members = [each["member"] for each in self.document[listed]]
        at = members.index(member) if member in members else len(members)
        self.drop(listed, member)
        self.document[listed][at:at] = holders({member: key})
        for role in _ROLES[listed]:
            self.root.add_key(key, role)

    def delegate(self, role: str, keys: Iterable[PairKey]) -> None:
        """Delegate a role to these keys, in place of its old ones."""
        own = {key.keyid: key for key in keys}
        if role in self.delegated:
            self._note_former(role, own.keys())
            for keyid in self.delegated[role].keyids:
                del self.delegations.keys[keyid]
            self.delegated[role].keyids = list(own)
        else:
            self.delegated[role] = DelegatedRole(role, list(own), 1, terminating=True, paths=roles.paths_of(role))
        self.delegations.keys.update(own)

    def _note_former(self, role: str, keys: Collection[str]) -> None:
        """Name the pair that a node gives up; ``Rejected("conflict")`` if it comes back to one that it gave up."""
        member = roles.member_of(role)
        if member is None or role != roles.node_role_of(member):
            return
        former = self.document.setdefault(FORMER_NODE_KEYS, [])
        if any({"member": member, "key": key} in former for key in keys):
            raise Rejected("conflict", f"the node of {member} had this pair before; make a new one for it")
        former += [{"member": member, "key": key} for key in self.delegated[role].keyids if key not in keys]

    def adopt(self, applied: Application, role: str) -> None:
        """Put an applicant's signed metadata of one of its two roles, and their files, in the place of what is known.

        Refused if the version does not continue, or if a key of a log or witness, or a revocation under its key, were
        lost. Revocations under a new key begin anew, but for a member that comes back.
        """
        metadata = Metadata[Targets].from_bytes(applied.roles[role]).signed
        known = self.base.version_of(role)
        if not known < metadata.version <= known + (MAX_LEAP if known else 1):
            raise Rejected("register_rolled_back", f"the application's version of {role} does not follow {known}")
        if role == applied.member:
            lost = self.base.pins_of(applied.member) - applied.pins
            if lost:
                raise Rejected("register_rolled_back", f"the application lacks a key of {min(lost)[0]}")
        elif not self._kept_revocations(applied) <= applied.own.authority.revoked:
            raise Rejected("register_rolled_back", "the application takes back a revocation")
        self._files |= {target_path(info): applied.files[path] for path, info in metadata.targets.items()}
        self._files[f"metadata/{metadata.version}.{role}.json"] = applied.roles[role]

    def pin_new(self, applied: Application) -> None:
        """Pin the keys of logs and witnesses in an application that are not pinned yet; they are the newest ones."""
        known = self.base.pins_of(applied.member)
        for listed, label, keys in (
            ("log_keys", "origin", [(key.origin, key.vkey) for key in applied.own.log_keys]),
            ("witness_keys", "name", [(key.name, key.vkey) for key in applied.own.witness_keys]),
        ):
            newest = max((_number(name) for name, _ in known if _of(name) == _of(keys[0][0])), default=0)
            for name, vkey in keys:
                entry = pin(label, vkey)
                if (name, bytes.fromhex(entry["vkey_sha256"])) in known:
                    continue
                if _number(name) <= newest:
                    raise Rejected("conflict", f"{name} is no newer than the keys that are known")
                self.document[listed].append(entry)

    def add_key(
        self,
        member: str,
        listed: str,
        label: str,
        vkey: str,
        *,
        same_name: bool = False,
        until: datetime | None = None,
    ) -> None:
        """Pin the next key of a member's logs or witnesses, and name it in member.json, which is signed anew.

        It has the next name, or with ``same_name`` that of the newest one, which it follows. The keys before it end at
        ``until``, if they do not end earlier: of a log those of the same name, of witnesses all.
        """
        path = f"members/{member}/member.json"
        own, entry = self.base.document(member), pin(label, vkey)
        kind = _of(own[listed][0][label])
        newest = max(_number(name) for name, _ in self.base.pins_of(member) if _of(name) == kind)
        wanted = f"{kind}/{newest if same_name else newest + 1}"
        if entry[label] != wanted:
            raise Rejected("unknown_log", f"the key is of {entry[label]}; the next one is of {wanted}")
        if until is not None:
            for key in own[listed]:
                if not same_name or key[label] == wanted:
                    key["until"] = min(time_text(until), key.get("until", time_text(until)))
        self.document[listed].append(entry)
        own[listed].append({label: entry[label], "vkey": vkey})
        changed = to_json(own)
        _accepted(lambda: parse_member(member, Federation(to_json(self.document)), changed, frozenset()))
        self.sign_anew(member, {path: changed})

    def sign_anew(self, role: str, files: Mapping[str, bytes] | None = None) -> None:
        """Make the next version of a delegated role, to be signed with its key, with these files changed."""
        metadata = self.base.role(role)
        metadata.version += 1
        metadata.expires = expiry(self._time, ROOT_LIFE)
        self.publish(metadata, files or {})
        self._roles[role] = metadata

    def publish(self, metadata: Targets, files: Mapping[str, bytes]) -> None:
        """Let metadata vouch for these files; an empty one is removed."""
        for path, data in files.items():
            metadata.targets.pop(path, None)
            if data:
                metadata.targets[path] = described(path, data)
                self._files[target_path(metadata.targets[path])] = data

    def draft(self, *, root_anew: bool) -> Draft:
        """Return all that is to be signed; the root if it changed, or must be signed anew."""
        data = to_json(self.document)
        _accepted(lambda: Federation(data))
        roles.refuse_shared_keys([*self.root.keys.values(), *self.delegations.keys.values()])
        self.publish(self.targets, {FEDERATION: data})
        before, after = self.base.custodians, custodians(self.root, self.document)
        quorum_before, quorum_after = _quorum(before, self.base.root), _quorum(after, self.root)
        signers: dict[str, Signers] = {Targets.type: after}
        quorums: dict[str, tuple[Quorum, ...]] = {Targets.type: (quorum_after,)}
        payloads: dict[str, Root | Targets] = {Targets.type: self.targets}
        if root_anew or self.root != self.base.root:
            payloads = {Root.type: self.root, **payloads}
            signers[Root.type], quorums[Root.type] = {**before, **after}, (quorum_before, quorum_after)
        for payload in payloads.values():
            payload.version += 1
            payload.expires = expiry(self._time, ROOT_LIFE)
        for role in self._roles:
            member = roles.member_of(role)
            names = self.document["reference"] if member is None else [{"member": member, "key": self._key_of(role)}]
            signers[role] = {each["key"]: (self._pair(each["key"]), each["member"]) for each in names}
            quorums[role] = (Quorum(frozenset(signers[role]), 1),)
        return Draft(
            roles={**payloads, **self._roles},
            signers=signers,
            quorums=quorums,
            files=self._files,
            publishers=publishers(self.root, self.document),
            deciders=before,
            needed=self.base.threshold,
        )

    def _kept_revocations(self, applied: Application) -> frozenset[bytes]:
        role = roles.node_role_of(applied.member)
        if role in self.base.delegations and self.base.key_of(role) != applied.revocations:
            return frozenset()
        return self.base.register.revocations.get(applied.member, frozenset())

    def _key_of(self, role: str) -> str:
        (keyid,) = self.delegated[role].keyids
        return keyid

    def _pair(self, keyid: str) -> PairKey:
        key = self.delegations.keys[keyid]
        assert isinstance(key, PairKey)
        return key


def _accepted(parse: Any) -> None:
    """Refuse what no reader of the register would read."""
    try:
        parse()
    except Rejected as error:
        raise Rejected("malformed", error.detail) from error


def _quorum(signers: Signers, root: Root) -> Quorum:
    return Quorum(frozenset(signers), root.roles[Root.type].threshold)


def _of(name: str) -> str:
    """Return the name of a log or witness without its number."""
    return name.rpartition("/")[0]


def _number(name: str) -> int:
    return int(name.rpartition("/")[2])
