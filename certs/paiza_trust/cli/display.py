"""What commands print: applications, proposals, registers, fingerprints as words."""

import json
from collections.abc import Mapping
from pathlib import Path

import click

from paiza_cli.fingerprint_words import fingerprint_words
from paiza_cli.language import LANGUAGES
from paiza_cli.terminal import plain_line
from paiza_register import Register
from paiza_register.ceremony import Application, Proposal
from paiza_register.register_file import RegisterFile
from paiza_trust import describe
from paiza_trust import show as show_register
from paiza_trust.language import N_, _, translations


def show_json(value: Mapping[str, object]) -> None:
    """Print one JSON object."""
    click.echo(json.dumps(value, ensure_ascii=False))


def show_application(application: Application, file: Path, *, as_json: bool) -> None:
    """Print whose application it is, and its fingerprint."""
    values = {"file": str(file), "member": application.member, "federation": application.federation}
    words = both_languages(application.fingerprint)
    if as_json:
        show_json({**values, "sha256": application.fingerprint.hex(), "words": words})
        return
    click.echo(_("{file}: the application of {member} to {federation}").format(**values))
    click.echo(_("Its fingerprint, to be compared by telephone:"))
    show_words(words)


def show_proposal(proposal: Proposal, file: Path, *, as_json: bool) -> None:
    """Print a proposal: in both languages, since those who sign share no one language."""
    words = both_languages(proposal.fingerprint)
    if as_json:
        show_json(
            {
                "file": str(file),
                "federation": proposal.act.federation,
                "sha256": proposal.fingerprint.hex(),
                "words": words,
                "signed": proposal.custodians(signed=True),
                "not_signed": proposal.custodians(signed=False),
                "refused": proposal.refused_by(),
            }
        )
        return
    for language in LANGUAGES:
        translate = translations(language).gettext
        click.echo(translate(N_("What will be true that was not:")))
        for line in describe.lines(proposal.act, language, translate):
            click.echo(f"  {plain_line(line)}")
        click.echo(translate(N_("Fingerprint of this proposal, to be compared by telephone:")))
        click.echo(f"  {words[language]}")
        click.echo()
    show_signatures(proposal)


def show_signed(proposal: Proposal, file: Path, *, as_json: bool) -> None:
    """Print who has signed, after the proposal itself was shown."""
    if as_json:
        show_proposal(proposal, file, as_json=True)
    else:
        show_signatures(proposal)


def show_signatures(proposal: Proposal) -> None:
    """Print who has signed, who has not, and who refuses."""
    signed, missing = proposal.custodians(signed=True), proposal.custodians(signed=False)
    click.echo(_("Custodians who have signed: {members}").format(members=", ".join(signed) or "-"))
    click.echo(_("Custodians who have not signed: {members}").format(members=", ".join(missing) or "-"))
    if refusing := proposal.refused_by():
        click.echo(_("Custodians who refuse: {members}").format(members=", ".join(refusing)))
    if proposal.is_dead:
        click.echo(_("So many refuse that this can never count: its version may be signed with another content."))


def show_verified(register: Register, *, as_json: bool) -> None:
    """Print what a verified register says."""
    if as_json:
        show_json(show_register.describe(register))
        return
    for line in show_register.lines(register):
        click.echo(plain_line(line))


def digests(register: RegisterFile) -> dict[str, object]:
    """Return the fingerprints of the first and the newest root."""
    return {
        "first_root": {"sha256": register.first_digest.hex(), "words": both_languages(register.first_digest)},
        "newest_root": {
            "version": register.newest,
            "sha256": register.newest_digest.hex(),
            "words": both_languages(register.newest_digest),
        },
    }


def show_digests(register: RegisterFile) -> None:
    """Print the fingerprints of the first and the newest root."""
    click.echo(_("Fingerprint of the first root:"))
    show_words(both_languages(register.first_digest))
    if register.newest > 1:
        click.echo(_("Fingerprint of the newest root, version {version}:").format(version=register.newest))
        show_words(both_languages(register.newest_digest))


def show_words(words: Mapping[str, str]) -> None:
    """Print a fingerprint in both languages."""
    for each in words.values():
        click.echo(f"  {each}")


def both_languages(digest: bytes) -> dict[str, str]:
    """Return a fingerprint as words, by language."""
    return {language: fingerprint_words(digest, language) for language in LANGUAGES}
