"""The pages of the console, one module each."""

from typing import Final

from starlette.routing import Route

from paiza_client.web.pages import (
    approve,
    audit,
    awaited,
    correct,
    deliveries,
    evidence,
    export,
    import_,
    jobs,
    message,
    messages,
    passing,
    place,
    reconcile,
    reference,
    retention,
    search,
    settings,
    shift,
    sign,
    statistics,
    tasks,
    thread,
    write,
)

ROUTES: Final[tuple[Route, ...]] = (
    *tasks.ROUTES,
    *awaited.ROUTES,
    *shift.ROUTES,
    *messages.ROUTES,
    *message.ROUTES,
    *thread.ROUTES,
    *correct.ROUTES,
    *passing.ROUTES,
    *sign.ROUTES,
    *place.ROUTES,
    *write.ROUTES,
    *approve.ROUTES,
    *deliveries.ROUTES,
    *search.ROUTES,
    *statistics.ROUTES,
    *export.ROUTES,
    *import_.ROUTES,
    *reference.ROUTES,
    *audit.ROUTES,
    *evidence.ROUTES,
    *retention.ROUTES,
    *reconcile.ROUTES,
    *settings.ROUTES,
    *jobs.ROUTES,
)
