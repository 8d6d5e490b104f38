"""The `propose` commands: one for each change of the register. The custodian who proposes signs."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from paiza_register import roles
from paiza_register.ceremony import Act, Base, change, publication
from paiza_register.ceremony.change import Policy
from paiza_trust import carried_files, reference_source
from paiza_trust.cli import options
from paiza_trust.cli.authorities import node_ca, officer_ca
from paiza_trust.cli.proposal import Given, common, now, propose_act, publish_role
from paiza_trust.cli.reference import sound
from paiza_trust.language import N_, _

_APPLICATION: Final = click.argument("application", type=click.Path(path_type=Path))
_APPLICATIONS: Final = click.argument("applications", type=click.Path(path_type=Path), nargs=-1, required=True)
_MEMBER: Final = click.argument("member")
_VKEY: Final = click.argument("vkey")
TIME_FORMAT: Final = "%Y-%m-%dT%H:%M:%SZ"


@click.group(help=N_("Propose a change of the register, and sign it: by files, or with --profile at your own node."))
def propose() -> None:
    """Propose a change."""


propose.add_command(node_ca)
propose.add_command(officer_ca)


@propose.command(help=N_("Admit the member whose application is APPLICATION, also one that was removed."))
@_APPLICATION
@options.THRESHOLD
@common
def admit(given: Given, application: Path, threshold: int | None) -> None:
    """Propose to admit a member."""
    _change(given, change.ADMIT, [application], threshold=threshold)


@propose.command(help=N_("Suspend MEMBER: nothing is exchanged with it."))
@_MEMBER
@options.THRESHOLD
@common
def suspend(given: Given, member: str, threshold: int | None) -> None:
    """Propose to suspend a member."""
    _change(given, change.SUSPEND, member=member, threshold=threshold)


@propose.command(help=N_("Make the suspended member active again whose application is APPLICATION."))
@_APPLICATION
@options.THRESHOLD
@common
def reinstate(given: Given, application: Path, threshold: int | None) -> None:
    """Propose to reinstate a member."""
    _change(given, change.REINSTATE, [application], threshold=threshold)


@propose.command(help=N_("Remove MEMBER from the federation. Its keys stay pinned, for the evidence."))
@_MEMBER
@options.THRESHOLD
@common
def remove(given: Given, member: str, threshold: int | None) -> None:
    """Propose to remove a member."""
    _change(given, change.REMOVE, member=member, threshold=threshold)


@propose.command(help=N_("Replace custodians' keys by those in APPLICATIONS, signed with their members' own pairs."))
@_APPLICATIONS
@common
def custodian(given: Given, applications: tuple[Path, ...]) -> None:
    """Propose other custodians."""
    _change(given, change.CUSTODIAN, applications)


@propose.command(help=N_("Let NUMBER custodians sign a change from now on."))
@click.argument("number", type=int)
@common
def threshold(given: Given, number: int) -> None:
    """Propose another threshold."""
    _change(given, change.THRESHOLD, threshold=number)


@propose.command(
    "member-key", help=N_("Replace the key with which a member signs about itself by that in APPLICATION.")
)
@_APPLICATION
@common
def member_key(given: Given, application: Path) -> None:
    """Propose another key of a member."""
    _change(given, change.MEMBER_KEY, [application])


@propose.command(help=N_("Replace the keys with which a member's node publishes and revokes by those in APPLICATION."))
@_APPLICATION
@common
def publisher(given: Given, application: Path) -> None:
    """Propose another publisher."""
    _change(given, change.PUBLISHER, [application])


_UNTIL: Final = click.option(
    "--until",
    type=click.DateTime([TIME_FORMAT]),
    help=N_("When the former key is abandoned, as 2027-01-31T00:00:00Z. Default: it stays beside the new one."),
)
_STOLEN: Final = click.option(
    "--stolen", is_flag=True, help=N_("Abandon the former key now: somebody else may hold it.")
)


@propose.command("log-key", help=N_("Admit VKEY, another key of a member's log, as `paiza-node rotate log` shows it."))
@_VKEY
@_UNTIL
@_STOLEN
@common
def log_key(given: Given, vkey: str, until: datetime | None, *, stolen: bool) -> None:
    """Propose another key of a member's log."""
    _change(given, change.LOG_KEY, member=vkey.partition(".")[0], vkey=vkey, until=until, stolen=stolen)


@propose.command("log-origin", help=N_("Admit VKEY, the key of a member's next log, as `paiza-node restore` shows it."))
@_VKEY
@common
def log_origin(given: Given, vkey: str) -> None:
    """Propose the next log of a member."""
    _change(given, change.LOG_ORIGIN, member=vkey.partition(".")[0], vkey=vkey)


@propose.command(help=N_("Admit VKEY, the key of a member's next witness, as `paiza-node rotate witness` shows it."))
@_VKEY
@_UNTIL
@_STOLEN
@common
def witness(given: Given, vkey: str, until: datetime | None, *, stolen: bool) -> None:
    """Propose the next witness of a member."""
    _change(given, change.WITNESS, member=vkey.partition(".")[0], vkey=vkey, until=until, stolen=stolen)


