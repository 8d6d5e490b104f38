"""A console without a node or a port, and requests to it as a browser would make them, or would not."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlencode

from starlette.types import ASGIApp, Message

from paiza_client.web.app import build
from paiza_client.web.console import Console

PORT = 8765
OWN = f"http://127.0.0.1:{PORT}"


@dataclass(frozen=True)
class Answer:
    """The answer to one request; header names in small letters."""

    status: int
    headers: Mapping[str, str]
    data: bytes

    @property
    def text(self) -> str:
        """Return the body of a page."""
        return self.data.decode(errors="replace")


class Browser:
    """What speaks to a console: it keeps the cookie, and sends the headers that a browser sends."""

    def __init__(self, console: Console, **settings: Any) -> None:
        self.console = console
        self.app: ASGIApp = build(console, PORT, **({"check_user": lambda _peer, _port: True} | settings))
        self.cookie = ""

    async def sign_in(self) -> "Browser":
        """Follow a launch link."""
        answer = await self.get(f"/launch?token={self.console.new_launch()}")
        assert answer.status == 200
        self.cookie = answer.headers["set-cookie"].partition(";")[0]
        return self

    async def get(self, path: str, **headers: str | None) -> Answer:
        """Ask for a page."""
        return await self.ask("GET", path, headers={"sec-fetch-site": "none"} | named(headers))

    async def post(self, path: str, fields: Mapping[str, str], **headers: str | None) -> Answer:
        """Send a form of the console's own, with the token of this login unless ``fields`` has another."""
        login = self.console.login(self.cookie.partition("=")[2])
        token = {"form_token": login.form_token} if login is not None else {}
        usual = {"origin": OWN, "sec-fetch-site": "same-origin", "content-type": "application/x-www-form-urlencoded"}
        return await self.ask("POST", path, urlencode(token | dict(fields)).encode(), usual | named(headers))

    async def ask(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str | None] | None = None
    ) -> Answer:
        """Send one request; a header of None is left out."""
        sent = {"host": f"127.0.0.1:{PORT}", "cookie": self.cookie} | dict(headers or {})
        where, _, query = path.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(where),
            "raw_path": where.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in sent.items() if value],
            "client": ("127.0.0.1", 50_000),
            "server": ("127.0.0.1", PORT),
        }
        answered: list[Message] = []

        bodies = iter([body])

        async def receive() -> Message:
            for each in bodies:
                return {"type": "http.request", "body": each, "more_body": False}
            await asyncio.Event().wait()  # the browser stays
            raise AssertionError

        async def send(message: Message) -> None:
            answered.append(message)

        await self.app(scope, receive, send)
        start = answered[0]
        found = {name.decode().lower(): value.decode() for name, value in start["headers"]}
        return Answer(start["status"], found, b"".join(each.get("body", b"") for each in answered[1:]))


def named(headers: Mapping[str, str | None]) -> dict[str, str | None]:
    """Return headers given as keywords by their names."""
    return {name.replace("_", "-"): value for name, value in headers.items()}
