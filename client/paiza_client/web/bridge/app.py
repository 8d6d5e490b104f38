"""The requests of the bridge, all in JSON.

    GET  /v1/kinds                         names and titles of the kinds
    GET  /v1/kinds/{kind}/schema           JSON Schema of a draft, and of the content of a message
    PUT  /v1/drafts?key=…                  hand in a draft under the case system's own key; the same once more is one
    GET  /v1/drafts                        what became of each draft, page by page
    GET  /v1/drafts?key=…                  the same of one
    GET  /v1/messages                      headers, states and receipts, page by page; nothing is opened
    GET  /v1/messages/{id}                 the same of one message
    POST /v1/messages/{id}/content         content and annex: leave is asked, and the node logs export and opening

An error has ``reason``, ``where``, ``what``, ``remedy``, ``detail`` and ``problems``, in the language of the start.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from paiza_client import error_help
from paiza_client.language import _ as of_the_client
from paiza_client.sdk import as_json, handed_in, messages
from paiza_client.sdk.drafts import find_kind
from paiza_client.sdk.exports import Intent
from paiza_client.sdk.handed_in import HandedIn
from paiza_client.sdk.model import NotOpened
from paiza_client.sdk.open_many import open_many
from paiza_client.sdk.session import Session
from paiza_client.web.language import _, language
from paiza_domain import kinds, policy_rules
from paiza_domain.json_form import schema
from paiza_domain.json_form.values import to_object
from paiza_officer.errors import Misused, NotProven, Refused, Unreachable, misused
from paiza_wire.errors import PaizaError, Unavailable

PAGE: Final = 100
MOST: Final = 1_000  # messages or drafts of one answer
_BOXES: Final = ("inbox", "sent", "both")
_STATUS: Final[Mapping[str, int]] = {
    "unknown_id": 404,
    "unknown_kind": 404,
    "draft_changed": 409,
    "too_large": 413,
    "invalid_draft": 422,
    "quota_exceeded": 429,
}

Handler = Callable[[Request], Awaitable[Response]]


def build(session: Session, intent: Intent) -> Starlette:
    """Return the bridge over a session; ``intent`` is for whom, what for and why contents leave the system."""
    routes = [
        Route("/v1/kinds", _answering(_kinds)),
        Route("/v1/kinds/{kind}/schema", _answering(_schema)),
        Route("/v1/drafts", _answering(_drafts), methods=["GET"]),
        Route("/v1/drafts", _answering(_put_draft), methods=["PUT"]),
        Route("/v1/messages", _answering(_messages)),
        Route("/v1/messages/{id}", _answering(_message)),
        Route("/v1/messages/{id}/content", _answering(_content), methods=["POST"]),
    ]
    app = Starlette(routes=routes, exception_handlers={Exception: _defect})
    app.state.session = session
    app.state.intent = intent
    return app


def _answering(handler: Handler) -> Handler:
    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except PaizaError as error:
            return _json({"error": _error(error)}, _status(error))

    return answer


def _session(request: Request) -> Session:
    session: Session = request.app.state.session
    return session


async def _kinds(_request: Request) -> Response:
    found = [
        {"kind": each.name, "version": each.version, "title": each.titles[language()], "annex": each.annex is not None}
        for each in kinds.all_kinds().values()
    ]
    return _json({"kinds": found})


async def _schema(request: Request) -> Response:
    kind = kinds.all_kinds().get(request.path_params["kind"])
    if kind is None:
        raise Refused("unknown_kind", request.path_params["kind"][:100])
    return _json(schema.of_draft(kind, language()))


async def _put_draft(request: Request) -> Response:
    data = b""
    async for part in request.stream():
        data += part
        if len(data) > handed_in.MAX_BYTES:
            raise Refused("too_large", detail=f"over {handed_in.MAX_BYTES} bytes")
    found = await asyncio.to_thread(handed_in.put, _session(request).profile, _key(request), data)
    return _json(_state(found))


async def _drafts(request: Request) -> Response:
    """Answer what became of one draft, or a page of all; ``page``, the ``next_page`` of the answer before, goes on."""
    profile, asked = _session(request).profile, request.query_params
    if "key" in asked:
        return _json(_state(await asyncio.to_thread(handed_in.find, profile, _key(request))))
    limit = _limit(asked.get("limit", str(PAGE)))
    page = await asyncio.to_thread(handed_in.page, profile, limit, asked.get("page", ""))
    return _json({"drafts": [_state(each) for each in page.drafts], "next_page": page.next_token})


async def _messages(request: Request) -> Response:
    """Answer a page, newest first; ``page``, the ``next_page`` of the answer before, goes on."""
    asked = request.query_params
    box = asked.get("box", "inbox")
    if box not in _BOXES:
        raise misused("box", ", ".join(_BOXES))
    page = await messages.first_page(
        _session(request),
        _limit(asked.get("limit", str(PAGE))),
        token=asked.get("page", ""),
        box=box,
        kind=asked.get("kind", ""),
        author=asked.get("author", ""),
        since=_time(asked.get("since", ""), "since"),
        until=_time(asked.get("until", ""), "until"),
    )
    return _json({"messages": [as_json.summary(each) for each in page.messages], "next_page": page.next_token})


async def _message(request: Request) -> Response:
    return _json(as_json.summary(await messages.find(_session(request), request.path_params["id"])))


async def _content(request: Request) -> Response:
    """Return a content for use outside: refused where the marks, the purposes or the node's policy forbid it."""
    session, intent = _session(request), request.app.state.intent
    found = await messages.find(session, request.path_params["id"])
    (permission,) = await session.exports.note([found.digest], intent)
    if permission.proof is None:
        raise Refused(permission.reason, found.id, permission.detail)
    (opened,) = await open_many(session, [found.digest], intent.reason, intent.purpose, annex=intent.with_annex)
    if isinstance(opened, NotOpened):
        raise Refused(opened.reason, found.id, opened.detail)
    kind = find_kind(opened.header.kind)
    answer = {**as_json.opened(opened.main), "content": to_object(kind.shape, messages.content(opened.main))}
    if opened.annex is not None and kind.annex_shape is not None:
        answer["annex"] = to_object(kind.annex_shape, messages.content(opened.annex))
    return _json(answer)


