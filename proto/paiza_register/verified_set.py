"""The offline verification of one whole set of the register's files, and its parsing into a `Register`.

A set is a complete TUF repository of one moment: every root from the bootstrap root on, the timestamp, the snapshot,
the top-level targets, each member's delegated targets, and every file these name, under its published path.
A set from any source (fetched, archived, carried, inside evidence) is accepted only after these steps, in this order:

1. The bootstrap root signs itself; all its custodians have signed a root of version 1, since nobody joins a
   federation that others founded in their name. Each further root is signed by enough keys of the one before and of
   its own. In each, root and targets are of the same custodians, who sign with pairs, and snapshot and timestamp of
   the same publishers, one of whom signs with ML-DSA-44.
2. The timestamp is signed as the last root says, and names the snapshot with its hash. It is small.
3. The snapshot is that one, signed as the root says; it names every targets file with its hash. It is small, and no
   version is so high that a program could not count on: one publisher alone signs both.
4. The top-level targets file is that one, signed as the root says.
5. Each delegation in it is one of `roles`: terminating, over the paths of that role and nothing else, to pairs. No key
   of these or of the root stands twice, nor half of one. Each delegated file is the one the snapshot names, signed as
   its delegation says.
6. The top-level targets list nothing that is delegated. federation.json and the agreements are those named.
   federation.json is well formed. Its members, removed ones included, are exactly those with a role each, and for their
   revocations; its custodians, publishers and holders of the reference data are exactly those whose keys sign, and
   every active member has a custodian and a publisher. The snapshot names no roles but those that are delegated: no
   version that a publisher invents may stand before a member that is admitted, or admitted again.
7. Each member's own two roles list nothing but its files, few and small enough, and delegate no further. The files are
   there, and are those named. member.json and revoked.json are well formed. member.json names every key of a log or a
   witness that federation.json pins for the member; one that is not pinned is not its key yet, since any publisher
   could part the two. Of a removed member the revocations alone are read: it continues them when it comes back.
8. At the time asked for, nothing that the members share has expired longer ago than the grace, or expires later than
   anybody may sign today. Neither has a member's own role. Without a time asked for, the set is taken at its own
   time: evidence is judged as it was.

A failure of 1-6 is ``Rejected("register_invalid")``, of 8 ``Unavailable("register_expired")``. A failure of 7, or of 8
in a member's own role, is that member's alone: only its own key can bring it about. The member is `Register.unusable`
then: it may not speak and counts as away, and everyone else goes on. A file that is missing or is another than named
refuses the set, since any source could leave one out.

Reference data (reference-*.json, profile.json) and directories of liaison officers (liaison.json) are carried as they
are: they decide nothing about who may speak, and one that is malformed is its readers' matter. Those of the federation
are left out if they are too many or too large, or not that role's.

Steps 1-7 are here, step 8 is `validity`. All this depends on the set and the time alone: readers with and without a
history agree. The caller ensures that the set is not older than the accepted one (`succession`), and, for evidence,
that the time is the relevant one.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from types import MappingProxyType
from typing import Any, Final, TypeVar

from tuf.api.metadata import (
    TOP_LEVEL_ROLE_NAMES,
    DelegatedRole,
    MetaFile,
    Root,
    Signed,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)

from paiza_register import roles
from paiza_register.documents import MAX_MEMBERS, Federation, parse_member, parse_revoked
from paiza_register.model import Member, Register
from paiza_register.pair_key import PairKey
from paiza_register.tuf_workflow import (
    METADATA_ERRORS,
    Repository,
    Verified,
)
from paiza_wire.errors import Rejected
from paiza_wire.identity import CertificateVerifier

MAX_SHARED_FILES: Final = 256
"""Files that are no member's own: agreements and reference data."""

MAX_SHARED_BYTES: Final = 16 << 20
"""Bytes of these files, and of the metadata that is no member's own, the roots apart."""

MAX_MEMBER_FILES: Final = 16
"""Files that one member lists."""

MAX_MEMBER_BYTES: Final = 2 << 20
"""Bytes of these files and of the metadata that lists them; a member has about 50 kB."""

MAX_REVOKED_BYTES: Final = 1 << 20
"""Bytes of revoked.json, which are most of a member's."""

MAX_SET_BYTES: Final = MAX_SHARED_BYTES + MAX_MEMBERS * MAX_MEMBER_BYTES
"""Bytes of one set beside its roots; eight members have about 0.7 MB."""

MAX_TARGET_BYTES: Final = 4 << 20
"""Bytes of one shared file."""

MAX_TIMESTAMP_BYTES: Final = 32 << 10
"""Bytes of a timestamp; the signature of one publisher makes about 5 kB."""

