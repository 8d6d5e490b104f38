"""Dispatch proofs and receipts: every field changed, every proof moved, and what an entry must say to count."""

# ruff: noqa: E501 - a table is read by lines

from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256

import pytest
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from paiza.core.v1 import log_pb2 as pb
from paiza_wire import log_entries, message, receipts
from paiza_wire.errors import Rejected
from paiza_wire.identity import CertificateVerifier
from paiza_wire.message import VerifiedMessage
from paiza_wire.tlog import checkpoint
from tests.log_entries import turn_into
from tests.unit.paiza_wire.minting import NOW, Federation, Member, header, log_entry, prove, signed_message
from tests.unit.paiza_wire.mutating import mutated, mutations

OTHERS = tuple(log_entry(pb.LOG_EVENT_SEARCHED).SerializeToString(deterministic=True) for _ in range(6))
PLACE = 4
ADDED = frozenset({"changed", "greatest", "lengthened"})  # ways of changing what is not set, too

# What becomes of a RELEASED / RECEIVED / REFUSED entry of which the log itself says something else: the reason, or
# "holds" where the log may say so. One word stands for all that have the field; "-" where it is not set, or may not be.
ENTRY = """
salt                                  changed:holds truncated:malformed lengthened:malformed cleared:malformed
event                                 changed:malformed unknown:malformed cleared:malformed
entry_time                            cleared:malformed
entry_time.seconds                    changed:holds greatest:malformed cleared:malformed
entry_time.nanos                      changed:holds greatest:malformed cleared:holds
actor                                 changed:holds truncated:holds lengthened:too_large cleared:holds
counterpart                           changed:bad_proof truncated:bad_proof lengthened:too_large cleared:bad_proof
message_digest                        changed:bad_proof truncated:malformed lengthened:malformed cleared:bad_proof
register_version                      changed:holds truncated:malformed lengthened:malformed cleared:malformed
text_sha256                           changed:holds truncated:malformed lengthened:malformed cleared:holds
released                              cleared:malformed
released.signers                      emptied:wrong_signers doubled:wrong_signers reversed:wrong_signers flooded:too_large
released.signers.id                   changed:wrong_signers truncated:wrong_signers lengthened:wrong_signers cleared:wrong_signers
released.signers.role                 changed:wrong_signers truncated:wrong_signers lengthened:wrong_signers cleared:wrong_signers
released.signers.certificate_sha256   changed:wrong_signers truncated:wrong_signers lengthened:wrong_signers cleared:wrong_signers
released.thread_name                  changed:holds truncated:holds lengthened:too_large cleared:holds
received                              cleared:malformed
received.dispatch_sha256              changed:holds truncated:malformed lengthened:malformed cleared:holds
received.attachment                   cleared:-
received.attachment.part_number       changed:bad_proof greatest:bad_proof cleared:-
received.attachment.ciphertext_sha256 changed:malformed truncated:- lengthened:malformed cleared:-
refused                               cleared:malformed
refused.reason                        changed:holds truncated:holds lengthened:malformed cleared:bad_proof
refused.dispatch_sha256               changed:holds truncated:malformed lengthened:malformed cleared:holds
refused.attachment                    cleared:-
refused.attachment.part_number        changed:bad_proof greatest:bad_proof cleared:-
refused.attachment.ciphertext_sha256  changed:malformed truncated:- lengthened:malformed cleared:-
"""


@pytest.fixture(scope="module")
def verified(sent: bytes, verifier: CertificateVerifier) -> VerifiedMessage:
    """The message of aaa to bbb and ccc, verified."""
    return message.verify(sent, verifier, at=NOW)


def released(of: VerifiedMessage, recipient: str = "bbb") -> pb.LogEntry:
    """Write the entry of aaa's log that releases a message."""
    return log_entry(
        pb.LOG_EVENT_RELEASED,
        actor=of.header.required_signers[0].id,
        counterpart=recipient,
        message_digest=of.digest,
        signers=receipts.logged_signers(of),
        text_sha256=bytes(32),
        thread_name="AAA-2030-00001",
    )


def received(of: VerifiedMessage, reason: str = "") -> pb.LogEntry:
    """Write the entry of bbb's log that answers a message."""
    return log_entry(
        pb.LOG_EVENT_REFUSED if reason else pb.LOG_EVENT_RECEIVED,
        actor="spiffe://aaa.federation.example/node",
        counterpart="aaa",
        message_digest=of.digest,
        **({"reason": reason} if reason else {}),
        text_sha256=bytes(32),
        dispatch_sha256=receipts.evidence_digest(b"entry", b"note"),
    )


