"""The access table of roles and acts, decided by the base rules."""

import pytest

from paiza_node.core.policy import MessageAttributes, Policy, Principal
from paiza_wire.errors import Rejected

WORKING = {"liaison", "duty", "authoriser", "coordinator"}
CASES = (*sorted(WORKING), "auditor")
ROLES = (*CASES, "custodian", "data")
ALLOWED = {
    "session": set(ROLES),
    "read_register": set(ROLES),
    "ceremony": {"custodian"},
    "publish_directory": {"data"},
    "list": set(CASES),
    "watch": WORKING,
    "open": WORKING,
    "upload": WORKING,
    "open_annex": {"liaison", "duty", "authoriser"},
    "trail": set(CASES),
    "evidence": set(CASES),
    "read_log": {"coordinator", "auditor"},
    "exchange": set[str](),
    "deliver": set[str](),
}
ABOUT_MESSAGES = {"open", "open_annex", "submit", "deliver"}
POLICY = Policy()


def facts(*senders: str, classification: int = 0, ceiling: int = 1) -> MessageAttributes:
    """Describe a message that these roles may send."""
    return MessageAttributes("free-message", "kaz", 4, classification, ceiling, frozenset(senders), has_annex=False)


def allows(principal: Principal, action: str, message: MessageAttributes | None = None, *roles: str) -> bool:
    """Ask the policy."""
    try:
        POLICY.check(principal, action, message, frozenset(roles))
    except Rejected as error:
        return (error.reason, bool(error.detail)) != ("policy_denied", True)
    return True


@pytest.mark.parametrize("action", ALLOWED)
@pytest.mark.parametrize("role", ROLES)
def test_role_and_act(role: str, action: str) -> None:
    """Each role may do exactly what the table says, and nothing once suspended."""
    message = facts("liaison") if action in ABOUT_MESSAGES else None
    assert allows(Principal("o", frozenset({role})), action, message) == (role in ALLOWED[action])
    assert not allows(Principal("o", frozenset({role}), suspended=True), action, message)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("sender", ROLES)
def test_sending_needs_the_role_and_the_kind(role: str, sender: str) -> None:
    """Officers send in a role that they hold and that the kind admits; without a role nobody sends."""
    officer = Principal("o", frozenset({role}))
    assert allows(officer, "submit", facts(sender), role) == (role == sender)
    assert allows(officer, "submit", facts(role, sender), sender) == (role == sender)
    assert not allows(officer, "submit", facts(role))
    assert not allows(officer, "submit", facts(role, classification=2), role)


def test_officer_without_roles_may_do_nothing() -> None:
    """Being known to the node is not enough."""
    nobody = Principal("o")
    for action in ALLOWED:
        assert not allows(nobody, action, facts("liaison") if action in ABOUT_MESSAGES else None)


def test_nodes_exchange_and_nothing_else() -> None:
    """Another member's node delivers up to the ceiling, unless its member is suspended, and does no officer's acts."""
    node = Principal("tjk", node=True)
    assert allows(node, "exchange")
    assert allows(node, "deliver", facts("liaison"))
    assert not allows(node, "deliver", facts("liaison", classification=2))
    assert not allows(Principal("tjk", node=True, suspended=True), "exchange")
    for action in ("session", "list", "watch", "trail", "evidence", "read_log"):
        assert not allows(node, action)


def test_agreement_forbids_more() -> None:
    """A rule of the parties' agreement forbids what the base rules permit, and is named in the denial."""
    rule = '@id("no-evidence") forbid (principal, action == Paiza::Action::"evidence", resource);'
    with pytest.raises(Rejected, match="no-evidence"):
        Policy([("agreement-x.cedar", rule)]).check(Principal("o", frozenset({"liaison"})), "evidence")
