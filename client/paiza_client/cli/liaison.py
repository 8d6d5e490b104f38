"""The liaison officers of the members, as each member publishes them; an expired posting is shown as such."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from paiza_client.cli.terminal import Terminal
from paiza_client.language import N_, _, date_text
from paiza_domain.reference import LiaisonOfficer

_CONTACTS: Final = {"email": N_("email"), "telephone": N_("telephone")}  # other kinds stand as they are published


def tell_liaison(terminal: Terminal, officers: Sequence[LiaisonOfficer]) -> None:
    """Print liaison officers as a table; nothing where there are none."""
    columns = (
        _("Member"),
        _("Liaison officer"),
        _("Posted at"),
        _("Covers"),
        _("Languages"),
        _("Contacts"),
        _("Posted until"),
    )
    today = datetime.now(UTC).date()
    rows = [
        (
            each.member,
            each.name,
            each.posting,
            ", ".join(each.coverage),
            ", ".join(each.languages),
            ", ".join(f"{_(_CONTACTS.get(kind, kind))}: {value}" for kind, value in each.contacts.items()),
            _("expired {day}").format(day=date_text(each.expiry)) if each.is_expired(today) else date_text(each.expiry),
        )
        for each in officers
    ]
    if rows:
        terminal.say()
        terminal.table(columns, rows)


def liaison_object(officer: LiaisonOfficer) -> dict[str, Any]:
    """Return one for JSON."""
    return {
        "name": officer.name,
        "posting": officer.posting,
        "coverage": list(officer.coverage),
        "languages": list(officer.languages),
        "contacts": dict(officer.contacts),
        "expires": officer.expiry.isoformat(),
        "expired": officer.is_expired(datetime.now(UTC).date()),
    }
