"""An issuer and all that a node has to ask it with: a register, a log that others cosign, an officer's keys.

    asking = Asking(folder)
    entry = asking.invite("petrov")
    asking.issuer.issue_officer(asking.enrolment(entry))

The register, the keys and the log are real; nothing runs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from paiza.core.v1 import enrolment_pb2, log_pb2
from paiza.issuer.v1 import issuer_pb2
from paiza_node.ops.issuer.issue import Issuer
from paiza_node.ops.issuer.journal import Issued, Journal, begin_journal
from paiza_register import RegisterReader, roles
from paiza_register.ceremony.federation_file import to_json
from paiza_register.ceremony.publication import publication
from paiza_register.documents import FORMAT
from paiza_register.tuf_workflow import root_path
from paiza_wire import log_entries
from paiza_wire.identity import SpiffeId, certificates, keys, statements
from paiza_wire.tlog import checkpoint as checkpoints
from paiza_wire.tlog import merkle
from paiza_wire.tlog.checkpoint import Checkpoint
from paiza_wire.tlog.cosignatures import WitnessSigner, add_signatures, cosign
from paiza_wire.tlog.notes import SignerKey
from tests.unit.paiza_register.ceremony.world import FEDERATION, Applicant, World

MEMBER: Final = "kaz"
WITNESS: Final = "tjk"


class GrowingLog:
    """A log whose entries are kept whole, with proofs by the plain algorithms of RFC 9162."""

    def __init__(self, origin: str, key: Any) -> None:
        self.origin = origin
        self.signer = SignerKey.from_ed25519(origin, key)
        self.entries: list[bytes] = []

    def append(self, entry: log_pb2.LogEntry, now: datetime) -> int:
        """Append an entry as the ledger does; return its index."""
        entry.salt = bytes(16)
        entry.entry_time.FromDatetime(now)
        entry.register_version = bytes(32)
        self.entries.append(entry.SerializeToString(deterministic=True))
        return len(self.entries) - 1

    def note(self) -> bytes:
        """Sign a checkpoint of the whole log."""
        return checkpoints.sign(Checkpoint(self.origin, len(self.entries), root(self._leaves())), self.signer)

    def inclusion(self, index: int) -> list[bytes]:
        """Prove an entry to the whole log."""
        return inclusion(index, self._leaves())

    def consistency(self, size: int) -> list[bytes]:
        """Prove that the whole log grew from a size; empty from 0 and from its own."""
        return consistency(size, self._leaves()) if 0 < size < len(self.entries) else []

    def _leaves(self) -> list[bytes]:
        return [merkle.leaf_hash(each) for each in self.entries]


@dataclass
class OfficerKeys:
    """Both keys of an officer."""

    name: str
    authentication: Any = field(default_factory=keys.generate_p256)
    signing: Any = field(default_factory=keys.generate_p256)

    @property
    def id(self) -> SpiffeId:
        """Return the id that both requests ask for."""
        return SpiffeId(MEMBER, FEDERATION, "officer", self.name)

    @property
    def requests(self) -> tuple[bytes, bytes]:
        """Return both signing requests."""
        return certificates.create_csr(self.id, self.authentication), certificates.create_csr(self.id, self.signing)


class Asking:
    """A federation of three, the issuer of one member, and that member's log."""

    def __init__(self, folder: Path, administrators: Sequence[Any] = (), world: World | None = None) -> None:
        folder.mkdir(exist_ok=True)
        begin_journal(folder / "journal.jsonl")
        self.folder = folder
        self.world = world or World(MEMBER, WITNESS, "uzb")
        self.now = self.world.now + timedelta(minutes=1)
        self.administrators = administrators
        own = self.applicant
        self.log = GrowingLog(own.document["log_keys"][-1]["origin"], own.log)
        self.statements: dict[int, bytes] = {}
        self.start()

    def start(self) -> None:
        """Start the issuer, or start it again, with the newest register."""
        self.reader = RegisterReader(self.folder / "register", self.world.held.files[root_path(1)])
        self.reader.accept(self.world.held.files, self.now, outdated=True)
        self.issuer = Issuer(
            MEMBER,
            self.reader,
            Journal(self.folder / "journal.jsonl"),
            {"node": self.applicant.cas["node"], "officer": self.applicant.cas["officer"]},
            [key.public_key() for key in self.administrators],
            lambda: self.now,
        )

    @property
    def applicant(self) -> Applicant:
        """Return the member with its keys."""
        return self.world.members[MEMBER]

    def invite(self, name: str, **changes: Any) -> int:
        """Log an invitation; return the index of its entry. ``changes`` are other values of the statement."""
        statement = enrolment_pb2.InvitationStatement(
            officer_id=str(SpiffeId(MEMBER, FEDERATION, "officer", name)),
            roles=["liaison"],
            unit="border-service",
            secret_sha256=sha256(b"secret").digest(),
            salt=bytes(16),
        )
        statement.expiry_time.FromDatetime(self.now + timedelta(hours=24))
        for attribute, value in changes.items():
            setattr(statement, attribute, value)
        data = statement.SerializeToString(deterministic=True)
        return self._logged(
            log_entries.officer_invited(actor="os-user:root", invitation_sha256=sha256(data).digest()), data
        )

    def ask_renewal(self, new: OfficerKeys, **changes: Any) -> int:
        """Log an officer's request for new certificates; return the index of its entry."""
        authentication, signing = new.requests
        statement = enrolment_pb2.RenewalStatement(
            officer_id=str(new.id), authentication_request=authentication, signing_request=signing, salt=bytes(16)
        )
        statement.request_time.FromDatetime(self.now)
        for attribute, value in changes.items():
            setattr(statement, attribute, value)
        data = statement.SerializeToString(deterministic=True)
        return self._logged(log_entries.officer_renewal(actor=str(new.id), request_sha256=sha256(data).digest()), data)

    def announce(self, key: Any, kind: str = "tls") -> int:
        """Log the announcement of a key; return the index of its entry."""
        entry = log_entries.key_announced(
            actor="os-user:root", key_sha256=keys.fingerprint(key.public_key()), kind=kind
        )
        return self.log.append(entry, self.now)

    def _logged(self, entry: log_pb2.LogEntry, statement: bytes) -> int:
        index = self.log.append(entry, self.now)
        self.statements[index] = statement
        return index

    def witnessed(
        self, index: int, *, witnesses: Sequence[str] = (WITNESS,), log: GrowingLog | None = None
    ) -> issuer_pb2.WitnessedEntry:
        """Prove an entry to a note that these members cosigned, grown from the one that the issuer knows."""
        shown = self.log if log is None else log
        note = shown.note()
        verified = checkpoints.verify(note, [shown.signer.verifier_key], shown.origin)
        signers = (WitnessSigner.from_private_key(*self._witness(member)) for member in witnesses)
        cosigned = add_signatures(note, [cosign(verified, signer, self.now) for signer in signers])
        return issuer_pb2.WitnessedEntry(
            proven=log_pb2.ProvenEntry(
                entry=shown.entries[index], index=index, inclusion_hashes=shown.inclusion(index)
            ),
            note=cosigned,
            consistency_hashes=shown.consistency(self.issuer.state().log_size),
        )

    def _witness(self, member: str) -> tuple[str, Any]:
        applicant = self.world.members[member]
        return applicant.document["witness_keys"][-1]["name"], applicant.witness

    def enrolment(
        self, index: int, officer: OfficerKeys, signatures: Sequence[bytes] = ()
    ) -> issuer_pb2.IssueOfficerRequest:
        """Ask for the certificates of an invited officer."""
        authentication, signing = officer.requests
        return issuer_pb2.IssueOfficerRequest(
            entry=self.witnessed(index),
            enrolment=issuer_pb2.Enrolment(
                statement=self.statements[index],
                authentication_request=authentication,
                signing_request=signing,
                administrator_signatures=signatures,
            ),
        )

    def confirm(self, issued: Issued) -> int:
        """Log the confirmation of a pair; return the index of its entry."""
        authentication, signing = (sha256(each).digest() for each in issued.certificates)
        entry = log_entries.officer_confirmed(
            actor="os-user:root",
            authentication_certificate_sha256=authentication,
            signing_certificate_sha256=signing,
        )
        return self.log.append(entry, self.now)

    def renewal(
        self, index: int, old: OfficerKeys, certificate: bytes, confirmed: int | None = None
    ) -> issuer_pb2.IssueOfficerRequest:
        """Ask for new certificates, signed with the old key; ``confirmed`` is the entry that confirmed the old pair."""
        statement = self.statements[index]
        return issuer_pb2.IssueOfficerRequest(
            entry=self.witnessed(index),
            renewal=issuer_pb2.Renewal(
                statement=statement,
                signing_certificate=certificate,
                signature=statements.sign_renewal(old.signing, statement),
                confirmed=None if confirmed is None else self.witnessed(confirmed).proven,
            ),
        )

    def certification(self, index: int, key: Any) -> issuer_pb2.IssueNodeRequest:
        """Ask for a node certificate."""
        csr = certificates.create_csr(SpiffeId(MEMBER, FEDERATION, "node"), key)
        return issuer_pb2.IssueNodeRequest(entry=self.witnessed(index), request=csr)

    def revoke(self, certificate_sha256: bytes, key_sha256: bytes) -> None:
        """Revoke a certificate and a key; the issuer gets the new register."""
        revoked = {"certificate_sha256": certificate_sha256.hex(), "key_sha256": key_sha256.hex()}
        listed = to_json({"format": FORMAT, "certificates": [revoked]})
        path = f"members/{MEMBER}/revoked.json"
        self.world.decide(
            publication(roles.node_role_of(MEMBER), {path: listed}, self.world.base, self.world.now), (MEMBER,)
        )
        self.now = self.world.now + timedelta(minutes=1)
        self.issuer.update_register(self.world.held.files)


def root(leaves: Sequence[bytes]) -> bytes:
    """Compute the root (RFC 9162 section 2.1.1)."""
    if not leaves:
        return merkle.EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0]
    middle = _split(len(leaves))
    return merkle.node_hash(root(leaves[:middle]), root(leaves[middle:]))


def inclusion(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """Compute an inclusion proof (RFC 9162 section 2.1.3.1)."""
    if len(leaves) == 1:
        return []
    middle = _split(len(leaves))
    if index < middle:
        return [*inclusion(index, leaves[:middle]), root(leaves[middle:])]
    return [*inclusion(index - middle, leaves[middle:]), root(leaves[:middle])]


def consistency(size: int, leaves: Sequence[bytes], *, whole: bool = True) -> list[bytes]:
    """Compute a consistency proof (RFC 9162 section 2.1.4.1)."""
    if size == len(leaves):
        return [] if whole else [root(leaves)]
    middle = _split(len(leaves))
    if size <= middle:
        return [*consistency(size, leaves[:middle], whole=whole), root(leaves[middle:])]
    return [*consistency(size - middle, leaves[middle:], whole=False), root(leaves[:middle])]


def _split(size: int) -> int:
    return 1 << (size - 1).bit_length() - 1
