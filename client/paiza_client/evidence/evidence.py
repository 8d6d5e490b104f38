"""Evidence: one file that proves, to anybody who has the federation's bootstrap root, what became of one message.

It holds the signed message (sealed: evidence shows that and when, not what, unless the key of a part lies with it), the
entries of the members' logs with their proofs and what witnesses cosigned, and the sets of the register under which
they were made. `verify_file` needs no node and no network. The format: "Evidence" in proto/README.md.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

from paiza.core.v1 import log_pb2
from paiza.officer.v1 import audit_pb2
from paiza_client.evidence import container
from paiza_client.evidence import members as evidence_members
from paiza_client.evidence.entries import Claim, Filed, check_consistent, check_other, check_registers
from paiza_client.evidence.members import KEYS, MESSAGE, PARTS
from paiza_client.evidence.signers import Signed, judge_signers
from paiza_client.verify import checks, logs
from paiza_client.verify.model import Proof
from paiza_client.verify.proven_time import Before, Interval, interval
from paiza_officer.errors import NotProven, located
from paiza_wire import receipts
from paiza_wire.message import VerifiedMessage, message_digest, open_part, parse_header, verify
from paiza_wire.tlog.tlog_proof import TlogProof

_RELEASED: Final = "RELEASED"
_FORWARDED: Final = "FORWARDED"
_CERTIFIED: Final = "OFFICER_CERTIFIED"
_ANSWERS: Final = frozenset({"RECEIVED", "REFUSED"})


@dataclass(frozen=True, slots=True)
class Evidence:
    """The proven facts of a file. ``unproven`` names the recipients without a release or an answer in it."""

    message: VerifiedMessage
    signed: tuple[Signed, ...]
    claims: tuple[Claim, ...]
    present: tuple[int, ...]
    """Numbers of the parts whose ciphertexts are in the file."""
    disclosed: Mapping[int, bytes]
    """Plaintexts of the parts whose keys are in the file, by part number."""
    unproven_releases: tuple[str, ...]
    unproven_answers: tuple[str, ...]
    register_versions: tuple[bytes, ...]
    federation: str

    @property
    def released(self) -> tuple[Claim, ...]:
        """The releases, by the author's log."""
        return tuple(claim for claim in self.claims if claim.proof.event == _RELEASED)

    @property
    def answers(self) -> tuple[Claim, ...]:
        """Receipts and refusals of the message, by those to whom it went."""
        return tuple(claim for claim in self.claims if _is_answer(claim.proof))

    @property
    def forwarded(self) -> tuple[Claim, ...]:
        """The passings on."""
        return tuple(claim for claim in self.claims if claim.proof.event == _FORWARDED)

    @property
    def certificates(self) -> tuple[Claim, ...]:
        """The entries of the signers' certificates, in the author's log."""
        return tuple(claim for claim in self.claims if claim.proof.event == _CERTIFIED)

    @property
    def others(self) -> tuple[Claim, ...]:
        """Later events of the message or its parts."""
        apart = {_RELEASED, _FORWARDED, _CERTIFIED}
        return tuple(each for each in self.claims if each.proof.event not in apart and not _is_answer(each.proof))

    @property
    def time(self) -> datetime:
        """When the author's log says the message was released first."""
        return min(claim.proof.time for claim in self.released)


def pack(
    answer: audit_pb2.GetEvidenceResponse,
    sets: Mapping[bytes, Mapping[str, bytes]],
    root: bytes,
    part_keys: Mapping[int, bytes] | None = None,
    attached: Mapping[int, bytes] | None = None,
) -> bytes:
    """Make the file, and verify it as any reader will; an invalid file is not written.

    A cosigned proof that does not hold is left out, since its entry is proven without it. ``part_keys``: the keys of
    the parts disclosed to the readers of the file; ``attached``: the ciphertexts of those that are attachments.
    """
    # Wraps are no evidence: nobody signed them, and a reader of the file needs no keys.
    signed = evidence_members.parse_message(answer.message)
    del signed.wraps[:]
    members = {MESSAGE: signed.SerializeToString(deterministic=True), **evidence_members.of_register(sets)}
    members |= {f"{KEYS}{number}.key": key for number, key in (part_keys or {}).items()}
    members |= {f"{PARTS}{number}.bin": data for number, data in (attached or {}).items()}
    registers, _versions = evidence_members.registers(members, root)
    reader = logs.LogReader(registers)
    spans = spans_of(answer.spans)
    proofs = _distinct((*answer.released, *answer.answers, *answer.forwarded, *answer.others, *answer.certificates))
    for number, proof in enumerate(proofs):
        members |= evidence_members.of_entry(number, _filed(proof, spans, reader, registers))
    proven = check(members, root)
    return container.pack(members, {"message_digest": proven.message.digest.hex(), "federation": proven.federation})


def verify_file(data: bytes, root: bytes) -> Evidence:
    """Return what a file proves to someone who trusts this bootstrap root.

    NotProven names the first thing that fails.
    """
    return check(container.unpack(data), root)