MAX_SNAPSHOT_BYTES: Final = 256 << 10
"""Bytes of a snapshot; 600 members have about that much."""

MAX_VERSION: Final = (1 << 53) - 1
"""Every program can count so far; readers refuse what they accept as new far below it (`validity`)."""

FEDERATION: Final = "federation.json"

# Names become file names at every reader: a name from one member must not be invalid on another's disk.
_TARGET: Final = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9_-]{0,31}/){0,2}[A-Za-z0-9][A-Za-z0-9._-]{0,99}")

_SHA256: Final = re.compile("[0-9a-f]{64}")

# No exchange depends on it: it is verified as any file, and its content is checked on use.
_REFERENCE: Final = re.compile(r"reference-[a-z0-9-]{1,40}\.json|members/[a-z0-9-]{2,16}/(?:profile|liaison)\.json")


_Result = TypeVar("_Result")


@dataclass(frozen=True)
class _Metadata:
    """The metadata of a set, after steps 1-5."""

    version: bytes
    delegations: Mapping[str, DelegatedRole]
    delegated: Mapping[str, Targets]
    expiries: Mapping[str, datetime]


def verify(repository: Repository) -> Register:
    """Run steps 1-7; `FileMismatch` if the source lacks a file of the set, or has another."""
    return translated(lambda: _verify(repository))


def check_root(root: Root, signers: frozenset[str]) -> None:
    """Refuse a root that is none of a register. ``signers`` are the ids of its own keys that signed it."""
    for one, other, whose in ((Root.type, Targets.type, "custodians"), (Snapshot.type, Timestamp.type, "publishers")):
        first, second = root.roles[one], root.roles[other]
        if set(first.keyids) != set(second.keyids) or first.threshold != second.threshold:
            raise Rejected("register_invalid", f"{one} and {other} are not of the same {whose}")
    if root.version == 1 and signers != set(root.roles[Root.type].keyids):
        raise Rejected("register_invalid", "not every founding custodian has signed the first root")
    if not all(isinstance(root.keys.get(keyid), PairKey) for keyid in root.roles[Root.type].keyids):
        raise Rejected("register_invalid", "a custodian's key is not a pair")
    if root.roles[Timestamp.type].threshold != 1:
        raise Rejected("register_invalid", "more than one publisher must sign")
    for keyid in root.roles[Timestamp.type].keyids:
        roles.publisher_bytes(root.keys.get(keyid))


def check_published(found: Verified[Any]) -> None:
    """Refuse a timestamp or snapshot that is too large, or counts too far: one publisher alone signs it."""
    signed, most = found.signed, MAX_TIMESTAMP_BYTES
    versions = [signed.version]
    if isinstance(signed, Snapshot):
        most = MAX_SNAPSHOT_BYTES
        versions += [named.version for named in signed.meta.values()]
    if len(found.data) > most:
        raise Rejected("register_invalid", f"the {signed.type} has over {most} bytes")
    if max(versions) > MAX_VERSION:
        raise Rejected("register_invalid", f"the {signed.type} has a version above {MAX_VERSION}")


def target_path(info: TargetFile) -> str:
    """Return the published path of a file: its name with its SHA-256 as prefix."""
    if not _TARGET.fullmatch(info.path):
        raise Rejected("register_invalid", "a file's name is too long, or holds other than letters, digits and ._-")
    if set(info.hashes) != {"sha256"} or not _SHA256.fullmatch(str(info.hashes["sha256"])):
        raise Rejected("register_invalid", f"{info.path} is not named by its SHA-256 alone")
    if type(info.length) is not int:
        raise Rejected("register_invalid", f"{info.path} has a length that is none")
    folder, slash, name = info.path.rpartition("/")
    return f"targets/{folder}{slash}{info.hashes['sha256']}.{name}"


def translated(action: Callable[[], _Result]) -> _Result:
    """Run a step of the workflow; its errors are ``Rejected("register_invalid")``, `FileMismatch` stays."""
    try:
        return action()
    except METADATA_ERRORS as error:
        raise Rejected("register_invalid", f"the metadata do not verify: {error}") from error


