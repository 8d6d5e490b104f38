"""Members of a federation that make applications and decide on acts, all in memory; keys are made in milliseconds."""

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from securesystemslib.signer import CryptoSigner

from paiza_register import roles
from paiza_register.ceremony import Application, Base, Change, Circumstances, Proposal, Publication, application
from paiza_register.ceremony.application import Known
from paiza_register.ceremony.change import change
from paiza_register.ceremony.federation_file import to_json
from paiza_register.ceremony.founding import found
from paiza_register.ceremony.member_file import ca_entry
from paiza_register.documents import FORMAT
from paiza_register.open_set import OpenSet, Versions
from paiza_register.pair_key import PairSigner
from paiza_register.publishing import composed, described_roles, published
from paiza_register.register_file import RegisterFile
from paiza_register.tuf_workflow import root_path
from paiza_wire.identity import CertificateAuthority, certificates, keys
from paiza_wire.identity.pair import PairPrivateKey
from paiza_wire.message import key_wrapping
from paiza_wire.tlog.cosignatures import WitnessSigner
from paiza_wire.tlog.notes import SignerKey

FEDERATION = "pilot.example"
NOW = datetime(2026, 11, 3, 12, tzinfo=UTC)
DAY = timedelta(days=1)
BY_HAND = Circumstances(NOW, "clock of the test", "")


def new_pair() -> PairSigner:
    """Make a pair."""
    return PairSigner(PairPrivateKey.generate())


def new_log(member: str, number: int, federation: str = FEDERATION) -> tuple[Any, str]:
    """Make the key of a log; return it with its vkey."""
    key, origin = keys.generate_ed25519(), f"{member}.{federation}/log/{number}"
    return key, SignerKey.from_ed25519(origin, key).verifier_key.to_vkey()


def new_witness(member: str, number: int, federation: str = FEDERATION) -> tuple[Any, str]:
    """Make the key of a witness; return it with its vkey."""
    key, name = keys.generate_mldsa44(), f"{member}.{federation}/witness/{number}"
    return key, WitnessSigner.from_private_key(name, key).witness_key.to_vkey()


def encryption_key(begin: datetime, end: datetime) -> dict[str, str]:
    """Make an entry of member.json for an encryption key."""
    public = key_wrapping.private_key_from_seed(key_wrapping.generate_seed()).public_key
    return {
        "key_id": public.key_id.hex(),
        "public_key": b64encode(public.public_key_bytes).decode(),
        "not_before": f"{begin:%Y-%m-%dT%H:%M:%SZ}",
        "not_after": f"{end:%Y-%m-%dT%H:%M:%SZ}",
    }


