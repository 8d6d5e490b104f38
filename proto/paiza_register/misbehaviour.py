"""The proofs of misbehaviour that a reader keeps: of publishers that signed two sets of one version, of two roots.

Both are proofs that anybody can check: two files under signatures of one key. They are written durably, and no later
set undoes them. People decide which of two roots counts (`Misbehaviour.settle`), or the refusals that are known here
of one of them do (`Misbehaviour.settle_by`): the proof stays, and the other root is refused for ever.
"""

import json
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from paiza_register.archive import write_durably

_FIRST: Final = "first.json"
_SECOND: Final = "second.json"

ROOTS: Final = "root"
"""The proof that there are two roots of one version; other proofs are under the id of a publisher's key."""


MAX_REFUSED: Final = 64
"""Refused roots of which the refusals are kept; there is hardly ever one."""


@dataclass(frozen=True)
class RootFork:
    """Two roots of one version, both signed as the root before demands.

    ``first`` and ``second`` are the SHA-256 of the two files, in hex: the one that was accepted here, and the other.
    ``signers`` are the ids of the custodians' keys that signed both, and ``members`` whose they are. ``found_time`` is
    in ISO 8601. ``broke`` are the members whose custodians signed what they had refused: the other root counts, and
    nothing freezes.
    """

    version: int
    first: str
    second: str
    signers: tuple[str, ...]
    members: tuple[str, ...]
    found_time: str
    broke: tuple[str, ...] = ()

    @property
    def common(self) -> int:
        """Return the version of the newest root that both follow: membership stays as it was then."""
        return self.version - 1


class Misbehaviour:
    """The proofs below one folder: ``proofs/<key id>-<role>/`` and ``fork/``, two files in each.

    A settled fork is in ``settled/<version>/``, and ``settled/<version>.sha256`` names the root that counts. The
    refusals of a root that can never count are in ``refused/<version>-<SHA-256>.json``.
    """

    def __init__(self, folder: Path) -> None:
        self._proofs = folder / "proofs"
        self._fork = folder / "fork"
        self._settled = folder / "settled"
        self._refused = folder / "refused"
        self.disqualified = frozenset(path.parent.name.partition("-")[0] for path in self._proofs.glob(f"*/{_SECOND}"))
        """The ids of the publishers' keys that signed two timestamps, or two snapshots, of one version."""
        self.settled: dict[int, bytes] = {
            int(path.stem): bytes.fromhex(path.read_text("ascii")) for path in self._settled.glob("*.sha256")
        }
        """The roots that count where there were two, by version: SHA-256 of what their signatures are over."""
        self.fork: RootFork | None = None
        with suppress(FileNotFoundError):
            values = json.loads((self._fork / "fork.json").read_bytes())
            several = {name: tuple(values[name]) for name in ("signers", "members", "broke")}
            self.fork = RootFork(**{**values, **several})

    def proofs(self) -> Mapping[str, tuple[bytes, bytes]]:
        """Return the two files of each proof: by the id of the key that signed both, or under `ROOTS`."""
        found = {}
        if self.fork is not None:
            found[ROOTS] = ((self._fork / _FIRST).read_bytes(), (self._fork / _SECOND).read_bytes())
        for path in sorted(self._proofs.glob(f"*/{_SECOND}")):
            keyid = path.parent.name.partition("-")[0]
            found[keyid] = (path.with_name(_FIRST).read_bytes(), path.read_bytes())
        return found

    def disqualify(self, keyid: str, role: str, first: bytes, second: bytes) -> None:
        """Keep the proof that a key signed two files of one version. The second is written last: it makes the proof."""
        folder = self._proofs / f"{keyid}-{role}"
        if keyid not in self.disqualified:
            write_durably(folder / _FIRST, first)
            write_durably(folder / _SECOND, second)
            self.disqualified |= {keyid}

    def keep_fork(self, fork: RootFork, first: bytes, second: bytes) -> None:
        """Keep the proof that two roots of one version were signed."""
        write_durably(self._fork / _FIRST, first)
        write_durably(self._fork / _SECOND, second)
        write_durably(self._fork / "fork.json", json.dumps(asdict(fork), indent=1).encode() + b"\n")
        self.fork = fork

    def keep_refusals(self, version: int, root_sha256: bytes, refusals: Mapping[str, str]) -> None:
        """Keep the refusals of a root; beyond `MAX_REFUSED` those of the oldest versions go."""
        kept = sorted(self._refused.glob("*.json"), key=lambda path: int(path.name.partition("-")[0]))
        for path in kept[: max(0, len(kept) - MAX_REFUSED + 1)]:
            path.unlink()
        data = json.dumps(dict(refusals), indent=1, sort_keys=True).encode()
        write_durably(self._refused / f"{version}-{root_sha256.hex()}.json", data)

    def refusals(self, version: int, root_sha256: bytes) -> Mapping[str, str]:
        """Return the refusals of a root that are kept: key id -> signature, in hex."""
        with suppress(FileNotFoundError):
            found: dict[str, str] = json.loads((self._refused / f"{version}-{root_sha256.hex()}.json").read_bytes())
            return found
        return {}

    def settle_by(self, fork: RootFork, root_sha256: bytes, first: bytes, second: bytes) -> None:
        """Keep two roots of which this one counts. What is written last makes the decision."""
        folder = self._settled / str(fork.version)
        write_durably(folder / _FIRST, first)
        write_durably(folder / _SECOND, second)
        write_durably(folder / "fork.json", json.dumps(asdict(fork), indent=1).encode() + b"\n")
        write_durably(self._settled / f"{fork.version}.sha256", root_sha256.hex().encode())
        self.settled[fork.version] = root_sha256

    def settle(self, root_sha256: bytes) -> None:
        """End the freeze: of the two roots this one counts, and the other is refused from now on.

        The decision is on disk before the proof is moved: a crash leaves the freeze.
        """
        assert self.fork is not None, "only a fork is settled"
        version = self.fork.version
        write_durably(self._settled / f"{version}.sha256", root_sha256.hex().encode())
        self.settled[version] = root_sha256
        shutil.rmtree(self._settled / str(version), ignore_errors=True)
        self._fork.rename(self._settled / str(version))
        self.fork = None
