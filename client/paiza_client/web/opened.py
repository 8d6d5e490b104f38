"""What was opened while the console is unlocked: each part is opened, and logged, once, and shown from memory after.

A recall makes a message another one here: it is opened anew, with a reason. Attachments are kept as files in a folder
of the profile that only the officer can read; those asked for last stay, the others are fetched anew. Everything goes
when the console is locked; what a killed process left goes at the next start.
"""

import asyncio
import shutil
import tempfile
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from paiza_client.sdk.model import MessageSummary
from paiza_officer.errors import disk_problem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from paiza_client.sdk import Session
    from paiza_client.sdk.approvals import SavedWaiting
    from paiza_client.sdk.attachments import SavedAttachment
    from paiza_client.verify.model import OpenedPart

MOST: Final = 200  # parts in memory
MAX_BYTES: Final = 8 * 1024**3  # of all files together; one has at most half of it
FOLDER: Final = "console-files"
"""The folder of the profile that holds what a page shows as files."""


@dataclass(frozen=True, slots=True)
class _Key:
    digest: bytes
    part: int
    recalls: tuple[bytes, ...]


class OpenedParts:
    """The parts and attachments that were opened."""

    def __init__(self, folder: Path) -> None:
        """Keep files below a folder, which may not be there yet."""
        self._parts: OrderedDict[_Key, OpenedPart] = OrderedDict()
        self._files: OrderedDict[tuple[bytes, int], SavedAttachment | SavedWaiting] = OrderedDict()
        self._fetching = asyncio.Lock()
        self._root = folder
        self._folder: Path | None = None

    def known(self, message: MessageSummary, part: int = 0) -> "OpenedPart | None":
        """Return a part that was opened here before."""
        return self._parts.get(_Key(message.digest, part, message.recalled_by))

    async def open(self, session: "Session", message: MessageSummary, part: int = 0, reason: str = "") -> "OpenedPart":
        """Return a part, opened now unless it was before; errors as of `Session.open_part`."""
        found = self.known(message, part)
        if found is None:
            parts = self._parts  # others after `forget`, so that nothing that was under way stays
            found = await session.open_part(message.digest, part, reason)
            parts[_Key(message.digest, part, message.recalled_by)] = found
            while len(parts) > MOST:
                parts.popitem(last=False)
        return found

    def file(self, digest: bytes, part: int) -> "SavedAttachment | SavedWaiting | None":
        """Return an attachment that was fetched here before and is still here."""
        return self._files.get((digest, part))

    async def fetch(
        self, session: "Session", message: MessageSummary, part: int, reason: str = ""
    ) -> "SavedAttachment | SavedWaiting":
        """Return an attachment, fetched now unless it was before; errors as of `Session.save_attachment`."""
        return await self.fetched(
            message.digest, part, lambda folder: session.save_attachment(message, part, folder, reason)
        )

    async def fetched(
        self, digest: bytes, part: int, save: "Callable[[Path], Awaitable[SavedAttachment | SavedWaiting]]"
    ) -> "SavedAttachment | SavedWaiting":
        """Return an attachment; ``save`` fetches it into a folder, one at a time, unless it was fetched before."""
        async with self._fetching:
            files = self._files  # others after `forget`, so that nothing that was under way stays
            found = files.get((digest, part))
            if found is None:
                found = files[digest, part] = await self._saved(save)
            files.move_to_end((digest, part))
            kept = sum(each.info.size for each in files.values())
            while kept > MAX_BYTES:
                _key, oldest = files.popitem(last=False)
                kept -= oldest.info.size
                await asyncio.to_thread(shutil.rmtree, oldest.path.parent, ignore_errors=True)
            return found

    async def _saved(
        self, save: "Callable[[Path], Awaitable[SavedAttachment | SavedWaiting]]"
    ) -> "SavedAttachment | SavedWaiting":
        if self._folder is None:
            self._folder = self.new_folder()
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        try:
            return await save(folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def new_folder(self) -> Path:
        """Return a new folder that only the officer can read; Refused as of `disk_problem`."""
        try:
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
            return Path(tempfile.mkdtemp(dir=self._root))
        except OSError as error:
            raise disk_problem(error, str(self._root)) from error

    def forget(self) -> None:
        """Forget everything, the files too, and those of a process that was killed."""
        self._parts = OrderedDict()
        self._files = OrderedDict()
        self._folder = None
        shutil.rmtree(self._root, ignore_errors=True)
