"""The meaning of each base rule in a sentence for a person. Rules of agreements and members have no sentence."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from paiza_node.core.errors import N_

SENTENCES: Final[Mapping[str, str]] = MappingProxyType({
    "officer-suspended": N_("A suspended officer may do nothing."),
    "officer-has-session": N_("An officer who holds a role may use the node."),
    "officer-sends-in-role": N_("An officer sends in a role he holds and that the kind admits."),
    "recipient-ceiling": N_("Nothing is sent to a member above its classification ceiling."),
    "officer-reads": N_("Liaison, duty, authorising and coordinating officers read messages."),
    "officer-reads-annex": N_("Nominal data are read by those who work the case, not by coordinators or auditors."),
    "officer-searches": N_("Those who read messages search in them."),
    "officer-searches-annex": N_("Nominal data are searched by those who work the case."),
    "auditor-lists": N_("Auditors see that messages were exchanged, never what they say."),
    "officer-sees-trail": N_("Officers see what became of messages, with the proofs."),
    "auditor-reads-log": N_("Coordinators and auditors read the log."),
    "officer-holds": N_("Duty, authorising and coordinating officers put messages under legal hold."),
    "officer-reviews": N_("Liaison, duty and authorising officers decide on messages whose review date came."),
    "coordinator-oversees": N_("Coordinators look at what other members granted."),
    "member-suspended": N_("With a suspended member nothing is exchanged."),
    "member-exchanges": N_("Active members exchange messages."),
    "member-consults": N_("Active members see of the log what concerns them and what they were granted."),
    "own-ceiling": N_("What is classified above our own ceiling is refused, whoever sent it."),
    "red-not-for-coordination": N_("TLP RED is for those who work the case."),
    "officer-passes-on": N_("Officers other than auditors may pass messages on."),
    "member-passes-on": N_("Active members may pass messages on to us."),
    "passing-above-ceiling": N_("Nothing is passed on to a member above its classification ceiling."),
    "passing-recalled": N_("What its author took back is not passed on."),
    "passing-for-other-purpose": N_("Material is passed on for the purposes it was given for, and no other."),
    "tlp-needs-grant": N_("TLP RED and AMBER end with those addressed; others need the originator's grant."),
    "code-needs-grant": N_("H2 and H3 are passed on only with the originator's grant."),
    "annex-needs-grant": N_("Nominal data are passed on only with the originator's grant, signed by two officers."),
    "coordinator-passes-on-no-annex": N_("Coordinators pass on no nominal data."),
    "officer-exports": N_("Officers other than auditors may take content out."),
    "coordinator-exports-no-annex": N_("Coordinators take out neither nominal data nor TLP RED."),
    "export-recalled": N_("What its author took back is not taken out."),
    "export-for-other-purpose": N_("Material is taken out for the purposes it was given for, and no other."),
    "red-export-needs-grant": N_("TLP RED is not taken out without the originator's grant."),
    "amber-strict-export-needs-grant": N_("TLP AMBER+STRICT stays in the addressed authority without a grant."),
    "amber-export-needs-grant": N_("TLP AMBER stays in the addressed member without a grant."),
    "green-not-public": N_("Only TLP CLEAR is for the public."),
    "code-export-needs-grant": N_("H2 and H3 stay in the addressed member without a grant."),
    "proceedings-needs-grant": N_("H1 and above are not used in proceedings without a grant."),
    "classified-stays": N_("Classified material does not leave the member as a file."),
    "annex-not-public": N_("Nominal data are never for the public."),
    "annex-export-needs-grant": N_("Nominal data leave the member only with the originator's grant."),
    "officer-derives": N_("Officers answer and quote."),
    "marks-never-lowered": N_("What is derived from a message carries at least its marks."),
})  # fmt: skip
