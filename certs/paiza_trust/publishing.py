"""Publishes a proposal that enough have signed: a publisher's node adds snapshot and timestamp; all of it is verified.

The result is a register in one file. It is read as every reader reads it before it is written, so that nothing leaves
here that a node would refuse.
"""

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import MetaFile, Root, Snapshot, Timestamp

from paiza_register import load_set
from paiza_register.register_file import RegisterFile
from paiza_register.verified_set import root_path
from paiza_trust import repository
from paiza_trust.apply import NodeFolder
from paiza_trust.errors import TrustError, from_wire
from paiza_trust.language import N_
from paiza_trust.proposal import Proposal
from paiza_wire.errors import PaizaError
from paiza_wire.identity.private_keys import MLDSA44


def publish(proposal: Proposal, node: NodeFolder, now: datetime) -> RegisterFile:
    """Sign snapshot and timestamp with a node's key and return the register; ``TrustError`` if it does not verify."""
    publisher = _publisher(proposal, node)
    files = {**proposal.draft.files, **{f"metadata/{name}": data for name, data in proposal.metadata().items()}}
    version = proposal.draft.version
    meta = {**proposal.draft.meta, **_meta(files)}  # a role that was removed stays: no version may vanish
    snapshot = Snapshot(version, expires=repository.expiry(now, repository.TIMESTAMP_LIFE), meta=meta)
    data = repository.signed(snapshot, [publisher])
    files[f"metadata/{version}.snapshot.json"] = data
    timestamp = Timestamp(
        version,
        expires=repository.expiry(now, repository.TIMESTAMP_LIFE),
        snapshot_meta=repository.meta_file(version, data),
    )
    files["metadata/timestamp.json"] = repository.signed(timestamp, [publisher])
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


def _publisher(proposal: Proposal, node: NodeFolder) -> CryptoSigner:
    published = proposal.draft.publishers.get(node.member)
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
