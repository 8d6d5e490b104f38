"""The policy: who may do what to which kind of message, by role. Rules are Cedar policies, checked against a schema.

The base rules ship with the node. The parties' agreements come from the register. The member's own file can only forbid
more (`member_rules`). A rule that forbids overrides all that permit, in any of these, and the default is to deny.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final

import cedarpy
from typing_extensions import override

from paiza.core.v1 import message_pb2
from paiza_domain import handling
from paiza_node.core.errors import N_, NodeStopped
from paiza_register.agreements import faults, schema
from paiza_wire.errors import Rejected

REMEMBERED: Final = 4096  # cached decisions; they depend only on their arguments
REMEMBERED_BYTES: Final = 512  # length of the markings and recipients of a decision worth caching; longer ones are rare
REMEMBERED_FACTS: Final = 2048  # cached attributes of similar messages


NEEDS_GRANT: Final = "-needs-grant"
"""The suffix of the ids of rules that forbid only what the originator did not consent to."""

ABOUT_REGISTER: Final = frozenset({"read_register", "ceremony", "publish_directory"})

CONTEXTS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({
    "open": ("purpose",),
    "forward": ("recipient", "purpose", "granted", "consented", "recalled", "withAnnex"),
    "take_forwarded": ("recipient", "purpose", "granted", "consented", "recalled", "withAnnex"),
    "export": ("audience", "purpose", "granted", "recalled", "withAnnex"),
    "derive": ("covered",),
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Principal:
    """The actor: an officer of the own member, or (``node``) another member's node."""

    id: str
    roles: frozenset[str] = frozenset()
    unit: str = ""
    suspended: bool = False
    node: bool = False


UNLIMITED: Final = handling.Marks(tlp="CLEAR", code="H0")


@dataclass(frozen=True, slots=True)
class MessageAttributes:
    """The attributes of a message that a decision depends on. ``ceiling`` is the lowest of the intended holders."""

    kind: str
    author: str
    urgency: int
    classification: int
    ceiling: int
    sender_roles: frozenset[str]
    has_annex: bool
    marks: handling.Marks = UNLIMITED
    recipients: frozenset[str] = frozenset()
    workflow: str = ""
    is_short: bool = True  # whether a decision about it is worth caching: authors choose the markings
    _hash: int = field(default=0, compare=False)

    def __post_init__(self) -> None:
        """Compute the hash once: the same attributes are looked up repeatedly."""
        facts = (self.kind, self.author, self.urgency, self.ceiling, self.sender_roles, self.has_annex, self.marks)
        object.__setattr__(self, "_hash", hash((facts, self.recipients, self.workflow)))

    @override
    def __hash__(self) -> int:
        """Return the hash computed at construction."""
        return self._hash

    @classmethod
    def of(
        cls, header: message_pb2.Header, sender_roles: frozenset[str], ceiling: int, workflow: str = ""
    ) -> "MessageAttributes":
        """Return the attributes of a message from its header; its markings are the strictest of all its parts."""
        annex = False
        marks = [header.handling.SerializeToString()]
        for part in header.parts:
            if part.HasField("handling"):
                marks.append(part.handling.SerializeToString())
            annex = annex or part.kind == message_pb2.PART_KIND_NOMINAL_ANNEX
        short = sum(map(len, marks)) <= REMEMBERED_BYTES
        facts = _facts if short else _facts.__wrapped__
        return facts(
            header.kind,
            header.author,
            header.urgency,
            tuple(marks),
            tuple([recipient.member for recipient in header.recipients]),
            annex,
            sender_roles,
            ceiling,
            workflow,
            short,
        )


@lru_cache(maxsize=REMEMBERED_FACTS)
def _facts(
    kind: str,
    author: str,
    urgency: int,
    marks: tuple[bytes, ...],
    recipients: tuple[str, ...],
    has_annex: bool,  # noqa: FBT001 - positional, as what is remembered goes by
    sender_roles: frozenset[str],
    ceiling: int,
    workflow: str,
    is_short: bool,  # noqa: FBT001
) -> MessageAttributes:
    """Return attributes from the cache; almost all messages have one of a few."""
    strictest = handling.merge([message_pb2.Handling.FromString(each) for each in marks])
    return MessageAttributes(
        kind=kind,
        author=author,
        urgency=urgency,
        classification=strictest.classification,
        ceiling=ceiling,
        sender_roles=sender_roles,
        has_annex=has_annex,
        marks=strictest,
        recipients=frozenset(recipients),
        workflow=workflow,
        is_short=is_short,
    )


@dataclass(frozen=True, slots=True)
class PolicyContext:
    """The context of a decision about opening together, forwarding, exporting or deriving.

    ``recipient`` is the member a message is forwarded to, ``audience`` the recipients of an export. ``granted``: by the
    originator, or the actor acts for it. ``consented``: the rules of the workflow make the recipient take part.
    ``recalled``: the author recalled it. ``covered``: the markings are at least those of the source message.
    """

    recipient: str = ""
    audience: str = ""
    purpose: str = ""
    granted: bool = False
    consented: bool = False
    recalled: bool = False
    with_annex: bool = False
    covered: bool = True


