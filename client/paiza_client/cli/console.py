"""`paiza web`: the officer's console, served to the own browser. The only command that knows of it."""

import os
from importlib.util import find_spec

import click

from paiza_client.cli.options import shared
from paiza_client.cli.terminal import current_terminal, lang
from paiza_client.language import N_, _
from paiza_officer.errors import misused

LAST_PORT = 65_535


@click.command(
    help=N_(
        "Open the console in your browser: messages, tasks, deliveries, search. It answers on this computer alone, to "
        "you alone, and locks itself when you are away. It ends with Ctrl-C."
    )
)
@click.option("--no-open", is_flag=True, help=N_("Print the link instead of opening the browser."))
@click.option(
    "--port", type=click.IntRange(0, LAST_PORT), default=0, metavar="NUMBER", help=N_("The port; else any free one.")
)
@shared
def web(*, no_open: bool, port: int) -> None:
    """Serve the console."""
    if find_spec("uvicorn") is None:
        raise misused("paiza web", _("The console is not installed: pip install 'paiza[web]'"))
    from paiza_client.web import language, serve  # noqa: PLC0415 - an extra of the installation

    terminal = current_terminal()
    profile = terminal.profile()
    language.use(lang())

    def announce(link: str) -> None:
        if terminal.wants_json:
            terminal.json({"link": link})
        elif no_open or not serve.show_in_browser(profile, link):
            terminal.say(_("Open this link in your browser; it works once, within ten minutes:"))
            terminal.say(link)
        else:
            terminal.note(_("The console is open in your browser. Close it with Ctrl-C."))
        terminal.out.file.flush()  # the command goes on

    unattended = terminal.passphrase if os.environ.get("PAIZA_PASSPHRASE_FILE") else None
    serve.run(profile, port, unattended, announce)
