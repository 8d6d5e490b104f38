"""Decisions: who may do what to which kind of message, by role. Rules are Cedar policies, checked against their schema.

The base rules ship with the node. The parties' agreement comes from the register. Forbidding wins whichever of them it
stands in, and what nothing permits is denied.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

import cedarpy

from paiza.v1 import message_pb2
from paiza_node.errors import N_, NodeStopped
from paiza_wire.errors import Rejected

REMEMBERED: Final = 4096  # decisions; they depend on nothing but what they are asked about


@dataclass(frozen=True, slots=True)
class Principal:
    """Who acts: an officer of the own member, or (``node``) another member's node."""

    id: str
    roles: frozenset[str] = frozenset()
    unit: str = ""
    suspended: bool = False
    node: bool = False


@dataclass(frozen=True, slots=True)
class MessageFacts:
    """What a decision about a message depends on. ``ceiling`` is the lowest of those who would hold it."""

    kind: str
    author: str
    urgency: int
    classification: int
    ceiling: int
    sender_roles: frozenset[str]
    has_annex: bool

    @classmethod
    def of(cls, header: message_pb2.Header, sender_roles: frozenset[str], ceiling: int) -> "MessageFacts":
        """Take the facts from a header; the classification is that of its most classified part."""
        classification = header.handling.classification
        annex = False
        for part in header.parts:
            if part.HasField("handling"):
                classification = max(classification, part.handling.classification)
            annex = annex or part.kind == message_pb2.PART_KIND_NOMINAL_ANNEX
        return cls(
            kind=header.kind,
            author=header.author,
            urgency=header.urgency,
            classification=classification,
            ceiling=ceiling,
            sender_roles=sender_roles,
            has_annex=annex,
        )


class Policy:
    """The rules in force. Immutable: a new register makes a new one."""

    def __init__(self, agreements: Sequence[tuple[str, str]] = ()) -> None:
        """Read the base rules and the agreements; NodeStopped names the one that does not fit the schema."""
        folder = files(__package__)
        schema = (folder / "paiza.cedarschema").read_text()
        texts = [("base.cedar", (folder / "base.cedar").read_text()), *agreements]
        for name, text in texts:
            result = cedarpy.validate_policies(text, schema)
            if not result.validation_passed:
                raise NodeStopped(
                    "policy_invalid",
                    what="{errors}",
                    where="{name}",
                    remedy=N_("Mend the policy; agreements come from the register and are mended by its holders."),
                    errors="; ".join(str(error) for error in result.errors)[:1000],
                    name=name,
                )
        self._policies = cedarpy.PolicySet.from_str("\n".join(text for _, text in texts))
        self._schema = cedarpy.Schema.from_str(schema)
        self._decide = lru_cache(maxsize=REMEMBERED)(self._ask)

    def check(
        self,
        principal: Principal,
        action: str,
        message: MessageFacts | None = None,
        roles: frozenset[str] = frozenset(),
    ) -> None:
        """Allow, or raise Rejected("policy_denied") whose detail names the rules that forbid it."""
        denied = self._decide(principal, action, message, roles)
        if denied is not None:
            raise Rejected("policy_denied", denied)

    def _ask(
        self, principal: Principal, action: str, message: MessageFacts | None, roles: frozenset[str]
    ) -> str | None:
        who = _principal(principal)
        what = _resource(action, message)
        request: dict[str, Any] = {
            "principal": who["uid"],
            "action": {"type": "Paiza::Action", "id": action},
            "resource": what["uid"],
            "context": {"roles": sorted(roles)} if action == "submit" else {},
        }
        result = cedarpy.is_authorized(
            request, self._policies, cedarpy.Entities.from_json_str(json.dumps([who, what])), self._schema
        )
        if result.allowed and not result.diagnostics.errors:
            return None
        names = result.diagnostics.id_annotations_by_reason
        forbidding = sorted(names.get(reason, reason) for reason in result.diagnostics.reasons)
        return ", ".join(forbidding) or f"no rule permits {action}"


def _principal(principal: Principal) -> Mapping[str, Any]:
    if principal.node:
        return _entity("Node", principal.id, {"active": not principal.suspended})
    attributes = {"roles": sorted(principal.roles), "unit": principal.unit, "suspended": principal.suspended}
    return _entity("Officer", principal.id, attributes)


def _resource(action: str, message: MessageFacts | None) -> Mapping[str, Any]:
    if message is None:
        return _entity("Register" if action == "read_register" else "Log", "own", {})
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
        },
    )


def _entity(kind: str, name: str, attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"uid": {"type": f"Paiza::{kind}", "id": name}, "attrs": attributes, "parents": []}
