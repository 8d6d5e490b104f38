"""The command that watches: what arrives, what becomes of what was sent, and what falls due."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from datetime import UTC, datetime
from typing import Final

import click

from paiza.officer.v1 import notice_pb2
from paiza_cli.numbers import WholeNumber
from paiza_client.cli import display
from paiza_client.cli.inbox import URGENT
from paiza_client.cli.options import shared
from paiza_client.cli.terminal import Terminal, current_terminal, lang, run
from paiza_client.language import N_, _
from paiza_client.local.shown import Shown
from paiza_client.sdk import as_json, notifications, saved_searches, watching
from paiza_client.sdk.model import MessageSummary
from paiza_client.sdk.notifications import Level, Notifications, Settings
from paiza_client.sdk.watching import Away, Connected, Event

SHOWN_FILE: Final = "watched.json"  # in the folder of the profile


@click.command(
    help=N_("Show messages as they arrive, and news of those sent; FLASH and URGENT ring. Ends with Ctrl-C.")
)
@click.option(
    "--after",
    type=WholeNumber(min=0),
    metavar="N",
    help=N_("Begin after this sequence number, also with what was shown before."),
)
@click.option(
    "--test-notification", "test", is_flag=True, help=N_("Notify once in every way that notify.toml sets, and stop.")
)
@shared
def watch(*, after: int | None, test: bool) -> None:
    """Watch."""
    terminal = current_terminal()
    settings = notifications.read(terminal.profile())
    run(_test(terminal, settings) if test else _watch(terminal, settings, after))


async def _test(terminal: Terminal, settings: Settings) -> None:
    async with Notifications(settings, ring=terminal.bell, failed=terminal.warn) as notified:
        notified.ring(Level.FLASH)
    terminal.note(_("Notified in every way that is set."))


async def _watch(terminal: Terminal, settings: Settings, after: int | None) -> None:
    """Follow the node; when it goes away, come back with growing pauses and go on where the stream broke off."""
    connected = False
    shown = Shown(terminal.profile().folder / SHOWN_FILE) if after is None else Shown()
    async with (
        Notifications(settings, ring=terminal.bell, failed=terminal.warn) as notified,
        aclosing(watching.follow(terminal.session, after, shown, notified.tell)) as events,
    ):
        with _enter_acknowledges(notified):
            async for event in events:
                if isinstance(event, notice_pb2.Notice):
                    notified.tell(event)
                _show(terminal, event, connected=connected)
                connected = connected or isinstance(event, Connected)
                if isinstance(event, MessageSummary) and notifications.level_of(event) is Level.FLASH:
                    terminal.note(_("It rings until it is opened, or until you press Enter."))


def _show(terminal: Terminal, event: Event, *, connected: bool) -> None:
    match event:
        case Connected():
            if not connected:
                terminal.note(_("Watching {node}. Ctrl-C ends it.").format(node=event.node))
        case Away():
            terminal.warn(_("The node is away ({reason}); trying again.").format(reason=event.reason))
        case MessageSummary():
            _announce(terminal, event)
        case _:
            _tell(terminal, event)


@contextmanager
def _enter_acknowledges(notified: Notifications) -> Iterator[None]:
    """Acknowledge what rings when the officer presses Enter, where there is a keyboard."""
    if not sys.stdin.isatty():
        yield
        return

    def pressed() -> None:
        sys.stdin.readline()
        notified.acknowledge()

    loop = asyncio.get_running_loop()
    try:
        loop.add_reader(sys.stdin, pressed)
    except (NotImplementedError, OSError):  # another system, or a terminal that cannot be waited for
        yield
        return
    try:
        yield
    finally:
        loop.remove_reader(sys.stdin)


def _announce(terminal: Terminal, message: MessageSummary) -> None:
    if terminal.wants_json:
        terminal.json(as_json.summary(message))
        terminal.out.file.flush()
    else:
        what = display.kind_title(message.header)
        route = f"{display.sender(message.header)} → {display.recipients(message.header)}"
        standing = (display.mark(message), *map(display.delivery, message.deliveries), display.attachments(message))
        state = "; ".join(filter(None, standing))
        line = "  ".join(
            filter(
                None,
                (
                    display.when(message.stored_time),
                    display.urgency(message.header),
                    message.id[: display.SHORT_ID],
                    message.thread_name,
                    what,
                    route,
                    state,
                ),
            )
        )
        terminal.say(line, "bold red" if message.header.urgency in URGENT else "")


def _tell(terminal: Terminal, notice: notice_pb2.Notice) -> None:
    """Print a notice, one that rings in red."""
    rings = notifications.level_of(notice) is not None
    if terminal.wants_json:
        terminal.json({
            "notice": notice.code,
            "thread": notice.thread_name,
            "digest": notice.message_digest,
            "member": notice.member,
            "search": notice.search_id,
            "due_time": notice.due_time.ToDatetime(tzinfo=UTC) if notice.HasField("due_time") else None,
            "overdue": notice.overdue,
            "text": {"ru": notice.text.ru, "en": notice.text.en},
        })  # fmt: skip
        terminal.out.file.flush()
    else:
        text = notice.text.ru if lang() == "ru" else notice.text.en
        if notice.search_id:
            text = f"{text} ({saved_searches.name_of(terminal.profile(), notice.search_id)})"
        terminal.say(f"{display.when(datetime.now(UTC))}  {text}", "bold red" if rings else "yellow")
