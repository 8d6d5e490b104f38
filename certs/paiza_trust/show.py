"""Puts a verified register, or an application, into plain values, and into lines for a person."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from paiza_cli.language import LANGUAGES
from paiza_register import Member
from paiza_register.ceremony import Application, Base
from paiza_trust.language import _, current
from paiza_wire.identity import CertificateAuthority

_HOUR = timedelta(hours=1)


def describe(base: Base, now: datetime) -> Mapping[str, object]:
    """Put a register into plain values: for `--json`."""
    register = base.register
    return {
        "federation": register.federation,
        "exercise": register.exercise,
        "version": register.version.hex(),
        "issued_time": register.issued_time.isoformat(),
        "expiry_time": register.expiry_time.isoformat(),
        "expired": now >= register.expiry_time,
        "timestamp_life_hours": register.life // _HOUR,
        "grace_hours": register.grace // _HOUR,
        "custodians": list(register.custodians),
        "threshold": register.threshold,
        "publishers": list(register.publishers),
        "reference_holders": _reference_holders(base),
        "agreements": [name for name, _text in register.agreements],
        "unusable": dict(register.unusable),
        "members": [
            {
                "id": member.id,
                "names": dict(member.names),
                "status": member.status,
                "endpoints": list(member.endpoints),
                "logs": [key.vkey for key in member.log_keys],
                "witnesses": [key.vkey for key in member.witness_keys],
                "encryption_keys": [
                    {"key_id": key.key_id.hex(), "not_after": key.not_after.isoformat()}
                    for key in member.encryption_keys
                ],
                "revoked_certificates": len(member.authority.revoked),
                "classification_ceiling": member.classification_ceiling,
            }
            for member in register.members.values()
        ],
    }


def describe_application(application: Application) -> Mapping[str, object]:
    """Put what an application says of its member into plain values: for `--json`."""
    member = application.own
    return {
        "names": dict(member.names),
        "time": application.time.isoformat(),
        "endpoints": list(member.endpoints),
        "logs": [key.vkey for key in member.log_keys],
        "witnesses": [key.vkey for key in member.witness_keys],
        "encryption_keys": [
            {"key_id": key.key_id.hex(), "not_after": key.not_after.isoformat()} for key in member.encryption_keys
        ],
        "node_ca_expiry_time": _ca_expiry(member.authority.node_cas).isoformat(),
        "officer_ca_expiry_time": _ca_expiry(member.authority.officer_cas).isoformat(),
        "classification_ceiling": member.classification_ceiling,
    }


def application_lines(application: Application) -> list[str]:
    """Put what an application says of its member into lines for a person."""
    member = application.own
    return [
        _("names: {names}").format(names=" / ".join(member.names[each] for each in LANGUAGES)),
        _("made: {time} UTC").format(time=f"{application.time:%Y-%m-%d %H:%M}"),
        _("endpoints: {endpoints}").format(endpoints=", ".join(member.endpoints)),
        *(f"{_('log')} {key.vkey}" for key in member.log_keys),
        *(f"{_('witness')} {key.name}+{key.key.key_id.hex()}" for key in member.witness_keys),
        *(
            f"{_('encryption key')} {key.key_id.hex()[:16]}…, {key.not_after:%Y-%m-%d}"
            for key in member.encryption_keys
        ),
        _("CA of nodes: until {day}").format(day=f"{_ca_expiry(member.authority.node_cas):%Y-%m-%d}"),
        _("CA of officers: until {day}").format(day=f"{_ca_expiry(member.authority.officer_cas):%Y-%m-%d}"),
    ]


def _ca_expiry(cas: Sequence[CertificateAuthority]) -> datetime:
    return max(ca.expiry_time for ca in cas)


def lines(base: Base, now: datetime) -> list[str]:
    """Put a register into lines for a person."""
    register = base.register
    expired = now >= register.expiry_time
    until = _("expired since {time} UTC") if expired else _("valid until {time} UTC")
    shown = [
        _("{federation}: register {version}…, verified").format(
            federation=register.federation, version=register.version.hex()[:16]
        ),
        until.format(time=f"{register.expiry_time:%Y-%m-%d %H:%M}"),
        _(
            "A register counts as current for {life} h after a node signed it; after that it is used for {grace} h."
        ).format(life=register.life // _HOUR, grace=register.grace // _HOUR),
        _("Custodians, of whom {threshold} must sign a change: {members}").format(
            threshold=register.threshold, members=", ".join(register.custodians)
        ),
        _("Nodes that publish, in their order: {members}").format(members=", ".join(register.publishers)),
        _("The reference data are signed by: {members}").format(members=", ".join(_reference_holders(base))),
    ]
    for member in register.members.values():
        shown += _member(member)
    shown += [
        _("{member}: its own files cannot be used ({why})").format(member=member, why=why)
        for member, why in register.unusable.items()
    ]
    return shown


def _member(member: Member) -> list[str]:
    status = {"active": _("active"), "suspended": _("suspended")}[member.status]
    return [
        f"{member.id:<16} {status}, {', '.join(member.endpoints)}, {member.names[current()]}",
        *(f"{'':<16} {_('log')} {key.vkey}" for key in member.log_keys),
        *(f"{'':<16} {_('witness')} {key.name}+{key.key.key_id.hex()}" for key in member.witness_keys),
        *(
            f"{'':<16} {_('encryption key')} {key.key_id.hex()[:16]}…, {key.not_after:%Y-%m-%d}"
            for key in member.encryption_keys
        ),
    ]


def _reference_holders(base: Base) -> list[str]:
    return [str(each["member"]) for each in base.federation["reference"]]
