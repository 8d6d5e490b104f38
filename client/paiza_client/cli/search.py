"""Commands that find: search by what messages speak of, and the links between messages."""

import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar

import click

from paiza_cli.numbers import WholeNumber
from paiza_client.cli import display
from paiza_client.cli.options import KindParameter, MemberParameter, TimeParameter, check_period, shared
from paiza_client.cli.paging import paged, tell_more
from paiza_client.cli.terminal import Terminal, current_terminal, run
from paiza_client.language import N_, _, ngettext, number_text
from paiza_client.local import reference_data
from paiza_client.sdk import as_json, messages, saved_searches, spellings
from paiza_client.sdk.saved_searches import SavedSearch
from paiza_client.sdk.search import MAX_PAGE, Criterion, FoundPage, LinkedMessage
from paiza_officer.errors import misused

_C = TypeVar("_C", bound=click.Command)

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


def _criteria(command: _C) -> _C:
    for field, told in _FIELDS.items():
        command.params.append(click.Option([f"--{field}"], multiple=True, metavar="TEXT", help=told))
    return command


@_criteria
@click.group(
    invoke_without_command=True,
    subcommand_metavar="[save|list|matches|remove …]",
    help=N_("Find messages by what they speak of. Several options must all hold. A search for persons is logged."),
    epilog=N_("--by FIELD=TEXT searches by any other identifier: vin, vessel, seal, imei, account, reference …"),
)
@click.option("--by", multiple=True, metavar="FIELD=TEXT", help=N_("Any other field."))
@click.option(
    "--from", "author", type=MemberParameter(), default="", metavar="MEMBER", help=N_("Only from this member.")
)
@click.option("--kind", type=KindParameter(), default="", metavar="KIND", help=N_("Only this kind."))
@click.option("--since", type=TimeParameter(), help=N_("Only events since: 2026-11-23, or 8h, 3d, 2w ago."))
@click.option("--until", type=TimeParameter(), help=N_("Only events before."))
@click.option("--reason", default="", help=N_("Why you search for a person, telephone, document or account."))
@click.option("--limit", type=WholeNumber(1, MAX_PAGE), default=100, show_default=True, help=N_("Length of a page."))
@paged
@shared
@click.pass_context
def search(
    context: click.Context,
    /,
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
    if context.invoked_subcommand is not None:
        return
    check_period(since, until)
    terminal, criteria = current_terminal(), criteria_of(texts, by)

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
        _tell_spellings(terminal, criteria, found_any=bool(found.messages))
    if found.behind:
        text = ngettext(
            "{n} message is not searchable yet; search again in a moment.",
            "{n} messages are not searchable yet; search again in a moment.",
            found.behind,
        )
        terminal.warn(text.format(n=number_text(found.behind)))


def _tell_spellings(terminal: Terminal, criteria: Sequence[Criterion], *, found_any: bool) -> None:
    """Print how words were understood that no list spells so; the names nearest to those that none knows."""
    register = reference_data.last_register(terminal.profile())
    read = spellings.readings(register, criteria)
    for (_field, text), names in read:
        terminal.note(_("“{text}” is read as: {names}.").format(text=text, names=", ".join(names)))
    unread = [each for each in criteria if each not in dict(read)]
    for (_field, text), near in () if found_any else spellings.suggest(register, unread):
        told = _("Nothing was found for “{text}”. Near spellings: {names}.")
        terminal.note(told.format(text=text, names=", ".join(near)))


def criteria_of(texts: Mapping[str, Sequence[str]], by: Sequence[str]) -> list[Criterion]:
    """Return what the options of a search ask for; ``by`` holds FIELD=TEXT."""
    criteria: list[Criterion] = [(field, text) for field, given in texts.items() for text in given]
    for each in by:
        field, separator, text = each.partition("=")
        if not separator:
            raise misused("--by", _("{value!r} is not FIELD=TEXT").format(value=each))
        criteria.append((field.strip(), text))
    return criteria


@_criteria
@search.command(
    help=N_("Save a search under a NAME: new messages that meet it ring. Your node keeps blind tokens of it alone.")
)
@click.argument("called", metavar="NAME")
@click.option("--by", multiple=True, metavar="FIELD=TEXT", help=N_("Any other field."))
@click.option(
    "--from", "author", type=MemberParameter(), default="", metavar="MEMBER", help=N_("Only from this member.")
)
@click.option("--kind", type=KindParameter(), default="", metavar="KIND", help=N_("Only this kind."))
@click.option("--reason", default="", help=N_("Why you search for a person, telephone, document or account."))
@shared
def save(*, called: str, by: tuple[str, ...], author: str, kind: str, reason: str, **texts: tuple[str, ...]) -> None:
    """Save a search."""
    terminal, criteria = current_terminal(), criteria_of(texts, by)

    async def work() -> None:
        async with terminal.session() as session:
            await saved_searches.save(session, called, criteria, author=author, kind=kind, reason=reason)

    run(work())
    terminal.note(_("Saved. New messages that meet it ring in: paiza watch"))


@search.command("list", help=N_("List your saved searches, with the number of new messages that meet each."))
@shared
def list_() -> None:
    """List saved searches."""
    terminal = current_terminal()
    found = run(_saved(terminal))
    if terminal.wants_json:
        terminal.json([_as_object(each) for each in found])
        return
    rows = [(each.name, _described(each), display.when(each.saved_time), _state(each)) for each in found]
    terminal.table((_("Name"), _("What"), _("Saved"), _("New")), rows, empty=_("No search is saved."))


@search.command(help=N_("List the new messages that meet a saved search, and acknowledge them with --seen."))
@click.argument("name", metavar="NAME")
@click.option("--seen", is_flag=True, help=N_("Acknowledge them: they are no longer listed."))
@shared
def matches(*, name: str, seen: bool) -> None:
    """List matches."""
    terminal = current_terminal()

    async def work() -> SavedSearch:
        async with terminal.session() as session:
            found = await saved_searches.find(session, name)
            if seen:
                await saved_searches.acknowledge(session, found)
            return found

    found = run(work())
    if terminal.wants_json:
        terminal.json(_as_object(found))
        return
    display.listing(terminal, found.matches)
    if found.has_more:
        terminal.warn(_("There are more than your node kept: search for them with paiza search."))


@search.command(help=N_("Remove a saved search."))
@click.argument("name", metavar="NAME")
@shared
def remove(*, name: str) -> None:
    """Remove a saved search."""
    terminal = current_terminal()

    async def work() -> None:
        async with terminal.session() as session:
            await saved_searches.remove(session, name)

    run(work())
    terminal.note(_("Removed."))


def tell_matches(terminal: Terminal, found: "Sequence[SavedSearch]") -> None:
    """Print a line for each saved search with new messages."""
    for each in found:
        if each.matches:
            text = ngettext(
                "Saved search {name}: {n} new message: paiza search matches {quoted}",
                "Saved search {name}: {n} new messages: paiza search matches {quoted}",
                len(each.matches),
            )
            named = {"name": each.name, "n": number_text(len(each.matches)), "quoted": shlex.quote(each.name)}
            terminal.say(text.format(**named), "yellow")


async def _saved(terminal: Terminal) -> "list[SavedSearch]":
    async with terminal.session() as session:
        return await saved_searches.listed(session)


def _described(search: SavedSearch) -> str:
    if search.described is None:
        return _("saved on another machine")
    known = search.described
    parts = [f"{field}: {text}" for field, text in known.criteria]
    return "; ".join([*parts, *filter(None, (known.kind, known.author))])


def _state(search: SavedSearch) -> str:
    if search.stale:
        return _("save it again: the index of your node was made anew")
    count = number_text(len(search.matches))
    return f"{count}+" if search.has_more else count


def _as_object(search: SavedSearch) -> dict[str, Any]:
    known = search.described
    return {
        "id": search.search_id,
        "name": search.name,
        "criteria": [{"field": field, "text": text} for field, text in known.criteria] if known else None,
        "author": known.author if known else "",
        "kind": known.kind if known else "",
        "saved_time": search.saved_time,
        "matches": [as_json.summary(each) for each in search.matches],
        "has_more": search.has_more,
        "stale": search.stale,
    }


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
