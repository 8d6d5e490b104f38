"""Dispatch proofs and receipts: log entries, and the checks that they must pass.

A *dispatch proof* is the author's RELEASED entry for one recipient, a *receipt* the recipient's RECEIVED entry, a
*refusal* its REFUSED entry. A FORWARDED entry proves that a member forwarded the message. Each is proven by inclusion
to a checkpoint signed by that member's log key. Formats: "Log" in proto/README.md.
"""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final

from paiza.core.v1 import log_pb2 as pb
from paiza_wire import log_entries
from paiza_wire.errors import Rejected
from paiza_wire.identity import MEMBER_ID, SpiffeId
from paiza_wire.message import DIGEST_SIZE, MAX_SIGNERS, MAX_TEXT, VerifiedMessage, parse_strictly
from paiza_wire.tlog.checkpoint import VerifiedCheckpoint
from paiza_wire.tlog.merkle import InclusionVerifier, leaf_hash

SALT_SIZE: Final = 16  # bytes; a sibling hash in a proof must not let its entry be guessed
MAX_ENTRY_BYTES: Final = 8 * 1024  # bytes; names, digests and codes
MAX_LISTED: Final = 500  # messages of one entry: a page of a list
MAX_PROOF_HASHES: Final = 63  # a log never holds more than 2**63 entries
ENTRY_TIME_END: Final = datetime(9000, 1, 1, tzinfo=UTC).timestamp()

TEXT_SALT_SIZE: Final = 16  # bytes; what is left of an erased text must not let it be guessed
TEXT_LABEL: Final = b"paiza/v1/log-text\n"

ERASURE_ANSWERS: Final = frozenset({
    pb.LOG_EVENT_ERASED,
    pb.LOG_EVENT_NEVER_HELD,
    pb.LOG_EVENT_ERASURE_DENIED,
})  # fmt: skip

_REASON: Final = re.compile(r"[a-z][a-z0-9_]{0,63}\Z")


@dataclass(frozen=True, slots=True)
class VerifiedEntry:
    """A log entry with a verified inclusion proof: at ``index`` of the log that signed ``checkpoint``."""

    entry: pb.LogEntry
    raw: bytes
    index: int
    checkpoint: VerifiedCheckpoint
    listed: tuple[bytes, ...] = ()
    """Digests of the messages that an entry about several is about, where they were told."""

    def concerns(self, digest: bytes) -> bool:
        """Return whether the entry is about a message."""
        return digest in {self.entry.message_digest, *self.listed}

    @property
    def time(self) -> datetime:
        """Return the entry's time, as its log states it."""
        return self.entry.entry_time.ToDatetime(tzinfo=UTC)


def new_salt() -> bytes:
    """Generate the salt of a log entry."""
    return secrets.token_bytes(SALT_SIZE)


def new_text_salt() -> bytes:
    """Generate the salt that is stored, shown and erased with a text beside the log."""
    return secrets.token_bytes(TEXT_SALT_SIZE)


def text_digest(salt: bytes, text: str) -> bytes:
    """Commit to a free text kept beside the log with a salt of its own: SHA-256(label ‖ salt ‖ UTF-8 text)."""
    return sha256(TEXT_LABEL + salt + text.encode()).digest()


def check_text(entry: pb.LogEntry, salt: bytes, text: str) -> None:
    """Refuse ("bad_proof") a text, or its salt, to which the entry does not commit."""
    if len(salt) != TEXT_SALT_SIZE or text_digest(salt, text) != entry.text_sha256:
        raise Rejected("bad_proof", "the text is not the one the entry commits to")


def evidence_digest(entry: bytes, checkpoint_note: bytes) -> bytes:
    """Commit to the other side's entry and checkpoint: SHA-256(SHA-256(entry) ‖ SHA-256(note))."""
    return sha256(sha256(entry).digest() + sha256(checkpoint_note).digest()).digest()


def logged_signers(message: VerifiedMessage) -> list[pb.LoggedSigner]:
    """Return the signers of a message and their roles as a RELEASED entry states them."""
    return [
        pb.LoggedSigner(id=required.id, role=required.role, certificate_sha256=signer.fingerprint)
        for required, signer in zip(message.header.required_signers, message.signers, strict=True)
    ]


