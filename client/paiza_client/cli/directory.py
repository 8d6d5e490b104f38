"""`paiza directory`: the liaison officers and the duty roster that the own member publishes."""

from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

import click

from paiza_cli.confirmation import confirm
from paiza_client.cli import directory_text
from paiza_client.cli.contacts import of_member, register_in_use
from paiza_client.cli.options import shared
from paiza_client.cli.terminal import Terminal, current_terminal, lang, run
from paiza_client.compose.composer import raise_field_problems
from paiza_client.language import N_, _
from paiza_client.sdk import directories
from paiza_client.sdk.directories import Directories
from paiza_domain import directory as said
from paiza_domain import kinds
from paiza_domain.directory import Directory, DirectoryError, Known
from paiza_domain.drafts.yaml_tree import MAX_BYTES
from paiza_officer.errors import Refused
from paiza_officer.profiles import write_private
from paiza_register import Register

NAMED: Final = 16  # hexadecimal digits by which a draft names the file that it replaces


@dataclass(frozen=True, slots=True)
class _Draft:
    """A valid draft, what it replaces, and what is to be corrected in it. ``base`` is empty if nothing is published."""

    new: Directory
    old: Directory
    base: bytes
    known: Directories

    @property
    def data(self) -> bytes:
        """Return the file to be published."""
        return said.to_bytes(self.new)


@click.group(help=N_("The liaison officers and the duty roster that your member publishes."))
@shared
def directory() -> None:
    """Work on the directory."""


@directory.command(help=N_("Show a member's directory, your own without MEMBER, and what is to be corrected in it."))
@click.argument("member", metavar="[MEMBER]", required=False)
@shared
def show(*, member: str | None) -> None:
    """Show a directory."""
    terminal = current_terminal()
    known, now = directories.of(register_in_use(terminal)), datetime.now(UTC)
    shown = of_member(known, member or terminal.profile().member)
    found, warnings = known.published[shown], known.warnings(shown, now)
    if terminal.wants_json:
        terminal.json(
            {
                "member": shown,
                **directory_text.published_object(known, shown, now),
                "warnings": directory_text.warnings_object(warnings),
            }
        )
        return
    directory_text.warn_unusable(terminal, {shown: found})
    if found.state is not said.State.PUBLISHED:
        if found.state is said.State.ABSENT:
            terminal.note(_("{member} has published no directory yet.").format(member=shown))
        return
    directory_text.officers_table(terminal, known, found.directory.officers, now.date())
    directory_text.duty_table(terminal, known, [shown], now)
    if (duty := found.directory.duty) is not None:
        rows = [(said.shift_text(each, duty.time_zone, lang()),) for each in duty.shifts if each.interval.end > now]
        terminal.section((_("Duty roster"),), rows, empty=_("The duty roster has ended."))
    _warn(terminal, found.directory, warnings)


@directory.command(help=N_("Write your member's directory as a draft with comments, to be changed and published."))
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help=N_("Where to write the draft."))
@shared
def edit(*, output: Path | None) -> None:
    """Write a draft."""
    terminal = current_terminal()
    register, member = register_in_use(terminal), terminal.profile().member
    found = directories.of(register).published[member]
    directory_text.warn_unusable(terminal, {member: found})
    text = said.write_draft(found.directory, _published(register, member).hex()[:NAMED], lang())
    if output is None:
        click.echo(text, nl=False)
        return
    if output.exists():
        raise Refused("file_unwritable", str(output))
    write_private(output, text.encode())
    terminal.note(_("Written: {file}").format(file=output))


@directory.command(help=N_("Check a draft: every fault at its line, what it changes, and what is to be corrected."))
@click.argument("draft", metavar="DRAFT", type=click.Path(path_type=Path))
@shared
def check(*, draft: Path) -> None:
    """Check a draft."""
    terminal = current_terminal()
    _tell(terminal, _read(terminal, draft), published=False)


@directory.command(help=N_("Publish a draft: all members see it within a minute. Needs the role data."))
@click.argument("draft", metavar="DRAFT", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help=N_("Check everything, publish nothing."))
@click.option("--yes", is_flag=True, help=N_("Do not ask."))
@shared
def publish(*, draft: Path, dry_run: bool, yes: bool) -> None:
    """Publish a draft."""
    terminal = current_terminal()
    read = _read(terminal, draft)
    changes = _changes(read)
    if dry_run or not changes:
        _tell(terminal, read, published=False)
        return
    if not terminal.wants_json:
        _tell(terminal, read, published=False)
    if not yes:
        confirm(_("Publish this?"), abort=True)

    async def work() -> bytes:
        async with terminal.session() as session:
            return await session.directory.publish(read.data, read.base)

    version = run(work())
    if terminal.wants_json:
        _tell(terminal, read, published=True)
    else:
        terminal.note(_("Published, register version {version}.").format(version=version.hex()[:NAMED]))


def _read(terminal: Terminal, path: Path) -> _Draft:
    """Read a draft; Refused names every fault, or that another directory was published since it was written."""
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1).decode("utf-8-sig")
    except OSError as error:
        raise Refused("file_unreadable", str(path), error.strerror or "") from error
    except UnicodeDecodeError as error:
        raise Refused("invalid_draft", str(path), "not UTF-8") from error
    member, register = terminal.profile().member, register_in_use(terminal)
    known = directories.of(register)
    try:
        may_name = Known(kinds=frozenset(kinds.all_kinds()), members=frozenset(known.published))
        new, replaces = said.read_draft(member, text, may_name)
    except DirectoryError as error:
        raise_field_problems(str(path), error.errors)
        raise AssertionError("a draft error names at least one field") from error
    base = _published(register, member)
    if replaces != base.hex()[:NAMED]:
        raise Refused("directory_conflict", str(path))
    return _Draft(new, known.published[member].directory, base, known)


def _published(register: Register, member: str) -> bytes:
    """Return the SHA-256 of a member's published file; empty if there is none."""
    data = register.reference.get(said.path_of(member))
    return b"" if data is None else sha256(data).digest()


def _changes(draft: _Draft) -> tuple[str, ...]:
    return said.differences(draft.old, draft.new, lang())


def _tell(terminal: Terminal, draft: _Draft, *, published: bool) -> None:
    """Print what a draft changes and what is to be corrected in it."""
    changes = _changes(draft)
    warnings = draft.known.warnings(draft.new.member, datetime.now(UTC), draft.new)
    if terminal.wants_json:
        terminal.json(
            {
                "changes": list(changes),
                "warnings": directory_text.warnings_object(warnings),
                "published": published,
                "file_sha256": sha256(draft.data).hexdigest(),
            }
        )
        return
    if changes:
        terminal.say(_("What changes:"), "bold")
        for each in changes:
            terminal.say(f"  {each}")
    else:
        terminal.note(_("The draft changes nothing."))
    _warn(terminal, draft.new, warnings)


def _warn(terminal: Terminal, shown: Directory, warnings: directories.Warnings) -> None:
    for each in directory_text.warning_texts(shown, warnings):
        terminal.warn(each)
