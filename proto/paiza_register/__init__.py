"""Who is who: reads the register into one typed view and archives every verified set. No gRPC.

The register is a TUF repository. `RegisterReader` keeps it up to date through a fetch function it is given;
`load_set` verifies one whole set of files by itself, as evidence needs it; both end in the same `Register`.
"""

from paiza_register.model import EncryptionKey, LogKey, Member, Register
from paiza_register.reader import FetchMissing, RegisterReader, folder_fetch
from paiza_register.verified_set import GRACE, load_set

__all__ = [
    "GRACE",
    "EncryptionKey",
    "FetchMissing",
    "LogKey",
    "Member",
    "Register",
    "RegisterReader",
    "folder_fetch",
    "load_set",
]
