"""The environment of a command: the profile, the passphrase, a session, and output.

Everything that other people wrote is printed through `plain`, so that no message can command the terminal. Results
go to standard output, everything about the work (progress, warnings, errors) to standard error.
"""

import asyncio
import json
import os
import re
import sys
import unicodedata
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from paiza_cli.language import Language
from paiza_cli.terminal import UNSEEN, plain
from paiza_client import language
from paiza_client.language import _, ngettext, time_text
from paiza_client.local.outbox import Outbox
from paiza_client.sdk import as_json
from paiza_officer import profiles
from paiza_officer.errors import ProfileProblem, Unreachable
from paiza_officer.profiles import Profile

if TYPE_CHECKING:
    from paiza_client.sdk import Session
    from paiza_client.sdk.model import MessageSummary
    from paiza_officer.renewal import Renewal

_UNUSUAL: Final = re.compile(r"[^ -~\u0400-\u045f]")  # what is looked at: neither ASCII that is seen nor Cyrillic
WIDE: Final = 200  # columns where there is no terminal to ask: nothing is cut off for a pipe

MIN_PASSPHRASE: Final = 12  # characters: four words, or what a stolen laptop's owner is protected by for some years

_T = TypeVar("_T")


class Terminal:
    """One command's surroundings. ``profile_name`` and ``wants_json`` come from the command line."""

    def __init__(self, profile_name: str | None = None, *, wants_json: bool = False) -> None:
        self.profile_name = profile_name
        self.wants_json = wants_json
        self.named_language = ""  # by --lang
        self.out = Console(file=sys.stdout, highlight=False, markup=False, width=None if sys.stdout.isatty() else WIDE)
        self.err = Console(file=sys.stderr, highlight=False, markup=False, width=None if sys.stderr.isatty() else WIDE)
        self._profile: Profile | None = None
        self._passphrase: bytes | None = None
        self._printed = False  # whether anything of the result stands above
        self._told_meant: set[tuple[str, bytes]] = set()  # one command may look a name up several times

    def profile(self) -> Profile:
        """Return the chosen profile."""
        if self._profile is None:
            self._profile = profiles.find(self.profile_name)
        return self._profile

    def passphrase(self) -> bytes:
        """Return the passphrase: from PAIZA_PASSPHRASE_FILE, else asked on the terminal, once per command."""
        if self._passphrase is None:
            file = os.environ.get("PAIZA_PASSPHRASE_FILE")
            if file:
                self._passphrase = profiles.passphrase_from_file(Path(file))
            elif sys.stdin.isatty() and sys.stderr.isatty():
                asked = click.prompt(
                    _("Passphrase of the key"), hide_input=True, err=True, default="", show_default=False
                )
                self._passphrase = asked.encode()
            else:
                raise ProfileProblem("passphrase_missing", self.profile_name or "")
        return self._passphrase

    def new_passphrase(self) -> bytes:
        """Return a passphrase for new keys: from PAIZA_PASSPHRASE_FILE, else asked on the terminal twice."""
        if self._passphrase is None and not os.environ.get("PAIZA_PASSPHRASE_FILE") and sys.stdin.isatty():
            text = _(
                "Choose a passphrase of at least {n} characters for your keys. Nobody can restore it; without it you "
                "enrol anew."
            )
            self.note(text.format(n=MIN_PASSPHRASE))
            asked = click.prompt(
                _("New passphrase"),
                hide_input=True,
                err=True,
                confirmation_prompt=_("The same again"),
                value_proc=_long_enough,
            )
            self._passphrase = str(asked).encode()
        return self.passphrase()

    def pin(self, token: str) -> bytes:
        """Return the PIN of a token, asked on the terminal; a URI with ``pin-source`` names a file instead."""
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise ProfileProblem("passphrase_missing", token)
        asked = click.prompt(
            _("PIN of the token {token}").format(token=plain(token)),
            hide_input=True,
            err=True,
            default="",
            show_default=False,
        )
        return str(asked).encode()

    @asynccontextmanager
    async def session(self, profile: Profile | None = None) -> AsyncIterator["Session"]:
        """Connect, send what waits in the outbox, and say what became of it."""
        from paiza_client.sdk import connect  # noqa: PLC0415 - grpc is slow to load, and not always needed

        async with connect(profile or self.profile(), self.passphrase, self.pin) as session:
            session.tell_meant = self._tell_meant
            self._tell_renewal(session.renewal)
            if session.register().exercise:
                self.warn(_("EXERCISE: this federation is an exercise, and so is everything that is sent in it."))
            await self._send_waiting(session)
            yield session

    def _tell_meant(self, text: str, meant: "MessageSummary") -> None:
        from paiza_client.sdk.messages import described  # noqa: PLC0415 - it loads grpc
        from paiza_domain.threads.notices import SHORT_ID  # noqa: PLC0415 - likewise slow

        if (text, meant.digest) in self._told_meant:
            return
        self._told_meant.add((text, meant.digest))
        words = _("{name}: the newest message that fits is taken: {description} ({id})")
        self.note(words.format(name=text, id=meant.id[:SHORT_ID], description=described(meant)))

    def _tell_renewal(self, renewal: "Renewal | None") -> None:
        if renewal is None:
            return
        ends = time_text(renewal.expiry_time)
        if renewal.error is None:
            self.note(_("Your certificates were renewed: they are valid until {time}.").format(time=ends))
            return
        text = _(
            "Your certificates end at {time} and could not be renewed now ({reason}). The next command tries again; "
            "if this lasts, tell the administrator of your node."
        )
        self.warn(text.format(time=ends, reason=renewal.error.reason))

    async def _send_waiting(self, session: "Session") -> None:
        if not any(session.outbox.batches()) and not any(session.outbox.at_second_officers()):
            return
        try:
            outcomes = await session.flush()
        except Unreachable as error:
            self.warn(_("The outbox could not be sent: {reason}").format(reason=error.reason))
            return
        sent = sum(outcome.state == "released" for outcome in outcomes)
        if sent:
            self.note(
                ngettext(
                    "{n} message from the outbox was sent.", "{n} messages from the outbox were sent.", sent
                ).format(n=sent)
            )
        refused = sum(outcome.state == "refused" for outcome in outcomes)
        if refused:
            text = ngettext(
                "{n} message from the outbox was refused; see: paiza outbox list",
                "{n} messages from the outbox were refused; see: paiza outbox list",
                refused,
            )
            self.warn(text.format(n=refused))

    def note(self, text: str) -> None:
        """Print a note about the work; nothing if JSON is wanted."""
        if not self.wants_json:
            self.err.print(Text(plain(text)))

    def warn(self, text: str) -> None:
        """Print a warning that the officer should not miss."""
        self.err.print(Text(plain(text), style="yellow"))

    def say(self, text: str = "", style: str = "") -> None:
        """Print one piece of a result."""
        self._printed = True
        self.out.print(Text(plain(text), style=style))

    def json(self, value: Any) -> None:
        """Print a result as JSON, on one line each, readable by any program, and steering no terminal."""
        text = json.dumps(value, ensure_ascii=False, default=as_json.value)
        self.out.file.write(_UNUSUAL.sub(lambda found: _harmless(found[0]), text) + "\n")

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]], *, empty: str = "") -> None:
        """Print a table; instead of an empty one, a sentence."""
        if not rows:
            if empty:
                self.note(empty)
            return
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*(Text(plain(cell)) for cell in row))
        self._printed = True
        self.out.print(table)

    def section(self, columns: Sequence[str], rows: Sequence[Sequence[str]], *, empty: str = "") -> None:
        """Print a table, with an empty line between it and what stands above."""
        if self._printed:
            self.say()
        self.table(columns, rows, empty=empty)

    def pairs(self, rows: Sequence[tuple[str, str]]) -> None:
        """Print labels with their values beside them."""
        table = Table(box=None, pad_edge=False, show_header=False)
        table.add_column(style="dim", overflow="fold", max_width=48)
        table.add_column(overflow="fold")
        for label, value in rows:
            table.add_row(Text(plain(label)), Text(plain(value)))
        self._printed = True
        self.out.print(table)

    @contextmanager
    def progress(self, title: str) -> Iterator[Callable[[int, int], None]]:
        """Show a progress bar on standard error; yield what moves it: called with what is done, and with all there is.

        All is 0 as long as it is not known.
        Invisible where nobody watches or JSON is wanted.
        """
        bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self.err,
            disable=self.wants_json or not sys.stderr.isatty(),
        )
        with bar:
            task = bar.add_task(title, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total or None)

    def bell(self) -> None:
        """Ring, where there is a terminal to ring."""
        if sys.stderr.isatty():
            self.err.bell()


def current_terminal() -> Terminal:
    """Return the surroundings of the command that runs."""
    found: Terminal = click.get_current_context().ensure_object(Terminal)
    return found


def run(work: Coroutine[Any, Any, _T]) -> _T:
    """Run a command's work to its end."""
    return asyncio.run(work)


def _long_enough(passphrase: str) -> str:
    if len(passphrase) < MIN_PASSPHRASE:
        raise click.UsageError(_("The passphrase has fewer than {n} characters.").format(n=MIN_PASSPHRASE))
    return passphrase


def _harmless(character: str) -> str:
    """Return a character of a JSON text, as an escape where `plain` would take it out."""
    return json.dumps(character)[1:-1] if unicodedata.category(character) in UNSEEN else character


def waiting_in(profile: Profile) -> int:
    """Count the messages in a profile's outbox that wait to be sent."""
    return sum(len(batch.items) for batch in Outbox(profile.outbox).batches())


def lang() -> Language:
    """Return the language in use, for texts that come from the domain."""
    return language.language()
