"""Source rows: whose earlier message stands for a row, who is told of it, and that nobody gets another's receipt."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from paiza.core.v1 import message_pb2 as pb
from paiza_node.core.access.model import Officer
from paiza_node.core.access.need_to_know import UnitDirectory
from paiza_node.core.errors import SourceRowKnown
from paiza_node.core.exchange import source_rows
from paiza_node.core.exchange.send.release import Release
from paiza_node.core.exchange.stages import Outcome, Released, Submission
from paiza_node.core.storage import open_store
from paiza_wire.identity import SpiffeId, VerifiedCertificate, keys
from paiza_wire.message import VerifiedMessage, message_digest, new_message_id
from tests.unit.paiza_node.core.exchange.test_release import DAY, NOW, Scene

ROW = b"r" * 32
KEY = keys.generate_p256().public_key()
LIAISON = Officer("spiffe://kaz.paiza.example/officer/liaison", frozenset({"liaison"}), "bureau")
COLLEAGUE = Officer("spiffe://kaz.paiza.example/officer/colleague", frozenset({"liaison"}), "bureau")
STRANGER = Officer("spiffe://kaz.paiza.example/officer/stranger", frozenset({"liaison"}), "border")
DUTY = Officer("spiffe://kaz.paiza.example/officer/duty", frozenset({"duty"}), "desk")


class Units(Scene):
    """A release at a member whose officers belong to units."""

    directory = UnitDirectory("kaz", "desk", dict)

    def sent(self, officer: Officer, *items: Submission) -> list[Outcome]:
        """Release a batch of an officer."""
        release = Release(
            member="kaz",
            stages=(),
            reactions=(),
            unit_directory=self.directory,
            delivery_life=DAY,
            check_signers=self._check_signers,
        )
        return self.ledger.commit_now(lambda tx: release(tx, officer, items)).result

    def known(self, officer: Officer) -> set[bytes]:
        """Return the messages that stand for the row, as an officer finds them."""
        with self.store.reads() as reads:
            found = source_rows.known(reads, officer, self.directory, [ROW])
            return source_rows.listed(reads, officer, found.values())


@pytest.fixture
def units(database_url: str) -> Iterator[Units]:
    """An empty store on both databases."""
    made = Units(open_store(database_url))
    yield made
    made.ledger.close()
    made.store.close()


def notice(number: int, officer: Officer, row: bytes = ROW) -> Submission:
    """Make a message of an officer for a row."""
    message_id = new_message_id(NOW + timedelta(seconds=number))
    header = pb.Header(
        suite=pb.SUITE_1,
        kind="seizure-notice",
        kind_version=1,
        author="kaz",
        message_id=message_id,
        thread_id=message_id,
        urgency=pb.URGENCY_INFORMATION,
        required_signers=[pb.RequiredSigner(id=officer.id, role="liaison")],
        recipients=[pb.Recipient(member="tjk"), pb.Recipient(member="uzb")],
        handling=pb.Handling(code="H0", tlp="AMBER", classification=1),
        register_version=bytes(32),
        subject_sha256=bytes(32),
        parts=[pb.PartDescription(kind=pb.PART_KIND_MAIN, ciphertext_sha256=bytes(32))],
    )
    header.author_time.FromDatetime(NOW)
    header.review_time.FromDatetime(NOW)
    signed = pb.SignedMessage(header=header.SerializeToString(deterministic=True))
    signer = VerifiedCertificate(SpiffeId.parse(officer.id), KEY, bytes(32), NOW, NOW, b"")
    message = VerifiedMessage(message_digest(signed.header), header, signed, (signer,))
    return Submission(message, signed.SerializeToString(), row)


def earlier(outcome: Outcome) -> bytes:
    """Return the message named by a refusal of a known row."""
    assert isinstance(outcome, SourceRowKnown)
    assert outcome.reason == "source_row_known"
    return outcome.earlier


@pytest.mark.parametrize("second", [LIAISON, COLLEAGUE], ids=["the same officer", "a colleague"])
def test_a_second_message_for_a_row_is_refused_and_names_the_first(units: Units, second: Officer) -> None:
    """It gets no receipt of another message; the first one, sent again, is a repeat and gets its own."""
    first, other = notice(1, LIAISON), notice(2, second)
    (released,) = units.sent(LIAISON, first)
    assert isinstance(released, Released)
    (refused,) = units.sent(second, other)
    assert earlier(refused) == first.message.digest
    (again,) = units.sent(LIAISON, first)
    assert isinstance(again, Released)
    assert (again.digest, again.indices, again.repeated) == (first.message.digest, released.indices, True)
    assert len(units.logged()) == len(released.indices)


@pytest.mark.parametrize("second", [STRANGER, DUTY], ids=["another unit", "the duty unit, which sees all"])
def test_the_rows_of_another_unit_count_for_themselves(units: Units, second: Officer) -> None:
    """Who registers another unit's rows first neither stops its message nor shows up in its search."""
    first, other = notice(1, LIAISON), notice(2, second)
    units.sent(LIAISON, first)
    assert units.known(second) == set()
    (released,) = units.sent(second, other)
    assert isinstance(released, Released)
    assert (released.digest, released.repeated) == (other.message.digest, False)
    assert units.known(second) == {other.message.digest}
    assert units.known(LIAISON) == {first.message.digest}


def test_an_officer_who_changed_units_still_knows_their_own_rows(units: Units) -> None:
    """What they signed in their former unit is not sent again from the new one."""
    first = notice(1, LIAISON)
    units.sent(LIAISON, first)
    moved = Officer(LIAISON.id, LIAISON.roles, "border")
    (refused,) = units.sent(moved, notice(2, moved))
    assert earlier(refused) == b"", "its new unit does not list the message"


def test_a_row_twice_in_one_batch_is_sent_once(units: Units) -> None:
    """The second message of the batch is refused, and names the first."""
    first, second = notice(1, LIAISON), notice(2, LIAISON)
    released, refused = units.sent(LIAISON, first, second)
    assert isinstance(released, Released)
    assert earlier(refused) == first.message.digest
    assert units.known(LIAISON) == {first.message.digest}
