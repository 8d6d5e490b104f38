"""`paiza audit`: what the logs say, with proofs; and evidence that anybody can verify without a node."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from paiza_client import container, evidence
from paiza_client.cli import as_json, messages
from paiza_client.cli.options import shared
from paiza_client.cli.overseeing import matrix, reconcile
from paiza_client.cli.terminal import Terminal, run, terminal
from paiza_client.errors import NotProven, Refused
from paiza_client.evidence import Evidence
from paiza_client.language import N_, _
from paiza_client.model import LogState, Trail
from paiza_client.profiles import write_private
from paiza_client.register import bootstrap_root

if TYPE_CHECKING:
    from paiza_client.session import Session

COORDINATOR: Final = "coordinator"
_FULL_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


@click.group(help=N_("See and prove what the logs hold."))
def audit() -> None:
    """See and prove."""


audit.add_command(matrix)
audit.add_command(reconcile)


@audit.command(
    help=N_(
        "Show every log as your node knows it: size, last checkpoint, what speaks against it; of your own also who "
        "witnesses it now, and since when something is not witnessed."
    )
)
@shared
def status() -> None:
    """Show the logs."""
    desk = terminal()

    async def work() -> list[LogState]:
        async with desk.session() as session:
            return await session.log_status()

    states = run(work())
    if desk.wants_json:
        desk.json([as_json.log_state(state) for state in states])
        return
    rows = [
        (
            state.member + (" *" if state.own else ""),
            state.origin,
            str(state.size),
            state.root.hex()[:16],
            messages.when(state.accepted_time) if state.accepted_time else "",
            ", ".join(state.convictions),
        )
        for state in states
    ]
    desk.table((_("Member"), _("Log"), _("Entries"), _("Root"), _("Accepted"), _("Against it")), rows)
    desk.note(_("* your own log. Every checkpoint is signed with the key in the register."))
    for state in states[:1]:
        if state.witnessed_size is None:
            desk.note(_("Your own log is not witnessed by enough members yet."))
        else:
            witnesses = ", ".join(state.witnesses)
            text = _("Your own log is witnessed up to entry {n}, by {members}.")
            desk.note(text.format(n=state.witnessed_size, members=witnesses))
        if state.unwitnessed_since is not None:
            desk.note(
                _("Not witnessed yet: what is newer than {time}.").format(time=messages.when(state.unwitnessed_since))
            )


@audit.command(
    help=N_(
        "Show everything that the logs say about one message, each entry proven. Coordinators also ask the other "
        "members concerned for what they granted, which their logs note."
    )
)
@click.argument("message", metavar="ID")
@click.option("--own-only", is_flag=True, help=N_("Do not ask other members."))
@shared
def trail(*, message: str, own_only: bool) -> None:
    """Show a trail."""
    desk = terminal()

    async def work() -> tuple[str, bytes, Trail, list[tuple[str, str]]]:
        async with desk.session() as session:
            if _FULL_DIGEST.fullmatch(message) and COORDINATOR in (await session.whoami()).roles and not own_only:
                return await _trail_of_digest(session, bytes.fromhex(message))
            found = await messages.one(session, message)
            said = await session.trail(found.digest)
            if own_only or COORDINATOR not in (await session.whoami()).roles:
                return found.id, found.digest, said, []
            members = {found.header.author, *(each.member for each in found.header.recipients)}
            members |= {each.counterpart for each in said.own if each.counterpart}
            active = {each.id for each in session.register().active_members()}
            whole, silent = await session.ask_others(said, found.digest, sorted(members & active))
            return found.id, found.digest, whole, silent

    message_id, digest, found, silent = run(work())
    if desk.wants_json:
        desk.json(
            {
                "id": message_id,
                "digest": digest,
                "own": [as_json.proof(each) for each in found.own],
                "foreign": [as_json.proof(each) for each in found.foreign],
                "silent": [{"member": member, "reason": reason} for member, reason in silent],
            }
        )
        return
    for member, reason in silent:
        desk.warn(_("{member} gave no answer: {reason}").format(member=member, reason=reason))
    rows = [
        (
            messages.when(each.time),
            each.member,
            messages.event(each),
            each.counterpart,
            each.actor,
            each.reason,
            f"{each.origin} #{each.index}",
        )
        for each in sorted((*found.own, *found.foreign), key=lambda each: (each.time, each.origin, each.index))
    ]
    desk.table((_("Time"), _("Log of"), _("Event"), _("With"), _("By"), _("Reason"), _("Entry")), rows)


async def _trail_of_digest(session: "Session", digest: bytes) -> tuple[str, bytes, Trail, list[tuple[str, str]]]:
    """Ask every log about a message by its whole digest, also where the own member has no part in it."""
    try:
        said = await session.trail(digest)
    except Refused as error:
        if error.reason != "unknown_id":
            raise
        said = Trail((), ())
    active = [each.id for each in session.register().active_members()]
    whole, silent = await session.ask_others(said, digest, active)
    if not whole.own and not whole.foreign:
        raise Refused("unknown_id", digest.hex()[:16])
    return digest.hex(), digest, whole, silent


@audit.command("evidence", help=N_("Write one file that proves what became of a message, to anybody, without a node."))
@click.argument("message", metavar="ID")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help=N_("File to write."))
@shared
def evidence_(*, message: str, output: Path) -> None:
    """Write evidence."""
    if output.exists():
        raise Refused("file_unwritable", str(output), _("it exists"))
    desk = terminal()

    async def work() -> bytes:
        async with desk.session() as session:
            found = await messages.one(session, message)
            return await session.evidence(found.digest)

    data = run(work())
    try:
        write_private(output, data)
    except OSError as error:
        raise Refused("file_unwritable", str(output), error.strerror or "") from error
    found = evidence.verify_file(data, bootstrap_root(desk.profile().root))
    if desk.wants_json:
        desk.json({**_object(found), "file": str(output), "bytes": len(data)})
        return
    desk.say(_("Written to {path} ({n} bytes).").format(path=output, n=len(data)))
    _print(desk, found)


@audit.command(help=N_("Verify an evidence file: no node, no network, no account. Trusts only the bootstrap root."))
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--root", type=click.Path(path_type=Path), help=N_("Bootstrap root of the federation; else the profile's.")
)
@shared
def verify(*, file: Path, root: Path | None) -> None:
    """Verify evidence."""
    desk = terminal()
    trusted = bootstrap_root(root if root is not None else desk.profile().root)
    try:
        with file.open("rb") as stream:
            data = stream.read(container.MAX_FILE_BYTES + 1)
    except OSError as error:
        raise Refused("file_unreadable", str(file), error.strerror or "") from error
    try:
        found = evidence.verify_file(data, trusted)
    except NotProven as error:
        where = f"{file}: {error.where}" if error.where else str(file)
        raise NotProven(error.reason, where, error.detail) from error
    if desk.wants_json:
        desk.json(_object(found))
    else:
        _print(desk, found)


def _print(desk: Terminal, found: Evidence) -> None:
    header = found.message.header
    desk.say(_("The evidence holds."), "bold green")
    desk.pairs(
        [
            (_("Federation"), found.federation),
            (_("Message"), f"{header.message_id.hex()}  {messages.kind_title(header)}"),
            (_("Digest"), found.message.digest.hex()),
            (_("From"), header.author),
            (_("To"), messages.recipients(header)),
        ]
    )
    desk.say()
    rows = [
        (
            _("signed"),
            f"{each.officer} ({each.role})",
            messages.when(found.time),
            _("certificate {id}").format(id=each.certificate_sha256.hex()[:16]),
        )
        for each in found.signed
    ]
    rows += [
        (
            messages.event(each),
            f"{each.member} → {each.counterpart}",
            messages.when(each.time),
            _place(each.origin, each.index, each.tree_size),
        )
        for each in found.released
    ]
    rows += [
        (
            messages.event(each),
            f"{each.member} → {each.counterpart}",
            messages.when(each.time),
            _place(each.origin, each.index, each.tree_size),
        )
        for each in found.forwarded
    ]
    rows += [
        (
            messages.event(each) + (f" ({each.reason})" if each.reason else ""),
            each.member,
            messages.when(each.time),
            _place(each.origin, each.index, each.tree_size),
        )
        for each in found.answers
    ]
    desk.table((_("Claim"), _("By"), _("Time"), _("Proof")), rows)
    for member in found.unproven_releases:
        desk.warn(_("Not in this file: a release to {member}.").format(member=member))
    for member in found.unproven_answers:
        desk.warn(_("Not in this file: an answer of {member}.").format(member=member))


def _place(origin: str, index: int, size: int) -> str:
    return _("{log}, entry {index} of {size}").format(log=origin, index=index, size=size)


def _object(found: Evidence) -> dict[str, Any]:
    return {
        "verified": True,
        **as_json.header(found.message.header),
        "digest": found.message.digest,
        "federation": found.federation,
        "signed": [
            {"id": each.officer, "role": each.role, "certificate_sha256": each.certificate_sha256}
            for each in found.signed
        ],
        "released": [as_json.proof(each) for each in found.released],
        "answers": [as_json.proof(each) for each in found.answers],
        "forwarded": [as_json.proof(each) for each in found.forwarded],
        "unproven_releases": list(found.unproven_releases),
        "unproven_answers": list(found.unproven_answers),
        "register_versions": [version.hex() for version in found.register_versions],
    }
