"""What proves that keys of the register signed two things of which only one may be. Pure functions.

The proofs are kept by `misbehaviour`; anybody can check them.

A custodian who refuses a root promises never to sign it. Once so many refuse it that the others are too few, those who
signed it may sign another root of its version. A custodian who then signs what they refused makes two roots out of one
decision; the refusals tell which of the two counts.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.signer import Signature
from tuf.api.metadata import Root, Snapshot, Timestamp

from paiza_register.misbehaviour import RootFork
from paiza_register.pair_key import PairKey
from paiza_register.succession import signed_twice
from paiza_register.tuf_workflow import METADATA_ERRORS, SignedVersion, Verified, successor_of, verified
from paiza_register.verified_set import check_published, check_root, translated

REFUSAL_LABEL: Final = b"paiza/v1/refusal\n"
"""Stands before the digest of a root that is refused, so that it is taken for no other signature."""


def published_twice(root: Root, first: bytes, second: bytes) -> Mapping[str, frozenset[str]]:
    """Return the ids of the keys that signed both of two timestamps or snapshots of one version, by the role.

    Empty if they prove nothing.
    """
    kinds: tuple[type[Timestamp | Snapshot], ...] = (Timestamp, Snapshot)
    for kind in kinds:
        try:
            one, other = (verified(kind, data, root, kind.type) for data in (first, second))
        except METADATA_ERRORS:
            continue
        check_published(one)
        check_published(other)
        if twice := signed_twice(signed_version(one), signed_version(other)):
            return {kind.type: twice}
    return {}


def root_fork(
    common: Root, ours: bytes, theirs: bytes, custodians: Mapping[str, PairKey], now: datetime
) -> RootFork | None:
    """Return the fork that two roots after a common one prove; None if they say the same.

    ``custodians``: member -> key. ``Rejected("register_invalid")`` if one of them does not follow the common root.
    """
    their_root, their_before, their_own = translated(lambda: successor_of(common, theirs))
    translated(lambda: check_root(their_root.signed, their_own))
    our_root, our_before, _own = translated(lambda: successor_of(common, ours))
    if our_root.signed_bytes == their_root.signed_bytes:
        return None  # signed by others of the custodians, or in another order
    both = their_before & our_before
    return RootFork(
        version=common.version + 1,
        first=sha256(ours).hexdigest(),
        second=sha256(theirs).hexdigest(),
        signers=tuple(sorted(both)),
        members=tuple(sorted(member for member, key in custodians.items() if key.keyid in both)),
        found_time=now.isoformat(),
    )


def refusing(common: Root, root_sha256: bytes, refusals: Mapping[str, str]) -> frozenset[str]:
    """Return the ids of the keys that refused the root that would have followed a common one.

    Empty unless so many custodians of the common root refused it that the others are too few to sign it.
    ``root_sha256``: of what its signatures are over. ``refusals``: key id -> signature, in hex.
    """
    role, found = common.roles[Root.type], set[str]()
    for keyid in role.keyids & refusals.keys():
        try:
            common.keys[keyid].verify_signature(Signature(keyid, refusals[keyid]), REFUSAL_LABEL + root_sha256)
        except UnverifiedSignatureError:
            continue
        found.add(keyid)
    return frozenset(found) if len(role.keyids) - len(found) < role.threshold else frozenset()


def broken_by(common: Root, root_file: bytes, refusals: Callable[[int, bytes], Mapping[str, str]]) -> frozenset[str]:
    """Return the ids of the keys that signed a root, and refused it with so many others that it can never count.

    ``refusals`` returns those of a root that are known, by its version and SHA-256.
    """
    metadata, before, _own = successor_of(common, root_file)
    digest = sha256(metadata.signed_bytes).digest()
    return before & refusing(common, digest, refusals(common.version + 1, digest))


def signed_version(found: Verified[Any]) -> SignedVersion:
    """Return the version of a timestamp or snapshot, with what was signed and by which keys."""
    return SignedVersion(found.signed.version, sha256(found.payload).digest(), found.signers)
