"""Who is answered: a program of the same user that knows the token, and nobody else."""

import json
from typing import Any

import pytest

from paiza_client.web.bridge.guard import Guard

PORT = 8766
TOKEN = "of-this-start"
OWN = {"host": f"127.0.0.1:{PORT}", "authorization": f"Bearer {TOKEN}"}


async def ask(headers: list[tuple[str, str]], *, own_user: bool = True) -> tuple[int, bytes]:
    """Send a request with these headers; return status and body. Status 200 is that of the application behind.

    No refusal reads on: the connection ends with it.
    """
    sent: list[Any] = []

    async def behind(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"behind"})

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/v1/kinds",
        "query_string": b"",
        "client": ("127.0.0.1", 1),
        "headers": [(name.encode(), value.encode()) for name, value in headers],
    }
    await Guard(behind, PORT, TOKEN, lambda _peer, _port: own_user)(scope, receive, send)
    assert ((b"connection", b"close") in sent[0]["headers"]) is (sent[0]["status"] != 200)
    return sent[0]["status"], sent[-1]["body"]


async def test_the_own_program_is_answered() -> None:
    """With the token and the address that the file of the profile names."""
    assert await ask(list(OWN.items())) == (200, b"behind")


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"authorization": "Bearer other"}, 401),
        ({"authorization": f"Basic {TOKEN}"}, 401),
        ({"authorization": ""}, 401),
        ({"host": f"localhost:{PORT}"}, 421),
        ({"host": "evil.example"}, 421),
        ({"origin": f"http://127.0.0.1:{PORT}"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "none"}, 403),
    ],
)
async def test_others_are_refused(changed: dict[str, str], status: int) -> None:
    """A page in a browser, whatever its origin; another name for this machine; another token."""
    found, body = await ask(list((OWN | changed).items()))
    assert found == status
    assert json.loads(body)["error"]["reason"] == "unauthenticated"
    assert TOKEN.encode() not in body


async def test_headers_are_not_given_twice() -> None:
    """Two hosts or two tokens are none."""
    assert (await ask([*OWN.items(), ("host", OWN["host"])]))[0] == 421
    assert (await ask([*OWN.items(), ("authorization", OWN["authorization"])]))[0] == 401
    assert (await ask([("host", OWN["host"])]))[0] == 401


async def test_another_user_of_the_machine_is_refused() -> None:
    """Even with the token."""
    assert (await ask(list(OWN.items()), own_user=False))[0] == 403
