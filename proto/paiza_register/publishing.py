"""What publishers make: sets of the register from sets of the register. Pure functions.

Every result is verified as each reader verifies it, and against the sets that it follows, before it is returned: no
node would refuse it.

Publishers do not agree beforehand who publishes. Two of them may publish at one time: both sets are valid, and neither
follows the other. `merged` makes the set that follows both.
"""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from securesystemslib.signer import Signer
from tuf.api.metadata import Metadata, MetaFile, Root, Signed, Snapshot, TargetFile, Targets, Timestamp

from paiza_register import roles
from paiza_register.ceremony.federation_file import to_json
from paiza_register.ceremony.times import ROOT_LIFE, expiry
from paiza_register.documents import Federation
from paiza_register.open_set import OpenSet, Versions, role_path
from paiza_register.succession import follows, refuse_rollback
from paiza_register.tuf_workflow import TIMESTAMP_PATH
from paiza_register.verified_set import FEDERATION, target_path
from paiza_wire.errors import Rejected

_ROOT_PATH: Final = re.compile(r"metadata/([1-9][0-9]{0,18})\.root\.json")

SIGN_AGAIN: Final = timedelta(days=60)
"""Before the expiry of what lives a year and a node signs: its snapshot, its member's revocations and directory."""


def renewed(held: OpenSet, signer: Signer, now: datetime, above: Versions) -> OpenSet:
    """Return the set with a new timestamp over the same snapshot; it may have expired meanwhile."""
    version = _highest(above, held).timestamp + 1
    expires = expiry(now, held.register.life)
    timestamp = _signed(Timestamp(version, expires=expires, snapshot_meta=held.timestamp.snapshot_meta), signer)
    made = OpenSet.verify({**held.files, TIMESTAMP_PATH: timestamp}, held.bootstrap_root, now)
    return _following(made, held)


def published(
    held: OpenSet,
    change: Mapping[str, bytes],
    signer: Signer,
    now: datetime,
    above: Versions,
    expires: datetime | None = None,
) -> OpenSet:
    """Return the set with a change, under a new snapshot and timestamp.

    ``change`` holds what one act signed, by published path: metadata (also roots), and the files that they list. If it
    is empty, the same content is published anew. ``expires`` is when the timestamp expires; by default after its life.
    A part of it may be in the set already, since a publisher may have left out the rest. ``Rejected`` if a node would
    refuse the set, ``Rejected("conflict")`` if the set has the change or a later one already,
    ``Rejected("member_unusable")`` if the files of a member that it changes cannot be used.
    """
    rest = lacking(held, change)
    if change and not rest:
        raise Rejected("conflict", "the register has all of the change")
    changed = described_roles(rest)
    meta = {**held.snapshot.meta, **{f"{role}.json": described for role, described in changed.items()}}
    files = {**held.files, **rest}
    made = composed(files, meta, held.bootstrap_root, signer, now, _highest(above, held), expires)
    for member, why in sorted(made.register.unusable.items()):
        if not changed.keys().isdisjoint({member, roles.node_role_of(member)}):
            raise Rejected("member_unusable", f"{member}: {why}")
    return _following(made, held)


def lacking(held: OpenSet, change: Mapping[str, bytes]) -> Mapping[str, bytes]:
    """Return what a set lacks of a change: all of it, or the rest if a publisher has published a part alone.

    What the set has with the same content stays, whoever signed it. ``Rejected("conflict")`` if the set has other
    content of a role's or a root's version, or a later one.
    """
    had = {
        role_path(role, described.version): f"{role}.json" in held.snapshot.meta
        and held.snapshot.meta[f"{role}.json"].version >= described.version
        for role, described in described_roles(change).items()
    }
    had |= {path: int(found[1]) <= held.root.version for path in change if (found := _ROOT_PATH.fullmatch(path))}
    for path in (path for path, has in had.items() if has):
        if path not in held.files or _content(held.files[path]) != _content(change[path]):
            raise Rejected("conflict", f"the register has other content than {path}, or a later version")
    return {path: data for path, data in change.items() if path not in held.files}


