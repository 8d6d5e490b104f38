"""Prove every message of the day offline, by its evidence file and the bootstrap root."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from paiza.core.v1 import message_pb2
from paiza_client.evidence import evidence
from paiza_client.evidence.evidence import Evidence
from paiza_client.sdk.model import MessageSummary
from tests.demo import waiting
from tests.demo.day import MEMBERS, NOT_PROVEN, Day
from tests.demo.desk import DemoFailedError
from tests.federation import Federation

FLIPPED_AT: Final = 0.5  # of the file: somewhere in the middle

URGENT: Final = {message_pb2.URGENCY_FLASH: "FLASH", message_pb2.URGENCY_URGENT: "URGENT"}


@dataclass(frozen=True)
class Delivered:
    """One message at one recipient: when its receipt was on the sender's disk, and where the receipt stands.

    ``urgency`` is empty for what is neither FLASH nor URGENT.
    """

    thread: str
    kind: str
    urgency: str
    sender: str
    recipient: str
    seconds: float
    log: str
    index: int


def by_hand(day: Day) -> None:
    """Make an evidence file as an auditor would, verify it with no node or profile, and damage it."""
    made = day.desk.paiza("kaz-auditor", "audit", "evidence", day.shown[:18], "-o", "answer.zip").result
    day.desk.tell(f"{made['bytes']} bytes: {made['file']}", f"{made['bytes']} байт: {made['file']}")
    root = str(day.federation.folder / "root.json")
    (day.desk.folder / "root.json").write_bytes(Path(root).read_bytes())
    found = day.desk.paiza("", "audit", "verify", "answer.zip", "--root", "root.json").result
    received = found["answers"][0]
    day.desk.tell(
        f"{received['member']} received it: {received['log']} #{received['index']} of {received['tree_size']}",
        f"{received['member']} получил: {received['log']} #{received['index']} из {received['tree_size']}",
    )
    data = bytearray((day.desk.folder / "answer.zip").read_bytes())
    data[int(len(data) * FLIPPED_AT)] ^= 1
    (day.desk.folder / "damaged.zip").write_bytes(data)
    answer = day.desk.paiza("", "audit", "verify", "damaged.zip", "--root", "root.json", expect=NOT_PROVEN)
    what = ("prove something with a file in which one bit differs", "доказать файлом, где изменён один бит")
    day.note_refusal(what, "bad_evidence", day.desk.voice("anybody", "кто угодно"), answer)


def every_message(federation: Federation) -> tuple[list[Delivered], list[bytes]]:
    """Fetch the evidence of everything that was sent and verify it by the bootstrap root alone.

    Gives the receipts in the order of sending, and the evidence files.
    """
    root = (federation.folder / "root.json").read_bytes()
    delivered: list[tuple[MessageSummary, list[Delivered]]] = []
    files: list[bytes] = []
    for member in MEMBERS:
        profile = f"{member}-liaison"
        sent = waiting.sent_by(federation.home, profile)
        settled = [waiting.until_settled(federation.home, profile, each.id) for each in sent]
        packed = waiting.evidence_of(federation.home, profile, [each.digest for each in settled])
        files += packed
        for message, file in zip(settled, packed, strict=True):
            delivered.append((message, _receipts(message, evidence.verify_file(file, root))))
    delivered.sort(key=lambda pair: pair[0].stored_time)
    return [row for _message, rows in delivered for row in rows], files


def _receipts(message: MessageSummary, proven: Evidence) -> list[Delivered]:
    if (
        proven.unproven_answers
        or proven.unproven_releases
        or {each.proof.event for each in proven.answers} != {"RECEIVED"}
    ):
        raise DemoFailedError(f"{message.id}: no receipt of {', '.join(proven.unproven_answers) or 'somebody'}")
    released = {each.proof.counterpart: each.proof.time for each in proven.released}
    settled = {each.recipient: each.settled_time for each in message.deliveries}
    rows = []
    for receipt in (each.proof for each in proven.answers):
        at = settled[receipt.member]
        if at is None:
            raise DemoFailedError(f"{message.id}: the receipt of {receipt.member} is not on the sender's disk")
        rows.append(
            Delivered(
                message.thread_name,
                message.header.kind,
                URGENT.get(message.header.urgency, ""),
                message.header.author,
                receipt.member,
                (at - released[receipt.member]).total_seconds(),
                receipt.origin,
                receipt.index,
            )
        )
    return rows
