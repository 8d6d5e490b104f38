"""Coming in and going out: the launch link, a second start of the program, unlocking, locking, the language."""

import hmac
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paiza_cli.language import LANGUAGES
from paiza_client.web import guard, language, refusals, rendering
from paiza_client.web.language import _
from paiza_client.web.page import console_of, local_path, note, problem, redirect, render, route, text_of
from paiza_wire.errors import PaizaError


def launch_link(port: int, token: str) -> str:
    """Return the link that signs a browser in, once."""
    return f"http://127.0.0.1:{port}{guard.LAUNCH}?token={token}"


async def launch(request: Request) -> Response:
    """Exchange the token of a launch link for the cookie.

    The answer is a page that leads on by itself, no redirection: a link followed from elsewhere would carry no
    `SameSite=Strict` cookie through one.
    """
    cookie = console_of(request).sign_in(request.query_params.get("token", ""))
    if cookie is None:
        return refusals.answer(request, 403, "launch_void")
    console = console_of(request)
    wanted = language.of_browser(request.headers.get("accept-language", ""))
    if console.follows_browser and wanted is not None:
        language.use(wanted)
    answer = rendering.page("launch.html", title=_("Signed in"))
    answer.set_cookie(guard.cookie_name(request.app.state.port), cookie, path="/", httponly=True, samesite="strict")
    return answer


async def second_start(request: Request) -> Response:
    """Return a new launch link to a program that knows the secret in the folder of the profile."""
    shown = request.headers.get("authorization", "")
    expected = f"Bearer {request.app.state.secret}"
    if not request.app.state.secret or not hmac.compare_digest(shown.encode(), expected.encode()):
        return refusals.answer(request, 403, "no_login")
    token = console_of(request).new_launch()
    return JSONResponse({"link": launch_link(request.app.state.port, token)})


async def home(_request: Request) -> Response:
    """Lead to the tasks."""
    return redirect("/tasks")


async def unlock_page(request: Request) -> Response:
    """Ask for the passphrase."""
    return await _unlock_page(request, local_path(request.query_params.get("back", "")))


async def _unlock_page(request: Request, back: str, error: PaizaError | None = None) -> Response:
    if not console_of(request).is_locked:
        return redirect(back)
    return await render(
        request,
        "unlock.html",
        title=_("Locked"),
        status=200 if error is None else 400,
        back=back,
        error=None if error is None else problem(error),
    )


async def unlock(request: Request) -> Response:
    """Open the session."""
    back = local_path(text_of(request, "back"))
    secret = request.state.form.get("secret", "")
    try:
        await console_of(request).unlock(secret if isinstance(secret, str) else "")
    except PaizaError as error:
        return await _unlock_page(request, back, error)
    return redirect(back)


async def lock(request: Request) -> Response:
    """Lock the console, and end the agent that holds the keys."""
    console = console_of(request)
    await console.close_keys()
    await console.lock()
    return redirect("/unlock")


async def close_keys(request: Request) -> Response:
    """End the agent that holds the keys."""
    await console_of(request).close_keys()
    note(request, _("The signing key is locked."))
    return redirect(local_path(text_of(request, "back")))


async def choose_language(request: Request) -> Response:
    """Change the language of every page, at the next start too."""
    wanted, console = text_of(request, "language"), console_of(request)
    for each in LANGUAGES:
        if each == wanted:
            language.use(each)
            console.follows_browser = False
            language.remember(console.profile, each)
    return redirect(local_path(text_of(request, "back")))


ROUTES: Final = (
    Route(guard.LAUNCH, launch, methods=["GET"]),
    Route(guard.SECOND_START, second_start, methods=["POST"]),
    route("/", home),
    route("/unlock", unlock_page),
    route("/unlock", unlock, post=True),
    route("/lock", lock, post=True),
    route("/keys/close", close_keys, post=True),
    route("/language", choose_language, post=True),
)
