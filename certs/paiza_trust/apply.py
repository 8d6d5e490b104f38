"""Makes a member's own keys, and of them and its node's folder its application (`application`).

The node's folder is what `paiza-node init` made. The member's own keys lie in a key folder apart (`key_folder`), where
the member's trust officer keeps them: pairs ``custodian-<member>``, ``member-<member>`` and ``reference-<member>``, and
the CAs ``node-ca`` and ``officer-ca``, each with its certificate. What is there already is used, never replaced: a key
named by a URI stays on its token, and a second application is one of the same keys.
"""

import json
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

from securesystemslib.signer import CryptoSigner

from paiza_cli.exit_codes import ExitCode
from paiza_cli.toml_text import parse_toml
from paiza_register import roles
from paiza_register.archive import Archive
from paiza_register.ceremony.application import PAIRS, Application, Known
from paiza_register.ceremony.application import apply as application_of
from paiza_register.ceremony.base import Base
from paiza_register.ceremony.federation_file import to_json
from paiza_register.ceremony.member_file import ca_entry
from paiza_register.ceremony.times import read_time
from paiza_register.documents import FORMAT
from paiza_register.node_folder import BACKDATED, log_key_file, log_key_files, witness_key_file
from paiza_register.register_file import RegisterFile
from paiza_trust import authorities
from paiza_trust.errors import TrustError, from_wire
from paiza_trust.files import replace_private
from paiza_trust.key_folder import KeyFolder
from paiza_trust.language import N_
from paiza_wire.errors import PaizaError, Rejected
from paiza_wire.identity import (
    CertificateAuthority,
    MemberAuthority,
    Role,
    SpiffeId,
    certificates,
    check_authority,
    keys,
)
from paiza_wire.identity.private_keys import ED25519, MLDSA44, X_WING
from paiza_wire.message import key_wrapping
from paiza_wire.tlog.cosignatures import WitnessSigner
from paiza_wire.tlog.notes import SignerKey

CERTIFICATE_LIFE: Final = timedelta(days=365)
"""Node and officer certificates."""

CLASSIFICATION_CEILING: Final = 1
"""Restricted; what is classified needs an agreement of its own."""

_ROLES: Final[tuple[Role, ...]] = ("node", "officer")
_NOTHING_REVOKED: Final = to_json({"format": FORMAT, "certificates": []})
_SNAPSHOT: Final = re.compile(r"metadata/([0-9]+)\.snapshot\.json")


@dataclass(frozen=True)
class NodeFolder:
    """The folder that `paiza-node init` made: who the node is, its keys, and its part of member.json."""

    folder: Path
    member: str
    federation: str
    keys: KeyFolder
    document: Mapping[str, Any]
    csr: bytes
    data: Path

    @classmethod
    def open(cls, folder: Path) -> "NodeFolder":
        """Read a node's folder; ``TrustError`` if it is none."""
        try:
            settings = parse_toml((folder / "node.toml").read_bytes())
            document = dict(json.loads((folder / "member.json").read_bytes()).items())
            member, federation = str(settings["member"]), str(settings["federation"])
            csr = certificates.csr_from_pem((folder / "node.csr").read_bytes())
        except OSError as error:
            what, remedy = N_("The node's folder cannot be read: {error}"), N_("Name a folder that `init` made.")
            where = str(error.filename or folder)
            values = {"error": error.strerror or ""}
            raise TrustError("file_unreadable", what, where, remedy, ExitCode.UNAVAILABLE, values) from error
        except (ValueError, KeyError, TypeError, AttributeError, Rejected) as error:
            raise _no_node(folder) from error
        data = folder / str(settings.get("data", "data"))
        return cls(folder, member, federation, node_keys(folder, settings), document, csr, data)


def node_keys(folder: Path, settings: Mapping[str, Any]) -> KeyFolder:
    """Return the key folder of a node, opened as its node.toml says."""
    own: dict[str, object] = {"sealed": settings.get("sealed", True)}
    if settings.get("passphrase_file"):
        own["passphrase_file"] = str((folder / str(settings["passphrase_file"])).absolute())
    return KeyFolder(folder / str(settings.get("keys", "keys")), own, folder / "node.toml")


