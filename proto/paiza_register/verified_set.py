"""The offline verification of one whole set of the register's files, and its parsing into a `Register`.

A set is a complete TUF repository of one moment: every root from the bootstrap root on, the timestamp, the snapshot,
the top-level targets, each member's delegated targets, and every file these name, under its published path.
A set from any source (fetched, archived, inside evidence) is accepted only after these steps, in this order:

1. It is of bounded size, its roots apart: each of them is, and so is their number.
2. The bootstrap root signs itself; all its custodians have signed a root of version 1, since nobody joins a
   federation that others founded in their name. Each further root is signed by enough keys of the one before and of
   its own. In each, root and targets are of the same custodians, who sign with pairs, and snapshot and timestamp of
   the same publishers, one of whom signs with ML-DSA-44.
3. The timestamp is signed as the last root says, and names the snapshot with its hash.
4. The snapshot is that one, signed as the root says; it names every targets file with its hash.
5. The top-level targets file is that one, signed as the root says, and holds nothing that is delegated.
6. Each delegation in it is one of `roles`: terminating, over the paths of that role and nothing else, to pairs. No key
   of these or of the root stands twice, nor half of one. Each delegated file is the one the snapshot names, signed as
   its delegation says, lists nothing but its role's files and delegates no further.
7. Every file named is there, and is the one named.
8. federation.json, member.json and revoked.json are well formed. The federation's members are exactly those with a role
   each, and for their revocations; its custodians, publishers and holders of the reference data are exactly those whose
   keys sign, and every active member has a custodian and a publisher. Each key of a log or witness is pinned. Reference
   data (reference-*.json, profile.json, liaison.json) are carried as they are: they decide nothing about who may speak,
   and a wrong record in them must not stop the members from speaking.
9. At the time asked for, nothing in the set has expired longer ago than the grace. Without a time asked for, the set
   is taken at its own time: evidence is judged as it was.

A failure of 1-8 is ``Rejected("register_invalid")``, of 9 ``Unavailable("register_expired")``. The caller
ensures that the set is not older than the accepted one (`refuse_rollback`), and, for evidence, that the time is the
relevant one.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from types import MappingProxyType
from typing import Any, Final, TypeVar
from urllib.parse import quote

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import (
    TOP_LEVEL_ROLE_NAMES,
    DelegatedRole,
    Metadata,
    MetaFile,
    Root,
    Signed,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)

from paiza_register import roles
from paiza_register.documents import Federation, parse_member, parse_revoked
from paiza_register.model import Member, Register
from paiza_register.pair_key import PairKey
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.identity import CertificateVerifier

GRACE: Final = timedelta(hours=72)
"""The use of the last verified set after its expiry: a long weekend without a new timestamp."""

MAX_SET_FILES: Final = 1000
"""Files of one set beside its roots: 64 members with a dozen files each."""

MAX_SET_BYTES: Final = 32 << 20
"""Bytes of these files; eight members have about 0.7 MB."""

MAX_ROOTS: Final = 10_000
"""Roots from the bootstrap root on: three a day for nine years. python-tuf follows 256 unless told otherwise."""

MAX_METADATA_BYTES: Final = 1 << 20
"""Bytes of one metadata file; a root or targets file of eight members has about 90 kB."""

MAX_TARGET_BYTES: Final = 4 << 20
"""Bytes of one file that the metadata vouches for; the largest is a long list of revocations."""

FEDERATION: Final = "federation.json"

# Names become file names at every reader: a name from one member must not be invalid on another's disk.
_TARGET: Final = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9_-]{0,31}/){0,2}[A-Za-z0-9][A-Za-z0-9._-]{0,99}")

# No exchange depends on it: it is verified as any file, and its content is checked on use.
_REFERENCE: Final = re.compile(r"reference-[a-z0-9-]{1,40}\.json|members/[a-z0-9-]{2,16}/(?:profile|liaison)\.json")

_ROOT: Final = re.compile(r"metadata/[1-9][0-9]*\.root\.json")

_Signed = TypeVar("_Signed", bound=Signed)

# Errors that python-tuf and its JSON parser raise for malformed metadata.
_METADATA_ERRORS: Final = (RepositoryError, ValueError, KeyError, TypeError, AttributeError, RecursionError)


@dataclass(frozen=True)
class _Verified:
    """The files that the metadata names, after steps 1-7."""

    version: bytes
    root: Root
    root_sha256: bytes
    timestamp: Timestamp
    expiries: Mapping[str, datetime]
    role_versions: Mapping[str, int]
    targets: Mapping[str, bytes]
    signers: Mapping[str, frozenset[str]]
    """The ids of the keys that sign each role, or one of which does."""


def load_set(files: Mapping[str, bytes], bootstrap_root: bytes, at: datetime | None) -> Register:
    """Verify and parse a whole set; see the steps above. ``files``: path as published -> bytes."""
    # 1.
    _check_size(files)
    # 2.-7.
    try:
        verified = _verify_metadata(files, bootstrap_root)
    except _METADATA_ERRORS as error:
        raise Rejected("register_invalid", str(error)) from error
    # 8.
    register = _read(verified)
    # 9.
    return register if at is None else at_time(register, at)


def at_time(register: Register, at: datetime) -> Register:
    """Run step 9 alone: return the register with ``late`` as of this time, or ``Unavailable("register_expired")``."""
    # A difference cannot overflow; the sum could, for an expiry in the year 9999.
    if at - register.expiry_time > GRACE:
        raise Unavailable("register_expired", f"it expired at {register.expiry_time.isoformat()} and the grace is over")
    return replace(register, late=at >= register.expiry_time)


def refuse_rollback(known: Register, new: Register) -> None:
    """Refuse a set that rolls back the one accepted before.

    No role's version may fall or vanish. Pins of keys, a member's log keys, witness keys and revocations may only be
    added to: dropping a key must not hide a log that showed two histories, nor a witness that saw both, and the key of
    a node must not bring back an officer who was shut out.
    """
    if new.federation != known.federation:
        raise Rejected("register_invalid", "the register is another federation's")
    for role, version in known.role_versions.items():
        if new.role_versions.get(role, 0) < version:
            raise Rejected("register_rolled_back", f"{role} is older than the one known")
    if not known.key_pins <= new.key_pins:
        raise Rejected("register_rolled_back", "a key of a log or a witness is no longer pinned")
    for member_id, member in known.members.items():
        successor = new.members.get(member_id)
        if successor is not None and not set(member.log_keys) <= set(successor.log_keys):
            raise Rejected("register_rolled_back", f"{member_id} has dropped or changed a log key")
        if successor is not None and not set(member.witness_keys) <= set(successor.witness_keys):
            raise Rejected("register_rolled_back", f"{member_id} has dropped or changed a witness key")
        if successor is not None and not member.authority.revoked <= successor.authority.revoked:
            raise Rejected("register_rolled_back", f"{member_id} has taken back a revocation")


def _check_size(files: Mapping[str, bytes]) -> None:
    # An old federation has many roots; they must not leave less room for what its members publish.
    roots = [len(data) for path, data in files.items() if _ROOT.fullmatch(path)]
    if len(roots) > MAX_ROOTS or max(roots, default=0) > MAX_METADATA_BYTES:
        raise Rejected("register_invalid", "the set has too many roots, or one that is too large")
    if len(files) - len(roots) > MAX_SET_FILES or sum(map(len, files.values())) - sum(roots) > MAX_SET_BYTES:
        raise Rejected("register_invalid", "the set is too large")


def _verify_metadata(files: Mapping[str, bytes], bootstrap_root: bytes) -> _Verified:
    # 2.
    root = _last_root(files, bootstrap_root)
    # 3.
    timestamp = _delegate(Timestamp, _file(files, "metadata/timestamp.json"), root, Timestamp.type)
    # 4.
    named = timestamp.snapshot_meta
    snapshot_bytes = _file(files, f"metadata/{named.version}.snapshot.json")
    _check_named(named, snapshot_bytes, "snapshot.json")
    snapshot = _delegate(Snapshot, snapshot_bytes, root, Snapshot.type)
    if snapshot.version != named.version:
        raise Rejected("register_invalid", "the snapshot is not of the version that the timestamp names")
    # 5.
    top = _named_targets(files, snapshot, root, Targets.type)
    _check_own_files(Targets.type, top)
    # 6.
    delegations = _delegations(root, top)
    delegated = {role: _named_targets(files, snapshot, top, role) for role in delegations}
    for role, targets in delegated.items():
        if targets.delegations is not None:
            raise Rejected("register_invalid", f"{role} delegates further")
        _check_own_files(role, targets)
    # 7.
    everything = dict(top.targets)
    for targets in delegated.values():
        everything.update(targets.targets)
    signed: dict[str, Signed] = {
        Root.type: root,
        Timestamp.type: timestamp,
        Snapshot.type: snapshot,
        Targets.type: top,
        **delegated,
    }
    return _Verified(
        version=sha256(snapshot_bytes).digest(),
        root=root,
        root_sha256=sha256(files.get(root_path(root.version), bootstrap_root)).digest(),
        timestamp=timestamp,
        expiries=MappingProxyType({name: part.expires.astimezone(UTC) for name, part in signed.items()}),
        role_versions=MappingProxyType(
            {
                "root": root.version,
                "snapshot": snapshot.version,
                **{name.removesuffix(".json"): meta.version for name, meta in snapshot.meta.items()},
            }
        ),
        targets={path: _target(files, info) for path, info in everything.items()},
        signers=MappingProxyType(
            {name: frozenset(role.keyids) for name, role in (*root.roles.items(), *delegations.items())}
        ),
    )


def _last_root(files: Mapping[str, bytes], bootstrap_root: bytes) -> Root:
    metadata = Metadata[Root].from_bytes(bootstrap_root)
    root = metadata.signed
    if not isinstance(root, Root):
        raise Rejected("register_invalid", "the bootstrap root is not a root")
    root.verify_delegate(Root.type, metadata.signed_bytes, metadata.signatures)
    _check_signers(root)
    if root.version == 1:
        found = root.get_verification_result(Root.type, metadata.signed_bytes, metadata.signatures)
        if found.unsigned:
            raise Rejected("register_invalid", "not every founding custodian has signed the first root")
    while (data := files.get(root_path(root.version + 1))) is not None:
        successor = _delegate(Root, data, root, Root.type)
        metadata = Metadata[Root].from_bytes(data)
        successor.verify_delegate(Root.type, metadata.signed_bytes, metadata.signatures)
        if successor.version != root.version + 1:
            raise Rejected("register_invalid", "a root is not of the version that its name says")
        _check_signers(successor)
        root = successor
    if not root.consistent_snapshot:
        raise Rejected("register_invalid", "the repository is not one of consistent snapshots")
    return root


def _check_signers(root: Root) -> None:
    for one, other, whose in ((Root.type, Targets.type, "custodians"), (Snapshot.type, Timestamp.type, "publishers")):
        first, second = root.roles[one], root.roles[other]
        if set(first.keyids) != set(second.keyids) or first.threshold != second.threshold:
            raise Rejected("register_invalid", f"{one} and {other} are not of the same {whose}")
    if not all(isinstance(root.keys.get(keyid), PairKey) for keyid in root.roles[Root.type].keyids):
        raise Rejected("register_invalid", "a custodian's key is not a pair")
    if root.roles[Timestamp.type].threshold != 1:
        raise Rejected("register_invalid", "more than one publisher must sign")
    for keyid in root.roles[Timestamp.type].keyids:
        roles.publisher_bytes(root.keys.get(keyid))


def _delegate(kind: type[_Signed], data: bytes, delegator: Root | Targets, role: str) -> _Signed:
    """Parse metadata of one kind, signed as its delegator demands."""
    metadata: Metadata[Any] = Metadata.from_bytes(data)
    if not isinstance(metadata.signed, kind):
        raise Rejected("register_invalid", f"the metadata of {role} is of another type")
    delegator.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
    return metadata.signed


def _named_targets(files: Mapping[str, bytes], snapshot: Snapshot, delegator: Root | Targets, role: str) -> Targets:
    """Find, check and parse the targets file of a role as the snapshot names it."""
    named = snapshot.meta.get(f"{role}.json")
    if named is None:
        raise Rejected("register_invalid", f"the snapshot does not name {role}")
    data = _file(files, f"metadata/{named.version}.{quote(role, '')}.json")
    _check_named(named, data, role)
    targets = _delegate(Targets, data, delegator, role)
    if targets.version != named.version:
        raise Rejected("register_invalid", f"{role} is not of the version that the snapshot names")
    return targets


def _check_named(named: MetaFile, data: bytes, name: str) -> None:
    # Without the hash, SHA-256 of the snapshot would not commit to the whole set.
    if not named.hashes or "sha256" not in named.hashes:
        raise Rejected("register_invalid", f"{name} is named without its SHA-256")
    named.verify_length_and_hashes(data)


def _delegations(root: Root, top: Targets) -> Mapping[str, DelegatedRole]:
    """Return the delegations by role, checked to be to that role and to nothing else."""
    if top.delegations is None or not top.delegations.roles:
        raise Rejected("register_invalid", "nothing is delegated to any member")
    roles.refuse_shared_keys([*root.keys.values(), *top.delegations.keys.values()])
    keys_seen: set[str] = set()
    names_seen: set[str | None] = set()
    for name, role in top.delegations.roles.items():
        if role.paths != [roles.paths_of(name)]:
            raise Rejected("register_invalid", f"the delegation to {name} is not over its own files")
        if roles.member_of(name) in names_seen:
            raise Rejected("register_invalid", f"{name} stands behind a role that would be asked for its file first")
        if not role.terminating:
            raise Rejected("register_invalid", f"the delegation to {name} is not terminating")
        if keys_seen & set(role.keyids):
            raise Rejected("register_invalid", f"{name} shares a key with another role")
        if not all(isinstance(top.delegations.keys.get(keyid), PairKey) for keyid in role.keyids):
            raise Rejected("register_invalid", f"a key of {name} is not a pair")
        keys_seen.update(role.keyids)
        names_seen.add(name)
    return top.delegations.roles


def _check_own_files(role: str, targets: Targets) -> None:
    for path in targets.targets:
        if roles.role_of(path) != role:
            raise Rejected("register_invalid", f"{role} lists a file that is another role's")


def _target(files: Mapping[str, bytes], info: TargetFile) -> bytes:
    if info.length > MAX_TARGET_BYTES:
        raise Rejected("register_invalid", f"{info.path} is too large")
    data = _file(files, target_path(info))
    info.verify_length_and_hashes(data)
    return data


def root_path(version: int) -> str:
    """Return the published path of a root of this version."""
    return f"metadata/{version}.root.json"


def target_path(info: TargetFile) -> str:
    """Return the published path of a file: its name with its SHA-256 as prefix."""
    if not _TARGET.fullmatch(info.path):
        raise Rejected("register_invalid", "a file's name is too long, or holds other than letters, digits and ._-")
    if set(info.hashes) != {"sha256"}:
        raise Rejected("register_invalid", f"{info.path} is not named by its SHA-256 alone")
    folder, slash, name = info.path.rpartition("/")
    return f"targets/{folder}{slash}{info.hashes['sha256']}.{name}"


def _file(files: Mapping[str, bytes], path: str) -> bytes:
    data = files.get(path)
    if data is None:
        raise Rejected("register_invalid", f"{path} is missing from the set")
    return data


def _read(verified: _Verified) -> Register:
    """Parse the files into a register (step 8)."""
    federation = Federation(_signed_file(verified, FEDERATION))
    _check_holders(federation, verified.signers)
    members: dict[str, Member] = {}
    for member_id in sorted(federation.members):
        revoked = parse_revoked(member_id, _signed_file(verified, f"members/{member_id}/revoked.json"))
        data = _signed_file(verified, f"members/{member_id}/member.json")
        members[member_id] = parse_member(member_id, federation, data, revoked)
    return Register(
        version=verified.version,
        federation=federation.name,
        names=federation.names,
        members=MappingProxyType(members),
        expiry_time=min(verified.expiries.values()),
        legal_bases=federation.legal_bases,
        agreements=tuple(_agreements(verified)),
        reference=MappingProxyType(
            {path: data for path, data in verified.targets.items() if _REFERENCE.fullmatch(path)}
        ),
        late=False,
        role_versions=verified.role_versions,
        key_pins=federation.key_pins,
        _verifier=CertificateVerifier({member_id: member.authority for member_id, member in members.items()}),
        suspended_ids=frozenset(member for member, status in federation.members.items() if status == "suspended"),
        life=federation.life,
        grace=federation.grace,
        custodians=_custodians(verified.root, federation),
        threshold=verified.root.roles[Root.type].threshold,
        publishers=federation.publishers,
        root_version=verified.root.version,
        root_sha256=verified.root_sha256,
        timestamp_version=verified.timestamp.version,
        snapshot_version=verified.role_versions[Snapshot.type],
        role_expiries=verified.expiries,
    )


def _custodians(root: Root, federation: Federation) -> Mapping[str, PairKey]:
    keys = {member: root.keys[keyid] for member, keyid in federation.custodians.items()}
    return MappingProxyType({member: key for member, key in keys.items() if isinstance(key, PairKey)})


def _check_holders(federation: Federation, signers: Mapping[str, frozenset[str]]) -> None:
    """Demand that federation.json names the members behind the keys: all of them, and no others."""
    delegated = {name for name in signers if name not in TOP_LEVEL_ROLE_NAMES}
    of_members = {name for member in federation.members for name in (member, roles.revocations_of(member))}
    if delegated != of_members | {roles.REFERENCE}:
        raise Rejected("register_invalid", "the federation's members are not those the register delegates to")
    for named, role in (
        (federation.custodians, Root.type),
        (federation.publishers, Timestamp.type),
        (federation.reference, roles.REFERENCE),
    ):
        if frozenset(named.values()) != signers[role] or len(named) != len(signers[role]):
            raise Rejected("register_invalid", f"federation.json names other keys of {role} than those that sign")


def _agreements(verified: _Verified) -> Iterator[tuple[str, str]]:
    for path, data in sorted(verified.targets.items()):
        if path.startswith("agreement-") and path.endswith(".cedar"):
            try:
                yield path.removesuffix(".cedar"), data.decode()
            except UnicodeDecodeError as error:
                raise Rejected("register_invalid", f"{path} is not text") from error


def _signed_file(verified: _Verified, path: str) -> bytes:
    data = verified.targets.get(path)
    if data is None:
        raise Rejected("register_invalid", f"nobody vouches for {path}")
    return data
