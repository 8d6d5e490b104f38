"""Publishes a proposal that enough have signed: a publisher's node adds snapshot and timestamp; all of it is verified.

The result is a register in one file. It is read as every reader reads it before it is written, so that nothing leaves
here that a node would refuse.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Key

from paiza_register.ceremony.proposal import Proposal
from paiza_register.open_set import OpenSet, Versions
from paiza_register.publishing import composed, described_roles, published
from paiza_register.register_file import RegisterFile
from paiza_register.tuf_workflow import root_path
from paiza_trust.apply import NodeFolder
from paiza_trust.errors import TrustError, from_wire
from paiza_trust.language import N_
from paiza_wire.errors import PaizaError
from paiza_wire.identity.private_keys import MLDSA44

BY_HAND: Final = 1000
"""How far the versions go above those of the register that is built on.

The node may run, and renew the timestamp at this moment with the same key. Two sets of one version, signed by one key,
would disqualify it everywhere.
"""


def publish(proposal: Proposal, node: NodeFolder, now: datetime) -> RegisterFile:
    """Sign snapshot and timestamp with a node's key and return the register; ``TrustError`` if it does not verify."""
    publisher, base, files = _publisher(proposal.draft.publishers, node), proposal.act.base, proposal.files()
    try:
        if base is None:
            meta = {f"{role}.json": described for role, described in described_roles(files).items()}
            return RegisterFile(composed(files, meta, files[root_path(1)], publisher, now, Versions(0, 0)).files)
        held = OpenSet.verify(base.file.files, base.file.first_root, None)
        above = Versions(*(version + BY_HAND for version in held.versions))
        return RegisterFile(published(held, files, publisher, now, above).files)
    except PaizaError as error:
        if not proposal.is_complete:
            what = N_("The proposal lacks signatures. These have not signed: {members}")
            remedy = N_("Carry it to them, or merge the copies that they signed.")
            values = {"members": ", ".join(proposal.waits_for())}
            raise TrustError("bad_signature", what, str(node.folder), remedy, values=values) from error
        raise from_wire(error, str(node.folder)) from error


def _publisher(publishers: Mapping[str, Key], node: NodeFolder) -> CryptoSigner:
    published = publishers.get(node.member)
    if published is not None:
        signer = CryptoSigner(node.keys.key("publisher.key", MLDSA44))
        if signer.public_key == published:
            return signer
    what, remedy = N_("The node's key is no publisher's of this register"), N_("Publish with another member's node.")
    raise TrustError("bad_key", what, str(node.folder), remedy)