def _content(data: bytes) -> Signed:
    """Return what metadata say, without their signatures."""
    metadata: Metadata[Any] = Metadata.from_bytes(data)
    signed: Signed = metadata.signed
    return signed


def node_role_signed(
    held: OpenSet,
    member: str,
    signer: Signer,
    now: datetime,
    revoked: Iterable[tuple[bytes, bytes]] = (),
    directory: bytes | None = None,
) -> dict[str, bytes]:
    """Return the change that signs the role of a member's node anew, with revocations added and another directory.

    ``revoked``: SHA-256 of each certificate (DER), and of its key (SubjectPublicKeyInfo). ``directory``: liaison.json;
    without it the known one stays.
    """
    role, path = roles.node_role_of(member), f"members/{member}/revoked.json"
    targets = held.role(role)
    document = json.loads(held.files[target_path(targets.targets[path])])
    for certificate, key in revoked:
        entry = {"certificate_sha256": certificate.hex(), "key_sha256": key.hex()}
        if entry not in document["certificates"]:
            document["certificates"].append(entry)
    data = to_json(document)
    targets.targets[path] = TargetFile.from_data(path, data, ["sha256"])
    targets.version += 1
    targets.expires = expiry(now, ROOT_LIFE)
    files = {target_path(targets.targets[path]): data}
    if directory is not None:
        path = f"members/{member}/liaison.json"
        targets.targets[path] = TargetFile.from_data(path, directory, ["sha256"])
        files[target_path(targets.targets[path])] = directory
    return {role_path(role, targets.version): _signed(targets, signer), **files}


def merged(
    ours: OpenSet, theirs: OpenSet, signer: Signer, now: datetime, above: Versions, expires: datetime | None = None
) -> OpenSet:
    """Return the set that follows two that were published at one time.

    ``expires`` is when the timestamp expires; by default after its life.
    Of each role the higher version counts, and at equal versions the lower SHA-256, so that all publishers make the
    same content of the same two. ``Rejected("conflict")`` if no set can follow both: they have other roots of one
    version, or the newest version of a role is not signed by the key that the newest targets name.
    """
    sets = (ours, theirs)
    files = {path: data for each in sets for path, data in each.files.items() if path.startswith("targets/")}
    files |= _merged_roots(ours, theirs)
    root = max(sets, key=lambda each: each.root.version).root
    meta = {name: _newest(name, sets) for name in {**ours.snapshot.meta, **theirs.snapshot.meta}}
    path, data = _merged_role(root, Targets.type, meta, sets)
    files[path] = data
    targets: Targets = Metadata[Targets].from_bytes(data).signed
    for role in delegated_roles(targets):
        path, data = _merged_role(targets, role, meta, sets)
        files[path] = data
    made = composed(files, meta, ours.bootstrap_root, signer, now, _highest(above, *sets), expires)
    return _following(made, *sets)


def concurrent(one: OpenSet, other: OpenSet) -> bool:
    """Return whether two sets have other content or snapshots, and neither follows the other: they must be merged."""
    first, second = one.register, other.register
    return first.version != second.version and not follows(first, second) and not follows(second, first)


def delegated_roles(targets: Targets) -> tuple[str, ...]:
    """Return the roles that the top-level targets delegate to."""
    return tuple(targets.delegations.roles or ()) if targets.delegations else ()


def _merged_roots(ours: OpenSet, theirs: OpenSet) -> dict[str, bytes]:
    one, other = (
        {path: data for path, data in each.files.items() if path.endswith(".root.json")} for each in (ours, theirs)
    )
    return {**one, **other, **{path: _same_root(one[path], other[path]) for path in one.keys() & other.keys()}}


def _same_root(one: bytes, other: bytes) -> bytes:
    """Return one of two files of the same root, the same for all publishers.

    Publishers that had not the same signatures when enough were there made two files, and both are valid.
    """
    if one != other and Metadata[Root].from_bytes(one).signed != Metadata[Root].from_bytes(other).signed:
        raise Rejected("conflict", "the two sets have other roots of one version")
    return min(one, other, key=lambda data: sha256(data).digest())


