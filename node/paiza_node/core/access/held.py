"""Officers on hold since a restore: a copy may be older than a suspension, so an operator confirms the list first.

Their rows stay as the log says; until they are released the node takes the active ones for not confirmed.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from paiza_node.core.access import store as access_store
from paiza_node.core.access.model import InvitationState, Officer, OfficerState
from paiza_node.core.storage import ReadConnection, WriteConnection
from paiza_node.core.storage import settings as settings_store

SETTING: Final = "officers_on_hold"


def held(conn: ReadConnection) -> frozenset[str]:
    """Return the officers on hold."""
    return frozenset((settings_store.setting(conn, SETTING) or b"").decode().split())


def was_ever_held(conn: ReadConnection) -> bool:
    """Return whether officers were on hold at any time."""
    return settings_store.setting(conn, SETTING) is not None


def release(conn: WriteConnection, officer_ids: Iterable[str]) -> None:
    """Release officers: an operator confirmed them, or admitted them anew."""
    if before := held(conn):
        _put(conn, before.difference(officer_ids))


def effective_officers(conn: ReadConnection) -> dict[str, Officer]:
    """Return the officers as they may act: an active one on hold is not confirmed."""
    on_hold = held(conn)
    return {
        each.id: replace(each, state=OfficerState.UNCONFIRMED) if each.id in on_hold and each.is_active else each
        for each in access_store.officers(conn).values()
    }


def hold_all(conn: WriteConnection) -> None:
    """In a copy that is being restored: hold all officers, and make open invitations void."""
    _put(conn, [each.id for each in access_store.officers(conn).values() if each.state is not OfficerState.REMOVED])
    for each in access_store.open_invitations(conn):
        access_store.put_invitation(conn, replace(each, state=InvitationState.VOID))


def _put(conn: WriteConnection, officer_ids: Iterable[str]) -> None:
    settings_store.put_setting(conn, SETTING, " ".join(sorted(officer_ids)).encode())
