"""A node that lies to its own officer: the client refuses every changed answer and shows nothing."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from paiza.core.v1 import log_pb2
from paiza.officer.v1 import officer_pb2
from paiza_client.sdk import connect, sending
from paiza_client.sdk.drafts import Overrides, prepare, writing_time
from paiza_client.verify import checks, source_row_checks
from paiza_client.verify.logs import Registers
from paiza_client.verify.model import OpenedPart, Outcome, SentRow
from paiza_domain.drafts import drafts
from paiza_officer import profiles
from paiza_officer.errors import NotProven
from paiza_wire.identity import SpiffeId
from paiza_wire.message import PendingMessage, VerifiedMessage
from tests.federation import Federation
from tests.integration.client.conftest import DRAFT
from tests.integration.client.test_second_officer import NOMINAL

Opened = officer_pb2.OpenMessageResponse
Submitted = officer_pb2.SubmitResponse
Rows = officer_pb2.FindSourceRowsResponse
Message = VerifiedMessage | PendingMessage

ROWS = [bytes([number]) * 32 for number in range(3)]  # the first two were sent


@dataclass(frozen=True)
class Seen:
    """The true answers of the node: two openings of different messages, and the receipts for both.

    ``again`` is the receipt for both when they were submitted once more, ``waiting`` that for a message which waits for
    a second officer, and ``rows`` what was found of the source rows of the two.
    """

    opened: Opened
    other: Opened
    digest: bytes
    officer: SpiffeId
    registers: Registers
    submitted: Submitted
    messages: list[Message]
    again: Submitted
    waiting: Submitted
    nominal: list[Message]
    rows: Rows

    def check_rows(self, answer: Rows) -> dict[bytes, SentRow]:
        """Check an answer as if the node had given it about the source rows."""
        return source_row_checks.check_source_rows(answer, ROWS, "kaz", self.registers)

    def outcomes(self, answer: Submitted, messages: list[Message] | None = None, *, seen: int = 0) -> list[Outcome]:
        """Check an answer as if the node had given it for both messages, or for these."""
        return checks.check_submitted(answer, messages or self.messages, "kaz", self.registers, seen=seen)

    def check(self, answer: Opened) -> OpenedPart:
        """Check an answer as if the node had given it for the first message."""
        return checks.check_opened(
            answer, digest=self.digest, part_number=0, officer=self.officer, registers=self.registers
        )


@pytest.fixture(scope="module")
def seen(federation: Federation) -> Seen:
    """Send two messages, open both, and keep the raw answers."""
    return asyncio.run(asyncio.wait_for(_answers(federation.home), 60))


async def _answers(home: Path) -> Seen:
    kept: dict[str, tuple[object, ...]] = {}
    submissions: list[tuple[Submitted, list[Message]]] = []
    found: list[Rows] = []
    openings: list[Opened] = []
    patch = pytest.MonkeyPatch()

    def submitted(answer: Submitted, messages: list[Message], *others: object, **named: object) -> list[Outcome]:
        submissions.append((answer, messages))
        return real_submitted(answer, messages, *others, **named)  # type: ignore[arg-type]

    def rows(answer: Rows, *others: object) -> dict[bytes, SentRow]:
        found.append(answer)
        return real_rows(answer, *others)  # type: ignore[arg-type]

    def opened(answer: Opened, **named: object) -> OpenedPart:
        openings.append(answer)
        kept.setdefault("opened", (named["digest"], named["officer"], named["registers"]))
        return real_opened(answer, **named)  # type: ignore[arg-type]

    real_submitted, real_opened = checks.check_submitted, checks.check_opened
    real_rows = source_row_checks.check_source_rows
    patch.setattr(source_row_checks, "check_source_rows", rows)
    patch.setattr(checks, "check_submitted", submitted)
    patch.setattr(checks, "check_opened", opened)
    try:
        async with connect(profiles.load(home / "kaz-liaison")) as session:
            composer = await session.composer()
            now = writing_time()
            ready = prepare(drafts.read(DRAFT, "en", now=now), "draft", Overrides(), now)
            valid = [composer.validate(ready.kind, ready.content, None, ready.envelope, now) for _ in range(2)]
            sealed = [composer.seal(message, source_row=row) for message, row in zip(valid, ROWS, strict=False)]
            await session.submit(sealed)
            await session.submit(sealed)
            nominal = prepare(drafts.read(NOMINAL, "en", now=now), "draft", Overrides(second="duty"), now)
            await sending.send(session, nominal)
            await session.find_source_rows(ROWS)
            for message in sealed:
                await session.open_part(message.digest)
    finally:
        patch.undo()
    digest, officer, registers = kept["opened"]
    assert isinstance(digest, bytes)
    assert isinstance(officer, SpiffeId)
    assert isinstance(registers, Registers)
    (first, messages), (again, _), (waiting, waits) = submissions
    return Seen(openings[0], openings[1], digest, officer, registers, first, messages, again, waiting, waits, *found)


def flipped(data: bytes, place: int = -1) -> bytes:
    """Change one bit."""
    changed = bytearray(data)
    changed[place] ^= 1
    return bytes(changed)


def _signature(answer: Opened, _other: Opened) -> None:
    answer.message.signatures[0].signature = flipped(answer.message.signatures[0].signature)


def _certificate(answer: Opened, _other: Opened) -> None:
    answer.message.signatures[0].certificate = flipped(answer.message.signatures[0].certificate)


def _no_signature(answer: Opened, _other: Opened) -> None:
    del answer.message.signatures[:]


def _ciphertext(answer: Opened, _other: Opened) -> None:
    answer.message.parts[0].ciphertext = flipped(answer.message.parts[0].ciphertext)


def _part_key(answer: Opened, _other: Opened) -> None:
    answer.part_key = flipped(answer.part_key)


def _foreign_key(answer: Opened, other: Opened) -> None:
    answer.part_key = other.part_key


def _header(answer: Opened, _other: Opened) -> None:
    answer.message.header = flipped(answer.message.header)


def _no_release(answer: Opened, _other: Opened) -> None:
    del answer.released[:]


def _foreign_release(answer: Opened, other: Opened) -> None:
    answer.released[0].CopyFrom(other.released[0])


def _release_proof(answer: Opened, _other: Opened) -> None:
    answer.released[0].proven.index += 1


def _release_checkpoint(answer: Opened, _other: Opened) -> None:
    note = answer.released[0].checkpoint
    answer.released[0].checkpoint = note.replace(b"\n", b"\n9", 1)


def _release_entry(answer: Opened, _other: Opened) -> None:
    entry = log_pb2.LogEntry.FromString(answer.released[0].proven.entry)
    entry.entry_time.seconds -= 60
    answer.released[0].proven.entry = entry.SerializeToString()


def _unknown_log(answer: Opened, _other: Opened) -> None:
    answer.released[0].checkpoint = b"nobody.example/log/1\n1\nAAAA\n\n"


def _not_opened(answer: Opened, _other: Opened) -> None:
    answer.opened.Clear()


def _foreign_opening(answer: Opened, other: Opened) -> None:
    answer.opened.CopyFrom(other.opened)


def _release_as_opening(answer: Opened, _other: Opened) -> None:
    answer.opened.CopyFrom(answer.released[0])


def _other_message(answer: Opened, other: Opened) -> None:
    answer.CopyFrom(other)


@pytest.mark.parametrize(
    ("lie", "reasons"),
    [
        (_signature, {"bad_signature"}),
        (_certificate, {"bad_certificate"}),
        (_no_signature, {"wrong_signers"}),
        (_ciphertext, {"part_digest_mismatch"}),
        (_part_key, {"part_altered"}),
        (_foreign_key, {"part_altered"}),
        (_header, {"part_digest_mismatch", "malformed", "unknown_field"}),
        (_no_release, {"proof_missing"}),
        (_foreign_release, {"bad_proof"}),
        (_release_proof, {"bad_proof"}),
        (_release_checkpoint, {"bad_checkpoint"}),
        (_release_entry, {"bad_proof"}),
        (_unknown_log, {"unknown_log"}),
        (_not_opened, {"unknown_log", "bad_checkpoint"}),
        (_foreign_opening, {"bad_proof"}),
        (_release_as_opening, {"bad_proof"}),
        (_other_message, {"part_digest_mismatch"}),
    ],
    ids=lambda value: value.__name__.strip("_") if callable(value) else "",
)
def test_a_lie_in_an_opening_is_refused(seen: Seen, lie: Callable[[Opened, Opened], None], reasons: set[str]) -> None:
    """The true answer is accepted; with one thing changed it is refused for that reason."""
    assert b"Exercise" in seen.check(seen.opened).plaintext
    answer = Opened()
    answer.CopyFrom(seen.opened)
    lie(answer, seen.other)
    with pytest.raises(NotProven) as caught:
        seen.check(answer)
    assert caught.value.reason in reasons


def _swapped(answer: Submitted) -> None:
    first, second = Submitted(), Submitted()
    first.results.append(answer.results[0])
    second.results.append(answer.results[1])
    answer.results[0].CopyFrom(second.results[0])
    answer.results[1].CopyFrom(first.results[0])


def _fewer(answer: Submitted) -> None:
    del answer.results[1]


def _no_entries(answer: Submitted) -> None:
    del answer.results[0].released.entries[:]


def _empty(answer: Submitted) -> None:
    answer.results[0].Clear()


def _unsigned(answer: Submitted) -> None:
    answer.checkpoint = answer.checkpoint.split(b"\n\n")[0] + b"\n\n"


def _wrong_place(answer: Submitted) -> None:
    answer.results[0].released.entries[0].index += 1


def _foreign_digest(answer: Submitted) -> None:
    answer.results[0].released.message_digest = answer.results[1].released.message_digest


def _foreign_entries(answer: Submitted) -> None:
    answer.results[0].released.entries[0].CopyFrom(answer.results[1].released.entries[0])


def _foreign_receipt(answer: Submitted) -> None:
    answer.results[0].CopyFrom(answer.results[1])


def _foreign_receipt_as_repeat(answer: Submitted) -> None:
    answer.results[0].CopyFrom(answer.results[1])
    answer.results[0].released.repeated_submission = True


def _twice(answer: Submitted) -> None:
    answer.results[0].released.entries.append(answer.results[0].released.entries[0])


def _altered_entry(answer: Submitted) -> None:
    proven = answer.results[0].released.entries[0]
    entry = log_pb2.LogEntry.FromString(proven.entry)
    entry.counterpart = "uzb"
    proven.entry = entry.SerializeToString()


def _altered_hashes(answer: Submitted) -> None:
    hashes = answer.results[0].released.entries[0].inclusion_hashes
    hashes[0] = flipped(hashes[0])


def _other_thread(answer: Submitted) -> None:
    answer.results[0].released.thread_name = answer.results[1].released.thread_name


def _no_thread(answer: Submitted) -> None:
    answer.results[0].released.thread_name = ""


def _waits_with_a_release(answer: Submitted) -> None:
    released = answer.results[0].released
    waiting = officer_pb2.HeldForApproval(
        message_digest=released.message_digest, submitted=released.entries[0], missing_signers=["second"]
    )
    answer.results[0].waiting.CopyFrom(waiting)


def _waits_endlessly(answer: Submitted) -> None:
    answer.results[0].retry.reason = "busy"
    answer.results[0].retry.retry_after.seconds = 2**62


@pytest.mark.parametrize(
    ("lie", "reasons"),
    [
        (_swapped, {"bad_proof"}),
        (_fewer, {"unexpected_answer"}),
        (_no_entries, {"proof_missing"}),
        (_empty, {"unexpected_answer"}),
        (_unsigned, {"bad_checkpoint"}),
        (_wrong_place, {"bad_proof"}),
        (_foreign_digest, {"bad_proof"}),
        (_foreign_entries, {"bad_proof"}),
        (_foreign_receipt, {"bad_proof"}),
        (_foreign_receipt_as_repeat, {"bad_proof"}),
        (_twice, {"proof_missing"}),
        (_altered_entry, {"bad_proof"}),
        (_altered_hashes, {"bad_proof"}),
        (_other_thread, {"bad_proof"}),
        (_no_thread, {"bad_proof"}),
        (_waits_with_a_release, {"bad_proof"}),
        (_waits_endlessly, {"unexpected_answer"}),
    ],
    ids=lambda value: value.__name__.strip("_") if callable(value) else "",
)
def test_a_lie_in_a_receipt_is_refused(seen: Seen, lie: Callable[[Submitted], None], reasons: set[str]) -> None:
    """A node cannot make its officer believe in a release that its log does not hold, nor in one of another message."""
    assert [outcome.state for outcome in seen.outcomes(seen.submitted)] == ["released", "released"]
    for true in (seen.submitted, seen.again):
        answer = Submitted()
        answer.CopyFrom(true)
        lie(answer)
        with pytest.raises(NotProven) as caught:
            seen.outcomes(answer)
        assert caught.value.reason in reasons


def test_an_exact_repeat_is_shown_as_one(seen: Seen) -> None:
    """A release from before the submission is a repeat, and a node that shows it as new is refused."""
    (first, second), again = seen.outcomes(seen.submitted), seen.outcomes(seen.again)
    assert [outcome.repeated for outcome in (first, second, *again)] == [False, False, True, True]
    assert [outcome.digest for outcome in again] == [message.digest for message in seen.messages]
    answer = Submitted()
    answer.CopyFrom(seen.again)
    answer.results[1].released.repeated_submission = False
    with pytest.raises(NotProven, match="bad_proof"):
        seen.outcomes(answer, seen=second.proofs[-1].tree_size)


def test_a_refusal_is_no_receipt(seen: Seen) -> None:
    """Whatever a refusal names beside its reason, the message is not taken for released."""
    answer = Submitted()
    answer.CopyFrom(seen.submitted)
    earlier = seen.messages[1].digest
    answer.results[0].rejection.reason = "source_row_known"
    answer.results[0].earlier_message_digest = earlier
    answer.results[0].breaches.add(rule="no such rule")
    refused, _ = seen.outcomes(answer)
    assert (refused.state, refused.digest, refused.earlier) == ("refused", seen.messages[0].digest, earlier)
    assert refused.proofs == ()
    answer.results[0].earlier_message_digest = earlier[:-1]
    with pytest.raises(NotProven, match="unexpected_answer"):
        seen.outcomes(answer)


def _waiting_digest(answer: Submitted) -> None:
    answer.results[0].waiting.message_digest = bytes(32)


def _waiting_proof(answer: Submitted) -> None:
    answer.results[0].waiting.submitted.index += 1


def _waits_for_nobody(answer: Submitted) -> None:
    del answer.results[0].waiting.missing_signers[:]


def _waits_for_a_stranger(answer: Submitted) -> None:
    answer.results[0].waiting.missing_signers.append("spiffe://kaz.paiza.example/officer/nobody")


def _waits_for_its_submitter(answer: Submitted) -> None:
    missing = answer.results[0].waiting.missing_signers
    missing[0] = missing[0].rpartition("/")[0] + "/liaison"


def _waited_long_ago(answer: Submitted) -> None:
    answer.results[0].waiting.expires_time.seconds = 0


def _waits_for_ever(answer: Submitted) -> None:
    answer.results[0].waiting.expires_time.seconds = 2**62


@pytest.mark.parametrize(
    "lie",
    [
        *(_waiting_digest, _waiting_proof, _waits_for_nobody, _waits_for_a_stranger, _waits_for_its_submitter),
        *(_waited_long_ago, _waits_for_ever),
    ],
)
def test_a_lie_about_what_waits_is_refused(seen: Seen, lie: Callable[[Submitted], None]) -> None:
    """A message waits for those alone who have not signed it, and its log says who submitted it."""
    (true,) = seen.outcomes(seen.waiting, seen.nominal)
    assert (true.state, len(true.missing)) == ("waiting", 1)
    answer = Submitted()
    answer.CopyFrom(seen.waiting)
    lie(answer)
    with pytest.raises(NotProven):
        seen.outcomes(answer, seen.nominal)


def _other_row(answer: Rows) -> None:
    answer.rows[0].source_row_sha256 = b"x" * 32


def _same_row(answer: Rows) -> None:
    answer.rows[0].source_row_sha256 = answer.rows[1].source_row_sha256


def _one_message_for_both(answer: Rows) -> None:
    row = answer.rows[0].source_row_sha256
    answer.rows[0].CopyFrom(answer.rows[1])
    answer.rows[0].source_row_sha256 = row


def _other_header(answer: Rows) -> None:
    answer.rows[0].header = answer.rows[1].header


def _other_releases(answer: Rows) -> None:
    answer.rows[0].released[0].CopyFrom(answer.rows[1].released[0])


def _no_releases(answer: Rows) -> None:
    del answer.rows[0].released[:]


def _unsigned_rows(answer: Rows) -> None:
    answer.checkpoint = answer.checkpoint.split(b"\n\n")[0] + b"\n\n"


@pytest.mark.parametrize(
    "lie",
    [_other_row, _same_row, _one_message_for_both, _other_header, _other_releases, _no_releases, _unsigned_rows],
)
def test_a_lie_about_a_source_row_is_refused(seen: Seen, lie: Callable[[Rows], None]) -> None:
    """A row counts as sent only with a released message of its own."""
    true = seen.check_rows(seen.rows)
    assert {row: sent.digest for row, sent in true.items()} == {
        row: message.digest for row, message in zip(ROWS, seen.messages, strict=False)
    }
    assert all(signer.endswith("/officer/liaison") for sent in true.values() for signer in sent.signers)
    answer = Rows()
    answer.CopyFrom(seen.rows)
    lie(answer)
    with pytest.raises(NotProven):
        seen.check_rows(answer)
