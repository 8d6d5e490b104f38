"""What is refused before any page is asked, and the headers of every answer.

A console listens on this machine only. Whatever else runs here, in the browser or beside it, may still speak to the
port: pages of other origins, other names for this machine, programs of other users. Each is refused:

    another user      the connection is of another user of this machine (where the system tells: Linux)
    another host      any Host but 127.0.0.1 with the port: a name that was made to point here
    another origin    a form of another page; a POST without Origin; a page that another one frames or fetches
    no login          a page without the cookie that the launch link gave

The form token of each POST is checked where the form is read (`page.route`).
"""

from collections.abc import Callable, Mapping
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request, cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from paiza_client.web import refusals
from paiza_client.web.console import Console
from paiza_client.web.peer_user import Peer, is_of_this_user

HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cache-Control": "no-store",
}
ALONE: Final[Mapping[str, str]] = {"Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'"}
"""Headers of a file that others wrote: it is shown by itself, runs nothing and loads nothing."""
CheckUser = Callable[[Peer, int], bool]

STATIC: Final = "/static/"
LAUNCH: Final = "/launch"
SECOND_START: Final = "/second-start"

_SAME: Final = frozenset({"", "none", "same-origin"})


def cookie_name(port: int) -> str:
    """Return the name of the cookie: browsers keep one jar for all ports of a host."""
    return f"paiza_{port}"


class Guard:
    """The outermost application."""

    def __init__(self, app: ASGIApp, console: Console, port: int, check_user: CheckUser | None = None) -> None:
        """Guard the port; ``check_user`` judges the other end of a connection, by default by its user."""
        self._app = app
        self._check_user = check_user or is_of_this_user
        self._console = console
        self._host = f"127.0.0.1:{port}"
        self._port = port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on with who is signed in as ``scope["login"]``."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message.setdefault("headers", []))
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        own = self._check_user(scope.get("client"), self._port)
        refusal = self._refusal(scope) if own else (403, "other_user")
        if refusal is not None:
            answer = refusals.answer(Request(scope), *refusal)
            answer.headers["Connection"] = "close"  # its body may have no end
            await answer(scope, receive, with_headers)
            return
        await self._app(scope, receive, with_headers)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Return the status and the reason why a request is refused; None if it is not."""
        headers, path, method = Headers(scope=scope), scope["path"], scope["method"]
        scope["login"] = None
        if headers.getlist("host") != [self._host]:
            return 421, "other_host"
        if method not in {"GET", "POST"}:
            return 405, "method"
        if path == SECOND_START:
            return None  # of a program that shows a secret of its own; a browser has no business there
        if not self._is_own_origin(headers, path, method):
            return 403, "other_origin"
        if path == LAUNCH or path.startswith(STATIC):
            return None  # holds nothing of the officer's, and a page that says who is not signed in needs its look
        scope["login"] = self._console.login(_cookie(headers, self._port))
        return (401, "no_login") if scope["login"] is None else None

    def _is_own_origin(self, headers: Headers, path: str, method: str) -> bool:
        """Return whether a page of ours asks, or nobody's; a launch link is followed from wherever it was shown."""
        named, own = headers.getlist("origin"), [f"http://{self._host}"]
        if named != own and (named or method == "POST"):
            return False
        return path == LAUNCH or headers.get("sec-fetch-site", "") in _SAME


def _cookie(headers: Headers, port: int) -> str:
    """Return the value of our cookie. Programs on other ports set cookies too: one that is malformed hides no other."""
    return cookie_parser(headers.get("cookie", "")).get(cookie_name(port), "")
