"""A node that lies to its own officer: the client refuses every changed answer and shows nothing."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from paiza.core.v1 import log_pb2
from paiza.officer.v1 import officer_pb2
from paiza_client.sdk import connect
from paiza_client.sdk.drafts import Overrides, prepare, writing_time
from paiza_client.verify import checks
from paiza_client.verify.logs import Registers
from paiza_client.verify.model import OpenedPart
from paiza_domain.drafts import drafts
from paiza_officer import profiles
from paiza_officer.errors import NotProven
from paiza_wire.identity import SpiffeId
from paiza_wire.message import VerifiedMessage
from tests.federation import Federation
from tests.integration.client.conftest import DRAFT

Opened = officer_pb2.OpenMessageResponse
Submitted = officer_pb2.SubmitResponse


@dataclass(frozen=True)
class Seen:
    """The true answers of the node: two openings of different messages, and the receipt for both."""

    opened: Opened
    other: Opened
    digest: bytes
    officer: SpiffeId
    registers: Registers
    submitted: Submitted
    messages: list[VerifiedMessage]

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
    openings: list[Opened] = []
    patch = pytest.MonkeyPatch()

    def submitted(*arguments: object) -> list[object]:
        kept["submitted"] = arguments
        return list(real_submitted(*arguments))  # type: ignore[arg-type]

    def opened(answer: Opened, **named: object) -> OpenedPart:
        openings.append(answer)
        kept.setdefault("opened", (named["digest"], named["officer"], named["registers"]))
        return real_opened(answer, **named)  # type: ignore[arg-type]

    real_submitted, real_opened = checks.check_submitted, checks.check_opened
    patch.setattr(checks, "check_submitted", submitted)
    patch.setattr(checks, "check_opened", opened)
    try:
        async with connect(profiles.load(home / "kaz-liaison")) as session:
            composer = await session.composer()
            now = writing_time()
            ready = prepare(drafts.read(DRAFT, "en", now=now), "draft", Overrides(), now)
            valid = [composer.validate(ready.kind, ready.content, None, ready.envelope, now) for _ in range(2)]
            sealed = [composer.seal(message) for message in valid]
            await session.submit(sealed)
            for message in sealed:
                await session.open_part(message.digest)
    finally:
        patch.undo()
    digest, officer, registers = kept["opened"]
    answer, messages = kept["submitted"][:2]
    assert isinstance(digest, bytes)
    assert isinstance(officer, SpiffeId)
    assert isinstance(registers, Registers)
    assert isinstance(answer, Submitted)
    assert isinstance(messages, list)
    return Seen(openings[0], openings[1], digest, officer, registers, answer, messages)


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


@pytest.mark.parametrize("lie", [_swapped, _fewer, _no_entries, _empty, _unsigned, _wrong_place])
def test_a_lie_in_a_receipt_is_refused(seen: Seen, lie: Callable[[Submitted], None]) -> None:
    """A node cannot make its officer believe in a release that its log does not hold."""
    true = checks.check_submitted(seen.submitted, seen.messages, "kaz", seen.registers)
    assert [outcome.state for outcome in true] == ["released", "released"]
    answer = Submitted()
    answer.CopyFrom(seen.submitted)
    lie(answer)
    with pytest.raises(NotProven):
        checks.check_submitted(answer, seen.messages, "kaz", seen.registers)
