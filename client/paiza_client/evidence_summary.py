"""The summary in an evidence file, in Russian and English, for whoever has no program to read it. It proves nothing."""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from paiza_client.evidence import Claim, Evidence

_EVENTS: Final[Mapping[str, str]] = MappingProxyType({
    "RELEASED": "Отправлено / released",
    "FORWARDED": "Передано дальше / passed on",
    "RECEIVED": "Получено / received",
    "REFUSED": "Отклонено / refused",
    "OPENED": "Открыто / opened",
    "EXPORTED": "Выгружено / exported",
    "RECALLED": "Отозвано / recalled",
    "ERASED": "Удалено / erased",
    "DENIED": "Не удалено / erasure denied",
})  # fmt: skip
_WITH_COUNTERPART: Final = frozenset({"RELEASED", "FORWARDED"})


def summary(evidence: "Evidence") -> str:
    """Describe the file."""
    header = evidence.message.header
    lines = [
        "PAIZA EVIDENCE / ДОКАЗАТЕЛЬСТВО PAIZA",
        "",
        "Проверка без сети: paiza audit verify FILE --root root.json",
        "To verify, offline: paiza audit verify FILE --root root.json",
        "Другой программой / by another program: verify_evidence.py FILE root.json",
        "Этот текст сам по себе ничего не доказывает. / This text proves nothing by itself.",
        "",
        f"Федерация / federation: {evidence.federation}",
        f"Сообщение / message: {header.message_id.hex()}",
        f"Вид / kind: {header.kind} v{header.kind_version}",
        f"Автор / author: {header.author}",
        f"Получатели / recipients: {', '.join(recipient.member for recipient in header.recipients)}",
        f"SHA-256: {evidence.message.digest.hex()}",
        "",
    ]
    lines += [f"Подписано / signed: {each.officer} ({each.role})" for each in evidence.signed]
    lines += [line for claim in evidence.claims for line in _lines(claim)]
    lines += [f"Без отправки в этом файле / no release in this file: {each}" for each in evidence.unproven_releases]
    lines += [f"Без ответа в этом файле / no answer in this file: {member}" for member in evidence.unproven_answers]
    for number, plaintext in evidence.disclosed.items():
        lines.append(
            f"Раскрыта часть / part disclosed: {number} ({len(plaintext)} B; paiza audit verify --extract DIR)"
        )
    return "\n".join(lines) + "\n"


def _lines(claim: "Claim") -> list[str]:
    proof = claim.proof
    who = f"{proof.member} -> {proof.counterpart}" if proof.event in _WITH_COUNTERPART else proof.member
    part = "" if proof.part_number is None else f", часть / part {proof.part_number}"
    why = f" ({proof.reason})" if proof.reason else ""
    by = f", {proof.actor}" if proof.actor else ""
    event = _EVENTS.get(proof.event, proof.event)
    lines = [f"{event}{why}: {who}{part}, {_when(proof.time)}{by}, {proof.origin} #{proof.index}"]
    if claim.interval is None:
        lines.append("    время только по этому журналу / the time is this log's own word")
        return lines
    known = claim.interval
    begins = "?" if known.not_before is None else _when(known.not_before)
    names = f"{', '.join(known.witnesses)} ({len(known.witnesses)}/{known.others})"
    lines.append(f"    не раньше / not before {begins}, не позже / not after {_when(known.not_after)}: {names}")
    if claim.contradicted:
        lines.append("    ЧАСЫ ЖУРНАЛА ПРОТИВОРЕЧАТ СВИДЕТЕЛЯМ / THE LOG'S TIME CONTRADICTS ITS WITNESSES")
    return lines


def _when(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
