"""The pages of the console, one module each."""

from typing import Final

from starlette.routing import Route

from paiza_client.web.pages import (
    audit,
    deliveries,
    jobs,
    message,
    messages,
    reference,
    search,
    settings,
    statistics,
    tasks,
    thread,
)

ROUTES: Final[tuple[Route, ...]] = (
    *tasks.ROUTES,
    *messages.ROUTES,
    *message.ROUTES,
    *thread.ROUTES,
    *deliveries.ROUTES,
    *search.ROUTES,
    *statistics.ROUTES,
    *reference.ROUTES,
    *audit.ROUTES,
    *settings.ROUTES,
    *jobs.ROUTES,
)
