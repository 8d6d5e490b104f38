"""Commands that find: search by what messages speak of, and the links between messages."""

from datetime import datetime
from typing import Final

import click

from paiza_cli.numbers import WholeNumber
from paiza_client.cli import display
from paiza_client.cli.options import MembersParameter, TimeParameter, shared
from paiza_client.cli.paging import paged, tell_more
from paiza_client.cli.terminal import current_terminal, run
from paiza_client.language import N_, _, ngettext, number_text
from paiza_client.sdk import as_json, messages
from paiza_client.sdk.search import MAX_PAGE, Criterion, FoundPage, LinkedMessage
from paiza_officer.errors import misused

_FIELDS: Final = {
    "substance": N_("Substance: code or name, Russian or English."),
    "place": N_("Place, border point, province: words in any order, either alphabet."),
    "country": N_("Country: code or name."),
    "route": N_("Role and country on the route, such as: transit KAZ"),
    "name": N_("Person or company; needs --reason."),
    "phone": N_("Telephone number; needs --reason."),
    "plate": N_("Registration plate, Cyrillic or Latin."),
    "container": N_("Container number."),
    "document": N_("Identity document; needs --reason."),
}
_SHARED: Final = {
    "plate": N_("plate"),
    "vin": N_("VIN"),
    "container": N_("container"),
    "vessel": N_("vessel"),
    "flight": N_("flight"),
    "waybill": N_("air waybill"),
    "carnet": N_("TIR carnet"),
    "seal": N_("seal"),
    "document": N_("document"),
    "personal-number": N_("personal number"),
    "account": N_("account"),
    "registration": N_("registration number"),
    "phone": N_("telephone"),
    "imei": N_("IMEI"),
    "person": N_("person"),
    "company": N_("company"),
    "logo": N_("logo"),
    "subject": N_("subject"),
}


def _criteria(command: click.Command) -> click.Command:
    for field, told in _FIELDS.items():
        command.params.append(click.Option([f"--{field}"], multiple=True, metavar="TEXT", help=told))
    return command


@_criteria
@click.command(
    help=N_("Find messages by what they speak of. Several options must all hold. A search for persons is logged."),
    epilog=N_("--by FIELD=TEXT searches by any other identifier: vin, vessel, seal, imei, account, reference …"),
)
@click.option("--by", multiple=True, metavar="FIELD=TEXT", help=N_("Any other field."))
@click.option(
    "--from", "author", type=MembersParameter(), default="", metavar="MEMBER", help=N_("Only from this member.")
)
@click.option("--kind", default="", metavar="KIND", help=N_("Only this kind."))
@click.option("--since", type=TimeParameter(), help=N_("Only events since: 2026-11-23, or 8h, 3d, 2w ago."))
@click.option("--until", type=TimeParameter(), help=N_("Only events before."))
@click.option("--reason", default="", help=N_("Why you search for a person, telephone, document or account."))
@click.option("--limit", type=WholeNumber(1, MAX_PAGE), default=100, show_default=True, help=N_("Length of a page."))
@paged
@shared
def search(
    *,
    by: tuple[str, ...],
    author: str,
    kind: str,
    since: datetime | None,
    until: datetime | None,
    reason: str,
    limit: int,
    page: str,
    **texts: tuple[str, ...],
) -> None:
    """Find messages."""
    terminal = current_terminal()
    criteria: list[Criterion] = [(field, text) for field, given in texts.items() for text in given]
    for each in by:
        field, separator, text = each.partition("=")
        if not separator:
            raise misused("--by", _("{value!r} is not FIELD=TEXT").format(value=each))
        criteria.append((field.strip(), text))

    async def work() -> FoundPage:
        async with terminal.session() as session:
            return await session.search.search(
                criteria,
                since=since,
                until=until,
                author=author,
                kind=kind,
                reason=reason,
                page_size=limit,
                page_token=page,
            )

    found = run(work())
    if terminal.wants_json:
        shown = [{**as_json.summary(each.message), "event_time": each.event_time} for each in found.messages]
        terminal.json({"messages": shown, "next_page": found.next_page_token})
    else:
        display.listing(terminal, [each.message for each in found.messages])
        tell_more(terminal, found.next_page_token)
    if found.behind:
        text = ngettext(
            "{n} message is not searchable yet; search again in a moment.",
            "{n} messages are not searchable yet; search again in a moment.",
            found.behind,
        )
        terminal.warn(text.format(n=number_text(found.behind)))


@click.command(help=N_("Show the messages that share an identifier with one: a plate, a telephone, a person …"))
@click.argument("message", metavar="ID")
@shared
def links(*, message: str) -> None:
    """Show links."""
    terminal = current_terminal()

    async def work() -> tuple[LinkedMessage, ...]:
        async with terminal.session() as session:
            return await session.search.links((await messages.find(session, message)).digest)

    found = run(work())
    if terminal.wants_json:
        terminal.json([{**as_json.summary(each.message), "fields": each.fields} for each in found])
        return
    columns = [_("Id"), _("Thread"), _("Stored"), _("Kind"), _("From"), _("Shares")]
    rows = [
        (
            each.message.id[: display.SHORT_ID],
            each.message.thread_name,
            display.when(each.message.stored_time),
            display.kind_title(each.message.header),
            display.sender(each.message.header),
            shared_text(each.fields),
        )
        for each in found
    ]
    terminal.table(columns, rows, empty=_("It shares no identifier with a message you may see."))


def shared_text(fields: tuple[str, ...]) -> str:
    """Name what messages share, in words."""
    return ", ".join(_(_SHARED[field]) if field in _SHARED else field for field in fields)
