"""A federation on paper: its members' logs in memory, with every key, so that any evidence can be made, true or false.

    court = Court(folder)
    case = court.case(signers=("kaz-liaison", "kaz-authoriser"))
    case.release(); case.receive("tjk")
    file = case.pack()

For tests of what evidence proves; what nodes really put in is tested over real nodes.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from paiza.content.v1.attachment_info_pb2 import AttachmentInfo
from paiza.content.v1.free_message_pb2 import FreeMessage
from paiza.core.v1 import log_pb2, message_pb2
from paiza.officer.v1 import audit_pb2
from paiza_client.evidence import container, evidence
from paiza_client.evidence import members as evidence_members
from paiza_client.evidence.entries import Filed
from paiza_node.ops.config import load
from paiza_node.ops.keys import Keys, load_keys
from paiza_register import Fetch, Register, load_set
from paiza_register.register_file import RegisterFile
from paiza_trust import dev
from paiza_wire import message, receipts
from paiza_wire.message import part_cipher
from paiza_wire.tlog import checkpoint, cosignatures, tiles, tlog_proof
from paiza_wire.tlog.merkle import leaf_hash
from tests.log_entries import entry_of
from tests.officer import KIND, Officer
from tests.unit.paiza_register.conftest import Holder

MEMBERS: Final = ("kaz", "tjk", "uzb", "kgz", "tkm")
PLAINTEXT: Final = FreeMessage(subject="Exercise", text="Nothing of this is real.").SerializeToString()
ANNEX: Final = b"a nominal annex"
PHOTO: Final = b"an invented picture"
ROLES: Final = {"liaison": "liaison", "authoriser": "authoriser"}


class Log:
    """One member's log."""

    def __init__(self, member: str, keys: Keys) -> None:
        self.member = member
        self.keys = keys
        self.entries: list[bytes] = []
        self._tiles: dict[tuple[int, int], bytes] = {}
        self.tree = tiles.TileTree(0, lambda level, index: self._tiles[level, index])

    def append(self, entry: log_pb2.LogEntry, at: datetime) -> int:
        """Add an entry at a time; gives its index."""
        entry.salt = receipts.new_salt()
        entry.entry_time.FromDatetime(at)
        self.entries.append(entry.SerializeToString(deterministic=True))
        batch = self.tree.append([leaf_hash(self.entries[-1])])
        self._tiles.update({(level, index): data for level, index, data in batch.tiles})
        self.tree.commit(batch)
        return len(self.entries) - 1

    def note(self, size: int | None = None) -> bytes:
        """Return the checkpoint of this size, signed by the log."""
        wanted = self.tree.size if size is None else size
        head = checkpoint.Checkpoint(self.keys.log[-1].verifier_key.name, wanted, self.tree.root(wanted))
        return checkpoint.sign(head, *self.keys.log)

    def proof(self, index: int) -> log_pb2.LogProof:
        """Prove an entry to the newest checkpoint."""
        hashes = self.tree.inclusion_proof(index, self.tree.size)
        proven = log_pb2.ProvenEntry(entry=self.entries[index], index=index, inclusion_hashes=hashes)
        return log_pb2.LogProof(proven=proven, checkpoint=self.note())