def parse_entry(data: bytes) -> pb.LogEntry:
    """Parse a serialized LogEntry and check its form; Rejected names the error."""
    if len(data) > MAX_ENTRY_BYTES:
        raise Rejected("too_large", f"a log entry of {len(data)} bytes is over the limit of {MAX_ENTRY_BYTES}")
    entry = parse_strictly(pb.LogEntry, data, "the log entry")
    if len(entry.salt) != SALT_SIZE:
        raise Rejected("malformed", f"the log entry's salt is not {SALT_SIZE} bytes long")
    if entry.event not in log_entries.EVENTS:
        raise Rejected("malformed", "the log entry's event is not set, or not known")
    if not log_entries.is_of_its_event(entry):
        raise Rejected("malformed", "the log entry's detail is not set, or of another event")
    if log_entries.signer_count(entry) > MAX_SIGNERS:
        raise Rejected("too_large", f"a log entry names at most {MAX_SIGNERS} signers")
    for digest in (entry.message_digest, entry.text_sha256, entry.register_version, *log_entries.digests(entry)):
        if len(digest) not in (0, DIGEST_SIZE):
            raise Rejected("malformed", "a digest in the log entry is not 32 bytes long")
    time = entry.entry_time
    if not 0 < time.seconds < ENTRY_TIME_END or not 0 <= time.nanos < 10**9:
        raise Rejected("malformed", "the log entry's time is not set or out of range")
    # These texts are shown to people in other states: no control characters, no escapes for their terminals.
    texts = entry.actor + entry.counterpart + entry.released.thread_name + log_entries.purpose(entry)
    if len(texts) > MAX_TEXT:
        raise Rejected("too_large", f"the texts of the log entry are over {MAX_TEXT} characters")
    if not texts.isprintable():
        raise Rejected("malformed", "a text of the log entry holds a character that cannot be printed")
    reason = log_entries.reason(entry)
    if reason and not _REASON.match(reason):
        raise Rejected("malformed", "the log entry's reason is not a code")
    return entry


def verify_entry(proven: pb.ProvenEntry, checkpoint: VerifiedCheckpoint) -> VerifiedEntry:
    """Check that the log holds an entry at the stated index; Rejected("bad_proof") otherwise."""
    return EntryVerifier(checkpoint).verify(proven)


class EntryVerifier:
    """Verifies entries of one log, proven to one checkpoint. For one thread at a time.

    Neighbours are verified quicker one after the other than each by itself (`InclusionVerifier`).
    """

    def __init__(self, checkpoint: VerifiedCheckpoint) -> None:
        self.checkpoint: Final = checkpoint
        self._inclusion = InclusionVerifier(checkpoint.size, checkpoint.root)

    def verify(self, proven: pb.ProvenEntry) -> VerifiedEntry:
        """Check that the log holds an entry at the stated index; Rejected("bad_proof") otherwise."""
        if len(proven.inclusion_hashes) > MAX_PROOF_HASHES:
            raise Rejected("bad_proof", f"an inclusion proof has at most {MAX_PROOF_HASHES} hashes")
        self._inclusion.verify(leaf_hash(proven.entry), proven.index, proven.inclusion_hashes)
        entry, listed = parse_entry(proven.entry), tuple(proven.message_digests)
        if listed and not (len(listed) <= MAX_LISTED and log_entries.commits_to(entry, listed)):
            raise Rejected("bad_proof", "the log entry is about other messages than those listed")
        return VerifiedEntry(entry, proven.entry, proven.index, self.checkpoint, listed)


def check_released(entry: pb.LogEntry, message: VerifiedMessage, recipient: str) -> None:
    """Check that an entry of the author's log releases this message to this recipient, on these signers' authority.

    The caller ensures that the log whose checkpoint proves the entry is the author's.
    """
    if entry.event != pb.LOG_EVENT_RELEASED:
        raise Rejected("bad_proof", "the dispatch proof is not a RELEASED entry")
    if entry.message_digest != message.digest:
        raise Rejected("bad_proof", "the RELEASED entry is of another message")
    if entry.counterpart != recipient:
        raise Rejected("bad_proof", "the RELEASED entry is for another recipient")
    if not same_signers(entry.released.signers, logged_signers(message)):
        raise Rejected(
            "wrong_signers", "the RELEASED entry names other signers, roles or certificates than the message"
        )
    _check_register(entry, "the RELEASED entry")


