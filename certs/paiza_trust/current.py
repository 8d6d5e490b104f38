"""The metadata in force of a register in a folder, on which the next signed version builds."""

from pathlib import Path
from typing import Any

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp

from paiza_register import roles
from paiza_register.documents import Federation
from paiza_register.pair_key import PairSigner
from paiza_register.verified_set import FEDERATION, target_path
from paiza_trust import repository


class Current:
    """The metadata in force below a folder that `dev.create` made; nothing is verified here."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.register = folder / "register"
        metadata = self.register / "metadata"
        timestamp: Timestamp = self._signed("timestamp.json")
        self.snapshot: Snapshot = self._signed(f"{timestamp.snapshot_meta.version}.snapshot.json")
        self.targets: Targets = self.role(Targets.type)
        self.root: Root = self._signed(max(metadata.glob("*.root.json"), key=_version).name)
        # If an attempt broke off before its timestamp, its files lie here under a version that nobody was told of.
        found = [path for path in metadata.glob("*.*.json") if not path.name.endswith(".root.json")]
        self.next_version = 1 + max(map(_version, found))

    def role(self, name: str) -> Targets:
        """Return the metadata of top-level or delegated targets."""
        signed: Targets = self._signed(f"{self.snapshot.meta[f'{name}.json'].version}.{name}.json")
        return signed

    def document(self, path: str) -> bytes:
        """Return a file the register vouches for."""
        owner = self.role(roles.role_of(path) or Targets.type)
        return (self.register / target_path(owner.targets[path])).read_bytes()

    @property
    def federation(self) -> Federation:
        """Return what federation.json says."""
        return Federation(self.document(FEDERATION))

    def publisher(self) -> CryptoSigner:
        """Return the key of the first publisher, from the register's key folder."""
        first = next(iter(self.federation.publishers))
        return repository.load_publisher(self.folder / "register-keys", self.root, first)

    def delegated(self, role: str) -> PairSigner:
        """Return the key of a delegated role, from the register's key folder."""
        member = roles.member_of(role) or next(iter(self.federation.reference))
        return repository.load_delegated(self.folder / "register-keys", self.targets, role, member)

    def _signed(self, name: str) -> Any:
        return Metadata.from_file(str(self.register / "metadata" / name)).signed


def _version(path: Path) -> int:
    return int(path.name.partition(".")[0])
