"""The kinds of step, and the groups that the reducer treats alike.

A STOPPING step takes precedence over every concurrent movement. A CONFLICTING step is checked again at its place in the
order, because two such steps may each be legal alone and illegal together. All other steps are checked against their
own ancestors only: the events they record stay true.
"""

from typing import Final

REQUEST: Final = "cd-request"
ACKNOWLEDGEMENT: Final = "cd-acknowledgement"
CONDITIONS: Final = "cd-conditions"
CONDITIONS_ANSWER: Final = "cd-conditions-answer"
AUTHORISATION: Final = "cd-authorisation"
REFUSAL: Final = "cd-refusal"
WITHDRAWAL: Final = "cd-withdrawal"
CONFIRMATION: Final = "cd-confirmation"
PLAN: Final = "cd-plan"
ACTIVATION: Final = "cd-activation"
OFFER: Final = "cd-handover-offer"
ACCEPTANCE: Final = "cd-handover-acceptance"
HANDOVER_REFUSAL: Final = "cd-handover-refusal"
ROUTE_CHANGE: Final = "cd-route-change"
SUSPENSION: Final = "cd-suspension"
RESUMPTION: Final = "cd-resumption"
CONTROL_LOST: Final = "cd-control-lost"
STOP: Final = "cd-stop"
STOP_LIFTING: Final = "cd-stop-lifting"
INTERVENTION: Final = "cd-intervention"
DELIVERED: Final = "cd-delivered"
SUBSTITUTION: Final = "cd-substitution"
OUTCOME: Final = "cd-outcome"
EVIDENCE_RETURN: Final = "cd-evidence-return"
CLOSING: Final = "cd-closing"

STEPS: Final = frozenset({
    REQUEST, ACKNOWLEDGEMENT, CONDITIONS, CONDITIONS_ANSWER, AUTHORISATION, REFUSAL, WITHDRAWAL, CONFIRMATION, PLAN,
    ACTIVATION, OFFER, ACCEPTANCE, HANDOVER_REFUSAL, ROUTE_CHANGE, SUSPENSION, RESUMPTION, CONTROL_LOST, STOP,
    STOP_LIFTING, INTERVENTION, DELIVERED, SUBSTITUTION, OUTCOME, EVIDENCE_RETURN, CLOSING,
})  # fmt: skip
OVERTAKING: Final = frozenset({STOP, CONTROL_LOST})
STOPPING: Final = frozenset({STOP, CONTROL_LOST, INTERVENTION, SUSPENSION, WITHDRAWAL, REFUSAL, HANDOVER_REFUSAL})
MOVEMENTS: Final = frozenset({ACTIVATION, OFFER, ACCEPTANCE, DELIVERED})
CONFLICTING: Final = MOVEMENTS | {PLAN, ROUTE_CHANGE}
DECISIONS: Final = frozenset({CONDITIONS, CONDITIONS_ANSWER, AUTHORISATION, REFUSAL})
ACKNOWLEDGING: Final = frozenset({ACKNOWLEDGEMENT, "acknowledgement"})
