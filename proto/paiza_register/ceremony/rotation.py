"""What a member announces of its own keys: its next member.json, with a time for each key to begin and to end.

One announcement is enough: the dates in the file do the rest, at every member. A key that was stolen leaves at once.
"""

from base64 import b64encode
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from paiza_register.ceremony.base import Base
from paiza_register.ceremony.federation_file import to_json
from paiza_register.ceremony.member_file import ca_entry
from paiza_register.ceremony.times import CA_KEPT, read_time, time_text
from paiza_wire.errors import Rejected
from paiza_wire.identity import CertificateAuthority, MemberAuthority, Role
from paiza_wire.message import key_wrapping

ENCRYPTION_LIFE: Final = timedelta(days=365)
"""Life of an encryption key; a new one overlaps it."""

OVERLAP: Final = timedelta(days=90)
"""How long the former CA still counts: officers' certificates live no longer, and all are renewed meanwhile."""

BACKDATED: Final = timedelta(hours=1)
"""A key that begins now begins this long before, for machines whose clocks are behind."""


@dataclass(frozen=True, slots=True)
class Dates:
    """When a new key begins, by default now, and when the others end, by default as they would; or they were stolen."""

    begins: datetime | None = None
    until: datetime | None = None
    stolen: bool = False


def encryption_key_announced(base: Base, member: str, public: bytes, now: datetime, dates: Dates) -> bytes:
    """Return member.json with a new encryption key (1,216 bytes), which lives for a year.

    Members encrypt for the key that began last. If the others were stolen, nobody encrypts for one of them again. Those
    that have ended are left out.
    """
    document = base.document(member)
    first = dates.begins or now - BACKDATED
    until = dates.until or datetime.max.replace(tzinfo=UTC)
    new = key_wrapping.public_key_from_bytes(public)
    kept = [
        {**key, "not_after": time_text(min(read_time(key["not_after"]), until))}
        for key in document["encryption_keys"]
        if not dates.stolen and key["key_id"] != new.key_id.hex() and read_time(key["not_after"]) >= now
    ]
    added: dict[str, Any] = {
        "key_id": new.key_id.hex(),
        "public_key": b64encode(public).decode(),
        "not_before": time_text(first),
        "not_after": time_text(first + ENCRYPTION_LIFE),
    }
    held = [key for key in kept if read_time(key["not_before"]) < read_time(key["not_after"])]
    return to_json({**document, "encryption_keys": [*held, added]})


def keys_ended(base: Base, member: str, listed: str, vkeys: Collection[str], until: datetime) -> bytes:
    """Return member.json in which these keys of logs (``log_keys``) or witnesses (``witness_keys``) end at a time.

    The member alone says so; a key that follows was admitted before. An end that was announced may be moved.
    """
    document = base.document(member)
    ended = [{**key, "until": time_text(until)} if key["vkey"] in vkeys else key for key in document[listed]]
    return to_json({**document, listed: ended})


def authority_announced(
    base: Base,
    member: str,
    role: Role,
    certificate: bytes,
    now: datetime,
    dates: Dates,
    *,
    kept: timedelta = CA_KEPT,
) -> bytes:
    """Return member.json with a new node or officer CA (DER), which counts as long as it is valid.

    The others end with ``until``, by default `OVERLAP` after it begins. They end now if they were stolen: certificates
    that they issued count no more, and what was signed with them before does. Those that ended longer ago than ``kept``
    are left out; it is the life of the member's deliveries if that is longer than `CA_KEPT`.
    """
    document = base.document(member)
    first = dates.begins or now - BACKDATED
    until = now if dates.stolen else dates.until or max(first, now) + OVERLAP
    new = CertificateAuthority.of(certificate)
    entry = ca_entry(replace(new, begins=max(first, new.begins)))
    listed = f"{role}_cas"
    others = [
        {**ca, "until": time_text(min(read_time(ca["until"]), until))}
        for ca in document[listed]
        if ca["certificate"] != entry["certificate"] and read_time(ca["until"]) >= now - max(kept, CA_KEPT)
    ]
    return to_json({**document, listed: [*others, entry]})


def refuse_lost_ca(before: MemberAuthority, after: MemberAuthority, at: datetime) -> None:
    """Refuse what ends a CA earlier than at this time, or drops it within `CA_KEPT` of its end.

    What was signed under it before and is delivered later would verify nowhere. ``Rejected("conflict")`` says when it
    may be dropped.
    """
    roles: tuple[Role, ...] = ("node", "officer")
    for role in roles:
        held = {ca.certificate: ca for ca in after.cas(role)}
        for ca in before.cas(role):
            known = held.get(ca.certificate)
            if known is None and at < ca.ends + CA_KEPT:
                when = time_text(ca.ends + CA_KEPT)
                raise Rejected("conflict", f"a CA in {role}_cas may be dropped from {when} on; end it with until")
            if known is not None and known.ends < min(ca.ends, at):
                raise Rejected("conflict", f"a CA in {role}_cas ends now at the earliest: set until to {time_text(at)}")
            if known is not None and known.begins > max(ca.begins, at):
                raise Rejected("conflict", f"a CA in {role}_cas has begun: leave from at {time_text(ca.begins)}")