def _newest(name: str, sets: Iterable[OpenSet]) -> MetaFile:
    """Return how the newest version of a role is described; a removed member's role has no file."""
    return min((each.snapshot.meta[name] for each in sets if name in each.snapshot.meta), key=_precedence)


def _precedence(described: MetaFile) -> tuple[int, str]:
    return -described.version, (described.hashes or {}).get("sha256", "")


def _merged_role(
    delegator: Root | Targets, role: str, meta: dict[str, MetaFile], sets: Iterable[OpenSet]
) -> tuple[str, bytes]:
    """Return the newest metadata of a role that its keys signed, with its path, and describe it in ``meta``."""
    name = f"{role}.json"
    path = role_path(role, meta[name].version)
    newest = [each for each in sets if path in each.files and name in each.snapshot.meta]
    for each in sorted(newest, key=lambda held: _precedence(held.snapshot.meta[name])):
        metadata: Metadata[Any] = Metadata.from_bytes(each.files[path])
        if delegator.get_verification_result(role, metadata.signed_bytes, metadata.signatures).verified:
            meta[name] = each.snapshot.meta[name]
            return path, each.files[path]
    raise Rejected("conflict", f"the newest version of {role} is not signed by the key that the register names")


def composed(
    files: Mapping[str, bytes],
    meta: Mapping[str, MetaFile],
    bootstrap_root: bytes,
    signer: Signer,
    now: datetime,
    above: Versions,
    expires: datetime | None = None,
) -> OpenSet:
    """Return the set of these roles, under a new snapshot and timestamp. ``Rejected`` if a node would refuse it.

    ``files`` are all others of the set, at the least; ``meta`` describes the roles as the snapshot names them.
    """
    version = above.snapshot + 1
    snapshot = _signed(Snapshot(version, expires=expiry(now, ROOT_LIFE), meta=dict(meta)), signer)
    described = MetaFile(version, len(snapshot), {"sha256": sha256(snapshot).hexdigest()})
    expires = expires or expiry(now, _life(files, meta))
    timestamp = Timestamp(above.timestamp + 1, expires=expires, snapshot_meta=described)
    made = {**files, role_path(Snapshot.type, version): snapshot, TIMESTAMP_PATH: _signed(timestamp, signer)}
    return OpenSet.verify(made, bootstrap_root, now)


def _highest(above: Versions, *sets: OpenSet) -> Versions:
    return Versions(
        max(above.timestamp, *(each.timestamp.version for each in sets)),
        max(above.snapshot, *(each.snapshot.version for each in sets)),
    )


def _following(made: OpenSet, *sets: OpenSet) -> OpenSet:
    for each in sets:
        refuse_rollback(each.register, made.register)
    return made


def _life(files: Mapping[str, bytes], meta: Mapping[str, MetaFile]) -> timedelta:
    """Return how long the timestamps of a set live: the set may change that itself."""
    data = files.get(role_path(Targets.type, meta[f"{Targets.type}.json"].version))
    if data is None:
        raise Rejected("register_invalid", "the top-level targets are missing from the set")
    targets: Targets = Metadata[Targets].from_bytes(data).signed
    federation = files.get(target_path(targets.targets[FEDERATION]))
    if federation is None:
        raise Rejected("register_invalid", f"{FEDERATION} is missing from the set")
    return Federation(federation).life


def described_roles(files: Mapping[str, bytes]) -> dict[str, MetaFile]:
    """Return how a snapshot describes the targets metadata among these files, by role.

    Of a role with several versions the newest counts.
    """
    found: dict[str, MetaFile] = {}
    for path, data in files.items():
        folder, _, name = path.rpartition("/")
        number, _, role = name.removesuffix(".json").partition(".")
        if folder != "metadata" or not number.isdecimal() or role in {"", Root.type, Snapshot.type, Timestamp.type}:
            continue
        described = MetaFile(int(number), len(data), {"sha256": sha256(data).hexdigest()})
        if role not in found or found[role].version < described.version:
            found[role] = described
    return found


def _signed(payload: Signed, signer: Signer) -> bytes:
    metadata: Metadata[Any] = Metadata(payload)
    metadata.sign(signer)
    return metadata.to_bytes()
