"""The text of federation.json: members, whose keys sign, every key of a log or a witness ever admitted."""

import json
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Final

from securesystemslib.signer import Key

from paiza_register.documents import FORMAT, vkey_digest

LIFE: Final = timedelta(hours=24)
"""Of a timestamp: a publisher's node renews it every hour."""

GRACE: Final = timedelta(hours=48)
"""After a timestamp's expiry: a weekend on which no publisher's node runs."""


def federation_file(
    name: str,
    names: Mapping[str, str],
    members: Iterable[Mapping[str, Any]],
    *,
    custodians: Mapping[str, Key],
    publishers: Mapping[str, Key],
    reference: Mapping[str, Key],
    legal_bases: Mapping[str, Mapping[str, str]],
    life: timedelta = LIFE,
    grace: timedelta = GRACE,
    exercise: bool = False,
) -> bytes:
    """Return federation.json of a new federation, all of whose members are active.

    ``members`` are their member.json, as values: every key that one names in it is pinned. Keys are by member.
    ``life`` is that of a timestamp, ``grace`` the use of a register after its expiry, both in whole hours.
    ``exercise``: all its messages are exercises.
    """
    own = list(members)
    return to_json(
        {
            "format": FORMAT,
            "name": name,
            "names": dict(names),
            "exercise": exercise,
            "timestamp_life_hours": life // timedelta(hours=1),
            "grace_hours": grace // timedelta(hours=1),
            "members": {member["id"]: {"status": "active"} for member in own},
            "custodians": holders(custodians),
            "publishers": holders(publishers),
            "reference": holders(reference),
            "log_keys": [pin("origin", key["vkey"]) for member in own for key in member["log_keys"]],
            "witness_keys": [pin("name", key["vkey"]) for member in own for key in member["witness_keys"]],
            "legal_bases": {code: dict(titles) for code, titles in legal_bases.items()},
        }
    )


def holders(keys: Mapping[str, Key]) -> list[dict[str, str]]:
    """Return whose keys these are, as federation.json names them."""
    return [{"member": member, "key": key.keyid} for member, key in keys.items()]


def pin(label: str, vkey: str) -> dict[str, str]:
    """Return the entry that pins a key in federation.json; ``label`` is what its name is called there."""
    return {label: vkey.partition("+")[0], "vkey_sha256": vkey_digest(vkey).hex()}


def to_json(document: object) -> bytes:
    """Write a document of the register, for people to read too."""
    return json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True).encode() + b"\n"
