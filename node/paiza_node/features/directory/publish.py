"""Publication of the own member's directory, in these steps.

1. The file is one that every reader can use.
2. It replaces what is published: two data officers do not undo each other's changes unseen. One that waits to be
   published is awaited first.
3. The file and its log entry, DIRECTORY_CHANGED, are committed together. A crash before that leaves nothing, and the
   caller was not answered; after it the node publishes the file when it runs again, and a repeat changes nothing.
4. `RegisterRefresh` signs it with the key of the node and publishes it in its next round. The answer waits for that.
"""

import asyncio
from hashlib import sha256
from time import monotonic
from typing import Final

from paiza_domain import directory
from paiza_node.core.dependencies import Core
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.register.refresh import NewDirectory
from paiza_node.core.storage import settings as settings_store
from paiza_wire import log_entries
from paiza_wire.errors import Rejected, Unavailable

SETTING: Final = "directory"
PUBLICATION_SECONDS: Final = 10.0  # a data officer waits for it; it usually takes one or two
LOOK_SECONDS: Final = 0.1
MAX_CHANGES: Final = 60
"""Of one day, UTC: each is a version of the register that every member fetches and keeps."""

BUSY_SECONDS: Final = 3600.0
DAY_SETTING: Final = "directory-day"
MAX_FAULTS: Final = 5  # named in a refusal; a program that checks drafts names them all


class PublishDirectory:
    """The directory that was published last at this node. Belongs to one event loop."""

    def __init__(self, core: Core) -> None:
        """Begin with what the database holds."""
        self._core = core
        self._path = directory.path_of(core.member)
        with core.store.reads() as reads:
            stored = settings_store.setting(reads, SETTING)
        self._last = None if stored is None else decode(stored)

    @property
    def last(self) -> NewDirectory | None:
        """Return the directory that an officer published last here, which the register may lack still."""
        return self._last

    async def publish(self, officer_id: str, file: bytes, base_sha256: bytes) -> bytes:
        """Publish a file in place of the one with this SHA-256; return the register version with it.

        Rejected("directory_invalid"), Rejected("directory_conflict"); Unavailable("publication_pending") if it is
        stored and could not be published yet, or if another one waits; Unavailable("busy") after `MAX_CHANGES` today.
        """
        # 1.
        await asyncio.to_thread(self._check, file)
        # 2. and 3.
        stored = (await self._core.ledger.commit(lambda tx: self._store(tx, officer_id, file, base_sha256))).result
        if isinstance(stored, (Rejected, Unavailable)):
            raise stored
        self._last = stored
        # 4.
        self._core.register_cache.asked.set()
        until = monotonic() + PUBLICATION_SECONDS
        while self._published() != file:
            if monotonic() >= until:
                raise Unavailable("publication_pending", "the directory is stored, and waits to be published")
            await asyncio.sleep(LOOK_SECONDS)
        return self._core.register_cache.version

    def _check(self, file: bytes) -> None:
        try:
            directory.read(self._core.member, file)
        except directory.DirectoryError as error:
            shown = "; ".join(f"{each.path}: {each.message('en')}" for each in error.errors[:MAX_FAULTS])
            raise Rejected("directory_invalid", shown) from error

    def _store(
        self, tx: LogTransaction, officer_id: str, file: bytes, base_sha256: bytes
    ) -> NewDirectory | Rejected | Unavailable:
        stored, published = settings_store.setting(tx.conn, SETTING), self._published()
        last = None if stored is None else decode(stored)
        if last is not None and last.is_due(published):
            if last.data == file:
                return last
            return Unavailable("publication_pending", "the directory before this one waits to be published")
        base = b"" if published is None else sha256(published).digest()
        new = NewDirectory(file, base)
        if file == published:
            return new
        if base != base_sha256:
            return Rejected("directory_conflict", "another directory was published meanwhile")
        day = tx.now.strftime("%Y-%m-%d").encode()
        counted = settings_store.setting(tx.conn, DAY_SETTING) or b""
        count = int(counted[len(day) :]) if counted.startswith(day) else 0
        if count >= MAX_CHANGES:
            return Unavailable("busy", f"the directory was changed {MAX_CHANGES} times today already", BUSY_SECONDS)
        settings_store.put_setting(tx.conn, DAY_SETTING, day + b"%d" % (count + 1))
        tx.append(log_entries.directory_changed(actor=officer_id, file_sha256=sha256(file).digest()))
        settings_store.put_setting(tx.conn, SETTING, new.base_sha256.ljust(32, b"\0") + file)
        return new

    def _published(self) -> bytes | None:
        return self._core.register_cache.last.reference.get(self._path)


def decode(stored: bytes) -> NewDirectory:
    """Return the directory that a setting holds."""
    base = stored[:32]
    return NewDirectory(stored[32:], base if any(base) else b"")
