"""What is to be erased, what was, and what other holders said of it; legal hold; what stays of an erased message.

Deleted bytes are overwritten: SQLite's writer runs with ``secure_delete`` (`engine`), and `SqlStore.purge` empties what
the databases keep besides the tables.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, func, literal_column, select, update

from paiza.core.v1 import delivery_pb2
from paiza.officer.v1 import desk_pb2
from paiza_node.model import ErasureAnswer, ErasureRow, ErasureStep, MessageRow
from paiza_node.store import schema as s
from paiza_node.store.rows import from_micros, to_micros
from paiza_node.store.statements import Lookup, blocks, insertion, replacement

_E: Final = s.erasure.c
_AWAITED: Final = delivery_pb2.ATTACHMENT_STATE_AWAITED
_ERASED: Final = delivery_pb2.ATTACHMENT_STATE_ERASED


_ANSWERS: Final = (
    select(s.erasure_answer, s.note.c.note)
    .join(s.note, s.note.c.digest == s.erasure_answer.c.note_digest)
    .order_by(s.erasure_answer.c.member)
)


class ErasureReads:
    """Questions about erasures, asked over one connection."""

    _connection: Connection

    def erasure(self, digest: bytes, request: bytes) -> ErasureRow | None:
        """Give where the erasure of one message by one request stands here."""
        found = self._connection.execute(
            select(s.erasure).where(_E.digest == digest, _E.request == request)
        ).one_or_none()
        return None if found is None else _erasure(found)

    def erasures_of(self, digests: Collection[bytes]) -> dict[bytes, list[ErasureRow]]:
        """Give what is known of erasing these messages here, by message."""
        found: dict[bytes, list[ErasureRow]] = {}
        for row in _ERASURES_OF.run(self._connection, digests):
            found.setdefault(row[0], []).append(_erasure_tuple(row))
        return found

    def erasures_due(self, limit: int) -> list[ErasureRow]:
        """Give what is to be erased, or was begun and is not finished, oldest first."""
        # A literal, so that the databases see that the partial index applies.
        due = _E.state < literal_column("3")
        rows = self._connection.execute(select(s.erasure).where(due).order_by(_E.asked_time).limit(limit))
        return [_erasure(row) for row in rows]

    def erasures_to_tell(self, limit: int) -> list[ErasureRow]:
        """Give the answers that requesters have not taken note of, in the order in which they are to be told."""
        untold = select(s.erasure).where(_E.tell_time.is_not(None))
        return [_erasure(row) for row in self._connection.execute(untold.order_by(_E.tell_time).limit(limit))]

    def erasures_of_others(self, limit: int) -> list[ErasureRow]:
        """Give what was erased here, is to be or is held, newest first."""
        rows = self._connection.execute(select(s.erasure).order_by(_E.asked_time.desc()).limit(limit))
        return [_erasure(row) for row in rows]

    def remains(self, digest: bytes) -> bytes | None:
        """Give the header and signatures of an erased message, as a serialized SignedMessage without parts."""
        found = self._connection.execute(select(s.erased.c.signed).where(s.erased.c.digest == digest))
        value = found.scalar_one_or_none()
        return None if value is None else bytes(value)

    def erased(self, digests: Collection[bytes]) -> set[bytes]:
        """Give those of these messages whose content was erased here."""
        return {row[0] for row in _ERASED_OF.run(self._connection, digests)}

    def erased_seqs(self, seqs: Collection[int]) -> set[int]:
        """Give the numbers of those of these messages whose content was erased here."""
        m = s.message.c
        found: set[int] = set()
        for block in blocks(list(seqs)):
            joined = s.message.join(s.erased, s.erased.c.digest == m.digest)
            rows = self._connection.execute(select(m.seq).select_from(joined).where(m.seq.in_(block)))
            found |= set(rows.scalars())
        return found

    def erasure_answers(self, requests: Collection[bytes]) -> list[ErasureAnswer]:
        """Give what holders said of these requests of ours."""
        found: list[ErasureAnswer] = []
        for block in blocks(list(requests)):
            rows = self._connection.execute(_ANSWERS.where(s.erasure_answer.c.request.in_(block)))
            found += map(_answer, rows)
        return found

    def erasure_answers_of(self, digest: bytes) -> list[ErasureAnswer]:
        """Give what holders said of erasing one message, by whichever request of ours."""
        return list(map(_answer, self._connection.execute(_ANSWERS.where(s.erasure_answer.c.digest == digest))))

    def holds(self, digests: Collection[bytes]) -> dict[bytes, int]:
        """Give, for those of these messages that are under legal hold, the entry that says so."""
        found: dict[bytes, int] = {}
        for block in blocks(list(digests)):
            rows = self._connection.execute(select(s.hold).where(s.hold.c.digest.in_(block)))
            found.update((row.digest, row.log_index) for row in rows)
        return found

    def all_holds(self, limit: int) -> list[tuple[bytes, int]]:
        """Give (message, entry that says so) of what is under legal hold, newest first."""
        rows = self._connection.execute(select(s.hold).order_by(s.hold.c.log_index.desc()).limit(limit))
        return [(row.digest, row.log_index) for row in rows]

    def sole_ciphertexts(self, digest: bytes, ciphertexts: Collection[bytes]) -> set[bytes]:
        """Give those of these ciphertexts that no upload and no message but this one (and erased ones) names."""
        a, u = s.attachment.c, s.upload.c
        erased = select(s.erased.c.digest)
        named: set[bytes] = set()
        for block in blocks(list(ciphertexts)):
            living = select(a.ciphertext_sha256).where(
                a.ciphertext_sha256.in_(block), a.digest != digest, a.digest.not_in(erased)
            )
            named |= set(self._connection.execute(living).scalars())
            uploaded = select(u.ciphertext_sha256).where(u.ciphertext_sha256.in_(block))
            named |= set(self._connection.execute(uploaded).scalars())
        return set(ciphertexts) - named

    def waiting_deliveries(self, seq: int) -> list[tuple[int, str, int]]:
        """Give (id, recipient, what it is part of) of the deliveries of a message that still wait."""
        d = s.delivery.c
        rows = self._connection.execute(
            select(d.id, d.recipient, d.passing)
            .where(d.message_seq == seq, d.state == s.WAITING_LITERAL)
            .order_by(d.id)
        )
        return [(row[0], row[1], row[2]) for row in rows]


def _answer(row: Row[Any]) -> ErasureAnswer:
    return ErasureAnswer(
        row.request, row.digest, row.member, row.entry, row.log_index, row.hashes, row.note, row.register_version
    )


class ErasureWrites(ErasureReads):
    """The writes of it, in the one transaction of one connection."""

    def put_erasures(self, rows: Sequence[ErasureRow]) -> None:
        """Store where erasures stand, instead of what was stored of them before."""
        _PUT_ERASURE.run(
            self._connection,
            [
                (
                    row.digest,
                    row.request,
                    row.requester,
                    int(row.step),
                    to_micros(row.asked_time),
                    row.log_index,
                    None if row.tell_time is None else to_micros(row.tell_time),
                )
                for row in rows
            ],
        )

    def erase_body(self, message: MessageRow, remains: bytes, now: datetime) -> None:
        """Delete what a message says, and what was made of it; ``remains`` stays in its place.

        Of its attachments those not settled are settled as erased; the files are the caller's.
        """
        _ADD_ERASED.run(self._connection, [(message.digest, remains)])
        seq = message.seq
        for statement in (
            delete(s.message_body).where(s.message_body.c.seq == seq),
            delete(s.term_token).where(s.term_token.c.seq == seq),
            delete(s.review).where(s.review.c.seq == seq),
            update(s.indexed_message).where(s.indexed_message.c.seq == seq).values(event_time=None, linked=False),
            update(s.work).where(s.work.c.seq == seq).values(state=int(desk_pb2.WORK_STATE_DONE)),
        ):
            self._connection.execute(statement)
        a = s.attachment.c
        here = (a.digest == message.digest) & ((a.source != "") | (a.state == _AWAITED))
        values = {
            "state": _ERASED,
            "due_time": None,
            "detail": "",
            "settled_time": func.coalesce(a.settled_time, to_micros(now)),
        }
        self._connection.execute(update(s.attachment).where(here).values(values))

    def drop_texts(self, indices: Collection[int]) -> None:
        """Delete the free texts beside these entries."""
        for block in blocks(sorted(indices)):
            self._connection.execute(delete(s.log_text).where(s.log_text.c.index.in_(block)))

    def put_erasure_answer(self, answer: ErasureAnswer) -> None:
        """Keep a holder's answer, instead of an earlier one of the same holder."""
        digest = sha256(answer.checkpoint).digest()
        _ADD_NOTE.run(self._connection, [(digest, answer.checkpoint)])
        row = (
            answer.request,
            answer.digest,
            answer.member,
            answer.entry,
            answer.index,
            answer.hashes,
            digest,
            answer.register_version,
        )
        _PUT_ANSWER.run(self._connection, [row])

    def put_hold(self, digest: bytes, log_index: int) -> None:
        """Put a message under legal hold."""
        _PUT_HOLD.run(self._connection, [(digest, log_index)])

    def lift_hold(self, digest: bytes) -> None:
        """End the legal hold of a message."""
        self._connection.execute(delete(s.hold).where(s.hold.c.digest == digest))


def _erasure(row: Row[Any]) -> ErasureRow:
    return _erasure_tuple(tuple(row))


def _erasure_tuple(row: tuple[Any, ...]) -> ErasureRow:
    digest, request, requester, state, asked, log_index, tell = row
    return ErasureRow(
        digest=digest,
        request=request,
        requester=requester,
        step=ErasureStep(state),
        asked_time=from_micros(asked),
        log_index=log_index,
        tell_time=None if tell is None else from_micros(tell),
    )


_ERASURES_OF: Final = Lookup(select(s.erasure), s.erasure.c.digest)
_ERASED_OF: Final = Lookup(select(s.erased.c.digest), s.erased.c.digest)
_PUT_ERASURE: Final = replacement(s.erasure)
_ADD_ERASED: Final = insertion(s.erased, ignore_known=True)
_ADD_NOTE: Final = insertion(s.note, ignore_known=True)
_PUT_ANSWER: Final = replacement(s.erasure_answer)
_PUT_HOLD: Final = replacement(s.hold)
