"""`paiza web` and `paiza bridge`: what answers to the own browser or case system, on this computer alone."""

import os
from importlib.util import find_spec

import click

from paiza_client.cli.options import CodeParameter, shared
from paiza_client.cli.terminal import current_terminal, lang
from paiza_client.language import N_, _
from paiza_client.sdk.exports import AUDIENCES, Intent
from paiza_officer.errors import Refused, misused

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
    chosen = None if terminal.named_language else language.remembered(profile)
    language.use(chosen or lang())
    is_named = terminal.named_language or chosen or os.environ.get("PAIZA_LANG") or profile.lang

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
    serve.run(profile, port, unattended, announce, follows_browser=not is_named)


@click.command(
    help=N_(
        "Let a case system on this computer hand in drafts and fetch messages and receipts, over HTTP, for you alone. "
        "It signs nothing: drafts wait for you. While it runs, its address and token are in the file bridge.json of "
        "your profile. It ends with Ctrl-C."
    )
)
@click.option(
    "--purpose", type=CodeParameter("purpose"), default="", metavar="CODE", help=N_("What contents are to be used for.")
)
@click.option("--reason", default="", help=N_("Why contents leave the system; it is logged for each."))
@click.option(
    "--for",
    "audience",
    type=click.Choice(tuple(AUDIENCES)),
    default="own-unit",
    show_default=True,
    help=N_("For whom."),
)
@click.option("--whom", default="", metavar="TEXT", help=N_("The case system, and who reads it."))
@click.option("--annex", is_flag=True, help=N_("Nominal annexes too."))
@click.option(
    "--port", type=click.IntRange(0, LAST_PORT), default=0, metavar="NUMBER", help=N_("The port; else any free one.")
)
@shared
def bridge(*, purpose: str, reason: str, audience: str, whom: str, annex: bool, port: int) -> None:
    """Serve the bridge."""
    if find_spec("uvicorn") is None:
        raise misused("paiza bridge", _("The bridge is not installed: pip install 'paiza[web]'"))
    if not purpose:
        raise misused("--purpose", _("name a code of the purposes"))
    if not reason.strip():
        raise Refused("reason_missing", "paiza bridge")
    if not whom.strip():
        raise misused("--whom", _("say who exactly gets it"))
    from paiza_client.web import language  # noqa: PLC0415 - an extra of the installation
    from paiza_client.web.bridge import serve  # noqa: PLC0415 - as above

    terminal = current_terminal()
    profile = terminal.profile()
    language.use(lang())

    def announce(address: str) -> None:
        if terminal.wants_json:
            terminal.json({"address": address, "state_file": str(profile.folder / serve.STATE_FILE)})
        else:
            terminal.say(_("The bridge answers at {address}.").format(address=address))
            terminal.say(_("Address and token: {file}").format(file=profile.folder / serve.STATE_FILE))
        terminal.out.file.flush()  # the command goes on

    intent = Intent(audience, whom.strip(), purpose, reason.strip(), with_annex=annex)
    serve.run(profile, port, intent, terminal.passphrase, announce)
