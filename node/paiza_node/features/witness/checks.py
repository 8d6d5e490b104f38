"""Verification of cosignatures and of recorded misbehaviour: cosigned checkpoints, proofs to them, forks."""

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from typing import Any, Final

from typing_extensions import override

from paiza.core.v1 import log_pb2
from paiza_node.core.errors import N_
from paiza_node.core.exchange import store as exchange_store
from paiza_node.core.log import store as log_store
from paiza_node.core.peers import store as peers_store
from paiza_node.core.peers.model import FindingKind
from paiza_node.core.storage import ReadConnection, scanning
from paiza_node.core.storage import settings as settings_store
from paiza_node.core.storage.findings import Check, Part, Step
from paiza_node.core.storage.times import from_micros
from paiza_node.features.witness import store as witness_store
from paiza_node.features.witness.misbehaviour import fork_digest
from paiza_node.features.witness.model import CosignedProof, CosignedSpan
from paiza_node.features.witness.upgrade_proofs import COUNTER
from paiza_node.features.witness.verify_cosignatures import JudgedNote, judge_note
from paiza_register import Member, Register, RegisterReader
from paiza_wire import receipts
from paiza_wire.errors import PaizaError, Rejected
from paiza_wire.tlog import fork_proofs, merkle
from paiza_wire.tlog.cosignatures import cosignatures
from paiza_wire.tlog.merkle import split_hashes
from paiza_wire.tlog.tiles import TileTree
from paiza_wire.tlog.witnessed_time import witnessed_time

_Entry = tuple[FindingKind, str, bytes]

SPANS: Final = 4096  # verified notes in the cache; the proofs of a batch share one


