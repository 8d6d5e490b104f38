"""Drafts: the metadata that an act makes, before anybody signed them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from securesystemslib.signer import Signature
from tuf.api.metadata import Metadata, MetaFile, Signed

from paiza_register.pair_key import PairKey


@dataclass(frozen=True)
class Draft:
    """What an act makes.

    ``roles`` are the metadata to be signed, by role; ``signers`` who may sign each: key id -> key and member. ``files``
    are the rest of the set, by published path: target files, and metadata that are signed already. ``first_root`` are
    the bytes of the root that everybody starts from, None if the act makes it. ``publishers`` are the keys that may
    publish it, by member in their order. ``version`` is that of the snapshot, ``meta`` what the one before it names.
    ``deciders`` are the custodians who can stop the act and ``needed`` how many of them must sign it: key id -> key and
    member. ``signed_before`` are the digests of what was signed in every version of the root that the act builds on.
    """

    roles: Mapping[str, Signed]
    signers: Mapping[str, Mapping[str, tuple[PairKey, str]]]
    files: Mapping[str, bytes]
    first_root: bytes | None
    publishers: Mapping[str, Any]
    version: int
    deciders: Mapping[str, tuple[PairKey, str]]
    needed: int
    meta: Mapping[str, MetaFile] = field(default_factory=dict)
    signed_before: Mapping[int, bytes] = field(default_factory=dict)


class Act(Protocol):
    """What custodians decide: a founding, or a change of a register."""

    @property
    def federation(self) -> str:
        """The federation's name."""

    @property
    def time(self) -> datetime:
        """When it was proposed; no custodian's clock may be behind it."""

    @property
    def draft(self) -> Draft:
        """The metadata that do it; ``Rejected`` if it cannot be done."""

    def values(self) -> dict[str, Any]:
        """Return what a proposal holds of it."""


def signed_bytes(payload: Signed) -> bytes:
    """Return the bytes of metadata that are signed."""
    return metadata_with(payload, {}).signed_bytes


def metadata_with(payload: Signed, signatures: Mapping[str, str]) -> Metadata[Any]:
    """Return metadata with these signatures, by key id."""
    return Metadata(payload, {keyid: Signature(keyid, made) for keyid, made in signatures.items()})
