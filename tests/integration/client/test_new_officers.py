"""An officer who is certified but not enrolled at their node yet."""

import json
import shutil
from pathlib import Path

from paiza_wire.identity import SpiffeId
from tests.federation import Federation
from tests.integration.client.conftest import Paiza
from tests.profiles import USES
from tests.registers import read_register
from tests.system.minting import Mint


def test_an_officer_who_is_not_enrolled_is_told(federation: Federation, paiza: Paiza) -> None:
    """The first connection of a fresh profile, without a cached register, names the officer and not the network."""
    register = read_register(federation.folder)
    officer = SpiffeId("kaz", register.federation, "officer", "new")
    mint = Mint(federation.folder, register)
    known, fresh = federation.home / "kaz-liaison", federation.home / "kaz-new"
    fresh.mkdir(mode=0o700)
    settings = (known / "profile.toml").read_text().replace("/officer/liaison", "/officer/new")
    (fresh / "profile.toml").write_text(settings)
    shutil.copy(known / "root.json", fresh)
    for use in USES:
        identity = mint.issue("kaz", "officer", officer, use=use)
        _write(fresh / f"{use}.key", identity.key_pem)
        _write(fresh / f"{use}.crt", identity.certificate_pem)
    try:
        for _first_and_again in range(2):
            ran = paiza("kaz-new", "inbox", "--json", "--lang", "en")
            error = json.loads(ran.err)
            assert (ran.code, error["reason"]) == (3, "officer_not_enrolled")
            assert "paiza enrol" in error["remedy"]
    finally:
        shutil.rmtree(fresh)


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    path.chmod(0o600)
