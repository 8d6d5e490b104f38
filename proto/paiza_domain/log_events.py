"""The names of the events of a log, for a reader; the codes are those of `LogEvent` without their prefix."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from paiza_domain.i18n import N_, translate

_TEXTS: Final[Mapping[str, str]] = MappingProxyType({
    "SUBMITTED": N_("submitted"),
    "APPROVED": N_("approved"),
    "RELEASED": N_("released"),
    "RECEIVED": N_("received"),
    "DELIVERED": N_("delivered"),
    "REFUSED": N_("refused"),
    "DELIVERY_REFUSED": N_("refused by the recipient"),
    "OPENED": N_("opened"),
    "OPENED_TOGETHER": N_("opened with others"),
    "SUBJECTS_SHOWN": N_("subject shown"),
    "EXPORTED": N_("exported"),
    "EXPIRED": N_("given up"),
    "DENIED": N_("denied"),
    "DECLINED": N_("not signed"),
    "WITHDRAWN": N_("taken back before it was signed"),
    "LAPSED": N_("not signed in time"),
    "ASSIGNED": N_("given to"),
    "ACKNOWLEDGED": N_("acknowledged"),
    "ESCALATED": N_("passed on, unacknowledged"),
    "DONE": N_("done"),
    "RECALLED": N_("recalled"),
    "FORWARDED": N_("passed on"),
    "SEARCHED": N_("searched"),
    "ERASED": N_("erased"),
    "NEVER_HELD": N_("never held"),
    "ERASURE_DENIED": N_("not erased: legal hold"),
    "ERASURE_ANSWERED": N_("answer to a request to erase"),
    "HELD": N_("legal hold"),
    "HOLD_RELEASED": N_("legal hold released"),
    "REVIEW_KEPT": N_("reviewed and kept"),
    "REVIEW_ERASED": N_("reviewed, own copy erased"),
    "CONSULTED": N_("looked into the log"),
    "RETIRED": N_("retention ended"),
    "OFFICER_CERTIFIED": N_("officer certified"),
    "OFFICER_CHANGED": N_("officer changed"),
    "OFFICER_SUSPENDED": N_("officer suspended"),
    "OFFICER_INVITED": N_("officer invited"),
    "OFFICER_CONFIRMED": N_("officer confirmed"),
    "OFFICER_REINSTATED": N_("officer reinstated"),
    "OFFICER_REMOVED": N_("officer removed"),
    "OFFICER_RENEWAL": N_("new certificates requested"),
    "DIRECTORY_CHANGED": N_("liaison officers' directory changed"),
    "KEY_ANNOUNCED": N_("new key announced"),
    "NODE_CERTIFIED": N_("node certified"),
    "KEY_ADDED": N_("key added"),
    "REGISTER_UPDATED": N_("register updated"),
    "CONFIG_CHANGED": N_("configuration changed"),
    "FORK_FOUND": N_("fork found"),
    "TRUST_RESTORED": N_("trust restored"),
    "DEFAULT_FOUND": N_("in default"),
    "DEFAULT_ENDED": N_("default ended"),
    "RECONCILED": N_("period agreed"),
    "AUDIT_GRANTED": N_("audit grant"),
    "AUDIT_WITHDRAWN": N_("audit grant ended"),
    "LOG_CONTINUED": N_("log continued"),
    "RECOVERED": N_("recovered"),
    "BACKED_UP": N_("backed up"),
    "PEER_BLOCKED": N_("member blocked"),
    "PEER_UNBLOCKED": N_("member unblocked"),
    "PROPOSAL_SIGNED": N_("change of the register signed"),
    "PROPOSAL_REFUSED": N_("change of the register refused"),
    "PROPOSAL_PUBLISHED": N_("change of the register published"),
    "PROPOSAL_DROPPED": N_("change of the register dropped"),
})  # fmt: skip


def event_text(event: str, lang: str) -> str:
    """Return the name of an event, for example of "RELEASED"; an unknown code stands as it is."""
    return translate(_TEXTS.get(event, event), lang)
