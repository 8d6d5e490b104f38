"""What commands print: applications, proposals, registers, fingerprints as words."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from paiza_cli.fingerprint_words import fingerprint_words
from paiza_cli.language import LANGUAGES, Language
from paiza_cli.terminal import plain_line
from paiza_register.ceremony import Application, Base, Proposal
from paiza_register.register_file import RegisterFile
from paiza_trust import describe, own_node
from paiza_trust import show as show_register
from paiza_trust.language import N_, _, translations
from paiza_trust.own_node import Held, OwnNode

SHOWN_DIGITS: Final = 12
"""Hex digits of a fingerprint in a list; `sign` and `show` take them."""

STATES: Final = {
    own_node.OPEN: "open",
    own_node.COMPLETE: "complete",
    own_node.PUBLISHED: "published",
    own_node.DEAD: "dead",
    own_node.SUPERSEDED: "superseded",
}


def show_json(value: Mapping[str, object]) -> None:
    """Print one JSON object."""
    click.echo(json.dumps(value, ensure_ascii=False))


def show_application(application: Application, file: Path, *, as_json: bool) -> None:
    """Print whose application it is, what it says of the member, and its fingerprint."""
    values = {"file": str(file), "member": application.member, "federation": application.federation}
    words = both_languages(application.fingerprint)
    if as_json:
        content = show_register.describe_application(application)
        show_json({**values, **content, "sha256": application.fingerprint.hex(), "words": words})
        return
    click.echo(_("{file}: the application of {member} to {federation}").format(**values))
    for line in show_register.application_lines(application):
        click.echo(f"  {plain_line(line)}")
    click.echo(_("Its fingerprint, to be compared by telephone:"))
    show_words(words)


def show_proposal(proposal: Proposal, name: str, *, as_json: bool) -> None:
    """Print a proposal: in both languages, since those who sign share no one language."""
    words = both_languages(proposal.fingerprint)
    if as_json:
        show_json(
            {
                "file": name,
                "federation": proposal.act.federation,
                "sha256": proposal.fingerprint.hex(),
                "words": words,
                "signed": proposal.custodians(signed=True),
                "not_signed": proposal.custodians(signed=False),
                "refused": proposal.refused_by(),
                "missing": proposal.missing,
                "complete": proposal.is_complete,
                "lines": {language: sentences(proposal, language) for language in LANGUAGES},
            }
        )
        return
    for language in LANGUAGES:
        translate = translations(language).gettext
        click.echo(translate(N_("What will be true that was not:")))
        for line in sentences(proposal, language):
            click.echo(f"  {plain_line(line)}")
        click.echo(translate(N_("Fingerprint of this proposal, to be compared by telephone:")))
        click.echo(f"  {words[language]}")
        click.echo()
    show_signatures(proposal)


def sentences(proposal: Proposal, language: Language) -> list[str]:
    """Return what a proposal makes true, a sentence a line."""
    return describe.lines(proposal.act, language, translations(language).gettext, datetime.now(UTC))


def show_signed(proposal: Proposal, name: str, *, as_json: bool) -> None:
    """Print who has signed, after the proposal itself was shown."""
    if as_json:
        show_proposal(proposal, name, as_json=True)
    else:
        show_signatures(proposal)


def show_signatures(proposal: Proposal) -> None:
    """Print who has signed, who has not, and who refuses."""
    signed, missing = _signers(proposal, signed=True), _signers(proposal, signed=False)
    click.echo(_("Signed by: {members}").format(members=", ".join(signed) or _("nobody")))
    if missing:
        click.echo(_("Not signed by: {members}").format(members=", ".join(missing)))
    if refusing := proposal.refused_by():
        click.echo(_("Refused by: {members}").format(members=", ".join(refusing)))
    if contradicting := proposal.contradicting():
        click.echo(_("Refused and signed by: {members}").format(members=", ".join(contradicting)))
    if proposal.is_dead:
        click.echo(_("So many refuse that this can never count: its version may be signed with another content."))
    elif proposal.is_complete:
        click.echo(_("Enough have signed."))
    else:
        click.echo(_("Signatures that are missing at the least: {count}").format(count=proposal.missing))


def _signers(proposal: Proposal, *, signed: bool) -> list[str]:
    """Return who has signed the main role, or has not; of a member with two keys, which of its custodians."""
    main = proposal.draft.main_role
    made = proposal.signatures.get(main, {})
    return [_signer(proposal, main, keyid) for keyid in proposal.draft.signers[main] if (keyid in made) is signed]


def _waiting(proposal: Proposal) -> dict[str, str]:
    """Return whose keys may still sign a role that lacks signatures, each with its member, sorted."""
    found: dict[str, str] = {}
    for role, signers in proposal.draft.signers.items():
        made = proposal.signatures.get(role, {})
        for quorum in proposal.draft.quorums[role]:
            if quorum.missing(made):
                found |= {_signer(proposal, role, keyid): signers[keyid][1] for keyid in quorum.keys - made.keys()}
    return dict(sorted(found.items()))


def _signer(proposal: Proposal, role: str, keyid: str) -> str:
    """Return the name of a key that may sign a role: its member, and where that has two, which of its custodians."""
    keys, base = proposal.draft.signers[role], proposal.act.base
    member = keys[keyid][1]
    if base is None or [each for _key, each in keys.values()].count(member) == 1:
        return member
    if keyid in base.custodians:
        return _("{member} (present custodian)").format(member=member)
    return _("{member} (new custodian)").format(member=member)


def show_held(held: Held, proposal: Proposal | None, about: str, node: OwnNode) -> None:
    """Print a proposal of the list: what it is about, who signed, and whose signature of the node's member it lacks."""
    since, fingerprint = held.received_time.ToDatetime(tzinfo=UTC), held.fingerprint.hex()[:SHOWN_DIGITS]
    kind = {"change": _("a change"), "publication": _("a publication")}.get(held.kind, held.kind)
    click.echo(f"{fingerprint}  {since:%Y-%m-%d %H:%M}  {plain_line(about or kind)}")
    if held.state != own_node.OPEN:
        click.echo(f"    {state_text(held)}")
        return
    signers = list(held.signed_by) if proposal is None else _signers(proposal, signed=True)
    waiting = {member: member for member in held.waits_for} if proposal is None else _waiting(proposal)
    signed, waits_for = (", ".join(names) or _("nobody") for names in (signers, waiting))
    counted = _("signed by {signed}; missing: {missing}, of {waits_for}")
    click.echo("    " + plain_line(counted.format(signed=signed, missing=held.missing, waits_for=waits_for)))
    own = [name for name, member in waiting.items() if member == node.member]
    if own == [node.member]:
        click.echo("    " + _("It waits for you: {command}").format(command=sign_command(held, node)))
    elif own:
        text = _("It waits for {signers}: {command}")
        click.echo("    " + plain_line(text.format(signers=", ".join(own), command=sign_command(held, node))))


