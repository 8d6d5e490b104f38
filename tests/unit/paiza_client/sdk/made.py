"""A made federation for tests of the SDK that ask no node: four members, one suspended, and one legal basis."""

from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

from paiza_client.compose.composer import Composer
from paiza_officer.profiles import Profile
from paiza_register import EncryptionKey, Member, Register
from paiza_wire.identity import MemberAuthority, SpiffeId, keys
from paiza_wire.message import OfficerSigner, key_wrapping

NOW: Final = datetime(2026, 11, 28, 12, tzinfo=UTC)
_NAMES: Final = {
    "kaz": {"ru": "Казахстан", "en": "Kazakhstan"},
    "kgz": {"ru": "Кыргызстан", "en": "Kyrgyzstan"},
    "tjk": {"ru": "Таджикистан", "en": "Tajikistan"},
    "uzb": {"ru": "Узбекистан", "en": "Uzbekistan"},
}
_BASES: Final = {"agreement-2006": {"ru": "Соглашение о ЦАРИКЦ 2006 г.", "en": "CARICC Agreement, 2006"}}


def _member(name: str) -> Member:
    key = key_wrapping.private_key_from_seed(name.encode().ljust(32, b".")).public_key
    published = EncryptionKey(key.key_id, key.public_key_bytes, NOW - timedelta(days=1), NOW + timedelta(days=1), key)
    authority = MemberAuthority(name, "east.example", (), ())
    status = "suspended" if name == "kgz" else "active"
    return Member(name, _NAMES[name], cast("Any", status), authority, (), (), (), (published,), 1)


def register() -> Register:
    """Return the register of the federation; every member takes level 1 at most."""
    return Register(
        version=bytes(32),
        federation="east.example",
        names={},
        members={name: _member(name) for name in _NAMES},
        expiry_time=NOW,
        legal_bases=_BASES,
        agreements=(),
        reference={},
        late=False,
        role_versions={},
        key_pins=frozenset(),
        _verifier=cast("Any", None),
    )


def profile(folder: Path) -> Profile:
    """Return the profile of an officer of kaz."""
    officer = SpiffeId.parse("spiffe://kaz.east.example/officer/liaison")
    return Profile("kaz-liaison", folder, officer, "", Path(), Path(), Path(), Path(), Path())


def composer(folder: Path, known: Register) -> Composer:
    """Return what composes for that officer."""
    own = profile(folder)
    signer = OfficerSigner(str(own.id), b"", partial(keys.sign, keys.generate_p256()))
    return Composer(own, lambda: signer, known, ("liaison",))
