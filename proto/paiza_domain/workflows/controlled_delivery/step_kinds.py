"""The kinds of step, and what they are to each other.

HALTS go before every movement that did not know of them. CONTENDED steps are judged once more where they stand in the
order, because two of them may each be right alone and wrong together. All others are judged against their own ancestors
only: what they record stays true.
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
HALTS: Final = frozenset({STOP, CONTROL_LOST, INTERVENTION, SUSPENSION, WITHDRAWAL, REFUSAL, HANDOVER_REFUSAL})
MOVEMENTS: Final = frozenset({ACTIVATION, OFFER, ACCEPTANCE, DELIVERED})
CONTENDED: Final = MOVEMENTS | {PLAN, ROUTE_CHANGE}
DECISIONS: Final = frozenset({CONDITIONS, CONDITIONS_ANSWER, AUTHORISATION, REFUSAL})
ACKNOWLEDGING: Final = frozenset({ACKNOWLEDGEMENT, "acknowledgement"})
