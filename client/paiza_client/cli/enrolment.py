"""`paiza enrol`: from an invitation to a profile, and what to tell the administrator."""

import os
import sys
from collections.abc import Collection
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Final

import click

from paiza_cli.fingerprint_words import enrolment_words
from paiza_client.cli.options import shared
from paiza_client.cli.terminal import Terminal, current_terminal, lang, run
from paiza_client.language import N_, _, span_text, time_text
from paiza_officer import enrolment, new_keys, profiles
from paiza_officer.enrolment import Enrolled, Invited
from paiza_officer.errors import disk_problem, located, misused
from paiza_officer.profiles import Profile
from paiza_officer.register_cache import bootstrap_root
from paiza_wire.identity.sealing import Sealer
from paiza_wire.identity.token_uri import TokenUri
from paiza_wire.identity.tokens import Tokens

CLOCK_TOLERANCE: Final = timedelta(seconds=60)
"""A difference of clocks that nobody needs to know of."""

ROLES: Final = {
    "liaison": N_("liaison officer"),
    "duty": N_("duty officer"),
    "authoriser": N_("authorising officer"),
    "coordinator": N_("coordinator"),
    "auditor": N_("auditor"),
    "custodian": N_("custodian"),
    "data": N_("data officer"),
}
"""The roles of an invitation."""

MAX_FILE_BYTES: Final = 64 * 1024  # an invitation has a few thousand, with what a mail program puts between


@click.command(
    help=N_(
        "Become an officer: FILE is the invitation from the administrator of your node (- reads it from standard "
        "input). Both keys are made on this machine and never leave it, in the profile MEMBER-NAME or the one that "
        "--profile names. At the end six words are shown: telephone the administrator and read them aloud. After an "
        "interruption repeat the command."
    )
)
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "--token",
    metavar="URI",
    help=N_(
        "Use the signing key on a token, named as pkcs11:token=…;object=…?module-path=…; without it the key is a file."
    ),
)
@shared
def enrol(*, file: Path, token: str | None) -> None:
    """Enrol as an officer."""
    terminal = current_terminal()
    with located(str(file)):
        invited = enrolment.read(_text(file))
    with located(token or ""):
        uri = None if token is None else TokenUri.parse(token)
    name = terminal.profile_name or f"{invited.officer.member}-{invited.officer.name}"
    if Path(name).name != name or name == os.pardir:
        raise misused("--profile", _("The name of a profile is that of its folder, without a path."))
    folder = profiles.home() / name
    if (folder / profiles.PROFILE_FILE).exists():
        _check_same(profiles.load(folder), invited)
    _show(terminal, invited)
    done = enrolment.enrolled_before(folder, invited)
    if done is None:
        ask = terminal.passphrase if new_keys.are_made(folder, invited.label) else terminal.new_passphrase
        with Tokens(terminal.pin) as tokens:
            made = enrolment.make_keys(folder, invited, Sealer(ask), tokens, uri)
            _tell_asking(terminal)
            done = run(enrolment.enrol(invited, made, lambda reason: _wait(terminal, reason)))
    _tell(terminal, done, invited.roles)


def _check_same(profile: Profile, invited: Invited) -> None:
    """Refuse an invitation that would give a profile to another officer, or another root of trust.

    Anybody can write an invitation for a federation of their own that has the name of this one, and the six words are
    compared only afterwards: by then the profile would believe a register of theirs.
    """
    if profile.id != invited.officer:
        raise misused("--profile", _("The profile {name} is another officer's.").format(name=profile.name))
    if sha256(bootstrap_root(profile.root)).digest() != invited.invitation.first_root_sha256:
        text = _(
            "The invitation names another first root of the register than the profile {name} has: it is of another "
            "federation, or forged. Telephone the administrator of your node, on a number that you know. If it is "
            "theirs, name a new profile."
        )
        raise misused("--profile", text.format(name=profile.name))


def _text(file: Path) -> str:
    """Return the text of an invitation's file."""
    try:
        if str(file) == "-":
            return sys.stdin.buffer.read(MAX_FILE_BYTES).decode(errors="replace")
        with file.open("rb") as stream:
            return stream.read(MAX_FILE_BYTES).decode(errors="replace")
    except OSError as error:
        raise disk_problem(error, str(file)) from error


def _show(terminal: Terminal, invited: Invited) -> None:
    """Print what the invitation says, before anything is made."""
    roles = ", ".join(_(ROLES[role]) if role in ROLES else role for role in invited.roles)
    terminal.note(
        _("You are invited as {name} of {member}: {roles}.").format(
            name=invited.officer.name, member=invited.officer.member, roles=roles
        )
    )
    if invited.unit:
        terminal.note(_("Unit: {unit}").format(unit=invited.unit))
    terminal.note(_("The invitation is good until {time}.").format(time=time_text(invited.expiry_time)))


def _tell_asking(terminal: Terminal) -> None:
    """Show what the next answer waits for: while no other member's node can be reached, it is long in coming."""
    terminal.note(
        _(
            "Your node has them certified once another member's node has witnessed the invitation. This takes seconds; "
            "up to two minutes where no other node can be reached."
        )
    )


def _wait(terminal: Terminal, reason: str) -> None:
    """Name what the node waits for."""
    terminal.note(
        _("The invitation waits for another member's node to witness it …")
        if reason == "not_witnessed"
        else _("The node is busy: trying again …")
    )


def _tell(terminal: Terminal, done: Enrolled, roles: Collection[str]) -> None:
    """Print the six words and what comes next."""
    words, ahead = enrolment_words(done.digest, lang()), done.node_ahead.total_seconds()
    differs = abs(done.node_ahead) > CLOCK_TOLERANCE
    if terminal.wants_json:
        terminal.json(
            {
                "profile": done.profile.name,
                "folder": str(done.profile.folder),
                "officer": str(done.profile.id),
                "words": words,
                "enrolment_sha256": done.digest.hex(),
                "node_ahead_seconds": round(ahead),
            }
        )
        return
    if differs:
        text = _("The clock of this computer is {length} behind the node's: set it, or messages are refused.")
        if ahead < 0:
            text = _("The clock of this computer is {length} ahead of the node's: set it, or messages are refused.")
        terminal.warn(text.format(length=span_text(abs(done.node_ahead))))
    terminal.say(_("Your keys and certificates are in {folder}.").format(folder=done.profile.folder))
    terminal.say(
        _("Telephone the administrator of your node now, on a number that you know, and read these six words:")
    )
    terminal.say()
    terminal.say(f"    {words}", style="bold")
    terminal.say()
    # A custodian alone reads no messages.
    custodian = set(roles) == {"custodian"}
    work = f"paiza-trust pending --profile {done.profile.name}" if custodian else "paiza inbox"
    text = _("Once the administrator has confirmed them, you can work: {command}. Then delete the invitation.")
    terminal.say(text.format(command=work))
