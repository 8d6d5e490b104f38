"""`paiza contacts`: the members of the federation, their liaison officers, and who is on duty now."""

from datetime import UTC, datetime
from typing import Any, Final

import click

from paiza_client.cli import directory_text, display
from paiza_client.cli.options import shared
from paiza_client.cli.terminal import Terminal, current_terminal, lang, run
from paiza_client.language import N_, _
from paiza_client.sdk import directories, registers
from paiza_client.sdk.directories import Directories
from paiza_officer.errors import Refused
from paiza_register import Register

_STATUSES: Final = {"active": N_("active"), "suspended": N_("suspended")}


def register_in_use(terminal: Terminal) -> Register:
    """Return the newest register, or the one verified last while the node is away, with a warning."""
    found = run(registers.in_use(terminal.session, terminal.profile()))
    if found.away is not None:
        terminal.warn(
            _("The node is away ({reason}): these are the data of the register verified last.").format(
                reason=found.away.reason
            )
        )
    elif found.register.late:
        terminal.warn(
            _("The register should have been renewed by {time}.").format(time=display.when(found.register.expiry_time))
        )
    return found.register


def of_member(known: Directories, member: str) -> str:
    """Return the id of a member as typed; Refused("unknown_member") if there is none."""
    if member.lower() not in known.published:
        raise Refused("unknown_member", member)
    return member.lower()


@click.command(help=N_("List the members with their liaison officers and who is on duty, by the verified register."))
@click.argument("member", metavar="[MEMBER]", required=False)
@click.option("--on-duty", is_flag=True, help=N_("Only who is on duty now."))
@shared
def contacts(*, member: str | None, on_duty: bool) -> None:
    """List members."""
    terminal = current_terminal()
    register = register_in_use(terminal)
    known, now = directories.of(register), datetime.now(UTC)
    members = list(known.published) if member is None else [of_member(known, member)]
    if terminal.wants_json:
        make = _duty_object if on_duty else _member_object
        terminal.json([make(register, known, each, now) for each in members])
        return
    directory_text.warn_unusable(terminal, {each: known.published[each] for each in members})
    if not on_duty:
        columns = (_("Member"), _("Name"), _("Status"), _("Highest level"))
        terminal.table(columns, [_row(register, each) for each in members])
        officers = [officer for each in members for officer in known.published[each].directory.officers]
        directory_text.officers_table(terminal, known, officers, now.date())
    directory_text.duty_table(terminal, known, members, now)
    if without := [each for each in members if known.published[each].directory.duty is None]:
        terminal.note(_("Without a duty roster: {members}").format(members=", ".join(without)))


def _row(register: Register, member: str) -> tuple[str, str, str, str]:
    found = register.members.get(member)
    if found is None:
        return member, member, _("data unusable"), ""
    return member, found.names.get(lang(), member), _(_STATUSES[found.status]), str(found.classification_ceiling)


def _member_object(register: Register, known: Directories, member: str, now: datetime) -> dict[str, Any]:
    found = register.members.get(member)
    directory = directory_text.published_object(known, member, now)
    if found is None:
        return {"member": member, "status": "unusable", "reason": register.unusable[member], "directory": directory}
    return {
        "member": member,
        "names": dict(found.names),
        "status": found.status,
        "classification_ceiling": found.classification_ceiling,
        "endpoints": list(found.endpoints),
        "logs": list(found.origins),
        "directory": directory,
    }


def _duty_object(_register: Register, known: Directories, member: str, now: datetime) -> dict[str, Any]:
    found = known.published[member]
    shifts = [directory_text.shift_object(found.directory, each) for each in known.on_duty(member, now)]
    duty = found.directory.duty
    desk = {} if duty is None else dict(duty.contacts)
    return {"member": member, "state": found.state.value, "on_duty": shifts, "desk": desk}
