"""Puts a verified register into plain values, and into lines for a person."""

from collections.abc import Mapping

from paiza_register import Register
from paiza_trust.language import _


def describe(register: Register) -> Mapping[str, object]:
    """Put a register into plain values: for `--json`, and for the table."""
    return {
        "federation": register.federation,
        "version": register.version.hex(),
        "expiry_time": register.expiry_time.isoformat(),
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


def lines(register: Register) -> list[str]:
    """Put a register into lines for a person."""
    shown = [
        _("{federation}: register {version}…, verified").format(
            federation=register.federation, version=register.version.hex()[:16]
        ),
        _("valid until {time} UTC").format(time=f"{register.expiry_time:%Y-%m-%d %H:%M}"),
    ]
    for member in register.members.values():
        shown.append(f"{member.id:<16} {member.status:<9} {', '.join(member.endpoints):<21} {member.names['en']}")
        shown += [f"{'':<16} log        {key.vkey}" for key in member.log_keys]
        shown += [f"{'':<16} witness    {key.name}+{key.key.key_id.hex()}" for key in member.witness_keys]
        shown += [
            f"{'':<16} encryption {key.key_id.hex()[:16]}… until {key.not_after:%Y-%m-%d}"
            for key in member.encryption_keys
        ]
    return shown
