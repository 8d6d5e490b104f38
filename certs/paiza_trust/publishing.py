"""Publishes a proposal that enough have signed: a publisher's node adds snapshot and timestamp; all of it is verified.

A register that nothing changes is renewed in the same way, before its timestamp expires.

The result is a register in one file. It is read as every reader reads it before it is written, so that nothing leaves
here that a node would refuse.
"""

from collections.abc import Mapping
from datetime import datetime

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Key

from paiza_register.ceremony.base import Base
from paiza_register.ceremony.proposal import Proposal
from paiza_register.publishing import OpenSet, Versions, composed, described_roles, published, renewed
from paiza_register.register_file import RegisterFile
from paiza_register.verified_set import root_path
from paiza_trust.apply import NodeFolder
from paiza_trust.errors import TrustError, from_wire
from paiza_trust.language import N_
from paiza_wire.errors import PaizaError
from paiza_wire.identity.private_keys import MLDSA44


def publish(proposal: Proposal, node: NodeFolder, now: datetime) -> RegisterFile:
    """Sign snapshot and timestamp with a node's key and return the register; ``TrustError`` if it does not verify."""
    publisher, base, files = _publisher(proposal.draft.publishers, node), proposal.act.base, proposal.files()
    try:
        if base is None:
            meta = {f"{role}.json": described for role, described in described_roles(files).items()}
            return RegisterFile(composed(files, meta, files[root_path(1)], publisher, now, Versions(0, 0)).files)
        held = OpenSet.verify(base.file.files, base.file.first_root, None)
        return RegisterFile(published(held, files, publisher, now, held.versions).files)
    except PaizaError as error:
        if not proposal.is_complete:
            what = N_("The proposal lacks signatures. These have not signed: {members}")
            remedy = N_("Carry it to them, or merge the copies that they signed.")
            values = {"members": ", ".join(proposal.waits_for())}
            raise TrustError("bad_signature", what, str(node.folder), remedy, values=values) from error
        raise from_wire(error, str(node.folder)) from error


def renew(register: RegisterFile, node: NodeFolder, now: datetime) -> RegisterFile:
    """Sign the timestamp of a register anew, whose content stays; it may have expired meanwhile."""
    base = Base.verify(register, None)
    publisher = _publisher(base.publishers, node)
    try:
        held = OpenSet.verify(base.file.files, base.file.first_root, None)
        return RegisterFile(renewed(held, publisher, now, held.versions).files)
    except PaizaError as error:
        raise from_wire(error, str(node.folder)) from error


def _publisher(publishers: Mapping[str, Key], node: NodeFolder) -> CryptoSigner:
    published = publishers.get(node.member)
    if published is not None:
        signer = CryptoSigner(node.keys.key("publisher.key", MLDSA44))
        if signer.public_key == published:
            return signer
    what, remedy = N_("The node's key is no publisher's of this register"), N_("Publish with another member's node.")
    raise TrustError("bad_key", what, str(node.folder), remedy)
