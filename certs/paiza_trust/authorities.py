"""The CAs in a member's key folder: `node-ca` and `officer-ca`, the ones that followed them, and the next ones.

A CA is a key, on a token or in a file, and the certificate beside it. The next CA of a role has the next number:
`node-ca-2`. Which of them count, and until when, is announced in the register.
"""

import ssl
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Final

from paiza_cli.exit_codes import ExitCode
from paiza_register.node_folder import BACKDATED
from paiza_trust.errors import TrustError
from paiza_trust.files import write_private
from paiza_trust.key_folder import KeyFolder
from paiza_trust.language import N_
from paiza_wire.errors import Rejected
from paiza_wire.identity import Role, certificates, load_certificate
from paiza_wire.identity.certificate_profiles import check_ca_profile

AUTHORITY_LIFE: Final = timedelta(days=3 * 365)
"""A member's CAs: longer than what they issue, so that renewing a certificate does not wait for a new CA."""


@dataclass(frozen=True)
class Authority:
    """A CA of the folder: the name of its key, and its certificate (DER)."""

    name: str
    certificate: bytes


def newest(folder: Path, role: Role, now: datetime | None = None) -> Authority:
    """Return the newest CA of a role; with a time, the newest that has begun by then."""
    held = list(_held(folder, role))
    begun = [each for each in held if now is None or load_certificate(each.certificate).not_valid_before_utc <= now]
    found = begun or held
    if not found:
        what, remedy = N_("There is no CA here"), N_("Name the folder that `apply` made, with --keys.")
        where = str(folder / f"{role}-ca.crt")
        raise TrustError("file_unreadable", what, where, remedy, ExitCode.UNAVAILABLE)
    return found[-1]


def open_or_make(folder: KeyFolder, member: str, federation: str, role: Role, now: datetime) -> Authority:
    """Return the newest CA of a role; the first one is made if there is none."""
    held = [*_held(folder.folder, role)]
    return held[-1] if held else _make(folder, member, federation, role, now - BACKDATED)


def make_next(
    folder: KeyFolder, member: str, federation: str, role: Role, begins: datetime, known: Collection[bytes]
) -> Authority:
    """Return the newest CA if it is not among the published ones, else make the next one, which begins then.

    So a crash leaves one that was not published, and not several. ``TrustError`` if the folder is another member's.
    """
    last = newest(folder.folder, role)
    try:
        check_ca_profile(load_certificate(last.certificate), member, federation, role)
    except Rejected as error:
        what, remedy = (
            N_("The CA in this folder is not one of {member} ({detail})"),
            N_("Name the member's own folder."),
        )
        where, values = str(folder.folder / f"{last.name}.crt"), {"member": member, "detail": error.detail}
        raise TrustError("wrong_member", what, where, remedy, values=values) from error
    if last.certificate not in known and load_certificate(last.certificate).not_valid_after_utc > begins:
        return last
    return _make(folder, member, federation, role, begins)


def _make(folder: KeyFolder, member: str, federation: str, role: Role, first: datetime) -> Authority:
    name = next(each for each in _names(role) if not (folder.folder / f"{each}.crt").exists())
    key = folder.make_authority(name)
    made = certificates.issue_ca(member, federation, role, key, not_before=first, not_after=first + AUTHORITY_LIFE)
    write_private(folder.folder / f"{name}.crt", ssl.DER_cert_to_PEM_cert(made).encode())
    return Authority(name, made)


def _names(role: Role) -> Iterator[str]:
    yield f"{role}-ca"
    yield from (f"{role}-ca-{number}" for number in count(2))


def _held(folder: Path, role: Role) -> Iterator[Authority]:
    for name in _names(role):
        path = folder / f"{name}.crt"
        if not path.exists():
            return
        try:
            certificate = ssl.PEM_cert_to_DER_cert(path.read_text("ascii"))
            load_certificate(certificate)
        except (ValueError, Rejected) as error:
            what, remedy = N_("This is no certificate in PEM"), N_("Restore the file.")
            raise TrustError("bad_certificate", what, str(path), remedy) from error
        yield Authority(name, certificate)