def _verify(repository: Repository) -> Register:
    metadata = _verify_metadata(repository)
    top = repository.targets.signed
    # 6.
    spent = sum(map(len, repository.files.values())) - sum(
        len(repository.files[path]) for path in repository.files if _member_of(path)
    )
    shared = _Budget(MAX_SHARED_FILES, MAX_SHARED_BYTES - spent, MAX_TARGET_BYTES)
    documents = shared.read(repository, Targets.type, top)
    federation = Federation(_named(documents, FEDERATION))
    _check_holders(federation, repository.root, metadata.delegations)
    _check_roles(metadata.delegations, repository.snapshot.signed)
    _check_node_keys(federation, metadata.delegations)
    reference, faults = dict[str, bytes](), dict[str, str]()
    with _fault_of(roles.REFERENCE, faults):
        reference = shared.read(repository, roles.REFERENCE, metadata.delegated[roles.REFERENCE])
    # 7.
    described: dict[str, Member] = {}
    revocations: dict[str, frozenset[bytes]] = {}
    for member in sorted(federation.members.keys() | federation.removed):
        own = sum(len(data) for path, data in repository.files.items() if _member_of(path) == member)
        budget = _Budget(MAX_MEMBER_FILES, MAX_MEMBER_BYTES - own, MAX_REVOKED_BYTES)
        role, path = roles.node_role_of(member), f"members/{member}/"
        revocations[member] = frozenset()
        is_removed = member in federation.removed
        with _fault_of(member, {} if is_removed else faults):
            files = budget.read(repository, role, metadata.delegated[role])
            if not is_removed:
                reference |= {path: data for path, data in files.items() if _REFERENCE.fullmatch(path)}
            revocations[member] = parse_revoked(member, _named(files, f"{path}revoked.json"))
        if is_removed:
            continue
        budget.each = MAX_MEMBER_BYTES
        with _fault_of(member, faults):
            files = budget.read(repository, member, metadata.delegated[member])
            reference |= {path: data for path, data in files.items() if _REFERENCE.fullmatch(path)}
            data = _named(files, f"{path}member.json")
            described[member] = parse_member(member, federation, data, revocations[member])
    described = {member: each for member, each in described.items() if member not in faults}
    return Register(
        version=metadata.version,
        federation=federation.name,
        names=federation.names,
        members=MappingProxyType(described),
        expiry_time=min(metadata.expiries[role] for role in (Root.type, Timestamp.type, Snapshot.type, Targets.type)),
        legal_bases=federation.legal_bases,
        agreements=tuple(_agreements(documents)),
        reference=MappingProxyType(reference),
        late=False,
        role_versions=_role_versions(repository),
        key_pins=federation.key_pins,
        _verifier=CertificateVerifier({name: member.authority for name, member in described.items()}),
        unusable=MappingProxyType({member: fault for member, fault in faults.items() if member in federation.members}),
        faults=MappingProxyType(faults),
        suspended_ids=frozenset(member for member, status in federation.members.items() if status == "suspended"),
        life=federation.life,
        grace=federation.grace,
        exercise=federation.exercise,
        custodians=_custodians(repository.root, federation),
        threshold=repository.root.roles[Root.type].threshold,
        publishers=federation.publishers,
        root_sha256=repository.roots.payload_sha256,
        role_expiries=MappingProxyType(
            {role: time for role, time in metadata.expiries.items() if role.partition(".")[0] not in federation.removed}
        ),
        reference_fault=faults.get(roles.REFERENCE, ""),
        state=repository.state(),
        revocations=MappingProxyType(revocations),
        revocation_keys=MappingProxyType(
            {
                member: frozenset(metadata.delegations[roles.node_role_of(member)].keyids)
                for member in federation.members
            }
        ),
        former_node_keys=federation.former_node_keys,
    )


def _check_node_keys(federation: Federation, delegations: Mapping[str, DelegatedRole]) -> None:
    """Refuse a delegation to a pair that a member's node signed with before: a thief of it would speak for it again."""
    for member in federation.members:
        if any((member, key) in federation.former_node_keys for key in delegations[roles.node_role_of(member)].keyids):
            raise Rejected("register_invalid", f"the role of the node of {member} has a former key of it")


def _verify_metadata(repository: Repository) -> _Metadata:
    # 1.
    root = repository.root
    if not root.consistent_snapshot:
        raise Rejected("register_invalid", "the repository is not one of consistent snapshots")
    # 2.
    timestamp = repository.timestamp.signed
    check_published(repository.timestamp)
    _check_named(timestamp.snapshot_meta, "snapshot.json")
    # 3.
    snapshot = repository.snapshot.signed
    check_published(repository.snapshot)
    for name, named in snapshot.meta.items():
        _check_named(named, name)
    # 4.
    top = repository.targets.signed
    # 5.
    delegations = _delegations(root, top)
    delegated = {role: repository.delegated(role, top).signed for role in delegations}
    signed: dict[str, Signed] = {
        Root.type: root,
        Timestamp.type: timestamp,
        Snapshot.type: snapshot,
        Targets.type: top,
        **delegated,
    }
    return _Metadata(
        version=sha256(repository.snapshot.data).digest(),
        delegations=delegations,
        delegated=delegated,
        expiries=MappingProxyType({name: part.expires.astimezone(UTC) for name, part in signed.items()}),
    )


