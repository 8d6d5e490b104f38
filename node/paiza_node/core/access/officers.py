"""The officers of the own member: read from officers.toml, kept in the store, every change logged."""

import tomllib
from dataclasses import replace
from pathlib import Path

from paiza.core.v1 import log_pb2
from paiza_node.core.access import store as access_store
from paiza_node.core.access.model import Officer
from paiza_node.core.access.operator import operator
from paiza_node.core.errors import N_, NodeStopped
from paiza_node.core.log.ledger import LogTransaction
from paiza_wire import log_entries
from paiza_wire.errors import PaizaError
from paiza_wire.identity import SpiffeId


def load_officers(path: Path, member: str, federation: str) -> dict[str, Officer]:
    """Return the officers in officers.toml, with roles, unit and certificates."""
    try:
        rows = tomllib.loads(path.read_text()).get("officer", [])
        officers = [
            Officer(
                id=str(SpiffeId.parse(row["id"])),
                roles=frozenset(str(role) for role in row["roles"]),
                unit=str(row.get("unit", "")),
                authentication_certificate_sha256=bytes.fromhex(row["authentication_certificate_sha256"]),
                signing_certificate_sha256=bytes.fromhex(row["signing_certificate_sha256"]),
                suspended=bool(row.get("suspended", False)),
            )
            for row in rows
        ]
    except (OSError, KeyError, TypeError, ValueError, PaizaError) as error:
        raise NodeStopped(
            "bad_configuration",
            what=N_("The list of officers cannot be read: {error}."),
            where="{path}",
            remedy=N_(
                "Correct the file: each [[officer]] has id, roles, unit, authentication_certificate_sha256 and "
                "signing_certificate_sha256."
            ),
            error=error,
            path=path,
        ) from error
    for officer in officers:
        identity = SpiffeId.parse(officer.id)
        if (identity.member, identity.federation, identity.role) != (member, federation, "officer"):
            raise NodeStopped(
                "bad_configuration",
                what=N_("{officer} is not an officer of {member}."),
                where="{path}",
                remedy=N_("Remove the entry; every member knows only its own officers."),
                officer=officer.id,
                member=member,
                path=path,
            )
    return {officer.id: officer for officer in officers}


def note_officers(tx: LogTransaction, officers: dict[str, Officer]) -> None:
    """Log the officers that are new, changed or removed since the last start, and store the present ones."""
    known = access_store.officers(tx.conn)
    for officer in officers.values():
        before = known.get(officer.id)
        if before == officer:
            continue
        tx.append(
            _entry(before, officer),
            text=f"{officer.id} {' '.join(sorted(officer.roles))} {officer.unit}",
        )
        access_store.put_officer(tx.conn, officer)
    for gone in set(known) - set(officers):
        if not known[gone].suspended:
            suspended = log_entries.officer_suspended(actor=operator(), signing_certificate_sha256=b"")
            tx.append(suspended, text=gone)
            access_store.put_officer(tx.conn, replace(known[gone], suspended=True))


def _entry(before: Officer | None, officer: Officer) -> log_pb2.LogEntry:
    if before is None or _certificates(before) != _certificates(officer):
        return log_entries.officer_certified(
            actor=operator(),
            signing_certificate_sha256=officer.signing_certificate_sha256,
            authentication_certificate_sha256=officer.authentication_certificate_sha256,
        )
    build = log_entries.officer_suspended if officer.suspended else log_entries.officer_changed
    return build(actor=operator(), signing_certificate_sha256=officer.signing_certificate_sha256)


def _certificates(officer: Officer) -> tuple[bytes, bytes]:
    return officer.authentication_certificate_sha256, officer.signing_certificate_sha256
