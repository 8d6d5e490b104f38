"""Acts, and drafts: the metadata that an act makes, before anybody signed them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from securesystemslib.signer import Key
from tuf.api.metadata import Root, Signed, Targets

from paiza_register.ceremony.base import Base
from paiza_register.pair_key import PairKey

Signers = Mapping[str, tuple[PairKey, str]]
"""Keys that may sign: key id -> key and member."""


@dataclass(frozen=True)
class Quorum:
    """So many of these keys, by key id, must sign."""

    keys: frozenset[str]
    needed: int

    def missing(self, signed: Mapping[str, str]) -> int:
        """Return how many signatures are missing, of those made by key id."""
        return max(0, self.needed - len(self.keys & signed.keys()))


@dataclass(frozen=True)
class Draft:
    """What an act makes.

    ``roles`` are the metadata to be signed, by role; ``signers`` who may sign each, and ``quorums`` who must: all of
    these at once. ``files`` is what the act adds to its base beside them, by published path: files that the metadata
    name, and metadata that are signed already. ``publishers`` are the keys that may publish it, by member in their
    order. ``deciders`` are those who can stop the act, and ``needed`` of them must sign it.
    """

    roles: Mapping[str, Signed]
    signers: Mapping[str, Signers]
    quorums: Mapping[str, tuple[Quorum, ...]]
    files: Mapping[str, bytes]
    publishers: Mapping[str, Key]
    deciders: Signers
    needed: int

    @property
    def main_role(self) -> str:
        """Return the role that all who decide sign: root if it changes, else targets, else the only one."""
        return next((role for role in (Root.type, Targets.type) if role in self.roles), next(iter(self.roles)))


class Act(Protocol):
    """What is decided by signatures: a founding, a change of a register, a publication of one role."""

    @property
    def federation(self) -> str:
        """The federation's name."""

    @property
    def time(self) -> datetime:
        """When it was proposed; no clock of a signer may be behind it."""

    @property
    def base(self) -> Base | None:
        """The register that it builds on; None of a founding."""

    @property
    def draft(self) -> Draft:
        """The metadata that do it; ``Rejected`` if it cannot be done."""

    def values(self) -> dict[str, Any]:
        """Return what a proposal holds of it."""
