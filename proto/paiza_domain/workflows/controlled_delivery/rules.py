"""The rules of a controlled delivery: a stable code, the invariant, and a sentence in either language."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from paiza_domain.i18n import N_, translate
from paiza_domain.workflows.controlled_delivery.breach_values import shown


class Rule(StrEnum):
    """A rule that a step may break. The code is stable."""

    AUTHORISATION_MISSING = "authorisation_missing"
    AUTHORISATION_EXPIRED = "authorisation_expired"
    AUTHORISATION_NOT_YET = "authorisation_not_yet"
    SCOPE_DATES = "scope_dates"
    SCOPE_BORDER_POINT = "scope_border_point"
    SCOPE_QUANTITY = "scope_quantity"
    SCOPE_SUBSTITUTION = "scope_substitution"
    NOT_RESPONSIBLE = "not_responsible"
    OFFER_MISSING = "offer_missing"
    OFFER_OPEN = "offer_open"
    NOT_THE_TAKER = "not_the_taker"
    NOT_NEXT_ON_ROUTE = "not_next_on_route"
    ROUTE_BEGINS_ELSEWHERE = "route_begins_elsewhere"
    STOPPED = "stopped"
    OVERTAKEN = "overtaken"
    STOP_MISSING = "stop_missing"
    NOT_THE_STOPPER = "not_the_stopper"
    NOT_ON_ROUTE = "not_on_route"
    TWO_OFFICERS_NEEDED = "two_officers_needed"
    AUTHORISER_NEEDED = "authoriser_needed"
    SUBSTITUTION_UNRECORDED = "substitution_unrecorded"
    CONTROL_LOST = "control_lost"
    OUTCOME_MISSING = "outcome_missing"
    REQUEST_MISSING = "request_missing"
    REQUEST_REPEATED = "request_repeated"
    REQUEST_WITHDRAWN = "request_withdrawn"
    NOT_REQUESTER = "not_requester"
    NOT_PARTICIPANT = "not_participant"
    NOT_ADDRESSED_TO_ALL = "not_addressed_to_all"
    NOTHING_TO_ACKNOWLEDGE = "nothing_to_acknowledge"
    NOTHING_TO_CONFIRM = "nothing_to_confirm"
    NOTHING_TO_WITHDRAW = "nothing_to_withdraw"
    NOTHING_TO_RESUME = "nothing_to_resume"
    DECIDED_ALREADY = "decided_already"
    DECISION_TOO_LATE = "decision_too_late"
    CONDITIONS_UNANSWERED = "conditions_unanswered"
    CONDITIONS_NOT_OPEN = "conditions_not_open"
    CONDITION_UNKNOWN = "condition_unknown"
    PLAN_MISSING = "plan_missing"
    NOT_ACTIVE = "not_active"
    ACTIVE_ALREADY = "active_already"
    SUSPENDED = "suspended"
    ENDED = "ended"
    NOT_ENDED = "not_ended"
    EVIDENCE_NOT_RETURNED = "evidence_not_returned"
    CLOSED = "closed"
    ANCESTORS_MISSING = "ancestors_missing"
    UNDOES_OTHERS = "undoes_others"
    TOO_MANY_STEPS = "too_many_steps"


TEXTS: Final[Mapping[Rule, str]] = MappingProxyType({
    Rule.AUTHORISATION_MISSING: N_("There is no authorisation of {member}."),
    Rule.AUTHORISATION_EXPIRED: N_("The authorisation of {member} ended on {time}."),
    Rule.AUTHORISATION_NOT_YET: N_("The authorisation of {member} begins on {time}."),
    Rule.SCOPE_DATES: N_("The authorisation of {member} covers {covered}; the route needs {needed}."),
    Rule.SCOPE_BORDER_POINT: N_("The authorisation of {member} does not cover the border point {point}."),
    Rule.SCOPE_QUANTITY: N_("The authorisation of {member} does not cover {quantity}."),
    Rule.SCOPE_SUBSTITUTION: N_("The authorisation of {member} does not cover the substitution mode “{mode}”."),
    Rule.NOT_RESPONSIBLE: N_("Not {member} is responsible for the consignment, but {responsible}."),
    Rule.OFFER_MISSING: N_("There is no open offer of a handover that this answers."),
    Rule.OFFER_OPEN: N_("The offer of a handover to {member} is still open."),
    Rule.NOT_THE_TAKER: N_("The handover was offered to {member}."),
    Rule.NOT_NEXT_ON_ROUTE: N_("The next state on the route is {member}."),
    Rule.ROUTE_BEGINS_ELSEWHERE: N_("The route begins in {member}."),
    Rule.STOPPED: N_("The delivery is stopped by {member}."),
    Rule.OVERTAKEN: N_("Released without knowing of this step of {member}, which goes before it: {step}."),
    Rule.STOP_MISSING: N_("There is no such stop that still stands."),
    Rule.NOT_THE_STOPPER: N_("Only {member}, which ordered the stop, can lift it."),
    Rule.NOT_ON_ROUTE: N_("{member} is not one of the states of this delivery."),
    Rule.TWO_OFFICERS_NEEDED: N_("Two officers must sign."),
    Rule.AUTHORISER_NEEDED: N_("One of the officers must sign as authoriser."),
    Rule.SUBSTITUTION_UNRECORDED: N_("A substitution is recorded with weight, seals and photographs; missing: {what}."),
    Rule.CONTROL_LOST: N_("Control of the consignment was lost ({member}) and has not been regained."),
    Rule.OUTCOME_MISSING: N_("The outcome has not been reported."),
    Rule.REQUEST_MISSING: N_("There is no request for a controlled delivery that this follows from."),
    Rule.REQUEST_REPEATED: N_("The thread has its request already."),
    Rule.REQUEST_WITHDRAWN: N_("The request was withdrawn."),
    Rule.NOT_REQUESTER: N_("Only {member}, which requested the delivery, can do this."),
    Rule.NOT_PARTICIPANT: N_("{member} takes no part in this delivery."),
    Rule.NOT_ADDRESSED_TO_ALL: N_("Every step goes to all participants; missing: {members}."),
    Rule.NOTHING_TO_ACKNOWLEDGE: N_("This names no request, route change, stop or loss of control of this delivery."),
    Rule.NOTHING_TO_CONFIRM: N_("There is no oral request that still needs to be confirmed."),
    Rule.NOTHING_TO_WITHDRAW: N_("There is nothing of {member} that could be withdrawn."),
    Rule.NOTHING_TO_RESUME: N_("There is no suspension of {member} and no loss of control that it could end."),
    Rule.DECIDED_ALREADY: N_("{member} has decided already."),
    Rule.DECISION_TOO_LATE: N_("The latest time for a decision of {member} was {time}."),
    Rule.CONDITIONS_UNANSWERED: N_("The conditions of {member} have not been answered."),
    Rule.CONDITIONS_NOT_OPEN: N_("There are no open conditions of {member} that this answers."),
    Rule.CONDITION_UNKNOWN: N_("{member} has set no condition {number}."),
    Rule.PLAN_MISSING: N_("There is no plan."),
    Rule.NOT_ACTIVE: N_("The delivery has not begun."),
    Rule.ACTIVE_ALREADY: N_("The delivery has begun already."),
    Rule.SUSPENDED: N_("The delivery is suspended by {member}."),
    Rule.ENDED: N_("The delivery has ended."),
    Rule.NOT_ENDED: N_("The delivery has not ended."),
    Rule.EVIDENCE_NOT_RETURNED: N_("The return of the evidence has not been reported."),
    Rule.CLOSED: N_("The delivery is closed."),
    Rule.ANCESTORS_MISSING: N_("Steps that came before have not arrived yet: {count}."),
    Rule.UNDOES_OTHERS: N_("Another step was released meanwhile; look at the thread and send this anew."),
    Rule.TOO_MANY_STEPS: N_("{member} has more steps in this thread than count."),
})  # fmt: skip

_GROUPS: Final = (
    (1, "authorisation_missing authorisation_expired authorisation_not_yet scope_dates scope_border_point"),
    (1, "scope_quantity scope_substitution"),
    (2, "not_responsible offer_missing offer_open not_the_taker not_next_on_route route_begins_elsewhere"),
    (3, "stopped overtaken stop_missing not_the_stopper"),
    (4, "not_on_route two_officers_needed authoriser_needed"),
    (5, "substitution_unrecorded"),
    (6, "control_lost outcome_missing"),
)
INVARIANTS: Final[Mapping[Rule, int]] = MappingProxyType(
    {Rule(code): number for number, codes in _GROUPS for code in codes.split()}
)
"""The number of the invariant a rule belongs to; a rule that is not here is plain order."""


@dataclass(frozen=True, slots=True)
class Breach:
    """One broken rule, with the values for its sentence as they travel (`breach_values`)."""

    rule: Rule
    values: Mapping[str, str] = field(default_factory=dict)

    def text(self, lang: str) -> str:
        """Return the sentence in `lang`."""
        values = {name: shown(name, value, lang) for name, value in self.values.items()}
        return translate(TEXTS[self.rule], lang).format(**values)


def breach_text(rule: str, values: Mapping[str, str], lang: str) -> str:
    """Return the sentence for a breach that a node reports; the code alone if this version does not know the rule."""
    try:
        return Breach(Rule(rule), values).text(lang)
    except (ValueError, KeyError):
        return rule