def _key(request: Request) -> str:
    return request.query_params.get("key", "")


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(MOST)) and 1 <= int(text) <= MOST):
        raise misused("limit", _("from {least} to {most}").format(least=1, most=MOST))
    return int(text)


def _time(text: str, name: str) -> datetime | None:
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):  # of no time at all, or of none in UTC
        raise misused(name, "2026-11-28T14:30:00Z") from None


def _state(found: HandedIn) -> dict[str, str]:
    return {"key": found.key, "draft": found.draft, "state": found.state, "message": found.message}


def _json(answer: Mapping[str, Any], status: int = 200) -> Response:
    text = json.dumps(answer, ensure_ascii=False, default=as_json.value)
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return Response(text, status, headers, "application/json; charset=utf-8")


def _error(error: PaizaError) -> dict[str, Any]:
    told = error_help.remedy(error.reason, error.detail)
    return {
        "reason": error.reason,
        "where": error.where if isinstance(error, (Refused, Unreachable, NotProven)) else "",
        "what": " ".join([of_the_client(told.what), *policy_rules.told(error.detail, language())]),
        "remedy": of_the_client(told.remedy),
        "detail": error.detail,
        "problems": [
            {"field": each.where.rpartition(" ")[2], "what": each.what, "code": each.code}
            for each in (error.problems if isinstance(error, Refused) else ())
        ],
    }


def _status(error: PaizaError) -> int:
    if isinstance(error, (Unavailable, Unreachable)):
        return 503
    if isinstance(error, NotProven):
        return 502
    return _STATUS.get(error.reason, 400 if isinstance(error, Misused) or error.reason == "malformed" else 403)


async def _defect(_request: Request, _caught: Exception) -> Response:
    told = error_help.remedy("internal_error")
    words = {"what": of_the_client(told.what), "remedy": of_the_client(told.remedy)}
    return _json({"error": {"reason": "internal_error", **words}}, 500)
