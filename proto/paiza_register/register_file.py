"""A whole register in one file that people carry: every file of one set, and the digests of two roots.

A member that joins a federation, or whose node is cut off, receives this file by hand. It proves nothing by itself: the
digest of the first root is compared on another way, and the set is verified from that root on. The newest root's digest
is carried with it, so that a reader who notes it refuses another root of that version later.
"""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from tuf.api.metadata import Metadata, Root

from paiza_register import carried
from paiza_register.fetch import Fetch, files_fetch
from paiza_register.tuf_workflow import METADATA_ERRORS, root_path
from paiza_register.verified_set import MAX_SET_BYTES
from paiza_wire.errors import Rejected

KIND: Final = "register"

MAX_BYTES: Final = 2 * MAX_SET_BYTES
"""A set in base64, and its roots."""

MAX_VALUES: Final = 16_384
"""Files of a set: up to 10,000 roots, and those of all members."""


@dataclass(frozen=True)
class RegisterFile:
    """The files of a set by published path, nothing of which is verified yet but the two digests."""

    files: Mapping[str, bytes]

    @classmethod
    def read(cls, data: bytes) -> "RegisterFile":
        """Read a file; ``Rejected("malformed")`` if it is none, or its digests are of other roots."""
        if data.count(b",") > MAX_VALUES or b"[" in data:  # small values take thirty times their bytes in memory
            raise Rejected("malformed", "the file is not in its one form")
        values = carried.read(KIND, data, {"first_root", "newest_root", "files"}, MAX_BYTES)
        try:
            files = {path: b64decode(text, validate=True) for path, text in carried.texts(values, "files").items()}
        except ValueError as error:
            raise Rejected("malformed", "the files are not in base64") from error
        if root_path(1) not in files:
            raise Rejected("malformed", "the first root is not in the file")
        found = cls(files)
        if (values["first_root"], values["newest_root"]) != (found.first_digest.hex(), found.newest_digest.hex()):
            raise Rejected("malformed", "the digests are of other roots")
        return found

    def to_bytes(self) -> bytes:
        """Return the file."""
        files = {path: b64encode(data).decode() for path, data in self.files.items()}
        digests = {"first_root": self.first_digest.hex(), "newest_root": self.newest_digest.hex()}
        return carried.write(KIND, {**digests, "files": files})

    @property
    def first_root(self) -> bytes:
        """Return the root that everything is verified from."""
        return self.files[root_path(1)]

    @property
    def newest(self) -> int:
        """Return the version of the newest root."""
        version = 1
        while root_path(version + 1) in self.files:
            version += 1
        return version

    @property
    def first_digest(self) -> bytes:
        """Return the digest of the first root, 32 bytes."""
        return self.root_digest(1)

    @property
    def newest_digest(self) -> bytes:
        """Return the digest of the newest root, 32 bytes."""
        return self.root_digest(self.newest)

    def root_digest(self, version: int) -> bytes:
        """Return by which digest people know a root that is in the file; ``Rejected("malformed")`` if it is no root.

        Of the first it is SHA-256 of the file, which is the same everywhere. A later one may be published with other
        signatures by several nodes; of it, it is SHA-256 of what these are over.
        """
        data = self.files[root_path(version)]
        if version == 1:
            return sha256(data).digest()
        try:
            return sha256(Metadata[Root].from_bytes(data).signed_bytes).digest()
        except METADATA_ERRORS as error:
            raise Rejected("malformed", "a root cannot be read") from error

    def fetch(self) -> Fetch:
        """Return a function that fetches from this set."""
        return files_fetch(self.files)