def in_log(owner: Member, entry: pb.LogEntry) -> receipts.VerifiedEntry:
    """Put an entry into a member's log among others, and verify its proof."""
    entries = [*OTHERS[:PLACE], entry.SerializeToString(deterministic=True), *OTHERS[PLACE:]]
    return receipts.verify_entry(prove(entries, PLACE), owner.checkpoint(entries))


def outcome(check: Callable[..., object], *arguments: object) -> str:
    """Return why a check refuses; "holds" where it does not."""
    try:
        check(*arguments)
    except Rejected as refused:
        return refused.reason
    return "holds"


def test_what_logs_say_of_a_message_holds(verified: VerifiedMessage, federation: Federation) -> None:
    """A RELEASED entry of the author's log, RECEIVED and REFUSED entries of the recipient's are what they claim."""
    release = in_log(federation["aaa"], released(verified))
    receipts.check_released(release.entry, verified, "bbb")
    for reason in ("", "invalid_content"):
        answer = in_log(federation["bbb"], received(verified, reason))
        receipts.check_answer(answer.entry, verified.digest, "aaa")
        assert log_entries.reason(answer.entry) == reason
        assert (answer.index, answer.checkpoint.origin) == (PLACE, "bbb.federation.example/log/1")
        assert answer.raw == answer.entry.SerializeToString(deterministic=True)
        assert answer.time == NOW + timedelta(microseconds=1)


def test_every_field_of_an_entry_changed_by_its_log_gives_its_reason(
    verified: VerifiedMessage, federation: Federation
) -> None:
    """Every field of LogEntry in every way, said by the log itself: judged as in the table; a new field is missed here."""

    def check_release(entry: pb.LogEntry) -> None:
        receipts.check_released(in_log(federation["aaa"], entry).entry, verified, "bbb")

    def check_answer(entry: pb.LogEntry) -> None:
        receipts.check_answer(in_log(federation["bbb"], entry).entry, verified.digest, "aaa")

    kinds = (
        (released(verified), check_release),
        (received(verified), check_answer),
        (received(verified, "invalid_content"), check_answer),
    )
    found: dict[tuple[str, str], list[str]] = {}
    for path, way in mutations(pb.LogEntry.DESCRIPTOR):
        for entry, check in kinds:
            if _is_of_another_event(entry, path):  # see the test of details below
                continue
            can = _is_set(entry, path) or (way in ADDED and "signers" not in path)
            found.setdefault((path, way), []).append(outcome(check, mutated(entry, path, way)) if can else "-")
    told = {key: outcomes[0] if len(set(outcomes)) == 1 else "/".join(outcomes) for key, outcomes in found.items()}
    rows = [row.split() for row in ENTRY.strip().split("\n")]
    assert told == {(path, cell.split(":")[0]): cell.split(":")[1] for path, *cells in rows for cell in cells}


def _is_of_another_event(entry: pb.LogEntry, path: str) -> bool:
    oneof = pb.LogEntry.DESCRIPTOR.fields_by_name[path.split(".", maxsplit=1)[0]].containing_oneof
    return oneof is not None and path.split(".", maxsplit=1)[0] != entry.WhichOneof("detail")


def _is_set(entry: pb.LogEntry, path: str) -> bool:
    *above, last = path.split(".")
    owner: Message = entry
    for name in above:
        field = {field.name: value for field, value in owner.ListFields()}.get(name)
        if field is None:
            return False
        owner = field if isinstance(field, Message) else field[0]
    return last in {field.name for field, _ in owner.ListFields()}


def test_every_field_of_a_proof_changed_is_refused(verified: VerifiedMessage, federation: Federation) -> None:
    """A relayed receipt with a changed entry, index, proof hash or message list is refused."""
    listed = sorted([verified.digest, bytes(32)])
    detail = log_entries.opened_together(actor="a", digests=listed).opened_together
    entry = log_entry(pb.LOG_EVENT_OPENED_TOGETHER, actor="a", opened_together=detail)
    entries = [*OTHERS[:PLACE], entry.SerializeToString(deterministic=True), *OTHERS[PLACE:]]
    proven, signed = prove(entries, PLACE), federation["aaa"].checkpoint(entries)
    proven.message_digests.extend(listed)
    assert receipts.verify_entry(proven, signed).listed == tuple(listed)
    found = {}
    for path, way in mutations(pb.ProvenEntry.DESCRIPTOR):
        changed = mutated(proven, path, way)
        assert isinstance(changed, pb.ProvenEntry)
        found[path, way] = outcome(receipts.verify_entry, changed, signed)
    assert {path for path, _ in found} == {"entry", "index", "inclusion_hashes", "message_digests"}
    found.pop(("message_digests", "emptied"))  # the list need not be told
    assert set(found.values()) == {"bad_proof"}


