"""Verification of the own log: every entry and every tile at each level, against head and signed checkpoint."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from typing import Final, TypeAlias

from paiza.core.v1 import log_pb2
from paiza_node.core.errors import N_
from paiza_node.core.log import store as log_store
from paiza_node.core.log.model import LogText
from paiza_node.core.storage import ReadConnection, scanning
from paiza_node.core.storage.findings import Check, Part, Step
from paiza_node.core.storage.times import EPOCH
from paiza_register import Member
from paiza_wire import log_entries
from paiza_wire.errors import PaizaError, Rejected
from paiza_wire.receipts import check_text, parse_entry
from paiza_wire.tlog.checkpoint import VerifiedCheckpoint
from paiza_wire.tlog.merkle import EMPTY_ROOT
from paiza_wire.tlog.tiles import TILE_HEIGHT, TILE_WIDTH, TileTree

CLOCK_AHEAD: Final = timedelta(hours=1)  # of the node's clock before ours; no entry is ever earlier than the head
_HASH: Final = 32

ChecksByEvent: TypeAlias = Mapping[int, Sequence[Check]]
"""By event of the log: the checks that note its entries."""


class _Tiles:
    """Recomputes the tiles of every level from leaf hashes, and compares them with the stored ones."""

    def __init__(self, scan: ReadConnection, part: Part) -> None:
        self._scan = scan
        self._part = part
        self._growing: list[list[bytes]] = []
        self._indices: list[int] = []
        self.compared = 0

    def full(self, leaves: list[bytes], stored: bytes | None) -> None:
        """Compare a full tile of leaf hashes with the stored one."""
        self._level(0)
        self._compare(0, leaves, stored)
        self._add(1, _root(leaves))

    def end(self, leaves: list[bytes]) -> None:
        """Compare the right edge of every level, given the leaf hashes after the last full tile."""
        self._level(0)
        self._growing[0] = leaves
        for level, hashes in enumerate(self._growing):
            if hashes:
                index = self._indices[level]
                self._compare(level, hashes, log_store.tiles(self._scan, level, index, index).get(index))

    def _add(self, level: int, subtree: bytes) -> None:
        self._level(level)
        hashes = self._growing[level]
        hashes.append(subtree)
        if len(hashes) == TILE_WIDTH:
            index = self._indices[level]
            self._compare(level, hashes, log_store.tiles(self._scan, level, index, index).get(index))
            self._growing[level] = []
            self._add(level + 1, _root(hashes))

    def _compare(self, level: int, hashes: list[bytes], stored: bytes | None) -> None:
        index = self._indices[level]
        self.compared += 1
        if len(hashes) == TILE_WIDTH:
            self._indices[level] += 1
        if stored == b"".join(hashes):
            return
        places = {"level": level, "index": index}
        if stored is None:
            self._part.find("log_damaged", N_("The tile is missing."), N_("tile {level}/{index}"), **places)
            return
        at = next((at for at in range(len(hashes)) if stored[at * _HASH : at * _HASH + _HASH] != hashes[at]), 0)
        first = (index * TILE_WIDTH + at) * TILE_WIDTH**level
        self._part.find(
            "log_damaged",
            N_("The tile does not hold the hashes of its entries; the first that differ begin at entry {entry}."),
            N_("tile {level}/{index}"),
            entry=first,
            **places,
        )

    def _level(self, level: int) -> None:
        if level == len(self._growing):
            self._growing.append([])
            self._indices.append(0)


def verify_log(
    scan: ReadConnection, member: Member, note: bytes | None, part: Part, by_event: ChecksByEvent, step: Step
) -> None:
    """Check the whole log, and pass its entries to other checks.

    ``note`` was read from the checkpoint file before the database scan.

    1. Every index from 0 to the head is there, as an entry or (if retention removed it) as its hash; every entry is
       well formed (`receipts.parse_entry`), not earlier than the one before it, and filed under its message.
    2. Every tile at every level holds the hashes of its entries, and there is no other tile, entry or list.
    3. The tiles give the root in the head.
    4. The signed checkpoint is this log's, by its key in the register, and the log leads to it.
    5. The free texts beside entries are those the entries commit to.
    6. So are the lists of messages beside entries about several.
    """
    head = log_store.head(scan)
    tiles = _Tiles(scan, part)
    last_time = (0, 0)
    leaves: list[bytes] = []
    index = listed = 0
    # 1. and 2.
    for rows in log_store.entry_rows(scan, 0, head.size):
        if not rows:
            break  # however many the head counts
        stored = log_store.tiles(scan, 0, index // TILE_WIDTH, (index + len(rows)) // TILE_WIDTH)
        texts = log_store.texts_between(scan, rows[0][0], rows[-1][0]) if rows else {}
        lists = log_store.listed_between(scan, rows[0][0], rows[-1][0]) if rows else {}
        listed += sum(map(len, lists.values()))
        for at, raw, digest in rows:
            if at != index:
                part.find("log_damaged", N_("An entry is missing."), N_("entry {entry}"), entry=index)
                return
            entry = None if raw is None else _parse(part, index, raw)
            if entry is not None:
                entry_time = entry.entry_time
                time = (entry_time.seconds, entry_time.nanos)
                # The remaining entries of an earlier log follow the entry that records it, and are older.
                continues = index == 0 and entry.event == log_pb2.LOG_EVENT_LOG_CONTINUED
                if time < last_time:
                    part.find("log_damaged", N_("The time runs backwards."), N_("entry {entry}"), entry=index)
                last_time = (0, 0) if continues else time
                if entry.message_digest != (digest or b"") or digest == b"":
                    part.find(
                        "log_damaged",
                        N_("The entry is filed under another message than its own."),
                        N_("entry {entry}"),
                        entry=index,
                    )
                # 5.
                if index in texts:
                    _check_text(part, index, entry, texts[index])
                # 6.
                _check_list(part, index, entry, lists.get(index, []))
                for check in by_event.get(entry.event, ()):
                    check.read_entry(index, entry)
            leaves.append(digest if raw is None else sha256(b"\x00" + raw).digest())
            if len(leaves) == TILE_WIDTH:
                tiles.full(leaves, stored.get(index // TILE_WIDTH))
                leaves = []
            index += 1
        step(len(rows))
    if index != head.size:
        part.find("log_damaged", N_("An entry is missing."), N_("entry {entry}"), entry=index)
        return
    tiles.end(leaves)
    retired = scanning.count(scan, log_store.retired_table)
    for table, expected in (
        (log_store.log_tile_table, tiles.compared),
        (log_store.log_entry_table, head.size - retired),
        (log_store.log_listed_table, listed),
    ):
        if (count := scanning.count(scan, table)) != expected:
            part.find(
                "log_damaged",
                N_("There are {count} rows where the log has {expected}."),
                "{table}",
                count=count,
                expected=expected,
                table=table.name,
            )
    part.counts = {"entries": head.size, "tiles": tiles.compared}
    earliest = EPOCH + timedelta(seconds=last_time[0], microseconds=last_time[1] // 1000)
    if not earliest <= head.last_time <= max(earliest, datetime.now(UTC)) + CLOCK_AHEAD:
        part.find(
            "log_damaged", N_("The time of the head is before the last entry, or ahead of the clock."), "log_head"
        )
    # 3. and 4.
    check_head(scan, member, note, part)


def check_head(
    scan: ReadConnection, member: Member, note: bytes | None, part: Part, origin: str | None = None
) -> VerifiedCheckpoint | None:
    """Check that the stored tiles give the head's root, and lead to the checkpoint that was signed last.

    ``origin`` names the log if it is not the member's newest.
    """
    head = log_store.head(scan)
    if (count := scanning.count(scan, log_store.log_head_table)) > 1:
        part.find("log_damaged", N_("There are {count} heads of the log."), "log_head", count=count)
    try:
        tree = TileTree(head.size, partial(log_store.tile, scan))
        if tree.root() != (head.root if head.size else EMPTY_ROOT):
            part.find("log_damaged", N_("The tiles do not give the root in the head."), "log_head")
        if note is None:
            part.find(
                "log_damaged", N_("There is no signed checkpoint outside the database."), N_("the checkpoint file")
            )
            return None
        signed = member.checkpoint(note, origin or member.origin)
        if signed.size > head.size:
            part.find(
                "log_rolled_back",
                N_("The database ends at entry {size}, but a checkpoint of {signed} was signed."),
                N_("the checkpoint file"),
                size=head.size,
                signed=signed.size,
            )
        elif tree.root(signed.size) != signed.root:
            part.find(
                "log_damaged",
                N_("The log does not lead to the checkpoint of size {signed} that was signed."),
                N_("the checkpoint file"),
                signed=signed.size,
            )
    except PaizaError as error:
        part.find(error.reason, "{detail}", N_("the checkpoint file"), detail=error.detail)
        return None
    return signed


def _parse(part: Part, index: int, raw: bytes) -> log_pb2.LogEntry | None:
    try:
        return parse_entry(raw)
    except Rejected as error:
        part.find("log_damaged", "{detail}", N_("entry {entry}"), detail=error.detail, entry=index)
        return None


def _check_list(part: Part, index: int, entry: log_pb2.LogEntry, listed: list[bytes]) -> None:
    if (entry.event in log_entries.LISTS or listed) and not log_entries.commits_to(entry, listed):
        part.find(
            "log_damaged",
            N_("The messages listed beside the entry are not those it commits to."),
            N_("entry {entry}"),
            entry=index,
        )


def _check_text(part: Part, index: int, entry: log_pb2.LogEntry, text: LogText) -> None:
    try:
        check_text(entry, text.salt, text.text)
    except Rejected:
        part.find(
            "log_damaged",
            N_("The text beside the entry is not the one it commits to."),
            N_("entry {entry}"),
            entry=index,
        )


def _root(hashes: list[bytes]) -> bytes:
    """Return the root over a full tile."""
    sha = sha256
    for _level in range(TILE_HEIGHT):
        hashes = [sha(b"\x01" + hashes[at] + hashes[at + 1]).digest() for at in range(0, len(hashes), 2)]
    return hashes[0]
