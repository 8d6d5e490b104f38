"""The `dev` ceremony: a complete development federation in one folder, every key of every member in one hand.

Never for real use: a real federation exists because nobody holds everybody's keys.
"""

import json
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from paiza_cli.exit_codes import ExitCode
from paiza_register.ceremony.federation_file import federation_file
from paiza_register.documents import MAX_MEMBERS
from paiza_register.verified_set import FEDERATION as FEDERATION_FILE
from paiza_trust.errors import TrustError
from paiza_trust.files import make_private_folder, write_private
from paiza_trust.language import N_
from paiza_trust.member import OFFICERS, Plan, create_member
from paiza_trust.reference_source import OURS, legal_base_titles, member_documents, shared_documents
from paiza_trust.repository import Signers, generate_signers, publish, publish_root
from paiza_wire.identity import FEDERATION_NAME, MEMBER_ID

FEDERATION: Final = "paiza.example"
"""The default name: `.example` can never be a real domain (RFC 2606)."""

BASE_PORT: Final = 7401
"""Port of the first member's node; the others follow in the order given."""

LEGAL_BASES: Final[Mapping[str, Mapping[str, str]]] = {
    "exercise-agreement": {
        "ru": "Учебное соглашение (вымышленное)",
        "en": "Exercise agreement (fictional)",
    },
    "un-1988-art-9": {
        "ru": "Конвенция ООН 1988 года, статья 9 (другие формы сотрудничества и подготовка кадров)",
        "en": "UN Convention of 1988, Article 9 (other forms of co-operation and training)",
    },
}
"""Legal bases that officers of a development federation may name beside those of the reference data."""


@dataclass(frozen=True)
class Created:
    """The result of `create`."""

    folder: Path
    federation: str
    members: Sequence[str]
    ports: Mapping[str, int]
    threshold: int
    custodians: int
    profiles: Sequence[str]
    seconds: float


def create(
    folder: Path,
    members: Sequence[str],
    *,
    federation: str = FEDERATION,
    base_port: int = BASE_PORT,
    now: datetime | None = None,
    passphrase: bytes | None = None,
    agreements: Mapping[str, str] | None = None,
) -> Created:
    """Make a federation in a folder that is empty or not there yet: all of it or nothing.

    ``agreements``: Cedar text by name, published as ``agreement-<name>.cedar``. ``passphrase`` encrypts the officers'
    keys. The reference data that come with the program are published too.
    """
    started = time.monotonic()
    _check(folder, members, federation, base_port)
    moment = now or datetime.now(UTC)
    make_private_folder(folder.absolute().parent)
    building = Path(tempfile.mkdtemp(prefix=".paiza-new-", dir=folder.absolute().parent))
    try:
        signers = generate_signers(members, building / "register-keys")
        register = building / "register"
        write_private(building / "root.json", publish_root(register, signers, moment))
        documents = dict(shared_documents(OURS))
        for name, text in (agreements or {}).items():
            documents[f"agreement-{name}.cedar"] = text.encode()
        for at, member in enumerate(members):
            documents |= create_member(
                Plan(member, federation, base_port + at, moment, folder=building, home=folder, passphrase=passphrase)
            )
            documents |= member_documents(OURS, member)
        own = [json.loads(documents[f"members/{member}/member.json"]) for member in members]
        documents[FEDERATION_FILE] = _federation_file(federation, signers, own)
        publish(register, signers, documents, version=1, now=moment)
        # Nothing stands at the folder's name before all of it does: a rename replaces an empty folder.
        building.rename(folder.absolute())
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    return Created(
        folder=folder,
        federation=federation,
        members=tuple(members),
        ports={member: base_port + at for at, member in enumerate(members)},
        threshold=signers.threshold,
        custodians=len(signers.custodians),
        profiles=tuple(f"{member}-{officer}" for member in members for officer in OFFICERS),
        seconds=time.monotonic() - started,
    )


def _check(folder: Path, members: Sequence[str], federation: str, base_port: int) -> None:
    if not members:
        raise _usage(N_("No members"), "--members", N_("Name at least one, for example kaz,tjk."))
    if len(members) > MAX_MEMBERS:
        raise _usage(N_("Too many members"), "--members", N_("Name fewer."))
    for member in members:
        if not MEMBER_ID.fullmatch(member) or member.startswith("xn--"):
            raise _usage(
                N_("Not a member id"), f"--members {member}", N_("An id is 2 to 16 of a-z, 0-9 and -, a letter first.")
            )
    if len(set(members)) != len(members):
        raise _usage(N_("A member is named twice"), "--members", N_("Name each member once."))
    if not FEDERATION_NAME.fullmatch(federation):
        raise _usage(
            N_("Not a federation's name"), f"--federation {federation}", N_("Use a lower-case DNS name of two labels.")
        )
    if not 0 < base_port <= 65536 - len(members):
        raise _usage(
            N_("No such ports"), f"--base-port {base_port}", N_("Choose a lower port; all must fit below 65536.")
        )
    if folder.is_symlink() or (folder.exists() and (not folder.is_dir() or any(folder.iterdir()))):
        raise TrustError(
            "folder_not_empty",
            N_("The folder is not empty; nothing is overwritten"),
            str(folder),
            N_("Name an empty folder or one that does not exist."),
        )


def _usage(what: str, where: str, remedy: str) -> TrustError:
    return TrustError("usage", what, where, remedy, ExitCode.USAGE)


def _federation_file(federation: str, signers: Signers, members: Sequence[Mapping[str, Any]]) -> bytes:
    return federation_file(
        federation,
        {"ru": "Учебная федерация (вымышленная)", "en": "Exercise federation (fictional)"},
        members,
        custodians={member: signer.public_key for member, signer in signers.custodians.items()},
        publishers={member: signer.public_key for member, signer in signers.publishers.items()},
        reference={member: signer.public_key for member, signer in signers.reference.items()},
        legal_bases={**legal_base_titles(OURS), **LEGAL_BASES},
    )
