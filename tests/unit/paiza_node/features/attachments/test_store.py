"""Attachment states on both databases: due ones, counted ones, named ones."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest

from paiza.core.v1 import delivery_pb2
from paiza_node.core.storage import Store, open_store
from paiza_node.features.attachments import store as attachments_store
from paiza_node.features.attachments.model import AttachmentProof, AttachmentRow, Upload

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
RECEIVED = delivery_pb2.ATTACHMENT_STATE_RECEIVED


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """A store on an empty database."""
    store = open_store(database_url)
    yield store
    store.close()


def digest(name: str) -> bytes:
    """Make a digest."""
    return sha256(name.encode()).digest()


def row(name: str, number: int = 1, *, source: str = "kaz", member: str = "tjk", size: int = 1000) -> AttachmentRow:
    """Make a pending attachment."""
    return AttachmentRow(
        digest=digest(name),
        part_number=number,
        member=member,
        source=source,
        ciphertext_sha256=digest(f"{name} {number}"),
        size=size,
        pending_since_time=NOW,
        due_time=NOW if source else None,
    )


def test_the_smallest_that_is_due_comes_first(store: Store) -> None:
    """A photograph is due before a film of the same member; others' and later ones are not named."""
    film, photo = row("film", size=10**9), row("photo", size=10)
    with store.transaction() as conn:
        attachments_store.put_attachments(
            conn, [film, photo, replace(row("later"), due_time=NOW + HOUR), row("else", source="uzb")]
        )
        attachments_store.put_attachments(conn, [row("sent", source="", member="kaz")])
    with store.reads() as reads:
        assert attachments_store.attachments_due(reads, "kaz", NOW, 10) == [photo, film]
        assert attachments_store.attachments_due(reads, "kaz", NOW, 1) == [photo]
        assert attachments_store.attachment_sources(reads) == {"kaz": NOW, "uzb": NOW}
        assert attachments_store.pending_counts(reads) == {
            ("here", "kaz"): 3,
            ("here", "uzb"): 1,
            ("there", "kaz"): 1,
        }


def test_what_ended_is_not_planned_again(store: Store) -> None:
    """A plan made for an attachment that was settled meanwhile changes nothing."""
    before = row("photo")
    settled = replace(before, state=RECEIVED, settled_time=NOW, log_index=7, due_time=NOW)
    with store.transaction() as conn:
        attachments_store.put_attachments(conn, [before])
        attachments_store.plan_attachment(conn, before, NOW + HOUR, 1, "peer_unreachable", "away")
    with store.reads() as reads:
        planned = attachments_store.attachment(reads, before.digest, 1, "tjk", "kaz")
    assert planned == replace(before, due_time=NOW + HOUR, attempts=1, reason="peer_unreachable", detail="away")
    with store.transaction() as conn:
        attachments_store.put_attachments(conn, [settled])
        attachments_store.plan_attachment(conn, before, NOW + HOUR, 2, "peer_unreachable", "away")
        assert attachments_store.attachment(conn, before.digest, 1, "tjk", "kaz") == settled
        attachments_store.plan_attachment(conn, settled, None, 0, "", "")
        assert attachments_store.attachment_sources(conn) == {}


def test_what_is_awaited_too_long_is_found(store: Store) -> None:
    """Only what others owe us expires; what recipients have not fetched yet is theirs to fetch."""
    owed, sent = row("owed"), row("sent", source="", member="kaz")
    with store.transaction() as conn:
        attachments_store.put_attachments(conn, [owed, sent, replace(row("new"), pending_since_time=NOW + HOUR)])
        assert attachments_store.attachments_expired(conn, NOW + HOUR, 10) == [owed]
        oldest = sorted([owed.digest, sent.digest])
        assert [each.digest for each in attachments_store.attachment_queue(conn, "kaz", 10)] == [*oldest, digest("new")]
        seen, after = [], None
        while page := attachments_store.attachment_queue(conn, "", 1, after):
            seen.append(page[0].digest)
            last = page[0]
            after = (last.pending_since_time, last.digest, last.part_number, last.member, last.source)
        assert seen == [*oldest, digest("new")]


def test_bytes_of_a_member_are_counted_by_the_day(store: Store) -> None:
    """Attachments received since a time count; pending and earlier ones do not."""
    taken = [
        replace(row(str(number), size=size), state=RECEIVED, settled_time=NOW - number * HOUR)
        for number, size in enumerate([1, 10, 100])
    ]
    with store.transaction() as conn:
        attachments_store.put_attachments(conn, [*taken, row("pending", size=1000)])
        assert attachments_store.attachment_bytes_since(conn, "kaz", NOW - HOUR) == 11
        assert attachments_store.attachment_bytes_since(conn, "uzb", NOW - HOUR) == 0


def test_uploads_are_an_officers_until_a_message_names_them(store: Store) -> None:
    """Uploads are found by digest, officer and age; what a message names stays named when its upload is forgotten."""
    upload = Upload(digest("photo 1"), "spiffe://kaz.paiza.example/officer/one", 1000, NOW)
    others = replace(upload, officer="spiffe://kaz.paiza.example/officer/two")
    with store.transaction() as conn:
        attachments_store.put_upload(conn, upload)
        attachments_store.put_upload(conn, replace(upload, whole=True))
        attachments_store.put_upload(conn, others)
        for officers in ([upload.officer], [upload.officer, others.officer]):
            assert attachments_store.uploads(conn, officers, [upload.ciphertext_sha256, digest("other")]) == {
                upload.ciphertext_sha256: replace(upload, whole=True)
            }
        assert attachments_store.uploads(conn, [others.officer], [upload.ciphertext_sha256]) == {
            upload.ciphertext_sha256: others
        }
        assert [each.ciphertext_sha256 for each in attachments_store.uploads_of(conn, upload.officer)] == [
            upload.ciphertext_sha256
        ]
        assert attachments_store.old_uploads(conn, NOW, 10) == []
        assert len(attachments_store.old_uploads(conn, NOW + HOUR, 10)) == 2
        attachments_store.put_attachments(conn, [row("photo")])
        attachments_store.drop_uploads(conn, [upload])
        assert attachments_store.uploads(conn, [upload.officer], [upload.ciphertext_sha256]) == {}
        assert attachments_store.uploads(conn, [others.officer], [upload.ciphertext_sha256]) != {}
        attachments_store.drop_uploads(conn, [others])
        assert attachments_store.messages_naming(conn, upload.ciphertext_sha256) == {digest("photo")}
        assert attachments_store.named_ciphertexts(conn, [upload.ciphertext_sha256, digest("other")]) == {
            upload.ciphertext_sha256
        }


def test_proofs_are_kept_as_they_first_came(store: Store) -> None:
    """A recipient's entry about an attachment is kept with its checkpoint; a second one changes nothing."""
    proof = AttachmentProof(digest("m"), 1, "tjk", b"entry", 3, b"", b"note", digest("register"))
    with store.transaction() as conn:
        attachments_store.add_attachment_proofs(conn, [proof])
        attachments_store.add_attachment_proofs(conn, [replace(proof, entry=b"another")])
        assert attachments_store.attachment_proofs(conn, proof.digest) == [proof]