def test_every_flipped_bit_of_an_entry_and_its_proof_is_refused(
    verified: VerifiedMessage, federation: Federation
) -> None:
    """One bit of each byte of the entry and of each hash, and every other index, is refused."""
    entries = [*OTHERS[:PLACE], released(verified).SerializeToString(deterministic=True), *OTHERS[PLACE:]]
    proven, signed = prove(entries, PLACE), federation["aaa"].checkpoint(entries)

    def flipped(data: bytes, place: int) -> bytes:
        return data[:place] + bytes([data[place] ^ 1 << place % 8]) + data[place + 1 :]

    changed = [
        pb.ProvenEntry(entry=flipped(proven.entry, place), index=PLACE, inclusion_hashes=proven.inclusion_hashes)
        for place in range(len(proven.entry))
    ]
    for number, digest in enumerate(proven.inclusion_hashes):
        for place in range(32):
            one = pb.ProvenEntry.FromString(proven.SerializeToString())
            one.inclusion_hashes[number] = flipped(digest, place)
            changed.append(one)
    changed.extend(
        pb.ProvenEntry(entry=proven.entry, index=index, inclusion_hashes=proven.inclusion_hashes)
        for index in (*range(PLACE), *range(PLACE + 1, 10), 2**32 + PLACE, 2**63, 2**64 - 1)
    )
    assert {outcome(receipts.verify_entry, one, signed) for one in changed} == {"bad_proof"}


def test_proofs_do_not_move(verified: VerifiedMessage, federation: Federation) -> None:
    """A proof of another entry, of another size, or to another log's checkpoint proves nothing here."""
    author, reader = federation["aaa"], federation["bbb"]
    entries = [*OTHERS[:PLACE], released(verified).SerializeToString(deterministic=True), *OTHERS[PLACE:]]
    proven, neighbour = prove(entries, PLACE), prove(entries, PLACE + 1)
    for signed in (author.checkpoint(entries[:-1]), author.checkpoint(entries + entries), reader.checkpoint(OTHERS)):
        assert outcome(receipts.verify_entry, proven, signed) == "bad_proof"
    for swapped in (
        pb.ProvenEntry(entry=proven.entry, index=PLACE, inclusion_hashes=neighbour.inclusion_hashes),
        pb.ProvenEntry(entry=neighbour.entry, index=PLACE, inclusion_hashes=proven.inclusion_hashes),
        pb.ProvenEntry(entry=proven.entry, index=PLACE + 1, inclusion_hashes=neighbour.inclusion_hashes),
    ):
        assert outcome(receipts.verify_entry, swapped, author.checkpoint(entries)) == "bad_proof"


def test_the_checkpoint_of_another_log_is_refused(federation: Federation) -> None:
    """A checkpoint counts only for the log whose key signed it, for any presenter."""
    author, reader = federation["aaa"], federation["bbb"]
    note = author.checkpoint(OTHERS).note
    ours, theirs = author.log_key.verifier_key, reader.log_key.verifier_key
    assert checkpoint.verify(note, [ours, theirs], ours.name).size == len(OTHERS)
    for known, origin in (
        ([theirs], theirs.name),
        ([ours, theirs], theirs.name),
        ([theirs], ours.name),
        ([], ours.name),
    ):
        with pytest.raises(Rejected, match="bad_checkpoint"):
            checkpoint.verify(note, known, origin)


def test_a_release_counts_for_its_recipient_and_message_only(
    verified: VerifiedMessage, federation: Federation, verifier: CertificateVerifier
) -> None:
    """Another recipient's release, and the release of another message of the author, are replays."""
    author, recipients = federation["aaa"], [federation["bbb"], federation["ccc"]]
    other = message.verify(signed_message(author, recipients), verifier, at=NOW)
    for replayed in (released(verified, "ccc"), released(other)):
        entry = in_log(author, replayed).entry
        with pytest.raises(Rejected, match="bad_proof"):
            receipts.check_released(entry, verified, "bbb")