def verify_path(path: Path, root: bytes) -> Evidence:
    """Return what the file at a path proves, as `verify_file`; errors name the path.

    Refused("file_unreadable") where it cannot be read.
    """
    data = container.read_file(path)
    try:
        return verify_file(data, root)
    except NotProven as error:
        where = f"{path}: {error.where}" if error.where else str(path)
        raise NotProven(error.reason, where, error.detail) from error


def check(members: Mapping[str, bytes], root: bytes) -> Evidence:
    """Check the members of a file.

    1. Every member has a place in this format.
    2. Every set of the register is whole and comes from the root of trust, at its own time.
    3. Every entry stands in the log of the member who made it; no two of one log contradict each other, and none names
       a register behind a revocation that an earlier one of its log had.
    4. Where cosignatures say when an entry was made, a quorum of witnesses does.
    5. The author's log holds a release of just this message.
    6. Exactly the required officers signed it, with certificates valid when it was released, under the register of
       then, and not against what the witnesses say of when that was. Each entry of a certificate is of one of them,
       and the author's log held it before the release.
    7. Each release names these signers, and a recipient of the message.
    8. Each passing on stands in the log of the member whose people did it, and names to whom.
    9. Each answer stands in the log of a recipient, or of a member it was passed on to, and is for this message.
    10. Every other entry is of this message, in the log of one who holds it.
    11. Each key that is in the file opens its part.
    """
    # 1.
    evidence_members.check_names(members)
    # 2.
    registers, versions = evidence_members.registers(members, root)
    reader = logs.LogReader(registers)
    with located(MESSAGE, NotProven):
        signed = evidence_members.parse_message(members[MESSAGE])
        header = parse_header(signed.header)
    if signed.wraps:
        raise NotProven("bad_evidence", MESSAGE, "wrapped keys are unsigned and have no place in evidence")
    digest = message_digest(signed.header)
    # 3.
    filed = evidence_members.entries(members)
    read = [reader.proof(each.log_proof()) for each in filed]
    check_consistent([proof for proof, _ in read], filed, reader)
    check_registers([proof for proof, _ in read], registers)
    # 4.
    intervals = [_interval(each, entry, registers, reader) for each, (_, entry) in zip(filed, read, strict=True)]
    claims = {
        (proof.origin, proof.index): Claim(proof, known) for (proof, _), known in zip(read, intervals, strict=True)
    }
    by_event = [(proof, each.log_proof(), entry) for each, (proof, entry) in zip(filed, read, strict=True)]
    # 5.
    released = checks.releases([raw for proof, raw, _ in by_event if proof.event == _RELEASED], header, digest, reader)
    if not released:
        raise NotProven("proof_missing", "entries", "there is no release by the author's log")
    first = min((proof for proof, _ in released.values()), key=lambda proof: (proof.time, proof.index))
    # 6.
    certificates = registers.at(first.register_version).certificate_verifier()
    with located(MESSAGE, NotProven):
        there = sorted({part.part_number for part in signed.parts})
        message = verify(members[MESSAGE], certificates, at=first.time, parts=there)
    certified = _certified(by_event, message, first)
    signers = judge_signers(message, first, claims.values(), registers, certified)
    # 7.
    recipients = [recipient.member for recipient in header.recipients]
    for recipient, (proof, entry) in released.items():
        where = f"RELEASED {recipient} ({proof.origin} #{proof.index})"
        if recipient not in recipients:
            raise NotProven("not_addressed", where, "a release to a member to whom the message is not addressed")
        with located(where, NotProven):
            receipts.check_released(entry.entry, message, recipient)
    # 8.
    forwarded = checks.forwardings(
        [raw for proof, raw, _ in by_event if proof.event == _FORWARDED], header, digest, reader
    )
    # 9.
    answers = checks.answers(
        [raw for proof, raw, _ in by_event if _is_answer(proof)], header, digest, reader, forwarded
    )
    # 10.
    handed = {(header.author, recipient) for recipient in recipients}
    handed |= {(proof.member, proof.counterpart) for proof in forwarded}
    for proof, _raw, entry in by_event:
        if proof.event not in {_RELEASED, _FORWARDED, _CERTIFIED} and not _is_answer(proof):
            check_other(proof, entry.entry, header, digest, handed)
    # 11.
    sealed = _sealed(members, message)
    disclosed = _disclosed(members, message, sealed)
    answered = {proof.member for proof in answers}
    return Evidence(
        message=message,
        signed=signers,
        claims=tuple(sorted(claims.values(), key=lambda each: (each.proof.time, each.proof.origin, each.proof.index))),
        present=tuple(sorted(sealed)),
        disclosed=disclosed,
        unproven_releases=tuple(member for member in recipients if member not in released),
        unproven_answers=tuple(member for member in recipients if member not in answered),
        register_versions=tuple(versions),
        federation=registers.current.federation,
    )