class Court:
    """A federation in a folder, and its members' logs; each test may go on with them, for they only grow."""

    def __init__(self, folder: Path, members: Sequence[str] = MEMBERS) -> None:
        self.folder = folder
        self.members = tuple(members)
        dev.create(folder, members)
        self.root = (folder / "root.json").read_bytes()
        self.now = self._published = datetime.now(UTC).replace(microsecond=0)
        self.sets: dict[bytes, dict[str, bytes]] = {}
        self.unread: dict[bytes, dict[str, bytes]] = {}  # every set that was published, whether it holds or not
        self._holder = Holder(folder)
        for path in [*self._holder.documents]:
            # Reference data decide nothing here, and are most of the bytes.
            if path.startswith("reference-") or path.endswith(("/profile.json", "/liaison.json")):
                self._holder.drop(path)
        self.register = self.publish()
        self.logs = {member: self._log(member) for member in members}
        self.officers = {name: Officer(folder, name, self.register) for name in ("kaz-liaison", "kaz-authoriser")}

    def tick(self, seconds: float = 1.0) -> datetime:
        """Advance the clock and return the new time."""
        self.now += timedelta(seconds=seconds)
        return self.now

    def publish(self, changes: Mapping[str, Any] | None = None) -> Register:
        """Publish a further version of the register, some documents changed; it is in force then."""
        for path, content in (changes or {}).items():
            self._holder.put(path, json.dumps(content).encode())
        self._holder.advance((self.now - self._published) / timedelta(days=1))
        self._published = self.now
        files = self._holder.files()
        self.last = sha256(files[f"metadata/{self._holder.snapshot.version}.snapshot.json"]).digest()
        self.unread[self.last] = files
        self.register = load_set(files, self.root, None)
        self.sets[self.register.version] = files
        return self.register

    def fetch(self) -> Fetch:
        """Return a function that fetches from the register in force."""
        return RegisterFile(self.sets[self.register.version]).fetch()

    def document(self, path: str) -> Any:
        """Return a document of the register in force."""
        return json.loads(self._holder.documents[path])

    def cosigned(self, log: Log, size: int, by: Sequence[str], at: datetime) -> bytes:
        """Return a checkpoint with the cosignatures of these members, and that of the log's own as nodes make it."""
        note = log.note(size)
        key = log.keys.log[-1].verifier_key
        verified = checkpoint.verify(note, [key], key.name)
        return cosignatures.add_signatures(
            note, [cosignatures.cosign(verified, self.logs[member].keys.witness, at) for member in (*by, log.member)]
        )

    def case(self, **how: Any) -> "Case":
        """Begin with a new message."""
        return Case(self, **how)

    def _log(self, member: str) -> Log:
        return Log(
            member, load_keys(load(self.folder / "nodes" / member / "node.toml", {}), self.register.member(member))
        )