class _Budget:
    """How many files, and bytes in all and of each, one owner may still list."""

    def __init__(self, files: int, total: int, each: int) -> None:
        self.files = files
        self.total = total
        self.each = each

    def read(self, repository: Repository, role: str, targets: Targets) -> dict[str, bytes]:
        """Read the files of a role: target path -> bytes. Nothing is read unless all of them may be listed."""
        _check_own_files(role, targets)
        if role != Targets.type and targets.delegations is not None:
            raise Rejected("register_invalid", f"{role} delegates further")
        paths = {path: target_path(info) for path, info in targets.targets.items()}
        lengths = [info.length for info in targets.targets.values()]
        self.files -= len(paths)
        self.total -= sum(lengths)
        if self.files < 0 or self.total < 0 or max(lengths, default=0) > self.each:
            raise Rejected("register_invalid", f"{role} lists too many files, or too large ones")
        return {path: repository.target(published, targets.targets[path]) for path, published in paths.items()}


@contextmanager
def _fault_of(owner: str, faults: dict[str, str]) -> Iterator[None]:
    """Note what is refused inside as the fault of one owner; the first one counts."""
    try:
        yield
    except Rejected as error:
        faults.setdefault(owner, error.detail)


def _member_of(path: str) -> str:
    """Return the member whose own metadata has this published path; empty if it is nobody's."""
    name = path.removeprefix("metadata/").partition(".")[2].removesuffix(".json")
    if path.startswith("targets/") or not name or name in {*TOP_LEVEL_ROLE_NAMES, "json", roles.REFERENCE}:
        return ""
    return name.partition(".")[0]


def _role_versions(repository: Repository) -> Mapping[str, int]:
    state = repository.state()
    return MappingProxyType({Root.type: state.root, Snapshot.type: state.snapshot.version, **state.named})


def _custodians(root: Root, federation: Federation) -> Mapping[str, PairKey]:
    keys = {member: root.keys[keyid] for member, keyid in federation.custodians.items()}
    return MappingProxyType({member: key for member, key in keys.items() if isinstance(key, PairKey)})


def _check_named(named: MetaFile, name: str) -> None:
    # Without the hash, SHA-256 of the snapshot would not commit to the whole set.
    if not named.hashes or "sha256" not in named.hashes:
        raise Rejected("register_invalid", f"{name} is named without its SHA-256")


def _delegations(root: Root, top: Targets) -> Mapping[str, DelegatedRole]:
    """Return the delegations by role, checked to be to that role and to nothing else."""
    if top.delegations is None or not top.delegations.roles:
        raise Rejected("register_invalid", "nothing is delegated to any member")
    roles.refuse_shared_keys([*root.keys.values(), *top.delegations.keys.values()])
    keys_seen: set[str] = set()
    names_seen: set[str | None] = set()
    for name, role in top.delegations.roles.items():
        if role.paths != roles.paths_of(name):
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


def _check_holders(federation: Federation, root: Root, delegations: Mapping[str, DelegatedRole]) -> None:
    """Demand that federation.json names the members behind the keys: all of them, and no others."""
    ever = federation.members.keys() | federation.removed
    of_members = {name for member in ever for name in (member, roles.node_role_of(member))}
    if set(delegations) != of_members | {roles.REFERENCE}:
        raise Rejected("register_invalid", "the federation's members are not those the register delegates to")
    for named, role, keyids in (
        (federation.custodians, Root.type, root.roles[Root.type].keyids),
        (federation.publishers, Timestamp.type, root.roles[Timestamp.type].keyids),
        (federation.reference, roles.REFERENCE, delegations[roles.REFERENCE].keyids),
    ):
        if set(named.values()) != set(keyids) or len(named) != len(set(keyids)):
            raise Rejected("register_invalid", f"federation.json names other keys of {role} than those that sign")


def _check_roles(delegated: Iterable[str], snapshot: Snapshot) -> None:
    """Demand that the snapshot names no roles but those that somebody signs."""
    if not snapshot.meta.keys() <= {f"{role}.json" for role in (Targets.type, *delegated)}:
        raise Rejected("register_invalid", "the snapshot names a role that nobody signs")


def _agreements(documents: Mapping[str, bytes]) -> Iterator[tuple[str, str]]:
    for path, data in sorted(documents.items()):
        if path.startswith("agreement-") and path.endswith(".cedar"):
            try:
                yield path.removesuffix(".cedar"), data.decode()
            except UnicodeDecodeError as error:
                raise Rejected("register_invalid", f"{path} is not text") from error


def _named(documents: Mapping[str, bytes], path: str) -> bytes:
    data = documents.get(path)
    if data is None:
        raise Rejected("register_invalid", f"nobody vouches for {path}")
    return data
