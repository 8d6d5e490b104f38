"""The differences of a reconciliation in words: what is wrong, why, and who has to do what about it."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from paiza_client.language import N_, _
from paiza_client.reconciliation.compare import Difference

_KINDS: Final = MappingProxyType({
    "lost": N_("lost"),
    "late": N_("late"),
    "refused": N_("refused"),
    "denied": N_("denied"),
    "only-here": N_("only here"),
})  # fmt: skip
_REMARKS: Final = MappingProxyType({
    "content_missing": N_("{recipient} gave a receipt, and says now that the message is not there"),
    "receipt_not_shown": N_("{recipient} gave a receipt, and its log does not show it"),
    "answered_late": N_("answered after more than the time allowed"),
    "not_answered": N_("no answer of {recipient}; nothing proves whose fault"),
    "given_up": N_("given up by {sender} without an answer"),
    "refused": N_("{recipient} refused it"),
    "refused_unproven": N_("refused by {recipient}, by the word of {sender} alone"),
    "denied": N_("passed on, and not taken by {recipient}"),
    "release_not_shown": N_("{recipient} holds the proof that {sender} released it, and {sender} does not show it"),
    "no_release": N_("{recipient} says it came, {sender} says it never went, and no proof is shown"),
})  # fmt: skip

_RECIPIENT, _SENDER, _BOTH = "recipient", "sender", "both"
_DUTIES: Final = MappingProxyType({
    "content_missing": (_RECIPIENT, N_("restore the message from the backup or from the sender, and explain the loss")),
    "receipt_not_shown": (_RECIPIENT, N_("explain why the log does not show the receipt; the evidence file proves it")),
    "answered_late": (_RECIPIENT, N_("explain why the answer came late")),
    "not_answered": (_BOTH, N_("look at the connection together; if it is urgent, telephone")),
    "given_up": (_SENDER, N_("send the message anew once the connection stands")),
    "refused": (_SENDER, N_("put right what the reason names, and send it anew, or leave it")),
    "refused_unproven": (_RECIPIENT, N_("confirm the refusal, or take the message")),
    "denied": (_SENDER, N_("ask the author of the message for consent, or leave it")),
    "release_not_shown": (_SENDER, N_("explain why the log does not show the release; the evidence file proves it")),
    "no_release": (_BOTH, N_("compare the message together: nothing is proven")),
})  # fmt: skip
"""Remark → who has to do what."""


@dataclass(frozen=True, slots=True)
class Duty:
    """What members, by their ids, have to do about a difference."""

    members: tuple[str, ...]
    text: str


def kind(difference: Difference) -> str:
    """Return what is wrong with a message."""
    return _(_KINDS[difference.kind])


def remark(difference: Difference, sender: str = "", recipient: str = "") -> str:
    """Return why it is wrong, with the reason code where the logs have one; the members by id unless named."""
    text = _(_REMARKS[difference.remark])
    told = text.format(sender=sender or difference.sender, recipient=recipient or difference.recipient)
    return f"{told} ({difference.reason})" if difference.reason else told


def duty(difference: Difference) -> Duty:
    """Return who has to do what."""
    who, text = _DUTIES[difference.remark]
    members = {
        _RECIPIENT: (difference.recipient,),
        _SENDER: (difference.sender,),
        _BOTH: (difference.sender, difference.recipient),
    }
    return Duty(members[who], _(text))
