"""Evidence: one file that proves, to anybody who has the federation's bootstrap root, what became of one message.

It holds the signed message (sealed: evidence shows that and when, not what), the entries of the author's and the
recipients' logs with their proofs, and the sets of the register under which they were made. `verify` needs no node
and no network.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from google.protobuf.message import DecodeError

from paiza.v1 import audit_pb2, log_pb2, message_pb2
from paiza_client import checks, container, logs
from paiza_client.errors import NotProven, located
from paiza_client.model import Proof
from paiza_register import Register, load_set
from paiza_wire import receipts
from paiza_wire.message import VerifiedMessage, message_digest, parse_header, verify

MESSAGE: Final = "message.bin"
SUMMARY: Final = "SUMMARY.txt"
FOLDERS: Final = frozenset({"released", "answers", "forwarded", "register"})
MAX_SETS: Final = 16  # versions of the register in one file: one per proof at the worst, two in practice


@dataclass(frozen=True, slots=True)
class Signed:
    """Who signed, in which role, by which certificate."""

    officer: str
    role: str
    certificate_sha256: bytes


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a file proves. ``unproven`` names the recipients of whom it holds no release, or no answer."""

    message: VerifiedMessage
    signed: tuple[Signed, ...]
    released: tuple[Proof, ...]
    answers: tuple[Proof, ...]
    unproven_releases: tuple[str, ...]
    unproven_answers: tuple[str, ...]
    register_versions: tuple[bytes, ...]
    federation: str
    forwarded: tuple[Proof, ...] = ()

    @property
    def time(self) -> datetime:
        """When the author's log says the message was released first."""
        return min(proof.time for proof in self.released)


def pack(answer: audit_pb2.GetEvidenceResponse, sets: Mapping[bytes, Mapping[str, bytes]], root: bytes) -> bytes:
    """Make the file, and verify it as any reader will; what does not hold is not written."""
    # Wraps are no evidence: nobody signed them, and whoever is handed the file has no business with keys.
    signed = _signed(answer.message)
    del signed.wraps[:]
    members = {MESSAGE: signed.SerializeToString(deterministic=True)}
    kinds = (("released", answer.released), ("answers", answer.answers), ("forwarded", answer.forwarded))
    for name, proofs in kinds:
        for number, proof in enumerate(proofs):
            members[f"{name}/{number:03}.bin"] = proof.SerializeToString(deterministic=True)
    for version, files in sets.items():
        members.update({f"register/{version.hex()}/{path}": data for path, data in files.items()})
    proven = check(members, root)
    members[SUMMARY] = summary(proven).encode()
    return container.pack(members, {"message_digest": proven.message.digest.hex(), "federation": proven.federation})


def verify_file(data: bytes, root: bytes) -> Evidence:
    """Say what a file proves to someone who trusts this bootstrap root; NotProven names the first thing that fails."""
    return check(container.unpack(data), root)


def check(members: Mapping[str, bytes], root: bytes) -> Evidence:
    """Check the members of a file.

    1. Every member has a place in this format.
    2. Every set of the register is whole and comes from the root of trust, at its own time.
    3. The author's log holds a release of just this message.
    4. Exactly the required officers signed it, with certificates valid when it was released, under the register of
    then.
    5. Each release names these signers, and a recipient of the message.
    6. Each passing on stands in the log of the member whose people did it, and names to whom.
    7. Each answer stands in the log of a recipient, or of a member it was passed on to, and is for this message.
    """
    # 1.
    for name in members:
        if name not in {MESSAGE, SUMMARY} and name.split("/", 1)[0] not in FOLDERS:
            raise NotProven("bad_evidence", name, "a member of no known purpose")
    if MESSAGE not in members:
        raise NotProven("bad_evidence", MESSAGE, "the message is missing")
    # 2.
    registers, versions = _registers(members, root)
    reader = logs.LogReader(registers)
    with located(MESSAGE, NotProven):
        signed = _signed(members[MESSAGE])
        header_bytes = signed.header
        header = parse_header(header_bytes)
    if signed.wraps:
        raise NotProven("bad_evidence", MESSAGE, "wrapped keys are unsigned and have no place in evidence")
    digest = message_digest(header_bytes)
    # 3.
    released = checks.releases(_proofs(members, "released"), header, digest, reader)
    if not released:
        raise NotProven("proof_missing", "released", "there is no release by the author's log")
    first = min((proof for proof, _ in released.values()), key=lambda proof: proof.time)
    # 4.
    certificates = registers.at(first.register_version).certificate_verifier()
    with located(MESSAGE, NotProven):
        message = verify(members[MESSAGE], certificates, at=first.time)
    # 5.
    recipients = [recipient.member for recipient in header.recipients]
    for recipient, (proof, entry) in released.items():
        where = f"RELEASED {recipient} ({proof.origin} #{proof.index})"
        if recipient not in recipients:
            raise NotProven("not_addressed", where, "a release to a member to whom the message is not addressed")
        with located(where, NotProven):
            receipts.check_released(entry.entry, message, recipient)
    # 6.
    forwarded = checks.forwardings(_proofs(members, "forwarded"), header, digest, reader)
    # 7.
    answers = checks.answers(_proofs(members, "answers"), header, digest, reader, forwarded)
    answered = {proof.member for proof in answers}
    signers = zip(header.required_signers, message.signers, strict=True)
    return Evidence(
        message=message,
        signed=tuple(Signed(required.id, required.role, signer.fingerprint) for required, signer in signers),
        released=tuple(released[member][0] for member in recipients if member in released),
        answers=answers,
        unproven_releases=tuple(member for member in recipients if member not in released),
        unproven_answers=tuple(member for member in recipients if member not in answered),
        register_versions=tuple(versions),
        federation=registers.current.federation,
        forwarded=forwarded,
    )


