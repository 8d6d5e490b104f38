"""The roles of the register's metadata: which of them signs what, and with which kind of key.

====================  ==========================================  ====================================================
role                  signs                                       keys
====================  ==========================================  ====================================================
root, targets         who the others are; the federation's files  custodians' pairs, one of each member
``<id>``              ``members/<id>/*`` but the next two         the member's pair
``<id>.node``         ``members/<id>/revoked.json, liaison.json`` a pair of the member's node
federation.reference  ``reference-*.json``                        pairs of the members that federation.json names
snapshot, timestamp   that all of it belongs together, now        ML-DSA-44 keys of the members' nodes: the publishers
====================  ==========================================  ====================================================

No member has a name with a full stop in it, so no role is taken for another. TUF asks the delegated roles in their
order: `<id>.node` stands before `<id>`, whose paths cover its files too.
"""

import re
from collections.abc import Iterable
from typing import Final

from securesystemslib.signer import KEY_TYPE_MLDSA, MLDSA_44_1, Key, SSlibKey
from tuf.api.metadata import Targets

from paiza_register.pair_key import PairKey, key_id
from paiza_wire.errors import Rejected
from paiza_wire.identity import MEMBER_ID
from paiza_wire.identity.keys import mldsa44_public_key_from_pem

REFERENCE: Final = "federation.reference"
"""The role of the reference data that all share."""

PUBLISHER_SCHEME: Final = MLDSA_44_1
"""Signature scheme of publishers (TAP 21)."""

_NODE: Final = ".node"
_NODE_FILES: Final = ("revoked.json", "liaison.json")  # what must change at once, also at night
_REFERENCE_FILE: Final = re.compile(r"reference-[^/]*\.json")
_MEMBERS_FILE: Final = re.compile(r"members/([^/]*)/([^/]*)")


def node_role_of(member: str) -> str:
    """Return the role of a member's revocations, and of its directory of liaison officers: its node signs both."""
    return member + _NODE


def member_of(role: str) -> str | None:
    """Return the member that a delegated role is of; None for the reference data.

    ``Rejected("register_invalid")`` if there is no such role.
    """
    if role == REFERENCE:
        return None
    member = role.removesuffix(_NODE)
    if not MEMBER_ID.fullmatch(member):
        raise Rejected("register_invalid", "the register delegates to what is no member")
    return member


def paths_of(role: str) -> list[str]:
    """Return the patterns of paths that are delegated to a role."""
    member = member_of(role)
    if member is None:
        return ["reference-*.json"]
    return [f"members/{member}/*"] if role == member else [f"members/{member}/{name}" for name in _NODE_FILES]


def example_of(role: str) -> str:
    """Return a path that is delegated to a role."""
    member = member_of(role)
    if member is None:
        return "reference-substances.json"
    return f"members/{member}/{'member' if role == member else 'revoked'}.json"


def role_of(path: str) -> str | None:
    """Return the role that vouches for a file; None for one below ``members/`` that is nobody's."""
    if _REFERENCE_FILE.fullmatch(path):
        return REFERENCE
    if not path.startswith("members/"):
        return Targets.type
    found = _MEMBERS_FILE.fullmatch(path)
    if found is None:
        return None
    member, name = found.groups()
    return node_role_of(member) if name in _NODE_FILES else member


def publisher_bytes(key: Key | None) -> bytes:
    """Return the 1,312 bytes of a publisher's key; ``Rejected("register_invalid")`` if it is of another kind."""
    if not isinstance(key, SSlibKey) or (key.keytype, key.scheme) != (KEY_TYPE_MLDSA, PUBLISHER_SCHEME):
        raise Rejected("register_invalid", "a publisher's key is not of ML-DSA-44")
    if key_id(key.to_dict()) != key.keyid:
        raise Rejected("register_invalid", "a publisher's key stands under another key id than its own")
    try:
        return mldsa44_public_key_from_pem(key.keyval["public"])
    except Rejected as error:
        raise Rejected("register_invalid", f"a publisher's key is refused: {error.detail}") from error


def refuse_shared_keys(keys: Iterable[Key]) -> None:
    """Refuse duplicate keys and shared halves of pairs: a shared half would sign for two."""
    seen: set[bytes] = set()
    for key in keys:
        halves = set(key.pair.halves if isinstance(key, PairKey) else [publisher_bytes(key)])
        if seen & halves:
            raise Rejected("register_invalid", "a key, or a half of one, stands twice")
        seen |= halves
