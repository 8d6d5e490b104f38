"""Long work that goes on while the officer looks elsewhere: it shows how far it is, and can be cancelled.

The page of a job asks for itself again every few seconds, so it needs no script.
"""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from paiza_client.sdk.model import OnProgress
from paiza_client.web import defects
from paiza_wire.errors import PaizaError

KEPT: Final = 20  # finished jobs whose results can still be looked at

Work = Callable[[OnProgress], Awaitable[Any]]
Show = Callable[[Request, Any], Awaitable[Response]]
"""Returns the page of a result."""


@dataclass
class Job:
    """One piece of work. ``result`` is set once it is ``done``, ``error`` where it failed; ``show`` shows the result.

    ``about`` names what it works on, so that nothing else does meanwhile.
    """

    title: str
    back: str
    show: Show
    about: str = ""
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    finished: int = 0
    total: int = 0
    result: Any = None
    error: PaizaError | None = None
    done: bool = False
    cancelled: bool = False
    began: float = field(default_factory=time.monotonic)
    task: "asyncio.Task[None] | None" = None

    @property
    def seconds_left(self) -> int | None:
        """Return about how long it will take; None while nothing can be said."""
        spent = time.monotonic() - self.began
        if not self.finished or not self.total or spent < 1:
            return None
        return round(spent / self.finished * (self.total - self.finished))


class Jobs:
    """The jobs of one console."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}

    def start(self, title: str, back: str, work: Work, show: Show, *, about: str = "") -> Job:
        """Start a job; ``back`` is the path of the page that it belongs to."""
        job = Job(title, back, show, about)
        job.task = asyncio.create_task(_run(job, work))
        self._jobs[job.id] = job
        for old in [each.id for each in self._jobs.values() if each.done][:-KEPT]:
            del self._jobs[old]
        return job

    @property
    def listed(self) -> list[Job]:
        """Return the jobs that are under way or whose results can still be looked at, the newest first."""
        return list(self._jobs.values())[::-1]

    @property
    def running(self) -> int:
        """Return how many are under way."""
        return sum(not each.done for each in self._jobs.values())

    def find(self, wanted: str) -> Job | None:
        """Return a job; None where there is none of that id."""
        return self._jobs.get(wanted)

    def cancel_all(self) -> None:
        """Cancel and forget every job."""
        for each in self._jobs.values():
            if each.task is not None:
                each.task.cancel()
        self._jobs.clear()


async def _run(job: Job, work: Work) -> None:
    def progress(done: int, total: int) -> None:
        job.finished, job.total = done, total

    try:
        job.result = await work(progress)
    except PaizaError as error:
        job.error = error
    except asyncio.CancelledError:
        job.cancelled = True
    except Exception as error:  # noqa: BLE001 - a defect: its page says so, and where
        job.error = defects.found(error)
    finally:
        job.done = True