def summary(evidence: Evidence) -> str:
    """Describe the file to whoever opens it without this program, in Russian and English; it proves nothing."""
    header = evidence.message.header
    lines = [
        "PAIZA EVIDENCE / ДОКАЗАТЕЛЬСТВО PAIZA",
        "",
        "Проверка без сети: paiza audit verify FILE --root root.json",
        "To verify, offline: paiza audit verify FILE --root root.json",
        "Этот текст сам по себе ничего не доказывает. / This text proves nothing by itself.",
        "",
        f"Сообщение / message: {header.message_id.hex()}",
        f"Вид / kind: {header.kind} v{header.kind_version}",
        f"Автор / author: {header.author}",
        f"Получатели / recipients: {', '.join(recipient.member for recipient in header.recipients)}",
        f"SHA-256: {evidence.message.digest.hex()}",
        "",
    ]
    lines += [f"Подписано / signed: {each.officer} ({each.role})" for each in evidence.signed]
    lines += [f"Отправлено / released: {_line(proof)}" for proof in evidence.released]
    lines += [f"Передано дальше / passed on: {_line(proof)} ({proof.actor})" for proof in evidence.forwarded]
    names = {"RECEIVED": "Получено / received", "REFUSED": "Отклонено / refused"}
    lines += [f"{names.get(proof.event, proof.event)}: {_line(proof)}" for proof in evidence.answers]
    lines += [f"Без ответа в этом файле / no answer in this file: {member}" for member in evidence.unproven_answers]
    return "\n".join(lines) + "\n"


def _registers(members: Mapping[str, bytes], root: bytes) -> tuple[logs.Registers, list[bytes]]:
    sets: dict[str, dict[str, bytes]] = {}
    for name, data in members.items():
        if name.startswith("register/"):
            _place, version, path = (*name.split("/", 2), "")[:3]
            sets.setdefault(version, {})[path] = data
    if not sets:
        raise NotProven("register_unknown", "register", "there is no set of the register")
    if len(sets) > MAX_SETS:
        raise NotProven("too_large", "register", f"over {MAX_SETS} sets")
    loaded: dict[bytes, Register] = {}
    for version, files in sorted(sets.items()):
        with located(f"register/{version}", NotProven):
            register = load_set(files, root, None)
        if register.version.hex() != version:
            raise NotProven(
                "register_unknown", f"register/{version}", "the set is not of the version it is filed under"
            )
        loaded[register.version] = register
    current = max(loaded.values(), key=lambda register: register.expiry_time)
    return logs.Registers(current, loaded), list(loaded)


def _proofs(members: Mapping[str, bytes], folder: str) -> list[log_pb2.LogProof]:
    proofs = []
    for name in sorted(members):
        if name.startswith(f"{folder}/"):
            try:
                proofs.append(log_pb2.LogProof.FromString(members[name]))
            except DecodeError as error:
                raise NotProven("malformed", name, "not a log proof") from error
    return proofs


def _signed(message: bytes) -> message_pb2.SignedMessage:
    try:
        return message_pb2.SignedMessage.FromString(message)
    except DecodeError as error:
        raise NotProven("malformed", MESSAGE, "not a signed message") from error


def _line(proof: Proof) -> str:
    arrow = f"{proof.member} -> {proof.counterpart}" if proof.event in ("RELEASED", "FORWARDED") else proof.member
    return f"{arrow}, {proof.time.isoformat(timespec='milliseconds')}, {proof.origin} #{proof.index}"


def versions_of(answer: audit_pb2.GetEvidenceResponse) -> Sequence[bytes]:
    """Name the sets of the register the file needs: those the node names, and those of the releases."""
    return list(dict.fromkeys([*answer.register_versions, *checks.versions_needed(answer.released)]))