class Witnesses(Check):
    """Verifies witnessed notes and cosigned proofs."""

    def __init__(
        self,
        scan: ReadConnection,
        reader: RegisterReader,
        register: Register,
        own: str,
        kept: Iterable[tuple[str, int, bytes, bytes]],
    ) -> None:
        """Store the database, the archive of registers, the register in force, and our own member id.

        ``kept`` are all stored entries of other members' logs: owner, index, the entry, digest of its note.
        """
        self._scan = scan
        self._kept = kept
        self._reader = reader
        self._register = register
        self._own = own
        self._now = datetime.now(UTC)
        self._judged: dict[CosignedSpan, JudgedNote] = {}
        self._origins: dict[bytes, str] = {}

    @override
    def verify(self, part: Part, step: Step) -> None:
        """Check all cosignatures.

        1. A witnessed note is signed by our log's key, has the root of our tree at that size, and the named witnesses,
           and no others, have cosigned it, with keys of theirs in the register; its time is the median of theirs. One
           that was cosigned again follows the first of its size.
        2. A cosigned proof leads from the stored entry to its note, which is consistent with the note before it; a
           quorum cosigned both, by the register that they were verified with.
        3. Every stored entry has a cosigned proof or waits for one, and every cosigned proof names two notes that are
           stored as such. Both are of logs that are known. One of an entry that is not stored harms nothing: a
           member's next answer to a request to erase takes the place of the one before, whose proof stays.
        """
        notes = proofs = 0
        tree = TileTree(log_store.head(self._scan).size, partial(log_store.tile, self._scan))
        own = self._register.member(self._own)
        # 1.
        first = -1
        for rows in scanning.rows(self._scan, witness_store.witnessed_note_table):
            for row in rows:
                try:
                    self._check_note(row, own, tree)
                    if row.again and row.size != first:
                        raise Rejected("bad_checkpoint", "it was cosigned again, and was not cosigned before")
                except PaizaError as error:
                    _find(part, error, N_("witnessed checkpoint of size {size}"), size=row.size)
                first = row.size
            notes += len(rows)
            step(len(rows))
        # 2.
        kept: dict[str, set[int]] = {}
        waiting = {
            (row.origin, row.log_index): row.leaf
            for rows in scanning.rows(self._scan, witness_store.uncosigned_table)
            for row in rows
        }
        for member, index, entry, note in self._kept:
            origin = self._origin(note)
            kept.setdefault(origin, set()).add(index)
            if (leaf := waiting.get((origin, index))) is not None and leaf != merkle.leaf_hash(entry):
                part.find(
                    "bad_proof",
                    N_("Another entry waits for a cosigned proof than the one that is stored."),
                    N_("entry {index} of {origin}"),
                    index=index,
                    origin=origin,
                )
            try:
                digest = receipts.parse_entry(entry).message_digest
                proof = witness_store.cosigned_proof(self._scan, member, origin, index, digest)
                if proof is None:
                    continue
                self._check_proof(proof, entry)
            except PaizaError as error:
                _find(part, error, N_("cosigned proof of entry {index} of {member}"), index=index, member=member)
            proofs += 1
            step(1)
        # 3.
        self._check_places(part, step, kept)
        part.counts = {"checkpoints": notes, "proofs": proofs}

    def _check_places(self, part: Part, step: Step, kept: dict[str, set[int]]) -> None:
        """Check that proofs and stored entries belong together; ``kept`` has the indices of the entries, by log."""
        known = self._known_logs()
        spans: set[bytes] = set()  # few: the entries of a batch share one
        for rows in scanning.rows(self._scan, witness_store.cosigned_span_table):
            for row in rows:
                notes = [each for each in (row.before_digest, row.note_digest) if each is not None]
                if sha256(b"".join(notes)).digest() != row.id or any(
                    exchange_store.note(self._scan, each) is None for each in notes
                ):
                    part.find(
                        "bad_proof",
                        N_("The two notes are not stored, or not those that it is named by."),
                        "cosigned_span {digest}",
                        digest=row.id.hex(),
                    )
                spans.add(row.id)
            step(len(rows))
        for rows in witness_store.cosigned_places(self._scan):
            for row in rows:
                if row.span not in spans:
                    _find_place(part, N_("The cosigned proof names no stored notes."), row)
                if row.origin not in known:
                    _find_place(part, N_("Nothing is known of this log."), row)
                kept.get(row.origin, set()).discard(row.log_index)
            step(len(rows))
        for rows in scanning.rows(self._scan, witness_store.uncosigned_table):
            for row in rows:
                if known.get(row.origin) != row.member:
                    _find_place(part, N_("Nothing is known of this log."), row)
                kept.get(row.origin, set()).discard(row.log_index)
            step(len(rows))
        if settings_store.counter(self._scan, COUNTER) < log_store.head(self._scan).size:
            return  # the newest entries are not noted yet
        left = {row.origin for rows in scanning.rows(self._scan, peers_store.former_known_log_table) for row in rows}
        for origin, indices in kept.items():
            if indices and origin not in left:
                part.find(
                    "proof_missing",
                    N_("Entries have no cosigned proof, and wait for none: {count}."),
                    "{origin}",
                    count=len(indices),
                    origin=origin,
                )

    def _check_note(self, row: Any, own: Member, tree: TileTree) -> None:
        checkpoint = own.checkpoint(row.note, row.origin)
        known = row.size <= log_store.head(self._scan).size and tree.root(row.size) == row.root
        if (checkpoint.size, checkpoint.root) != (row.size, row.root) or not known:
            raise Rejected("bad_checkpoint", "the log had another root at this size")
        members = self._register.described.values()
        names = {key.name: member.id for member in members for key in member.witness_keys}
        said = cosignatures(row.note, [key.key for member in members for key in member.witness_keys])
        others = {names[each.name] for each in said} - {own.id}
        named = set(row.witnesses.split())
        if missing := named & set(self._register.described) - others:
            raise Rejected("bad_checkpoint", f"not cosigned by {', '.join(sorted(missing))}")
        # Of members that were removed since, the register has the names of their keys alone.
        if strangers := named - others - {name.partition(".")[0] for name, _digest in self._register.key_pins}:
            raise Rejected("bad_checkpoint", f"no member was ever called {', '.join(sorted(strangers))}")
        if not named or not others <= named:
            raise Rejected("bad_checkpoint", "others cosigned it as well")
        counted = [each for each in said if names[each.name] in others]
        if named == others and witnessed_time(counted, 1) != from_micros(row.time):
            raise Rejected("bad_checkpoint", "its witnesses cosigned it at another time")

    def _known_logs(self) -> dict[str, str]:
        """Return the members whose logs are known, by log; those with a fork, which may be forgotten, among them."""
        known = {each.origin: each.member for each in peers_store.findings(self._scan)}
        for table in (peers_store.former_known_log_table, peers_store.known_log_table):
            for rows in scanning.rows(self._scan, table):
                known |= {_first_line(row.note): row.member for row in rows}
        return known

    def _check_proof(self, proof: CosignedProof, entry: bytes) -> None:
        after = self._judge(proof.member, proof.span)
        hashes = split_hashes(proof.hashes)
        checkpoint = after.checkpoint
        merkle.verify_inclusion(merkle.leaf_hash(entry), proof.index, checkpoint.size, hashes, checkpoint.root)

    def _judge(self, member: str, span: CosignedSpan) -> JudgedNote:
        if (known := self._judged.get(span)) is not None:
            return known
        register = self._reader.archived(span.register_version)
        owner = register.member(member)
        after = judge_note(span.note, owner, register, self._now)
        if span.before:
            before = judge_note(span.before, owner, register, self._now).checkpoint
            size, root = after.checkpoint.size, after.checkpoint.root
            if before.origin != after.checkpoint.origin or before.size > size:
                raise Rejected("bad_proof", "the note before is no beginning of the one after")
            merkle.verify_consistency(before.size, before.root, size, root, split_hashes(span.consistency_proof))
        elif span.consistency_proof:
            raise Rejected("bad_proof", "a span without a note before it has a consistency proof")
        if len(self._judged) >= SPANS:
            self._judged.clear()
        self._judged[span] = after
        return after

    def _origin(self, note_digest: bytes) -> str:
        """Return the log of a stored note; a batch of proofs shares one."""
        if note_digest not in self._origins:
            if len(self._origins) >= SPANS:
                self._origins.clear()
            note = exchange_store.note(self._scan, note_digest) or b""
            self._origins[note_digest] = _first_line(note)
        return self._origins[note_digest]