@propose.command(
    "reference-holder", help=N_("Let the data officers sign the reference data whose keys are in APPLICATIONS.")
)
@_APPLICATIONS
@common
def reference_holder(given: Given, applications: tuple[Path, ...]) -> None:
    """Propose who signs the reference data."""
    _change(given, change.REFERENCE_HOLDER, applications)


@propose.command(help=N_("Change rules of the federation: how long its register lasts, agreements, legal bases."))
@options.LIFE
@options.GRACE
@options.AGREEMENTS
@click.option(
    "--remove-agreement", "removed", multiple=True, help=N_("Name of an agreement that ends. May be repeated.")
)
@click.option(
    "--legal-base",
    "legal_bases",
    multiple=True,
    metavar="CODE=RU|EN",
    help=N_("A legal base with its titles in both languages; CODE= alone removes it. May be repeated."),
)
@options.THRESHOLD
@common
def policy(
    given: Given,
    timestamp_life_hours: int | None,
    grace_hours: int | None,
    agreements: tuple[Path, ...],
    removed: tuple[str, ...],
    legal_bases: tuple[str, ...],
    threshold: int | None,
) -> None:
    """Propose rules."""
    texts = {path.name: carried_files.text(path) for path in agreements}
    texts |= {_agreement(name): "" for name in removed}
    titles = dict(_legal_base(each) for each in legal_bases)

    def act(base: Base) -> Act:
        rules = Policy(
            timestamp_life_hours or int(base.federation["timestamp_life_hours"]),
            int(base.federation["grace_hours"]) if grace_hours is None else grace_hours,
            texts,
            titles,
        )
        return change.change(change.POLICY, base, now(), policy=rules, threshold=threshold)

    propose_act(given, act)


@propose.command(
    help=N_(
        "Sign anew for another year: root and targets, or ROLE, which is a member's id or federation.reference. "
        "Nothing else changes."
    )
)
@click.argument("role", required=False, default="")
@common
def resign(given: Given, role: str) -> None:
    """Propose to sign anew."""
    if role:
        publish_role(given, role, lambda _base: {})
    else:
        _change(given, change.RESIGN)


@propose.command(help=N_("Publish the reference data in FOLDER, with the data officer's key alone."))
@click.argument("folder", type=click.Path(path_type=Path), default=reference_source.OURS)
@common
def reference(given: Given, folder: Path) -> None:
    """Propose reference data."""
    documents = reference_source.shared_documents(folder)
    sound(documents, folder)

    def files(base: Base) -> dict[str, bytes]:
        ended = {path: b"" for path in base.role(roles.REFERENCE).targets if path not in documents}
        changed = {path: data for path, data in documents.items() if base.target(roles.REFERENCE, path) != data}
        return {**changed, **ended}

    publish_role(given, roles.REFERENCE, files)


@propose.command(help=N_("Publish what MEMBER says about itself, with its own key alone."))
@_MEMBER
@click.option("--name-ru", help=N_("Name of the member in Russian."))
@click.option("--name-en", help=N_("Name of the member in English."))
@click.option(
    "--endpoint", "endpoints", multiple=True, metavar="HOST:PORT", help=N_("Address of its node; replaces all.")
)
@click.option(
    "--ceiling",
    type=click.IntRange(0, 9),
    metavar="NUMBER",
    help=N_("Highest classification the member receives."),
)
@options.MEMBER_PROFILE
@common
def member(
    given: Given,
    member: str,
    name_ru: str | None,
    name_en: str | None,
    endpoints: tuple[str, ...],
    ceiling: int | None,
    member_profile: Path | None,
) -> None:
    """Propose a member's own files."""
    own = {} if member_profile is None else reference_source.member_profile(member_profile, member)
    own_names = {language: name for language, name in (("ru", name_ru), ("en", name_en)) if name}

    def files(base: Base) -> dict[str, bytes]:
        changes: dict[str, Any] = {}
        if own_names:
            changes["names"] = {**base.register.member(member).names, **own_names}
        if endpoints:
            changes["endpoints"] = [{"address": each} for each in endpoints]
        if ceiling is not None:
            changes["classification_ceiling"] = ceiling
        made = dict(own)
        if changes:
            made[f"members/{member}/member.json"] = publication.member_file(base, member, changes, now())
        return made

    publish_role(given, member, files)


def _change(
    given: Given,
    what: str,
    applications: Sequence[Path] = (),
    *,
    member: str = "",
    vkey: str = "",
    until: datetime | None = None,
    stolen: bool = False,
    threshold: int | None = None,
) -> None:
    read = [carried_files.application(path) for path in applications]
    moment = now()
    ends = moment if stolen else until and until.replace(tzinfo=UTC)
    propose_act(
        given,
        lambda base: change.change(
            what, base, moment, member=member, applications=read, vkey=vkey, until=ends, threshold=threshold
        ),
    )


def _agreement(name: str) -> str:
    return name if name.startswith("agreement-") else f"agreement-{name}.cedar"


def _legal_base(text: str) -> tuple[str, Mapping[str, str]]:
    """Return the code and the titles of CODE=RU|EN; none of CODE= alone."""
    code, assigned, titles = text.partition("=")
    russian, separated, english = titles.partition("|")
    if not code or not assigned or bool(titles) != bool(separated and russian and english):
        raise click.BadParameter(_("Write CODE=RU|EN, or CODE= to remove it."), param_hint="--legal-base")
    return code, {"ru": russian, "en": english} if titles else {}
