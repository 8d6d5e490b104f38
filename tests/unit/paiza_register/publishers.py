"""Publishers and members of the made register, who sign what a test has them sign."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from hashlib import sha256
from typing import Any

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import TargetFile

from paiza_register.open_set import OpenSet, role_path
from paiza_register.pair_key import PairSigner
from paiza_register.verified_set import target_path
from paiza_trust.key_folder import KeyFolder
from paiza_wire.identity.pair import PairPrivateKey
from paiza_wire.identity.private_keys import MLDSA44
from tests.unit.paiza_register.conftest import Holder

YEAR = timedelta(days=365)


@dataclass(frozen=True)
class Signing:
    """The keys of a made register."""

    holder: Holder

    @cached_property
    def publishers(self) -> Mapping[str, CryptoSigner]:
        """Return every publisher's signer, by member in their order."""
        nodes = self.holder.folder / "nodes"
        members = [each["member"] for each in json.loads(self.holder.documents["federation.json"])["publishers"]]
        folders = {member: KeyFolder(nodes / member / "keys", {"sealed": False}) for member in members}
        return {member: CryptoSigner(folder.key("publisher.key", MLDSA44)) for member, folder in folders.items()}

    def new_pair(self) -> PairSigner:
        """Return a key that nobody has yet."""
        return PairSigner(PairPrivateKey.generate())

    def change(
        self, held: OpenSet, path: str, edit: Callable[[dict[str, Any]], object], now: datetime, role: str = ""
    ) -> dict[str, bytes]:
        """Return a change of one document: its role's next metadata, and the document."""
        name = role or path.split("/")[1]
        targets = held.role(name)
        document = json.loads(held.files[target_path(targets.targets[path])])
        edit(document)
        data = json.dumps(document).encode()
        targets.version += 1
        targets.expires = now + YEAR
        targets.targets[path] = TargetFile.from_data(path, data, ["sha256"])
        return {
            role_path(name, targets.version): self.holder.sign(name, targets),
            target_path(targets.targets[path]): data,
        }

    def renamed(self, held: OpenSet, member: str, name: str, now: datetime) -> dict[str, bytes]:
        """Return a change of a member's name."""

        def edit(document: dict[str, Any]) -> None:
            document["names"]["en"] = name

        return self.change(held, f"members/{member}/member.json", edit, now)

    def revoked(self, held: OpenSet, member: str, certificate: bytes, now: datetime) -> dict[str, bytes]:
        """Return a change that revokes one more certificate of a member."""

        def edit(document: dict[str, Any]) -> None:
            document["certificates"].append(
                {
                    "certificate_sha256": sha256(certificate).hexdigest(),
                    "key_sha256": sha256(b"key of " + certificate).hexdigest(),
                    "time": "2026-05-01T12:00:00Z",
                    "reason": "test",
                }
            )

        return self.change(held, f"members/{member}/revoked.json", edit, now, f"{member}.node")