class Misbehaviour(Check):
    """Verifies recorded misbehaviour: the own log agrees with it, and each stored fork proof holds."""

    events = (
        log_pb2.LOG_EVENT_FORK_FOUND,
        log_pb2.LOG_EVENT_TRUST_RESTORED,
        log_pb2.LOG_EVENT_DEFAULT_FOUND,
        log_pb2.LOG_EVENT_DEFAULT_ENDED,
    )

    def __init__(self, scan: ReadConnection, register: Register) -> None:
        self._scan = scan
        self._register = register
        # What the own log records, and how it ended, by index. There is little.
        self._found: dict[int, _Entry] = {}
        self._ended: dict[int, _Entry] = {}

    @override
    def read_entry(self, index: int, entry: log_pb2.LogEntry) -> None:
        member = entry.counterpart
        if entry.event == log_pb2.LOG_EVENT_FORK_FOUND:
            self._found[index] = (FindingKind.FORK, member, entry.fork_found.notes_sha256)
        elif entry.event == log_pb2.LOG_EVENT_TRUST_RESTORED:
            self._ended[index] = (FindingKind.FORK, member, entry.trust_restored.notes_sha256)
        elif entry.event == log_pb2.LOG_EVENT_DEFAULT_FOUND:
            self._found[index] = (FindingKind.DEFAULT, member, entry.default_found.notes_sha256)
        elif entry.event == log_pb2.LOG_EVENT_DEFAULT_ENDED:
            self._ended[index] = (FindingKind.DEFAULT, member, entry.default_ended.notes_sha256)

    @override
    def verify(self, part: Part, step: Step) -> None:
        """Check every finding.

        1. The log agrees: member, kind and digest of the evidence; and, if the finding ended, that it did.
        2. The stored proof of a fork holds by the key that the register names for that log.
        3. No finding that the log records is missing.
        """
        left = [dict(self._found), dict(self._ended)]
        count = 0
        for rows in scanning.rows(self._scan, peers_store.finding_table):
            for row in rows:
                begun = row._mapping["index"]  # noqa: SLF001 - `Row.index` is the method of tuples
                try:
                    # 1.
                    entry = (FindingKind(row.kind), row.member, fork_digest(row.proof))
                    for index, entries in ((begun, left[0]), (row.ended_index, left[1])):
                        if index is not None and entries.pop(index, entry) != entry:
                            _find_recorded(part, begun, N_("The log records something else."))
                    if begun not in self._found and not log_store.is_retired(self._scan, begun):
                        _find_recorded(part, begun, N_("The log does not record it."))
                    # 2.
                    if row.kind == FindingKind.FORK:
                        fork_proofs.verify(row.proof, *self._register.member(row.member).keys_of_log(row.origin))
                except (PaizaError, ValueError) as error:
                    _find_recorded(part, begun, N_("The stored proof does not show it: {error}"), error=str(error))
            count += len(rows)
            step(len(rows))
        # 3.
        for index in (*left[0], *left[1]):
            part.find(
                "log_damaged", N_("The log records it, but it is not stored."), N_("misbehaviour {index}"), index=index
            )
        part.counts = {"misbehaviour": count}


def _first_line(note: bytes) -> str:
    return note.partition(b"\n")[0].decode("utf-8", "replace")


def _find(part: Part, error: PaizaError, where: str, **values: object) -> None:
    part.find("bad_proof", "{code}: {detail}", where, code=error.reason, detail=error.detail, **values)


def _find_place(part: Part, what: str, row: Any) -> None:
    part.find("bad_proof", what, N_("entry {index} of {origin}"), index=row.log_index, origin=row.origin)


def _find_recorded(part: Part, index: int, what: str, **values: str) -> None:
    part.find("log_damaged", what, N_("misbehaviour {index}"), index=index, **values)
