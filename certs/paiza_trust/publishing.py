"""Publishes a proposal that enough have signed: a publisher's node adds snapshot and timestamp; all of it is verified.

A register that nothing changes is renewed in the same way, before its timestamp expires.

The result is a register in one file. It is read as every reader reads it before it is written, so that nothing leaves
here that a node would refuse.
"""

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Key, MetaFile, Root, Snapshot, Timestamp

from paiza_register import load_set
from paiza_register.ceremony.change import Base
from paiza_register.ceremony.proposal import Proposal
from paiza_register.ceremony.times import TIMESTAMP_LIFE, expiry
from paiza_register.register_file import RegisterFile
from paiza_register.verified_set import root_path
from paiza_trust import repository
from paiza_trust.apply import NodeFolder
from paiza_trust.errors import TrustError, from_wire
from paiza_trust.language import N_
from paiza_wire.errors import PaizaError
from paiza_wire.identity.private_keys import MLDSA44


def publish(proposal: Proposal, node: NodeFolder, now: datetime) -> RegisterFile:
    """Sign snapshot and timestamp with a node's key and return the register; ``TrustError`` if it does not verify."""
    publisher = _publisher(proposal.draft.publishers, node)
    files = {**proposal.draft.files, **{f"metadata/{name}": data for name, data in proposal.metadata().items()}}
    meta = {**proposal.draft.meta, **_meta(files)}  # a role that was removed stays: no version may vanish
    files |= _current(publisher, proposal.draft.version, meta, now)
    first = proposal.draft.first_root or files[root_path(1)]
    try:
        load_set(files, first, now)
    except PaizaError as error:
        if missing := proposal.custodians(signed=False):
            what = N_("The proposal lacks signatures. These have not signed: {members}")
            remedy = N_("Carry it to them, or merge the copies that they signed.")
            values = {"members": ", ".join(missing)}
            raise TrustError("bad_signature", what, str(node.folder), remedy, values=values) from error
        raise from_wire(error, str(node.folder)) from error
    return RegisterFile(files)


def renew(register: RegisterFile, node: NodeFolder, now: datetime) -> RegisterFile:
    """Sign snapshot and timestamp of a register anew, whose content stays; it may have expired meanwhile."""
    base = Base.verify(register, None)
    publisher = _publisher(base.publishers, node)
    files = dict(base.file.files)
    del files[f"metadata/{base.snapshot.version}.snapshot.json"]
    files |= _current(publisher, base.snapshot.version + 1, base.snapshot.meta, now)
    try:
        load_set(files, base.file.first_root, now)
    except PaizaError as error:
        raise from_wire(error, str(node.folder)) from error
    return RegisterFile(files)


def _current(publisher: CryptoSigner, version: int, meta: Mapping[str, MetaFile], now: datetime) -> dict[str, bytes]:
    """Return snapshot and timestamp, by published path."""
    expires = expiry(now, TIMESTAMP_LIFE)
    snapshot = repository.signed(Snapshot(version, expires=expires, meta=dict(meta)), [publisher])
    timestamp = Timestamp(version, expires=expires, snapshot_meta=repository.meta_file(version, snapshot))
    return {
        f"metadata/{version}.snapshot.json": snapshot,
        "metadata/timestamp.json": repository.signed(timestamp, [publisher]),
    }


def _publisher(publishers: Mapping[str, Key], node: NodeFolder) -> CryptoSigner:
    published = publishers.get(node.member)
    if published is not None:
        signer = CryptoSigner(node.keys.key("publisher.key", MLDSA44))
        if signer.public_key == published:
            return signer
    what, remedy = N_("The node's key is no publisher's of this register"), N_("Publish with another member's node.")
    raise TrustError("bad_key", what, str(node.folder), remedy)


def _meta(files: Mapping[str, bytes]) -> dict[str, MetaFile]:
    """Describe every targets file of a set; of a role with several versions the newest counts."""
    meta: dict[str, MetaFile] = {}
    for path, data in files.items():
        folder, _, name = path.rpartition("/")
        number, _, role = name.removesuffix(".json").partition(".")
        if folder != "metadata" or not role or role in {Root.type, Snapshot.type}:
            continue
        described = MetaFile(int(number), len(data), {"sha256": sha256(data).hexdigest()})
        if f"{role}.json" not in meta or meta[f"{role}.json"].version < described.version:
            meta[f"{role}.json"] = described
    return meta