@pytest.mark.parametrize(
    "event", [event for event in pb.LogEvent.values() if event not in {pb.LOG_EVENT_UNSPECIFIED, pb.LOG_EVENT_RELEASED}]
)
def test_no_other_event_is_a_release(event: "pb.LogEvent.ValueType", verified: VerifiedMessage) -> None:
    """No other entry of an author's log about the message and recipient is a release."""
    entry = released(verified)
    turn_into(entry, event)
    with pytest.raises(Rejected, match="bad_proof"):
        receipts.check_released(entry, verified, "bbb")


@pytest.mark.parametrize(
    "event",
    [
        event
        for event in pb.LogEvent.values()
        if event not in {pb.LOG_EVENT_UNSPECIFIED, pb.LOG_EVENT_RECEIVED, pb.LOG_EVENT_REFUSED}
    ],
)
def test_no_other_event_is_an_answer(event: "pb.LogEvent.ValueType", verified: VerifiedMessage) -> None:
    """No other entry of a recipient's log about the message and author is an answer."""
    entry = received(verified)
    turn_into(entry, event)
    with pytest.raises(Rejected, match="bad_proof"):
        receipts.check_answer(entry, verified.digest, "aaa")


def test_a_release_names_the_roles_and_certificates_that_signed(
    federation: Federation, verifier: CertificateVerifier
) -> None:
    """The same officers in other roles, or under other certificates of theirs, did not sign this message."""
    author, reader = federation["aaa"], federation["bbb"]
    first = message.verify(signed_message(author, [reader]), verifier, at=NOW)
    written = header(author, ["bbb"])
    written.required_signers[0].role = "coordinator"
    other_roles = message.verify(signed_message(author, [reader], written), verifier, at=NOW)
    entry = released(first)
    entry.message_digest = other_roles.digest
    with pytest.raises(Rejected, match="wrong_signers"):
        receipts.check_released(entry, other_roles, "bbb")
    entry = released(first)
    entry.released.signers[0].certificate_sha256 = sha256(author.certify("liaison").certificate).digest()
    with pytest.raises(Rejected, match="wrong_signers"):
        receipts.check_released(entry, first, "bbb")


def test_an_attachments_receipt_is_not_the_messages(verified: VerifiedMessage) -> None:
    """An entry that names a part, number 0 included, answers that part and not the message."""
    for number in (0, 2):
        answer, refusal = received(verified), received(verified, "part_altered")
        answer.received.attachment.part_number = refusal.refused.attachment.part_number = number
        for entry in (answer, refusal):
            with pytest.raises(Rejected, match="bad_proof"):
                receipts.check_answer(entry, verified.digest, "aaa")


@pytest.mark.parametrize("field", ["actor", "counterpart", "thread_name"])
@pytest.mark.parametrize("text", ["\x1b[2J", "a\nb", "\x7f", "\u202eabc", "\x85"])
def test_texts_that_could_deceive_a_reader_are_refused(field: str, text: str) -> None:
    """Control characters, escapes and reversals of direction in a log's texts never reach a terminal."""
    entry = log_entry(pb.LOG_EVENT_RELEASED, **{field: text})
    with pytest.raises(Rejected, match="malformed"):
        receipts.parse_entry(entry.SerializeToString(deterministic=True))


def test_texts_in_any_script_are_taken() -> None:
    """An operator's or officer's name in Cyrillic is printable."""
    entry = log_entry(pb.LOG_EVENT_DENIED, actor="os-user:вымышленный", reason="role_missing")
    assert receipts.parse_entry(entry.SerializeToString(deterministic=True)) == entry


@pytest.mark.parametrize("reason", ["Role missing", "role_missing\n", "1", "_", "x" * 65, "é"])
def test_a_reason_is_a_code(reason: str) -> None:
    """A reason must look like a code, but need not be known to this version."""
    entry = log_entry(pb.LOG_EVENT_REFUSED, reason=reason)
    with pytest.raises(Rejected, match="malformed"):
        receipts.parse_entry(entry.SerializeToString(deterministic=True))
    entry.refused.reason = "reason_of_a_later_version"
    assert receipts.parse_entry(entry.SerializeToString(deterministic=True)) == entry


