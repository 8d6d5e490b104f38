"""`paiza draft`: sections added to a draft that is being written."""

from pathlib import Path
from typing import Final

import click

from paiza_client.cli.options import shared
from paiza_client.cli.terminal import Terminal, current_terminal, lang
from paiza_client.language import N_, _
from paiza_client.sdk import draft_store, templates
from paiza_domain.drafts.sections import Section
from paiza_officer.errors import misused

_ENDINGS: Final = (".yaml", ".yml")  # of a word that means a file, even one that is not there


@click.group(help=N_("Work on the file of a draft."))
@shared
def draft() -> None:
    """Work on drafts."""


@draft.command(
    help=N_(
        "Add sections to the draft in FILE, each by its key or its name in either language: route, транспорт. Its "
        "fields are written below, empty; a list gets another entry. Without SECTION the sections are listed, without "
        "FILE the newest draft of the profile is meant."
    )
)
@click.argument("words", metavar="[FILE] [SECTION]...", nargs=-1)
@shared
def add(*, words: tuple[str, ...]) -> None:
    """Add sections, or list them."""
    terminal = current_terminal()
    file, names = _file(terminal, words)
    found = templates.add(file, names) if names else templates.sections_of(file)
    if terminal.wants_json:
        terminal.json([{"section": each.key, **each.titles} for each in found])
    elif names:
        terminal.say(_("Added: {names}").format(names=", ".join(map(_named, found))))
    else:
        columns = [_("Section"), _("In Russian"), _("In English")]
        terminal.table(columns, [(each.key, each.titles["ru"], each.titles["en"]) for each in found])


def _file(terminal: Terminal, words: tuple[str, ...]) -> tuple[Path, tuple[str, ...]]:
    """Return the file of the draft that is meant, and the sections."""
    if words and (Path(words[0]).is_file() or "/" in words[0] or words[0].endswith(_ENDINGS)):
        return Path(words[0]), words[1:]
    kept = draft_store.stored(terminal.profile())
    if not kept:
        raise misused("paiza draft add", _("name the file of the draft first: the profile keeps none"))
    terminal.note(_("The draft is {path}").format(path=kept[0].path))
    return kept[0].path, words


def _named(section: Section) -> str:
    return f"{section.key} ({section.titles[lang()]})"
