"""The pages of the console, one module each."""

from typing import Final

from starlette.routing import Route

from paiza_client.web.pages import tasks

ROUTES: Final[tuple[Route, ...]] = (*tasks.ROUTES,)