def sign_command(held: Held, node: OwnNode) -> str:
    """Return the command that signs a proposal at the own node, as it is typed."""
    return f"paiza-trust sign {held.fingerprint.hex()[:SHOWN_DIGITS]} --profile {node.profile}"


def state_text(held: Held) -> str:
    """Return what became of a proposal, a sentence."""
    texts = {
        own_node.OPEN: _("It waits for more signatures; your node passes it on to the other members."),
        own_node.COMPLETE: _("Enough have signed; it is not published yet. Look again with: paiza-trust pending --all"),
        own_node.PUBLISHED: _("It is published: the register in force contains it."),
        own_node.DEAD: _("So many refuse that it can never count."),
        own_node.SUPERSEDED: _("The register changed by another proposal; this one has to be proposed anew."),
    }
    return texts.get(held.state, _("Your node names a state that this version does not know."))


def held_values(held: Held) -> dict[str, object]:
    """Return a proposal at the node as plain values, for `--json`."""
    return {
        "sha256": held.fingerprint.hex(),
        "words": both_languages(held.fingerprint),
        "kind": held.kind,
        "state": STATES.get(held.state, "unknown"),
        "signed": list(held.signed_by),
        "refused": list(held.refused_by),
        "waits_for": list(held.waits_for),
        "missing": held.missing,
        "received_time": held.received_time.ToDatetime(tzinfo=UTC).isoformat(),
        "register_version": held.register_version.hex(),
    }


def show_verified(base: Base, *, as_json: bool) -> None:
    """Print what a verified register says."""
    now = datetime.now(UTC)
    if as_json:
        show_json(show_register.describe(base, now))
        return
    for line in show_register.lines(base, now):
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
