"""Sentences for people: what will be true that was not, once an act counts. One function an act."""

from collections.abc import Callable, Mapping
from typing import Final

from tuf.api.metadata import Root, Targets

from paiza_cli.fingerprint_words import fingerprint_words
from paiza_cli.language import Language
from paiza_register.ceremony import Act, Change, Founding
from paiza_register.ceremony.change import ADMIT, CUSTODIAN, REINSTATE, REMOVE, SUSPEND
from paiza_register.ceremony.times import ROOT_LIFE, expiry, time_text
from paiza_trust.language import N_

Translate = Callable[[str], str]

_SENTENCES: Final[Mapping[str, str]] = {
    ADMIT: N_("{title} ({member}) will belong to the federation, reached at {endpoints}"),
    SUSPEND: N_(
        "{title} ({member}) will be suspended: nothing is exchanged with it, and its custodian decides nothing"
    ),
    REINSTATE: N_("{title} ({member}) will be active again, and its custodian decide with the others"),
    REMOVE: N_("{title} ({member}) will no longer belong to the federation"),
    CUSTODIAN: N_("{title} ({member}) will have another custodian's key"),
}


def lines(act: Act, language: Language, translate: Translate) -> list[str]:
    """Return what will be true that was not, a sentence a line."""
    if isinstance(act, Founding):
        return founding(act, language, translate)
    assert isinstance(act, Change), "no other act is known"
    return change(act, language, translate)


def founding(act: Founding, language: Language, translate: Translate) -> list[str]:
    """Return what a founding makes true."""
    told = [
        translate(N_("There will be the federation {name}: {title}")).format(
            name=act.federation, title=act.names[language]
        ),
        translate(N_("Its custodians change it if {threshold} of {count} sign. All of them must sign now.")).format(
            threshold=act.threshold, count=len(act.applications)
        ),
    ]
    if act.threshold == len(act.applications) > 1:
        told.append(translate(N_("Warning: no custodian may ever be lost, since all must sign every change.")))
    for each in act.applications:
        told.append(
            translate(N_("{title} ({member}) will belong to it, reached at {endpoints}")).format(
                title=each.own.names[language], member=each.member, endpoints=", ".join(each.own.endpoints)
            )
        )
        words = fingerprint_words(each.fingerprint, language)
        told.append("    " + translate(N_("fingerprint of its application: {words}")).format(words=words))
    told.append(
        translate(N_("{member} will publish the reference data: {count} files")).format(
            member=act.applications[0].member, count=len(act.documents)
        )
    )
    told.append(translate(N_("Officers will be able to name legal bases: {count}")).format(count=len(act.legal_bases)))
    expires = time_text(expiry(act.time, ROOT_LIFE))
    told.append(translate(N_("Before {time} all this must be signed again.")).format(time=expires))
    return told


def change(act: Change, language: Language, translate: Translate) -> list[str]:
    """Return what a change makes true."""
    told = []
    before = act.base.root.roles[Root.type].threshold
    custodians = len(act.draft.signers[Targets.type])
    applications = {each.member: each for each in act.applications}
    for member in act.members if act.what in _SENTENCES else ():
        applied = applications.get(member)
        own = act.base.register.members[member] if applied is None else applied.own
        told.append(
            translate(_SENTENCES[act.what]).format(
                title=own.names[language], member=member, endpoints=", ".join(own.endpoints)
            )
        )
        if applied is not None:
            words = fingerprint_words(applied.fingerprint, language)
            told.append("    " + translate(N_("fingerprint of its application: {words}")).format(words=words))
    if act.threshold != before:
        told.append(
            translate(N_("{after} custodians must sign a change, and no longer {before}")).format(
                after=act.threshold, before=before
            )
        )
    if act.threshold == custodians:
        told.append(translate(N_("Warning: no custodian may ever be lost, since all must sign every change.")))
    told.append(
        translate(
            N_("It counts when {before} of the custodians of today and {after} of the {count} afterwards signed.")
        ).format(before=before, after=act.threshold, count=custodians)
    )
    for version, digest in (
        (1, act.base.file.first_digest),
        (act.base.file.newest, act.base.file.newest_digest),
    ):
        words = fingerprint_words(digest, language)
        line = translate(N_("It builds on the root of version {version}: {words}"))
        told.append(line.format(version=version, words=words))
    expires = time_text(expiry(act.time, ROOT_LIFE))
    told.append(translate(N_("Before {time} all this must be signed again.")).format(time=expires))
    return told
