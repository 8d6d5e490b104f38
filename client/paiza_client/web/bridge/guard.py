"""What is refused before any request is looked at: only a program of this user that knows the token is answered.

another user     the connection is of another user of this machine (where the system tells: Linux)
another host     any Host but 127.0.0.1 with the port: a name that was made to point here
a browser        any request that names an Origin, or that a page makes: a case system is no page
no token         a request without the token of this start
"""

import hmac
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from paiza_client.web.guard import CheckUser
from paiza_client.web.peer_user import is_of_this_user

_REFUSED: Final = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Connection": "close",  # its body may have no end
}


class Guard:
    """The outermost application."""

    def __init__(self, app: ASGIApp, port: int, token: str, check_user: CheckUser = is_of_this_user) -> None:
        """Guard the port; ``check_user`` judges the other end of a connection."""
        self._app = app
        self._port = port
        self._authorization = f"Bearer {token}".encode()
        self._check_user = check_user

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        refusal = self._refusal(scope)
        if refusal is None:
            await self._app(scope, receive, send)
            return
        status, detail = refusal
        answer = JSONResponse(
            {"error": {"reason": "unauthenticated", "detail": detail}}, status_code=status, headers=_REFUSED
        )
        await answer(scope, receive, send)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        headers = Headers(scope=scope)
        if not self._check_user(scope.get("client"), self._port):
            return 403, "the connection is of another user of this computer"
        if headers.getlist("host") != [f"127.0.0.1:{self._port}"]:
            return 421, "the bridge answers as 127.0.0.1 with its port"
        if headers.getlist("origin") or headers.getlist("sec-fetch-site"):
            return 403, "the bridge answers no web page"
        shown = headers.getlist("authorization")
        if len(shown) != 1 or not hmac.compare_digest(shown[0].encode(), self._authorization):
            return 401, "the token of this start is missing"
        return None