def test_an_entry_has_one_encoding_and_a_limit() -> None:
    """Unknown fields, other orders, an event written short to make room for one, and too much are refused."""
    entry = log_entry(pb.LOG_EVENT_SEARCHED)
    raw = entry.SerializeToString(deterministic=True)
    salt, rest = raw[:18], raw[18:]
    assert receipts.parse_entry(raw) == entry
    smuggled = salt + b"\x10\xff\xff\xff\xff\x0f" + rest[2:] + b"\xc2\x3e\x02hi"
    for data in (rest + salt, raw + b"\xc0\x3e\x01", raw + b"\x38\x00", salt + salt + rest, smuggled):
        assert outcome(receipts.parse_entry, data) in {"unknown_field", "malformed"}
    assert outcome(receipts.parse_entry, raw + bytes(receipts.MAX_ENTRY_BYTES)) == "too_large"


def test_an_entry_cut_short_is_refused(verified: VerifiedMessage) -> None:
    """Wherever a release ends too early, it releases nothing."""
    raw = released(verified).SerializeToString(deterministic=True)

    def check(data: bytes) -> None:
        receipts.check_released(receipts.parse_entry(data), verified, "bbb")

    assert [length for length in range(len(raw)) if outcome(check, raw[:length]) == "holds"] == []


@pytest.mark.parametrize("event", sorted(log_entries.EVENTS))
def test_a_detail_that_is_unset_or_of_another_event_is_refused(event: "pb.LogEvent.ValueType") -> None:
    """An entry says what its event says, and nothing else."""
    entry = log_entry(event)
    assert receipts.parse_entry(entry.SerializeToString(deterministic=True)) == entry
    entry.ClearField("detail")
    assert outcome(receipts.parse_entry, entry.SerializeToString(deterministic=True)) == "malformed"
    for other in log_entries.EVENTS - {event}:
        turn_into(entry, other)
        entry.event = event
        assert outcome(receipts.parse_entry, entry.SerializeToString(deterministic=True)) == "malformed"


def test_two_details_are_refused() -> None:
    """A parser that took the last, and one that took the first, would read two entries in the same bytes."""
    raw = log_entry(pb.LOG_EVENT_SEARCHED).SerializeToString(deterministic=True)
    both = pb.LogEntry(declined=pb.DeclinedDetail()).SerializeToString() + raw[-3:]
    assert outcome(receipts.parse_entry, raw[:-3] + both) in {"unknown_field", "malformed"}


def test_the_detail_of_an_event_has_its_number_and_its_name() -> None:
    """The field number of a detail is that of its event plus 8, in the order of the events and without gaps."""
    fields = pb.LogEntry.DESCRIPTOR.oneofs_by_name["detail"].fields
    assert [(field.number - 8, field.name.upper()) for field in fields] == [
        (event, log_entries.event_name(event)) for event in range(1, len(log_entries.EVENTS) + 1)
    ]


def test_salts_and_digests_are_what_the_specification_says() -> None:
    """A salt is 16 fresh bytes; texts and evidence are committed to by the documented digests."""
    assert len({receipts.new_salt() for _ in range(50)}) == 50
    assert len(receipts.new_salt()) == 16
    assert len({receipts.new_text_salt() for _ in range(50)}) == 50
    assert len(receipts.new_text_salt()) == 16
    text = sha256(b"paiza/v1/log-text\n" + b"s" * 16 + "почему".encode()).digest()
    assert receipts.text_digest(b"s" * 16, "почему") == text
    expected = sha256(sha256(b"entry").digest() + sha256(b"note").digest()).digest()
    assert receipts.evidence_digest(b"entry", b"note") == expected


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_arbitrary_bytes_are_an_entry_or_refused(data: bytes) -> None:
    """The parser of entries raises only the refusal, and re-encodes accepted entries unchanged."""
    for candidate in (data, b"\x0a\x10" + bytes(16) + data):
        try:
            entry = receipts.parse_entry(candidate)
        except Rejected:
            continue
        assert entry.SerializeToString(deterministic=True) == candidate


@given(
    st.builds(
        pb.ProvenEntry,
        entry=st.one_of(st.sampled_from(OTHERS), st.binary(max_size=40)),
        index=st.one_of(st.integers(0, 8), st.integers(0, 2**64 - 1)),
        inclusion_hashes=st.lists(st.binary(max_size=33), max_size=70),
    )
)
@settings(deadline=None)
def test_arbitrary_proofs_are_refused(federation: Federation, proven: pb.ProvenEntry) -> None:
    """Every invented proof is refused, and raises nothing else."""
    signed = federation["aaa"].checkpoint(OTHERS)
    assert outcome(receipts.verify_entry, proven, signed) == "bad_proof"
