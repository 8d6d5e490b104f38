"""The `dev` ceremony: a complete development federation in one folder, every key of every member in one hand.

Never for real use: a real federation exists because nobody holds everybody's keys. It is founded by the same functions
as a real one, and only by these: each member's node folder is made and its application with it, all custodians sign the
founding, it is published, and every node joins. The keys are under no passphrase.
"""

import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

from paiza_cli.exit_codes import ExitCode
from paiza_register.ceremony import Application, Founding, Proposal
from paiza_register.ceremony.founding import found
from paiza_register.documents import MAX_MEMBERS
from paiza_register.joining import DIGESTS, join
from paiza_register.node_folder import NewNode, make_node_folder
from paiza_register.register_file import RegisterFile
from paiza_trust import signing
from paiza_trust.apply import CLASSIFICATION_CEILING, NodeFolder, apply
from paiza_trust.errors import TrustError
from paiza_trust.exercise_directory import exercise_directory
from paiza_trust.exercise_officers import OFFICERS, Issuer, create_officers
from paiza_trust.files import make_private_folder, write_private
from paiza_trust.key_folder import SETTINGS, UNSEALED, KeyFolder
from paiza_trust.language import N_
from paiza_trust.names import names_of
from paiza_trust.publishing import publish
from paiza_trust.reference_source import OURS, legal_base_titles, member_documents, shared_documents
from paiza_wire.identity import FEDERATION_NAME, MEMBER_ID

FEDERATION: Final = "paiza.example"
"""The default name: `.example` can never be a real domain (RFC 2606)."""

BASE_PORT: Final = 7401
"""Port of the first member's node; the others follow in the order given."""

MAX_SOCKET_PATH_BYTES: Final = 107
"""Longest path of a Unix socket: `sockaddr_un` has 108 bytes, one of them the closing zero."""

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
    exercise: bool = False,
) -> Created:
    """Make a federation in a folder that is empty or not there yet: all of it or nothing.

    ``agreements``: Cedar text by name, published as ``agreement-<name>.cedar``. ``passphrase`` encrypts the officers'
    keys. ``exercise``: all messages are marked as exercises. The reference data that come with the program are
    published too.
    """
    started = time.monotonic()
    _check(folder, members, federation, base_port)
    moment = (now or datetime.now(UTC)).replace(microsecond=0)
    ports = {member: base_port + at for at, member in enumerate(members)}
    make_private_folder(folder.absolute().parent)
    building = Path(tempfile.mkdtemp(prefix=".paiza-new-", dir=folder.absolute().parent))
    try:
        made = [_create_member(building, folder, member, federation, ports, moment) for member in ports]
        act = _founding([each.application for each in made], agreements or {}, moment, exercise=exercise)
        proposal = Proposal(act)
        for each in made:
            proposal = signing.sign(each.keys, signing.find_keys(each.keys, proposal), proposal, moment)
        register = publish(proposal, made[0].node, moment)
        write_private(building / "founding.register", register.to_bytes())
        write_private(building / "root.json", register.first_root)
        _join(register, [each.node.folder for each in made], moment)
        for each in made:
            authority = each.application.own.authority
            issuer = Issuer(authority, each.address, each.keys, register.first_root, passphrase)
            create_officers(issuer, each.node.folder, building / "home", moment)
        # Nothing stands at the folder's name before all of it does: a rename replaces an empty folder.
        building.rename(folder.absolute())
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    return Created(
        folder=folder,
        federation=federation,
        members=tuple(members),
        ports=ports,
        threshold=act.threshold,
        custodians=len(made),
        profiles=tuple(f"{member}-{officer}" for member in members for officer in OFFICERS),
        seconds=time.monotonic() - started,
    )


@dataclass(frozen=True)
class _Member:
    """A member that has applied: its node, where that serves, and its own keys."""

    address: str
    node: NodeFolder
    keys: KeyFolder
    application: Application


def _create_member(
    building: Path, home: Path, member: str, federation: str, ports: Mapping[str, int], now: datetime
) -> _Member:
    """Make a member's node folder below ``building``, which will be moved to ``home``, and its keys and application."""
    folder, address = building / "nodes" / member, f"127.0.0.1:{ports[member]}"
    make_private_folder(folder)
    socket = _admin_socket(home, member)
    make_node_folder(folder, NewNode(member, federation, address, [address], socket), None, now)
    trust = building / "trust" / member
    write_private(trust / SETTINGS, UNSEALED.encode())
    node, keys = NodeFolder.open(folder), KeyFolder(trust)
    documents = {**member_documents(OURS, member), **exercise_directory(member, list(ports), now)}
    application = apply(node, keys, names_of(member), CLASSIFICATION_CEILING, now, documents)
    return _Member(address, node, keys, application)


def _founding(
    applications: Sequence[Application], agreements: Mapping[str, str], now: datetime, *, exercise: bool
) -> Founding:
    """Propose that more than half of the custodians decide."""
    names = {"ru": "Учебная федерация (вымышленная)", "en": "Exercise federation (fictional)"}
    legal_bases = {**legal_base_titles(OURS), **LEGAL_BASES}
    own = {f"agreement-{name}.cedar": text.encode() for name, text in agreements.items()}
    documents = {**shared_documents(OURS), **own}
    return found(names, len(applications) // 2 + 1, applications, documents, legal_bases, now, exercise=exercise)


def _join(register: RegisterFile, nodes: Sequence[Path], now: datetime) -> None:
    """Join every node. They are on one machine, so that what the first one verified and stored is copied to the others.

    Each would verify the same bytes again and wait for the disk at each file.
    """
    first, *others = nodes
    make_private_folder(first / "data")
    join(register, first / "data/register", first / "root.json", now)
    for other in others:
        make_private_folder(other / "data")
        shutil.copytree(first / "data/register", other / "data/register")
        for name in ("root.json", DIGESTS):
            write_private(other / name, (first / name).read_bytes())


def _admin_socket(home: Path, member: str) -> str:
    """Return the admin socket: in the data folder or, where that path would be too long, in the temporary folder."""
    if len(bytes(home.absolute() / "nodes" / member / "data/admin.sock")) <= MAX_SOCKET_PATH_BYTES:
        return "data/admin.sock"
    unique = sha256(bytes(home.absolute())).hexdigest()[:16]
    return str(Path(tempfile.gettempdir()) / f"paiza-{unique}-{member}" / "admin.sock")


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