class Policy:
    """The policy rules in force. Immutable: a new register makes a new instance."""

    def __init__(self, agreements: Sequence[tuple[str, str]] = (), own: Sequence[tuple[str, str]] = ()) -> None:
        """Read the base rules, the agreements, and the member's own rules, which only forbid (`member_rules`).

        NodeStopped names rules that do not fit the schema.
        """
        texts = [("base.cedar", self.base()), *agreements, *own]
        for name, text in texts:
            if errors := faults(text):
                raise NodeStopped(
                    "policy_invalid",
                    what="{errors}",
                    where="{name}",
                    remedy=N_(
                        "Correct the policy; agreements come from the register and are corrected by its holders."
                    ),
                    errors=errors,
                    name=name,
                )
        self._policies = cedarpy.PolicySet.from_str("\n".join(text for _, text in texts))
        self._schema = cedarpy.Schema.from_str(schema())
        self._decide = lru_cache(maxsize=REMEMBERED)(self._ask)

    @staticmethod
    def base() -> str:
        """Return the text of the rules that ship with the node."""
        return (files(__package__) / "base.cedar").read_text()

    def check(
        self,
        principal: Principal,
        action: str,
        message: MessageAttributes | None = None,
        roles: frozenset[str] = frozenset(),
        policy_context: PolicyContext | None = None,
    ) -> None:
        """Return if the action is allowed; else raise Rejected whose detail names the rules that forbid it.

        The reason is "grant_missing" if only the originator's grant is missing, else "policy_denied".
        """
        decide = self._decide if message is None or message.is_short else self._ask
        denied = decide(principal, action, message, roles, policy_context)
        if denied is not None:
            missing = all(name.endswith(NEEDS_GRANT) for name in denied.split(", "))
            raise Rejected("grant_missing" if missing else "policy_denied", denied)

    def _ask(
        self,
        principal: Principal,
        action: str,
        message: MessageAttributes | None,
        roles: frozenset[str],
        policy_context: PolicyContext | None,
    ) -> str | None:
        allowed, names = self.explain(principal, action, message, roles, policy_context)
        return None if allowed else ", ".join(names) or f"no rule permits {action}"

    def explain(
        self,
        principal: Principal,
        action: str,
        message: MessageAttributes | None = None,
        roles: frozenset[str] = frozenset(),
        policy_context: PolicyContext | None = None,
    ) -> tuple[bool, tuple[str, ...]]:
        """Return the decision and the ids of the rules that decided: those that permit, or those that forbid.

        No ids if nothing permits.
        """
        who = _principal(principal)
        what = _resource(action, message)
        request: dict[str, Any] = {
            "principal": who["uid"],
            "action": {"type": "Paiza::Action", "id": action},
            "resource": what["uid"],
            "context": _core(action, roles, policy_context),
        }
        result = cedarpy.is_authorized(
            request, self._policies, cedarpy.Entities.from_json_str(json.dumps([who, what])), self._schema
        )
        names = result.diagnostics.id_annotations_by_reason
        deciding = tuple(sorted(names.get(reason, reason) for reason in result.diagnostics.reasons))
        # A rule that cannot be evaluated might have forbidden.
        return result.allowed and not result.diagnostics.errors, deciding


def _principal(principal: Principal) -> Mapping[str, Any]:
    if principal.node:
        return _entity("Node", principal.id, {"active": not principal.suspended})
    attributes = {"roles": sorted(principal.roles), "unit": principal.unit, "suspended": principal.suspended}
    return _entity("Officer", principal.id, attributes)


def _resource(action: str, message: MessageAttributes | None) -> Mapping[str, Any]:
    if message is None:
        return _entity("Register" if action in ABOUT_REGISTER else "Log", "own", {})
    return _entity(
        "Message",
        "asked",
        {
            "kind": message.kind,
            "author": message.author,
            "urgency": message.urgency,
            "classification": message.classification,
            "ceiling": message.ceiling,
            "senderRoles": sorted(message.sender_roles),
            "hasAnnex": message.has_annex,
            "tlp": message.marks.tlp,
            "pap": message.marks.pap,
            "code": message.marks.code,
            "purposes": sorted(message.marks.purposes or ()),
            "recipients": sorted(message.recipients),
            "workflow": message.workflow,
        },
    )


def _core(action: str, roles: frozenset[str], policy_context: PolicyContext | None) -> Mapping[str, Any]:
    if action == "submit":
        return {"roles": sorted(roles)}
    if policy_context is None:
        return {}
    facts = {
        "recipient": policy_context.recipient,
        "audience": policy_context.audience,
        "purpose": policy_context.purpose,
        "granted": policy_context.granted,
        "consented": policy_context.consented,
        "recalled": policy_context.recalled,
        "withAnnex": policy_context.with_annex,
        "covered": policy_context.covered,
    }
    return {name: facts[name] for name in CONTEXTS[action]}


def _entity(kind: str, name: str, attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"uid": {"type": f"Paiza::{kind}", "id": name}, "attrs": attributes, "parents": []}
