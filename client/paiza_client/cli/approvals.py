"""The command of the second officer: waiting messages, the whole message, and the decision."""

from pathlib import Path
from typing import Any

import click

from paiza.core.v1 import message_pb2
from paiza_cli.confirmation import confirm
from paiza_client.cli import display
from paiza_client.cli.attachments import bars
from paiza_client.cli.options import shared
from paiza_client.cli.terminal import Terminal, current_terminal, lang, run
from paiza_client.language import N_, _, ngettext, number_text
from paiza_client.sdk import as_json, threads, wording
from paiza_client.sdk.approvals import Colleague, SavedWaiting, WaitingSummary, contents
from paiza_client.verify.approval_checks import OpenedWaiting
from paiza_client.verify.model import Outcome, Proof
from paiza_domain.json_form.values import to_object
from paiza_officer.errors import misused
from paiza_wire.message import attachment

Content = list[tuple[str, dict[str, Any], list[tuple[str, str]]]]


@click.command(
    help=N_("See what waits for a second officer; without ID the list. With ID: read it whole, then sign or decline.")
)
@click.argument("message", metavar="[ID]", required=False)
@click.option("--list", "only_list", is_flag=True, help=N_("Only list what waits."))
@click.option("--officers", is_flag=True, help=N_("List the officers of your member, to choose a second one from."))
@click.option("--decline", is_flag=True, help=N_("Do not sign; what you wrote yourself is taken back."))
@click.option("--reason", default="", metavar="TEXT", help=N_("Why you decline; told to its author."))
@click.option(
    "--attachments",
    "folder",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    metavar="FOLDER",
    help=N_("Save the attachments here, to look at them before you decide. Each opening is logged."),
)
@click.option("--yes", is_flag=True, help=N_("Do not ask."))
@shared
def approve(
    *,
    message: str | None,
    only_list: bool,
    officers: bool,
    decline: bool,
    reason: str,
    folder: Path | None,
    yes: bool,
) -> None:
    """Approve."""
    terminal = current_terminal()
    if officers:
        _tell_officers(terminal, run(_officers(terminal)))
    elif message is None or only_list:
        _tell_waiting(terminal, run(_waiting(terminal)))
    elif decline:
        proof = run(_decline(terminal, message, reason))
        if terminal.wants_json:
            terminal.json({"state": "declined", "declined": as_json.proof(proof)})
            return
        withdrawn = proof.event == "WITHDRAWN"
        text = (
            _("The message is withdrawn; it will not be sent.")
            if withdrawn
            else _("It will not be sent. Its author is told.")
        )
        terminal.say(text, "bold")
        terminal.pairs([(display.event(proof), display.proof_text(proof))])
    else:
        run(_approve(terminal, message, folder, ask=not yes))


async def _officers(terminal: Terminal) -> list[Colleague]:
    async with terminal.session() as session:
        return await session.approvals.officers()


async def _waiting(terminal: Terminal) -> list[WaitingSummary]:
    async with terminal.session() as session:
        return await session.approvals.waiting()


async def _decline(terminal: Terminal, message: str, reason: str) -> Proof:
    async with terminal.session() as session:
        return await session.approvals.decline(await threads.waiting_for_signature(session, message), reason)


async def _approve(terminal: Terminal, message: str, folder: Path | None, *, ask: bool) -> None:
    async with terminal.session() as session:
        opened = await session.approvals.open(await threads.waiting_for_signature(session, message))
        shown = _content(opened)
        saved: list[SavedWaiting] = []
        if folder is not None:
            with bars(terminal) as bar:
                saved = await session.approvals.save_attachments(opened, folder, on_progress=bar(_("Fetching")))
        if not terminal.wants_json:
            _show(terminal, opened, shown)
            _show_attachments(terminal, opened, saved)
        if ask:
            if terminal.wants_json:
                raise misused("paiza approve", _("with --json nobody is asked: give --yes or --decline"))
            if not confirm(_("Sign this message?")):
                terminal.note(_("Nothing was signed."))
                return
        outcome = await session.approvals.approve(opened)
        _tell_outcome(terminal, opened, shown, saved, outcome)


def _content(opened: OpenedWaiting) -> Content:
    """Return every part that was opened: its name, its content as an object, and as rows for reading."""
    header = opened.message.header
    kind = display.kind_of(header)
    found: Content = []
    for number, parsed in contents(opened).items():
        annex = header.parts[number].kind == message_pb2.PART_KIND_NOMINAL_ANNEX
        rows = kind.show_annex(parsed, lang()) if annex else kind.show(parsed, lang())
        shape = kind.annex_shape if annex else kind.shape
        assert shape is not None, "a part that was opened is of its kind"
        found.append((display.part_name(header, number), to_object(shape, parsed), rows))
    return found