class Case:
    """One message and what became of it."""

    def __init__(
        self,
        court: Court,
        *,
        recipients: Sequence[str] = ("tjk", "uzb"),
        signers: Sequence[str] = ("kaz-liaison",),
        annex: bool = False,
        attachment: bool = False,
        exercise: bool = False,
    ) -> None:
        self.court = court
        self.attached: dict[int, bytes] = {}  # ciphertexts, by part number
        self.author = court.logs["kaz"]
        self.proofs: dict[str, list[tuple[Log, int]]] = {"released": [], "answers": [], "forwarded": [], "others": []}
        self.proofs["certificates"] = []
        self.spans: list[audit_pb2.EvidenceSpan] = []
        self.register_version = court.register.version
        officers = [court.officers[name] for name in signers]
        header = officers[0].header(recipients, now=court.now)
        header.exercise = exercise
        header.register_version = court.register.version
        del header.required_signers[:]
        for name, officer in zip(signers, officers, strict=True):
            header.required_signers.add(id=officer.id, role=ROLES[name.partition("-")[2]])
        parts = [message.PlainPart(message_pb2.PART_KIND_MAIN, PLAINTEXT)]
        if annex:
            parts.append(message.PlainPart(message_pb2.PART_KIND_NOMINAL_ANNEX, ANNEX))
        attached = [self._attach(header, len(parts))] if attachment else []
        keys = [officers[0].recipient_key(member, court.now) for member in [*recipients, "kaz"]]
        sealed = message.seal(header, parts, keys, attached)
        self.signed = message.sign(sealed, [officer.signer for officer in officers])
        self.kind = KIND
        certificates = court.register.certificate_verifier()
        self.message = message.verify(self.signed, certificates, at=court.now)
        self.digest = self.message.digest
        self.recipients = tuple(recipients)
        self.keys = {
            number: message.unwrap_key(self.message, number, "kaz", self.author.keys.decryption)
            for number in range(len(parts) + len(attached))
        }

    def add(self, place: str, member: str, event: log_pb2.LogEvent.ValueType, **fields: Any) -> tuple[Log, int]:
        """Put an entry about the message into a member's log, and into the evidence."""
        log = self.court.logs[member]
        fields = {"message_digest": self.digest, "register_version": self.register_version, **fields}
        index = log.append(entry_of(event, **fields), self.court.tick())
        self.proofs[place].append((log, index))
        return log, index

    def certify(self, signer: int = 0, *, digest: bytes = b"", member: str = "kaz") -> "Case":
        """Log the certificate of a signer, or another one."""
        certificate = digest or self.message.signers[signer].fingerprint
        fields = {"signing_certificate_sha256": certificate, "authentication_certificate_sha256": bytes(32)}
        self.add("certificates", member, log_pb2.LOG_EVENT_OFFICER_CERTIFIED, message_digest=b"", **fields)
        return self

    def release(self) -> "Case":
        """Release it to every recipient."""
        for recipient in self.recipients:
            signers = receipts.logged_signers(self.message)
            self.add("released", "kaz", log_pb2.LOG_EVENT_RELEASED, counterpart=recipient, signers=signers)
        return self

    def receive(self, member: str, source: str = "kaz") -> "Case":
        """Receive the message."""
        self.add("answers", member, log_pb2.LOG_EVENT_RECEIVED, counterpart=source)
        return self

    def witness(
        self,
        place: str = "released",
        number: int = 0,
        *,
        by: Sequence[str] | None = None,
        before: int | None = 0,
        seconds: float = 5.0,
    ) -> "Case":
        """Cosign the log's checkpoint after an entry, and (``before`` entries earlier) before it."""
        log, index = self.proofs[place][number]
        court = self.court
        witnesses = [each for each in court.members if each != log.member] if by is None else list(by)
        entry = log_pb2.LogEntry.FromString(log.entries[index]).entry_time.ToDatetime(tzinfo=UTC)
        size = log.tree.size
        span = log_pb2.WitnessedSpan(note=court.cosigned(log, size, witnesses, entry + timedelta(seconds=seconds)))
        if before is not None:
            earlier = max(index - before, 0)
            moment = entry - timedelta(seconds=seconds)
            span.before_note = court.cosigned(log, earlier, witnesses, moment)
            span.consistency_hashes.extend(log.tree.consistency_proof(earlier, size))
        span.entries.add(index=index, inclusion_hashes=log.tree.inclusion_proof(index, size))
        self.spans.append(audit_pb2.EvidenceSpan(span=span, register_version=court.register.version))
        return self

    def answer(self) -> audit_pb2.GetEvidenceResponse:
        """Return what a node would answer."""
        return audit_pb2.GetEvidenceResponse(
            message=self.signed,
            register_versions=list(self.court.sets),
            spans=self.spans,
            **{name: [log.proof(index) for log, index in found] for name, found in self.proofs.items()},
        )

    def pack(self, open_part: Sequence[int] = ()) -> bytes:
        """Make the file."""
        keys = {number: self.keys[number] for number in open_part}
        attached = {number: data for number, data in self.attached.items() if number in open_part}
        return evidence.pack(self.answer(), self.court.sets, self.court.root, keys, attached)

    def _attach(self, header: message_pb2.Header, number: int) -> message.SealedFile:
        info = AttachmentInfo(name="photo.png", media_type="image/png", size=len(PHOTO)).SerializeToString()
        key = part_cipher.generate_part_key()
        context = part_cipher.part_context(header.author, header.message_id, number)
        data = part_cipher.encrypt_part(key, context, len(info).to_bytes(4) + info + PHOTO)
        self.attached[number] = data
        return message.SealedFile(key, sha256(data).digest(), len(data))

    def forced(self) -> bytes:
        """Make the file as a forger would: nothing is verified, every cosigned proof is put in."""
        answer = self.answer()
        members = {evidence_members.MESSAGE: self.stripped(), **evidence_members.of_register(self.court.sets)}
        spans = evidence.spans_of(answer.spans)
        proofs = (*answer.released, *answer.answers, *answer.forwarded, *answer.others, *answer.certificates)
        for number, proof in enumerate(proofs):
            origin = proof.checkpoint.split(b"\n", 1)[0].decode()
            plain = (
                tlog_proof.TlogProof(proof.proven.index, tuple(proof.proven.inclusion_hashes), proof.checkpoint),
                None,
            )
            filed = Filed("", proof.proven.entry, *spans.get((origin, proof.proven.index), plain))
            members |= evidence_members.of_entry(number, filed)
        return container.pack(members, {})

    def stripped(self) -> bytes:
        """Return the message without wraps, as it lies in evidence."""
        signed = message_pb2.SignedMessage.FromString(self.signed)
        del signed.wraps[:]
        return signed.SerializeToString(deterministic=True)