def check_forwarded(entry: pb.LogEntry, digest: bytes, forwarder: str) -> None:
    """Check that an entry of the forwarder's log says that one of its officers forwarded this message.

    Its ``counterpart`` is the new holder. The caller ensures that the log whose checkpoint proves the entry is the
    forwarder's, that the counterpart is the expected one, and that the forwarding is permitted.
    """
    if entry.event != pb.LOG_EVENT_FORWARDED:
        raise Rejected("bad_proof", "the entry is not a FORWARDED entry")
    if entry.message_digest != digest:
        raise Rejected("bad_proof", "the FORWARDED entry is of another message")
    if SpiffeId.parse(entry.actor).member != forwarder:
        raise Rejected("wrong_member", "the FORWARDED entry names an actor of another member")
    if not MEMBER_ID.fullmatch(entry.counterpart) or entry.counterpart == forwarder:
        raise Rejected("bad_proof", "the FORWARDED entry does not say to which other member")
    _check_register(entry, "the FORWARDED entry")


def same_signers(one: Sequence[pb.LoggedSigner], other: Sequence[pb.LoggedSigner]) -> bool:
    """Compare two lists of logged signers, order included."""
    return len(one) == len(other) and all(a == b for a, b in zip(one, other, strict=True))


def check_answer(entry: pb.LogEntry, digest: bytes, author: str) -> None:
    """Check that an entry of the recipient's log answers this message: RECEIVED, or REFUSED with the reason.

    The caller ensures that the log whose checkpoint proves the entry is the recipient's.
    """
    _check_receipt(entry)
    if entry.message_digest != digest:
        raise Rejected("bad_proof", "the answer is for another message")
    if entry.counterpart != author:
        raise Rejected("bad_proof", "the answer is for another author")
    if log_entries.part_number(entry) is not None:
        raise Rejected("bad_proof", "the answer is for a part, not for the whole message")


def check_attachment_answer(entry: pb.LogEntry, source: str) -> None:
    """Check that an entry of a recipient's log answers for an attachment from ``source``: received or refused.

    The caller ensures that the log whose checkpoint proves the entry is the recipient's, and that the part exists.
    """
    _check_receipt(entry)
    if len(entry.message_digest) != DIGEST_SIZE or log_entries.part_number(entry) is None:
        raise Rejected("bad_proof", "the answer names no part of a message")
    if entry.counterpart != source:
        raise Rejected("bad_proof", "the answer is for what another member handed over")


def _check_receipt(entry: pb.LogEntry) -> None:
    """Check what receipts of messages and of attachments have in common."""
    if entry.event not in (pb.LOG_EVENT_RECEIVED, pb.LOG_EVENT_REFUSED):
        raise Rejected("bad_proof", "the answer is neither a RECEIVED nor a REFUSED entry")
    if entry.event == pb.LOG_EVENT_REFUSED and not entry.refused.reason:
        raise Rejected("bad_proof", "the refusal states no reason")
    _check_register(entry, "the answer")


def _check_register(entry: pb.LogEntry, what: str) -> None:
    if len(entry.register_version) != DIGEST_SIZE:
        raise Rejected("malformed", f"{what} names no register version")


def check_erasure_answer(entry: pb.LogEntry, requester: str) -> None:
    """Check that an entry of a holder's log answers an erasure request of ``requester``.

    The caller ensures that the log whose checkpoint proves the entry is the holder's, and that the request is the
    caller's own and names the message.
    """
    if entry.event not in ERASURE_ANSWERS:
        raise Rejected("bad_proof", "the entry does not say what became of an erasure")
    if len(entry.message_digest) != DIGEST_SIZE or len(log_entries.request_digest(entry)) != DIGEST_SIZE:
        raise Rejected("bad_proof", "the entry names no message, or no request to erase it")
    if entry.counterpart != requester:
        raise Rejected("bad_proof", "the entry answers a request of another member")
    _check_register(entry, "the entry")
