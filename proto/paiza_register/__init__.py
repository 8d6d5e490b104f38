"""The register of the federation: parsing into one typed view, and an archive of verified sets. No gRPC.

The register is a TUF repository. `RegisterReader` keeps it up to date through a fetch function;
`load_set` verifies one whole set of files, for example from evidence. Both return a `Register`.
"""

from paiza_register.fetch import Fetch, FetchMissing, files_fetch
from paiza_register.model import EncryptionKey, LogKey, Member, Register, WitnessKey
from paiza_register.open_set import load_set
from paiza_register.reader import RegisterReader

__all__ = [
    "EncryptionKey",
    "Fetch",
    "FetchMissing",
    "LogKey",
    "Member",
    "Register",
    "RegisterReader",
    "WitnessKey",
    "files_fetch",
    "load_set",
]