@dataclass
class Applicant:
    """A member with all its keys; each may be replaced before it applies again."""

    member: str
    custodian: PairSigner = field(default_factory=new_pair)
    key: PairSigner = field(default_factory=new_pair)
    reference: PairSigner = field(default_factory=new_pair)
    revocations: PairSigner = field(default_factory=new_pair)
    publisher: CryptoSigner = field(default_factory=lambda: CryptoSigner.generate_mldsa(scheme=roles.PUBLISHER_SCHEME))
    federation: str = FEDERATION

    def __post_init__(self) -> None:
        """Make the node's keys and the CAs."""
        self.log, vkey = new_log(self.member, 1, self.federation)
        self.witness, witness_vkey = new_witness(self.member, 1, self.federation)
        self.cas = {role: keys.generate_p256() for role in ("node", "officer")}
        begin = NOW - DAY
        certified = {
            "node": certificates.issue_ca(
                self.member, self.federation, "node", self.cas["node"], not_before=begin, not_after=begin + 3000 * DAY
            ),
            "officer": certificates.issue_ca(
                self.member,
                self.federation,
                "officer",
                self.cas["officer"],
                not_before=begin,
                not_after=begin + 3000 * DAY,
            ),
        }
        self.revoked: bytes = to_json({"format": FORMAT, "certificates": []})
        self.document: dict[str, Any] = {
            "format": FORMAT,
            "id": self.member,
            "names": {"ru": self.member, "en": self.member},
            "node_cas": [ca_entry(CertificateAuthority.of(certified["node"]))],
            "officer_cas": [ca_entry(CertificateAuthority.of(certified["officer"]))],
            "endpoints": [{"address": "127.0.0.1:7401"}],
            "log_keys": [{"origin": vkey.partition("+")[0], "vkey": vkey}],
            "witness_keys": [{"name": witness_vkey.partition("+")[0], "vkey": witness_vkey}],
            "encryption_keys": [encryption_key(begin, begin + 3000 * DAY)],
            "classification_ceiling": 1,
        }

    @property
    def pairs(self) -> dict[str, PairSigner]:
        """Return the pairs by the name that applications have for them."""
        return {
            "custodian": self.custodian,
            "member": self.key,
            "reference": self.reference,
            "revocations": self.revocations,
        }

    def apply(
        self, time: datetime = NOW, known: Known | None = None, files: Mapping[str, bytes] | None = None
    ) -> Application:
        """Make an application, which continues what is known."""
        own = {
            f"members/{self.member}/member.json": to_json(self.document),
            f"members/{self.member}/revoked.json": self.revoked,
            **(files or {}),
        }
        provers = {
            **{f"{role}_ca": partial(keys.sign, key) for role, key in self.cas.items()},
            "log": partial(keys.sign, self.log),
            "witness": partial(keys.sign_mldsa44, self.witness),
        }
        signers = {**self.pairs, "publisher": self.publisher}
        return application.apply(self.federation, self.member, time, own, signers, provers, known)

    def sign(self, proposal: Proposal, *names: str) -> Proposal:
        """Sign a proposal with all pairs that may, or with those of these names."""
        for name, signer in self.pairs.items():
            if not names or name in names:
                proposal = proposal.signed_with(signer, BY_HAND)
        return proposal


class World:
    """A federation, its members' keys, and the newest register."""

    def __init__(self, *members: str, threshold: int = 2, reference: Mapping[str, bytes] | None = None) -> None:
        self.members = {member: Applicant(member) for member in members}
        self.now = NOW
        applications = [each.apply() for each in self.members.values()]
        documents = {"reference-substances.json": b"{}\n"} if reference is None else reference
        names = {"ru": "Ф", "en": "F"}
        proposal = self.signed(Proposal(found(names, threshold, applications, documents, {}, NOW)), members)
        files = proposal.files()
        meta = {f"{role}.json": described for role, described in described_roles(files).items()}
        publisher = self.members[members[0]].publisher
        self.accept(composed(files, meta, files[root_path(1)], publisher, NOW, Versions(0, 0)))

    def accept(self, made: OpenSet) -> None:
        """Let a set be the newest register."""
        self.held = made
        self.base = Base.verify(RegisterFile(made.files), None)

    def signed(self, proposal: Proposal, members: Iterable[str]) -> Proposal:
        """Sign a proposal with all that these members hold."""
        for member in members:
            proposal = self.members[member].sign(proposal)
        return proposal

    def change(self, what: str, **about: Any) -> Change:
        """Propose a change of the newest register."""
        return change(what, self.base, self.now, **about)

    def publish(self, proposal: Proposal, publisher: str = "kaz") -> Base:
        """Publish a complete proposal on the newest register, as a node does, some minutes later."""
        assert proposal.is_complete, (proposal.signed_by(), proposal.waits_for())
        self.now += timedelta(minutes=5)
        signer = self.members[publisher].publisher
        self.accept(published(self.held, proposal.files(), signer, self.now, self.held.versions))
        return self.base

    def decide(self, act: Change | Publication, signers: Sequence[str], publisher: str = "kaz") -> Base:
        """Sign an act and publish it; the signed file is carried between those who sign."""
        proposal = Proposal(act)
        for member in signers:
            proposal = Proposal.read(self.members[member].sign(proposal).to_bytes())
        return self.publish(proposal, publisher)

    def known(self, member: str) -> Known:
        """Return what the newest register knows of a member."""
        return Known.of(member, self.base)
