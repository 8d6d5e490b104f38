"""Templates to pages. Whatever others wrote is text: escaped, and without characters that turn the line round."""

from functools import cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from paiza_cli.terminal import plain
from paiza_client.web import texts
from paiza_client.web.language import _, language, ngettext

TEMPLATES: Final = Path(__file__).parent / "templates"


@cache
def environment() -> Environment:
    """Return the environment of all templates."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals.update(_=_, ngettext=ngettext, language=language)
    made.filters.update(texts.FILTERS)
    return made


def page(name: str, status: int = 200, **values: Any) -> HTMLResponse:
    """Return a page made from a template."""
    return HTMLResponse(environment().get_template(name).render(**values), status_code=status)


def bare(_request: Request, name: str, *, status: int, **values: Any) -> HTMLResponse:
    """Return a page without menu or session: for those who are not signed in."""
    return page(name, status, **values)


def _shown(value: Any) -> Any:
    if value is None:
        return ""
    return plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value
