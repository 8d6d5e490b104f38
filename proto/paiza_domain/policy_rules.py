"""The meaning of each base rule of the policy in a sentence for a person, and of a refusal that names rules.

Rules of agreements and members have no sentence.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from paiza_domain.i18n import N_, translate

SENTENCES: Final[Mapping[str, str]] = MappingProxyType({
    "officer-suspended": N_("A suspended officer may do nothing."),
    "officer-has-session": N_("An officer who holds a role may use the node."),
    "officer-sends-in-role": N_("Officers send in a role that they hold and that the kind admits."),
    "officer-uploads": N_("All officers who may send upload attachments; auditors do not."),
    "recipient-ceiling": N_("Nothing is sent to a member above its classification ceiling."),
    "officer-reads": N_("Liaison, duty, authorising and coordinating officers read messages."),
    "officer-reads-annex": N_("Case officers read nominal data; coordinators and auditors do not."),
    "officer-searches": N_("Officers who may read messages may search in them."),
    "officer-searches-annex": N_("Case officers search nominal data."),
    "auditor-lists": N_("Auditors see that messages were exchanged, but never their content."),
    "officer-sees-trail": N_("Officers see the status of messages, with the proofs."),
    "auditor-reads-log": N_("Coordinators and auditors read the log."),
    "officer-holds": N_("Duty, authorising and coordinating officers place messages under legal hold."),
    "officer-reviews": N_("Liaison, duty and authorising officers decide on messages whose review date has come."),
    "coordinator-oversees": N_("Coordinators see the log entries that other members granted."),
    "data-officer-publishes": N_("Data officers publish the directory of liaison officers."),
    "custodian-signs": N_("Custodians propose and sign changes of the register."),
    "member-suspended": N_("Nothing is exchanged with a suspended member."),
    "member-exchanges": N_("Active members exchange messages."),
    "member-consults": N_("Active members see the log entries that concern them and those granted to them."),
    "own-ceiling": N_("Material classified above our own ceiling is refused from any sender."),
    "red-not-for-coordination": N_("TLP RED is for case officers only."),
    "opening-for-other-purpose": N_("Material serves statistics and exports only for the purposes it was given for."),
    "officer-passes-on": N_("All officers except auditors may forward messages."),
    "member-passes-on": N_("Active members may forward messages to us."),
    "passing-above-ceiling": N_("Nothing is forwarded to a member above its classification ceiling."),
    "passing-recalled": N_("Recalled messages are not forwarded."),
    "passing-for-other-purpose": N_("Material is forwarded only for the purposes it was given for."),
    "tlp-needs-grant": N_("TLP RED and AMBER stay with the addressees; others need the originator's grant."),
    "code-needs-grant": N_("H2 and H3 are forwarded only with the originator's grant."),
    "annex-needs-grant": N_("Nominal data are forwarded only with the originator's grant, signed by two officers."),
    "coordinator-passes-on-no-annex": N_("Coordinators do not forward nominal data."),
    "officer-exports": N_("All officers except auditors may export content."),
    "coordinator-exports-no-annex": N_("Coordinators export neither nominal data nor TLP RED."),
    "export-recalled": N_("Recalled messages are not exported."),
    "export-for-other-purpose": N_("Material is exported only for the purposes it was given for."),
    "red-export-needs-grant": N_("TLP RED is not exported without the originator's grant."),
    "amber-strict-export-needs-grant": N_("TLP AMBER+STRICT stays in the addressed authority without a grant."),
    "amber-export-needs-grant": N_("TLP AMBER stays in the addressed member without a grant."),
    "green-not-public": N_("Only TLP CLEAR is for the public."),
    "code-export-needs-grant": N_("H2 and H3 stay in the addressed member without a grant."),
    "proceedings-needs-grant": N_("H1 and above are not used in proceedings without a grant."),
    "classified-stays": N_("Material above level 0 does not leave the member as a file."),
    "annex-not-public": N_("Nominal data are never for the public."),
    "annex-export-needs-grant": N_("Nominal data leave the member only with the originator's grant."),
    "officer-derives": N_("Officers answer and quote."),
    "marks-never-lowered": N_("A derived message carries at least the marks of its source."),
})  # fmt: skip

_OF_THE_MESSAGE: Final = frozenset({
    "recipient-ceiling", "own-ceiling", "opening-for-other-purpose", "passing-above-ceiling", "passing-recalled",
    "passing-for-other-purpose", "export-recalled", "export-for-other-purpose", "green-not-public", "classified-stays",
    "annex-not-public", "marks-never-lowered",
})  # fmt: skip
"""Rules that follow from the message alone: no role and no grant changes them."""

_OTHERS: Final[Mapping[str, str]] = MappingProxyType({
    "need-to-know": N_("The message is of another unit, and you are not assigned to it."),
})  # fmt: skip
"""Other details of a refusal by the policy."""


def told(detail: str, lang: str) -> tuple[str, ...]:
    """Return what the detail of a refusal says, in sentences of ``lang``: of each rule that it names and that has one.

    A detail is the ids of rules ("annex-not-public, classified-stays"). Any other text has no sentence.
    """
    known = {**SENTENCES, **_OTHERS}
    return tuple(translate(known[each], lang) for each in detail.split(", ") if each in known)


def is_of_the_message(detail: str) -> bool:
    """Return whether a refusal names a rule that no other officer is free of, since it follows from the message."""
    return not _OF_THE_MESSAGE.isdisjoint(detail.split(", "))
