"""Deputies: for a time, another officer of the member sees what an officer sees by unit and assignment.

A deputy acts under their own name, roles and signature: only their need-to-know grows (`Officer.stands_in`). An
appointment is in force until its time is over, somebody ends it, or one of the two may not act any more. The directory
(`core.access.officers`) leaves out what is over at once; the DEPUTY_ENDED entry follows. A crash between the two leaves
an appointment that counts for nothing, and the next start ends it.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from paiza_node.core.access import store as access_store
from paiza_node.core.access.model import Deputy, Officer
from paiza_node.core.access.officers import OfficersChanged
from paiza_node.core.log.transaction import LogTransaction
from paiza_wire import log_entries


def appoint_deputy(tx: LogTransaction, officer_id: str, deputy_id: str, end_time: datetime, *, actor: str) -> Deputy:
    """Log and store an appointment. The officer has no deputy."""
    entry = log_entries.deputy_appointed(
        actor=actor,
        officer_certificate_sha256=access_store.newest_signing(tx.conn, officer_id),
        deputy_certificate_sha256=access_store.newest_signing(tx.conn, deputy_id),
        end_time=end_time,
    )
    index = tx.append(entry, text=described_deputy(officer_id, deputy_id)).index
    appointed = Deputy(index, officer_id, deputy_id, end_time)
    access_store.put_deputy(tx.conn, appointed)
    tx.announce(OfficersChanged())
    return appointed


def end_deputy(tx: LogTransaction, appointed: Deputy, *, actor: str) -> None:
    """Log and store the end of an appointment."""
    entry = log_entries.deputy_ended(
        actor=actor,
        officer_certificate_sha256=access_store.newest_signing(tx.conn, appointed.officer),
        deputy_certificate_sha256=access_store.newest_signing(tx.conn, appointed.deputy),
    )
    index = tx.append(entry, text=described_deputy(appointed.officer, appointed.deputy)).index
    access_store.put_deputy(tx.conn, replace(appointed, ended_index=index))
    tx.announce(OfficersChanged())


def end_deputies_of(tx: LogTransaction, officer_id: str, *, actor: str) -> None:
    """End the appointments in which an officer has a deputy or is one: they may not act any more."""
    for each in access_store.deputies(tx.conn):
        if officer_id in (each.officer, each.deputy):
            end_deputy(tx, each, actor=actor)


def end_void_deputies(tx: LogTransaction, officers: Mapping[str, Officer], *, actor: str) -> datetime | None:
    """End the appointments that are over, or whose ``officers`` may not act; return when the next one is over."""
    left: list[datetime] = []
    for each in access_store.deputies(tx.conn):
        both = officers.get(each.officer), officers.get(each.deputy)
        if each.end_time > tx.now and all(officer is not None and officer.is_active for officer in both):
            left.append(each.end_time)
        else:
            end_deputy(tx, each, actor=actor)
    return min(left, default=None)


def described_deputy(officer_id: str, deputy_id: str) -> str:
    """Return the text beside an entry about a deputy: the ids of the officer and of the deputy."""
    return f"{officer_id} {deputy_id}"
