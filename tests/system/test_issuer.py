"""An officer from the invitation to the first message, with the issuer as a process of its own; and after a restore."""

import json
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from paiza_client.__main__ import run as paiza
from paiza_node.__main__ import run as paiza_node
from paiza_officer import profiles
from paiza_wire.identity.spiffe import SpiffeId
from tests import softhsm
from tests.federation import Federation, free_ports

PASSPHRASE = "correct horse battery staple\n"
SECONDS = 60.0


@contextmanager
def issuer(folder: Path, federation: Federation, *, on_token: bool) -> Iterator[Path]:
    """Run the issuer of kaz over the CAs of its trust officer; the key of the officer CA may lie on a token."""
    register = str(federation.folder / "founding.register")
    keys = federation.folder / "trust/kaz"
    made = ["issuer", "init", "--member", "kaz", "--register", register, "--folder", str(folder), "--yes"]
    places = {role: str(keys / f"{role}-ca.key") for role in ("officer", "node")}
    if on_token:
        places["officer"] = softhsm.import_key(softhsm.make_token(), keys / "officer-ca.key", "officer-ca")
        (keys / "officer-ca.key").unlink()
    assert paiza_node([*made, *(f"--{role}-ca={place}" for role, place in places.items())]) == 0
    config = folder / "issuer.toml"
    config.write_text(config.read_text().replace("# sealed = true", "sealed = false"))
    command = [sys.executable, "-m", "paiza_node", "issuer", "run", "--config", str(config)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        until = time.monotonic() + SECONDS
        while not (folder / "issuer.sock").exists():
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < until
            time.sleep(0.05)
        yield folder
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("on_token", [False, True], ids=["file", "token"])
def test_an_officer_enrols_and_is_entered_again_after_a_restore(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    on_token: bool,  # noqa: FBT001
) -> None:
    """Invite, enrol, confirm: the new officer calls. A node that forgot them gets them back from the journal."""
    passphrase = tmp_path / "passphrase"
    passphrase.write_text(PASSPHRASE)
    passphrase.chmod(0o600)
    monkeypatch.setenv("PAIZA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PAIZA_PASSPHRASE_FILE", str(passphrase))

    def told(code: int) -> Any:
        out, err = capfd.readouterr()
        assert code == 0, (out, err)
        return json.loads(out)

    with (
        Federation.create(tmp_path / "f", ["kaz", "tjk"]) as federation,
        issuer(tmp_path / "i", federation, on_token=on_token) as folder,
    ):
        kaz = federation.node("kaz")
        address = f"127.0.0.1:{free_ports(1)}"
        kaz.configure(issuer_socket=str(folder / "issuer.sock"), enrol_listen=address, enrol_address=address)
        federation.start()

        def operate(*arguments: str) -> Any:
            capfd.readouterr()
            return told(paiza_node(["officer", *arguments, "--config", str(kaz.config), "--json"]))

        def confirm(words: str) -> None:
            assert operate("confirm", "petrov", *words.split())["state"] == "active"

        def calls() -> int:
            capfd.readouterr()
            return paiza(["--profile", "kaz-petrov", "inbox", "--json"])

        invitation = tmp_path / "petrov.invitation"
        operate("invite", "petrov", "--role", "liaison", "--unit", "exercise", "-o", str(invitation))
        capfd.readouterr()
        enrolled = told(paiza(["enrol", str(invitation), "--json"]))
        assert calls() != 0
        confirm(enrolled["words"])
        assert calls() == 0

        capfd.readouterr()
        shown = told(paiza_node(["issuer", "show", "--config", str(folder / "issuer.toml"), "--json"]))
        (line,) = shown["issued"]
        petrov = profiles.load(tmp_path / "home/kaz-petrov").id
        assert (line["id"], line["kind"]) == (str(petrov), "enrolment")
        assert SpiffeId.parse(line["id"]).name == "petrov"

        kaz.stop()
        with closing(sqlite3.connect(kaz.data / "paiza.db")) as database, database:
            database.execute("DELETE FROM officer WHERE id = ?", (line["id"],))
            database.execute("DELETE FROM officer_certificate WHERE officer = ?", (line["id"],))
            database.execute("DELETE FROM invitation WHERE officer = ?", (line["id"],))
        kaz.start()
        assert calls() != 0
        (found,) = operate("recover")["officers"]
        assert (found["id"], found["state"]) == (line["id"], "unconfirmed")
        assert calls() != 0
        confirm(enrolled["words"])
        assert calls() == 0
        assert operate("recover") == {"officers": [], "voided_invitations": 0}