def _certified(
    entries: Iterable[tuple[Proof, log_pb2.LogProof, receipts.VerifiedEntry]], message: VerifiedMessage, first: Proof
) -> frozenset[bytes]:
    """Return the certificates (SHA-256) that the author's log held before it released a message signed with them."""
    found = set[bytes]()
    signing = {each.fingerprint for each in message.signers}
    for proof, _raw, entry in entries:
        if proof.event != _CERTIFIED:
            continue
        where = f"{_CERTIFIED} ({proof.origin} #{proof.index})"
        digest = entry.entry.officer_certified.signing_certificate_sha256
        if proof.member != first.member or digest not in signing:
            raise NotProven("bad_proof", where, "the entry is of no certificate that signs the message")
        if proof.time > first.time or (proof.origin == first.origin and proof.index > first.index):
            raise NotProven("bad_proof", where, "the log held the certificate only after the release")
        found.add(digest)
    return frozenset(found)


def versions_of(answer: audit_pb2.GetEvidenceResponse) -> Sequence[bytes]:
    """Name the sets of the register the file needs: those the node names, and those of the releases."""
    return list(dict.fromkeys([*answer.register_versions, *checks.versions_needed(answer.released)]))


def _is_answer(proof: Proof) -> bool:
    return proof.event in _ANSWERS and proof.part_number is None


def _interval(
    filed: Filed, entry: receipts.VerifiedEntry, registers: logs.Registers, reader: logs.LogReader
) -> Interval | None:
    if not filed.proof.extra:
        if filed.before is not None:
            raise NotProven("bad_evidence", filed.name, "a checkpoint before it, and no register to judge it by")
        return None
    named = registers.at(entry.entry.register_version)
    return interval(filed.proof, filed.before, entry, named, registers.at(filed.proof.extra), reader)


def _filed(
    proof: log_pb2.LogProof,
    spans: Mapping[tuple[str, int], tuple[TlogProof, Before | None]],
    reader: logs.LogReader,
    registers: logs.Registers,
) -> Filed:
    """Return the entry with its cosigned proof where there is one that holds, else with the one of its log alone."""
    read, entry = reader.proof(proof)
    plain = Filed(
        "",
        proof.proven.entry,
        TlogProof(entry.index, tuple(proof.proven.inclusion_hashes), proof.checkpoint),
        listed=entry.listed,
    )
    found = spans.get((read.origin, read.index))
    if found is None:
        return plain
    cosigned = Filed("", proof.proven.entry, *found, entry.listed)
    try:
        _read, entry = reader.proof(cosigned.log_proof())
        _interval(cosigned, entry, registers, reader)
    except NotProven:
        return plain
    return cosigned


def spans_of(spans: Iterable[audit_pb2.EvidenceSpan]) -> dict[tuple[str, int], tuple[TlogProof, Before | None]]:
    """Return the cosigned proof of each entry, and the checkpoint before it, by log and index; nothing is verified."""
    found: dict[tuple[str, int], tuple[TlogProof, Before | None]] = {}
    for each in spans:
        span = each.span
        origin = span.note.split(b"\n", 1)[0].decode(errors="replace")
        before = Before(span.before_note, tuple(span.consistency_hashes)) if span.before_note else None
        for entry in span.entries:
            hashes = tuple(entry.inclusion_hashes)
            found[origin, entry.index] = TlogProof(entry.index, hashes, span.note, each.register_version), before
    return found


def _distinct(proofs: Iterable[log_pb2.LogProof]) -> list[log_pb2.LogProof]:
    """Leave out a proof of an entry that is proven already: one list of the node may name what another does."""
    return list({proof.proven.entry: proof for proof in proofs}.values())


def _sealed(members: Mapping[str, bytes], message: VerifiedMessage) -> dict[int, bytes]:
    """Return the ciphertexts in the file by part number: those in the message, verified already, and others."""
    sealed = {part.part_number: part.ciphertext for part in message.signed.parts}
    for number, data in evidence_members.ciphertexts(members).items():
        where = f"{PARTS}{number}.bin"
        if number >= len(message.header.parts):
            raise NotProven("part_missing", where, "the header names no such part")
        described = message.header.parts[number]
        if (described.ciphertext_size, described.ciphertext_sha256) != (len(data), sha256(data).digest()):
            raise NotProven("part_digest_mismatch", where, "it is not the ciphertext that the header names")
        sealed[number] = data
    return sealed


def _disclosed(members: Mapping[str, bytes], message: VerifiedMessage, sealed: Mapping[int, bytes]) -> dict[int, bytes]:
    opened: dict[int, bytes] = {}
    for number, key in evidence_members.part_keys(members).items():
        where = f"{KEYS}{number}.key"
        if number not in sealed:
            raise NotProven("part_missing", where, "the part whose key this is is not in the file")
        with located(where, NotProven):
            opened[number] = open_part(message.header, number, sealed[number], key)
    return opened
