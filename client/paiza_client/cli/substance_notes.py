"""What the reference data say about the substances of a draft or an opened message, beside it and never against it.

A member's data may lag behind another's: an unknown reference id is a warning to its author and to its reader, and no
reason to refuse a message.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from google.protobuf.message import Message

from paiza_client.cli.substances import status_object
from paiza_client.cli.terminal import Terminal, lang
from paiza_client.language import _, date_text
from paiza_client.local import reference_data, register_cache
from paiza_client.sdk.drafts import Prepared
from paiza_domain import codes, reference
from paiza_domain.reference import Mention, Reference
from paiza_register import Register
from paiza_wire.errors import PaizaError


@dataclass(frozen=True)
class Notes:
    """The substances mentioned, and the reference data that say so."""

    mentions: tuple[Mention, ...] = ()
    reference: Reference = field(default_factory=Reference)

    def rows(self) -> list[tuple[str, str]]:
        """Put them into rows for reading."""
        found: list[tuple[str, str]] = []
        for each in self.mentions:
            if each.substance is not None:
                name = each.substance.name(lang())
                label = _("{name}: status in {state} on {day}")
                found += [
                    (label.format(name=name, state=at.state, day=date_text(at.on)), at.text(lang()))
                    for at in each.statuses
                ]
            if each.remark is not None:
                found.append(("!", each.remark.message(lang())))
        return found

    def as_objects(self) -> list[dict[str, Any]]:
        """Return them for JSON."""
        return [
            {
                "path": each.path,
                "name": each.name,
                "substance": each.substance.id if each.substance else None,
                "statuses": [status_object(self.reference, at) for at in each.statuses],
                "remark": each.remark.message(lang()) if each.remark else "",
            }
            for each in self.mentions
        ]

    def warn(self, terminal: Terminal) -> None:
        """Tell an author which reference ids are not known here."""
        for each in self.mentions:
            if each.remark is not None:
                terminal.warn(f"{each.remark.path}: {each.remark.message(lang())}")


NOTHING: Final = Notes()


def of(known: Register, content: Message, members: Sequence[str], reported: datetime) -> Notes:
    """Return the substances of a content with their status in the states among some members."""
    if not reference.mentions_any(content):
        return NOTHING
    data = reference_data.of(known)
    found = reference.mentions(content, data.reference, data.index, states_among(members), reported)
    return Notes(found, data.reference)


def of_draft(terminal: Terminal, prepared: Prepared, now: datetime) -> Notes:
    """Return the same for a draft, by the register verified last; nothing where there is none."""
    if not reference.mentions_any(prepared.content):
        return NOTHING
    known = _verified_last(terminal)
    return NOTHING if known is None else of_prepared(known, terminal, prepared, now)


def of_prepared(known: Register, terminal: Terminal, prepared: Prepared, now: datetime) -> Notes:
    """Return the same by a register, in the states of the recipients and the own one."""
    members = [*(each.member for each in prepared.envelope.recipients), terminal.profile().member]
    return of(known, prepared.content, members, now)


def tell_name(terminal: Terminal, name: str, members: Sequence[str]) -> None:
    """Say at a prompt what a name just typed means: the substance and its status today, or what may be meant."""
    known = _verified_last(terminal)
    if known is None:
        return
    data = reference_data.of(known)
    found = data.index.find(name)
    today = datetime.now(UTC).date()
    for each in found.substances:
        statuses = [
            reference.status(data.reference, each.id, state, today)
            for state in states_among([*members, terminal.profile().member])
        ]
        terminal.note(
            f"{each.id}: {each.name(lang())}; " + "; ".join(f"{at.state}: {at.text(lang())}" for at in statuses)
        )
    if found.suggestions:
        terminal.note(_("Did you mean “{value}”?").format(value=", ".join(found.suggestions)))


def _verified_last(terminal: Terminal) -> Register | None:
    try:
        return register_cache.cached(terminal.profile())
    except PaizaError:  # whether the register may be used is for the sending to say
        return None


def states_among(members: Sequence[str]) -> tuple[str, ...]:
    """Return the states among some members: under an organisation's law no substance stands."""
    countries = codes.load("country")
    return tuple(dict.fromkeys(each for each in members if each.upper() in countries))