def apply(
    node: NodeFolder,
    own: KeyFolder,
    names: Mapping[str, str],
    ceiling: int,
    now: datetime,
    documents: Mapping[str, bytes],
    *,
    revocations_anew: bool = False,
) -> Application:
    """Make the keys that are missing and return the application; the node's certificate is written into its folder.

    ``documents`` are what the member publishes of its practice, by target path. An application continues what the
    newest register in the node's archive knows of the member, if there is one, its liaison officers included; but for
    ``revocations_anew``, which custodians admit under a new pair of the node for revocations alone.
    ``TrustError`` names the file of a key that the application would publish and that the node's folder does not hold.
    """
    member, time = node.member, now.astimezone(UTC).replace(microsecond=0)
    known = _known(node)
    log_key, witness_key = _check_halves(node, known, time)
    pairs = {name: own.make_pair(f"{name}-{member}") for name in PAIRS if name != "revocations"}
    pairs["revocations"] = node.keys.pair("revocations")
    publisher = CryptoSigner(node.keys.key("publisher.key", MLDSA44))
    held = {role: authorities.open_or_make(own, member, node.federation, role, time) for role in _ROLES}
    ca_keys = {role: own.authority(ca.name) for role, ca in held.items()}
    announced = {role: (CertificateAuthority.of(ca.certificate),) for role, ca in held.items()}
    check_authority(MemberAuthority(member, node.federation, announced["node"], announced["officer"]))
    document = {
        **node.document,
        "format": FORMAT,
        "id": member,
        "names": dict(names),
        "node_cas": [ca_entry(ca) for ca in announced["node"]],
        "officer_cas": [ca_entry(ca) for ca in announced["officer"]],
        "classification_ceiling": ceiling,
    }
    nothing = {f"members/{member}/revoked.json": _NOTHING_REVOKED}
    files = {
        **(nothing if known is None else {**known.files, **nothing} if revocations_anew else known.files),
        f"members/{member}/member.json": to_json(document if known is None else known.joined(document, time)),
        **documents,
    }
    provers = {
        **{f"{role}_ca": partial(keys.sign, key) for role, key in ca_keys.items()},
        "log": partial(keys.sign, log_key.private_key),
        "witness": partial(keys.sign_mldsa44, witness_key.private_key),
    }
    application = application_of(
        node.federation, member, time, files, {**pairs, "publisher": publisher}, provers, known
    )
    replace_private(node.keys.folder / "tls.crt", _node_certificate(node, own, time))
    return application


def _check_halves(node: NodeFolder, known: Known | None, time: datetime) -> tuple[SignerKey, WitnessSigner]:
    """Refuse to publish a key whose private half the node's folder lacks: what others seal for it would be lost.

    Return the newest key of the log and that of the witness, as the register knows them.
    """
    folder = node.keys.folder
    if not (folder / "publisher.key").exists():
        raise _lacking(folder / "publisher.key")
    seeds = [node.keys.key(path.name, X_WING) for path in sorted(folder.glob("encryption*.seed"))]
    held = {key_wrapping.private_key_from_seed(seed).public_key.key_id.hex() for seed in seeds}
    try:
        listed = node.document if known is None else known.joined(node.document, time)
        log, witness = listed["log_keys"][-1], listed["witness_keys"][-1]
        files, witness_file = log_key_files(folder, log["origin"]), witness_key_file(folder, witness["name"])
        wanted = [each["key_id"] for each in node.document["encryption_keys"] if read_time(each["not_after"]) >= time]
    except (LookupError, TypeError, AttributeError, ValueError, Rejected) as error:
        raise _no_node(node.folder) from error
    if not held.issuperset(wanted):
        raise _lacking(folder / "encryption.seed")
    if not witness_file.exists():
        raise _lacking(witness_file)
    witness_key = WitnessSigner.from_private_key(witness["name"], node.keys.key(witness_file.name, MLDSA44))
    if witness_key.witness_key.to_vkey() != witness["vkey"]:
        raise _lacking(witness_file)
    for path in files:
        log_key = SignerKey.from_ed25519(log["origin"], node.keys.key(path.name, ED25519))
        if log_key.verifier_key.to_vkey() == log["vkey"]:
            return log_key, witness_key
    raise _lacking(log_key_file(folder, log["origin"]))


def _lacking(file: Path) -> TrustError:
    what = N_("The node's folder does not hold the private half of a key that the application would publish")
    remedy = N_("Restore the file from a backup; if it is lost, make the node's folder anew with `paiza-node init`.")
    return TrustError("bad_key", what, str(file), remedy)


def _no_node(folder: Path) -> TrustError:
    what = N_("This is no folder of a node as `paiza-node init` makes it")
    return TrustError("malformed", what, str(folder), N_("Name a folder that `init` made."))


def _known(node: NodeFolder) -> Known | None:
    """Return what the newest register that has the member knows of it; None if the node's archive holds no such one.

    The member may have been removed in later ones. The register is verified again.
    """
    folder = node.data / "register"
    if not folder.exists():
        return None
    archive, found = Archive(folder), list[tuple[int, bytes]]()
    own = re.compile(rf"metadata/[0-9]+\.{re.escape(roles.node_role_of(node.member))}\.json")
    for version in archive.versions():
        paths = list(archive.files(version) or {})
        if any(own.fullmatch(path) for path in paths):
            found += [(int(named[1]), version) for path in paths if (named := _SNAPSHOT.fullmatch(path))]
    try:
        for _number, version in sorted(found, reverse=True):
            base = Base.verify(RegisterFile(archive.files(version) or {}), None)
            if node.member not in base.removed:
                return Known.of(node.member, base)
    except PaizaError as error:
        raise from_wire(error, str(folder)) from error
    return None


def certificate_expiry(time: datetime) -> datetime:
    """Return when a node's certificate expires that is issued at this time."""
    return time - BACKDATED + CERTIFICATE_LIFE


def _node_certificate(node: NodeFolder, own: KeyFolder, time: datetime) -> bytes:
    ca, begin = authorities.newest(own.folder, "node", time), time - BACKDATED
    made = certificates.issue_node(
        node.csr,
        ca.certificate,
        own.authority(ca.name),
        spiffe_id=SpiffeId(node.member, node.federation, "node"),
        not_before=begin,
        not_after=certificate_expiry(time),
    )
    return ssl.DER_cert_to_PEM_cert(made).encode()
