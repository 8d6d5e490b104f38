"""`paiza draft`: sections added to a draft that is being written."""

import click

from paiza_client.cli.options import shared
from paiza_client.cli.terminal import current_terminal, lang
from paiza_client.language import N_, _
from paiza_client.sdk import templates
from paiza_domain.drafts.sections import Section


@click.group(help=N_("Work on the file of a draft."))
@shared
def draft() -> None:
    """Work on drafts."""


@draft.command(
    help=N_(
        "Add sections to the draft in FILE, each by its key or its name in either language: route, транспорт. Its "
        "fields are written below, empty; a list gets another entry. Without SECTION the sections are listed."
    )
)
@click.argument("file", metavar="FILE")
@click.argument("names", metavar="[SECTION]...", nargs=-1)
@shared
def add(*, file: str, names: tuple[str, ...]) -> None:
    """Add sections, or list them."""
    terminal = current_terminal()
    found = templates.add(file, names) if names else templates.sections_of(file)
    if terminal.wants_json:
        terminal.json([{"section": each.key, **each.titles} for each in found])
    elif names:
        terminal.say(_("Added: {names}").format(names=", ".join(map(_named, found))))
    else:
        columns = [_("Section"), _("In Russian"), _("In English")]
        terminal.table(columns, [(each.key, each.titles["ru"], each.titles["en"]) for each in found])


def _named(section: Section) -> str:
    return f"{section.key} ({section.titles[lang()]})"
