"""Notes on substances beside a draft or an opened message, for reading and as JSON."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from paiza_client.cli.substances import status_object
from paiza_client.cli.terminal import Terminal, lang
from paiza_client.language import _, date_text
from paiza_client.local import reference_data
from paiza_client.sdk import substances
from paiza_client.sdk.substances import Notes
from paiza_domain import reference


def rows(notes: Notes) -> list[tuple[str, str]]:
    """Put notes into rows for reading."""
    found: list[tuple[str, str]] = []
    for each in notes.mentions:
        if each.substance is not None:
            name = each.substance.name(lang())
            found += [(f"{name}: {label}", text) for label, text in substances.numbers(each.substance)]
            label = _("{name}: status in {state} on {day}")
            found += [
                (label.format(name=name, state=at.state, day=date_text(at.on)), at.text(lang())) for at in each.statuses
            ]
        if each.remark is not None:
            found.append(("!", each.remark.message(lang())))
    return found + [("!", f"{each.path}: {each.message(lang())}") for each in notes.left_out]


def as_objects(notes: Notes) -> list[dict[str, Any]]:
    """Return notes for JSON."""
    return [
        {
            "path": each.path,
            "name": each.name,
            "substance": each.substance.id if each.substance else None,
            "statuses": [status_object(notes.reference, at) for at in each.statuses],
            "remark": each.remark.message(lang()) if each.remark else "",
        }
        for each in notes.mentions
    ]


def warn(terminal: Terminal, notes: Notes) -> None:
    """Warn an author of unknown reference ids, and of numbers that are left out because they are not verified."""
    for each in (*(each.remark for each in notes.mentions if each.remark is not None), *notes.left_out):
        terminal.warn(f"{each.path}: {each.message(lang())}")


def tell_name(terminal: Terminal, name: str, members: Sequence[str]) -> None:
    """Print the meaning of a name typed at a prompt: the substance and its status today, or suggestions."""
    known = reference_data.last_register(terminal.profile())
    if known is None:
        return
    data = reference_data.of(known)
    found = data.index.find(name)
    today = datetime.now(UTC).date()
    for each in found.substances:
        statuses = [
            reference.status(data.reference, each.id, state, today)
            for state in substances.states_among([*members, terminal.profile().member])
        ]
        terminal.note(
            f"{each.id}: {each.name(lang())}; " + "; ".join(f"{at.state}: {at.text(lang())}" for at in statuses)
        )
    if found.suggestions:
        terminal.note(_("Did you mean “{value}”?").format(value=", ".join(found.suggestions)))
