"""The command `paiza` with everything below it."""

import click

from paiza_client.cli import auditing, exporting, importing, keeping, reading, sending
from paiza_client.cli.options import shared
from paiza_client.cli.terminal import Terminal
from paiza_client.language import N_


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    help=N_("Exchange sealed and signed messages with other members."),
    epilog=N_(
        "Exit codes: 0 done, 1 defect, 2 usage, 3 refused, 4 not now, 5 not proven, 6 profile or key, 130 interrupted."
    ),
)
@click.version_option(package_name="paiza", prog_name="paiza")
@click.pass_context
@shared
def paiza(context: click.Context) -> None:
    """Exchange messages."""
    context.ensure_object(Terminal)


for command in (
    sending.send,
    sending.reply,
    reading.inbox,
    reading.open_,
    reading.thread,
    reading.watch,
    reading.contacts,
    importing.import_,
    exporting.export,
    auditing.audit,
    keeping.outbox,
    keeping.profiles,
):
    paiza.add_command(command)
