"""A person's first day, with real processes: a node, its issuer, another member's node, and the commands they type."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.federation import Federation, free_ports
from tests.registers import newest

PASSPHRASE = "correct horse battery staple"
START_SECONDS = 60.0


class Office:
    """Two members; at kaz an issuer runs beside the node, and persons enrol."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.federation = Federation.create(folder / "f", ["kaz", "tjk"])
        self.node = self.federation.node("kaz")
        self.passphrase = folder / "passphrase"
        self.passphrase.write_text(f"{PASSPHRASE}\n")
        self.passphrase.chmod(0o600)
        # Sockets have short paths.
        self.short = Path(tempfile.mkdtemp(prefix="paiza-"))
        self.issuer: subprocess.Popen[bytes] | None = None
        self._make_issuer()
        enrol = f"127.0.0.1:{free_ports(1)}"
        self.node.configure(issuer_socket=str(self.short / "issuer.sock"), enrol_listen=enrol, enrol_address=enrol)

    def _make_issuer(self) -> None:
        register = self.folder / "register.json"
        register.write_bytes(newest(self.federation.folder).to_bytes())
        keys = self.federation.folder / "trust/kaz"
        options = ["--officer-ca", str(keys / "officer-ca.key"), "--node-ca", str(keys / "node-ca.key")]
        self.run(
            "paiza_node", "issuer", "init", "--member", "kaz", "--register", str(register), "--yes",
            "--folder", str(self.folder / "issuer"), "--socket", str(self.short / "issuer.sock"), *options,
        )  # fmt: skip
        settings = self.folder / "issuer/issuer.toml"
        settings.write_text(settings.read_text().replace("# sealed = true", "sealed = false"))

    def demand_administrator(self) -> str:
        """Have the issuer sign only what an administrator signed; return the file of their key."""
        key = str(self.folder / "ivanova.key")
        made = self.run("paiza_node", "issuer", "administrator", key, "--passphrase-file", str(self.passphrase))
        settings = self.folder / "issuer/issuer.toml"
        text = settings.read_text().replace("# administrators = []", f'administrators = ["{made["public_key"]}"]')
        settings.write_text(text)
        return key

    def start_issuer(self) -> None:
        """Start the issuer and wait until its socket is there."""
        (self.short / "issuer.sock").unlink(missing_ok=True)
        with (self.folder / "issuer.log").open("ab") as log:
            command = [
                sys.executable,
                "-m",
                "paiza_node",
                "issuer",
                "run",
                "--config",
                f"{self.folder}/issuer/issuer.toml",
            ]
            self.issuer = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until = time.monotonic() + START_SECONDS
        while not (self.short / "issuer.sock").exists():
            assert self.issuer.poll() is None, (self.folder / "issuer.log").read_text()
            assert time.monotonic() < until
            time.sleep(0.1)

    def kill_issuer(self) -> None:
        """End the issuer as a power cut would."""
        assert self.issuer is not None
        self.issuer.send_signal(signal.SIGKILL)
        self.issuer.wait()

    def environment(self, person: str) -> dict[str, str]:
        """Return the environment of a person at their own machine."""
        home = self.folder / person
        return {
            **os.environ,
            "PAIZA_HOME": str(home),
            "PAIZA_PASSPHRASE_FILE": str(self.passphrase),
            "XDG_RUNTIME_DIR": str(self.short),
        }

    def run(self, module: str, *arguments: str, person: str = "", asks: bool = False) -> Any:
        """Run a command and return what it prints as JSON: the result, or the error. ``asks``: without a passphrase."""
        environment = self.environment(person) if person else dict(os.environ)
        if asks:
            del environment["PAIZA_PASSPHRASE_FILE"]
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments, "--json"],
            capture_output=True, text=True, env=environment, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        text = done.stdout if done.returncode == 0 else done.stderr
        assert text.strip(), (arguments, done)
        return json.loads(text.splitlines()[-1])

    def operate(self, *arguments: str) -> Any:
        """Run a command of the administrator of kaz."""
        return self.run("paiza_node", *arguments, "--config", str(self.node.config))

    def invite(self, name: str, *options: str) -> str:
        """Invite a person; return the file that they are handed."""
        file = self.folder / f"{name}.invitation"
        file.unlink(missing_ok=True)
        unit = ["--unit", "border-service"]
        self.operate("officer", "invite", name, "--role", "liaison,duty", *unit, "-o", str(file), *options)
        return str(file)

    def enrol(self, person: str, file: str) -> Any:
        """Enrol; the listener opens within moments of the invitation."""
        return self.run("paiza_client", "enrol", file, person=person)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """The office of kaz, with everything running."""
    office = Office(tmp_path)
    with office.federation:
        office.federation.start()
        yield office
    if office.issuer is not None and office.issuer.poll() is None:
        office.issuer.terminate()
        office.issuer.wait()


def test_a_person_becomes_an_officer_and_works(office: Office) -> None:
    """An invitation, the person's command, the administrator's word; then, unlocked, a command asks nothing."""
    key = office.demand_administrator()
    office.start_issuer()
    unsigned = office.operate("officer", "invite", "petrov", "--role", "liaison", "--unit", "border-service")
    assert unsigned["reason"] == "administrator_missing"
    signed = ("--administrator", key, "--passphrase-file", str(office.passphrase))
    told = office.enrol("petrov", office.invite("petrov", *signed))
    assert told["profile"] == "kaz-petrov", told
    early = office.run("paiza_client", "inbox", person="petrov")
    assert early["reason"] == "officer_unconfirmed"
    wrong = office.operate("officer", "confirm", "petrov", *told["words"].split()[::-1])
    assert wrong["reason"] == "words_differ"
    assert office.operate("officer", "confirm", "petrov", *told["words"].split())["state"] == "active"
    assert office.run("paiza_client", "inbox", person="petrov")["messages"] == []
    assert office.run("paiza_client", "unlock", "--for", "5m", person="petrov")["profile"] == "kaz-petrov"
    try:
        assert office.run("paiza_client", "inbox", person="petrov", asks=True)["messages"] == []
    finally:
        assert office.run("paiza_client", "lock", person="petrov")["closed"]
    locked = office.run("paiza_client", "inbox", person="petrov", asks=True)
    assert locked["reason"] == "passphrase_missing"


def test_power_cuts_cost_nobody_their_keys(office: Office) -> None:
    """The issuer away, then the node killed: the same command goes on with the same keys; another's are found out."""
    office.start_issuer()
    file = office.invite("petrov")
    office.kill_issuer()
    away = office.enrol("petrov", file)
    assert away["reason"] == "issuer_unreachable", away
    office.start_issuer()
    office.node.kill()
    gone = office.enrol("petrov", file)
    assert gone["reason"] == "node_unreachable", gone
    office.node.start()
    first = office.enrol("petrov", file)
    assert first["profile"] == "kaz-petrov", first
    thief = office.enrol("thief", file)
    assert thief["reason"] == "invitation_used", thief
    office.kill_issuer()
    office.node.kill()
    office.start_issuer()
    office.node.start()
    assert office.enrol("petrov", file)["words"] == first["words"]
    office.operate("officer", "confirm", "petrov", *first["words"].split())
    assert office.run("paiza_client", "inbox", person="petrov")["messages"] == []