def _show(terminal: Terminal, opened: OpenedWaiting, shown: Content) -> None:
    header = opened.message.header
    terminal.say(display.kind_title(header), "bold")
    terminal.pairs(display.header_rows(header, ""))
    for name, _values, rows in shown:
        terminal.say()
        terminal.say(name, "bold")
        terminal.pairs(rows)
    terminal.say()
    terminal.say(_("Proven:"), "bold green")
    signed = [
        (
            _("signed"),
            _("{id} as {role}, certificate {fingerprint}").format(
                id=signer.id, role=wording.role(signer.role), fingerprint=certificate.fingerprint.hex()[:16]
            ),
        )
        for signer, certificate in opened.message.signers
    ]
    terminal.pairs([*signed, *((display.event(each), display.proof_text(each)) for each in opened.opened)])
    terminal.pairs(
        [(_("You would sign"), opened.message.digest.hex()), (_("Until"), display.when(opened.expires_time))]
    )


def _show_attachments(terminal: Terminal, opened: OpenedWaiting, saved: list[SavedWaiting]) -> None:
    """Name what was saved; without that their names are not known here, and the officer is told how to see them."""
    header = opened.message.header
    sizes = [number_text(header.parts[number].ciphertext_size) for number in attachment.part_numbers(header)]
    if saved:
        columns = (_("Part"), _("Name"), _("Type"), _("Size"), _("Saved as"))
        rows = [
            (str(each.number), each.info.name, each.info.media_type, number_text(each.info.size), str(each.path))
            for each in saved
        ]
        terminal.table(columns, rows)
        terminal.pairs([(display.event(each.opened), display.proof_text(each.opened)) for each in saved])
    elif sizes:
        text = ngettext(
            "{n} attachment belongs to it ({sizes} bytes): see it with --attachments FOLDER before you sign.",
            "{n} attachments belong to it ({sizes} bytes): see them with --attachments FOLDER before you sign.",
            len(sizes),
        )
        terminal.warn(text.format(n=number_text(len(sizes)), sizes="; ".join(sizes)))


def _tell_outcome(
    terminal: Terminal, opened: OpenedWaiting, shown: Content, saved: list[SavedWaiting], outcome: Outcome
) -> None:
    message_id = opened.message.header.message_id.hex()
    if terminal.wants_json:
        terminal.json(
            {
                "id": message_id,
                "digest": opened.message.digest,
                "state": outcome.state,
                "thread": outcome.thread_name,
                "missing": list(outcome.missing),
                "content": [values for _name, values, _rows in shown],
                "attachments": [
                    {"part": each.number, **as_json.saved(each.info, each.path), "opened": as_json.proof(each.opened)}
                    for each in saved
                ],
                "released": [as_json.proof(each) for each in outcome.proofs if each.event == "RELEASED"],
                "approved": [as_json.proof(each) for each in outcome.proofs if each.event == "APPROVED"],
            }
        )
        return
    if outcome.state == "released":
        terminal.say(_("Signed, and released as {thread}").format(thread=outcome.thread_name), "bold green")
    else:
        terminal.say(_("Signed. It waits for: {officers}").format(officers=", ".join(outcome.missing)), "bold")
    terminal.pairs([(display.event(each), display.proof_text(each)) for each in outcome.proofs])


def _tell_waiting(terminal: Terminal, found: list[WaitingSummary]) -> None:
    own = str(terminal.profile().id)
    if terminal.wants_json:
        terminal.json(
            [
                {
                    **as_json.header(each.header),
                    "digest": each.digest,
                    "submitted_by": each.submitted_by,
                    "submitted_time": each.submitted_time,
                    "expires_time": each.expires_time,
                    "missing": list(each.missing),
                    "for_me": own in each.missing,
                }
                for each in found
            ]
        )
        return
    rows = [
        (
            each.id[: display.SHORT_ID],
            display.kind_title(each.header),
            display.recipients(each.header),
            _("yours") if each.submitted_by == own else each.submitted_by,
            _("your signature") if own in each.missing else ", ".join(each.missing),
            display.when(each.expires_time),
        )
        for each in found
    ]
    columns = (_("Id"), _("Kind"), _("To"), _("Written by"), _("Waits for"), _("Until"))
    terminal.table(columns, rows, empty=_("Nothing waits for a second officer."))


def _tell_officers(terminal: Terminal, found: list[Colleague]) -> None:
    if terminal.wants_json:
        terminal.json(
            [{"id": each.id, "name": each.name, "roles": list(each.roles), "unit": each.unit} for each in found]
        )
        return
    rows = [(each.name, ", ".join(map(wording.role, each.roles)), each.unit, each.id) for each in found]
    terminal.table((_("Full name"), _("Roles"), _("Department"), _("Id")), rows)
