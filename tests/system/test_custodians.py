"""Custodians at their desks: they admit a fourth member through real nodes, and it joins with the file they wrote."""

import contextlib
import io
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from paiza_node.__main__ import run as run_node
from paiza_register.register_file import RegisterFile
from paiza_wire.identity import SpiffeId
from tests.federation import NodeProcess, free_ports
from tests.profiles import FILES, make_requests
from tests.unit.paiza_trust.ceremony import FEDERATION, found, prepare, trust
from tests.unit.paiza_trust.test_commands import run

MEMBERS = ("kaz", "tjk", "uzb")
MINUTE_SECONDS = 60
PAUSE_SECONDS = 1


def appoint(folder: Path, member: str, address: str, root: bytes) -> None:
    """Certify a custodian with the member's own CA, list them at the node, and write their profile."""
    identity = SpiffeId(member, FEDERATION, "officer", "custodian")
    profile = folder / "home" / member
    profile.mkdir(parents=True)
    requests = make_requests(profile, identity)
    (profile / "root.json").write_bytes(root)
    settings = {"id": str(identity), "member": member, "federation": FEDERATION, "node": address}
    settings |= {**FILES, "root": "root.json"}
    lines = [f"{name} = {json.dumps(value)}\n" for name, value in settings.items()]
    (profile / "profile.toml").write_text("".join(lines) + "sealed = false\n")
    certify = ("ca", "certify", *requests, "--role", "custodian", "--unit", "custodians")
    told = trust(*certify, "--keys", folder / member / "trust", "-o", profile, "--yes", "--json")
    shutil.copy(json.loads(told)["admission"], folder / member / "node/officers.json")


@pytest.fixture
def endpoints() -> dict[str, str]:
    """Return an address for each of four nodes."""
    first = free_ports(len(MEMBERS) + 1)
    return {member: f"127.0.0.1:{first + at}" for at, member in enumerate((*MEMBERS, "kgz"))}


@pytest.fixture
def folder(tmp_path: Path, endpoints: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Found a federation of three, appoint a custodian at each node, and run the nodes."""
    register = found(tmp_path, {member: endpoints[member] for member in MEMBERS})
    root = RegisterFile.read(register.read_bytes()).first_root
    for member in MEMBERS:
        appoint(tmp_path, member, endpoints[member], root)
    monkeypatch.setenv("PAIZA_HOME", str(tmp_path / "home"))
    nodes = [NodeProcess(member, tmp_path / member / "node") for member in MEMBERS]
    with ExitStack() as started:
        for node in nodes:
            started.callback(node.kill)
            node.start(wait=False)
        for node in nodes:
            node.wait_until_serving()
        yield tmp_path


def at(folder: Path, member: str) -> tuple[object, ...]:
    """Return the options of a member's custodian."""
    return ("--profile", member, "--keys", folder / member / "trust", "--yes")


def waiting(capsys: pytest.CaptureFixture[str], member: str, signed: int = 1) -> str:
    """Return the fingerprint of the one proposal that waits for a member, once its node has so many signatures."""
    until = time.monotonic() + MINUTE_SECONDS
    while time.monotonic() < until:
        code, out, err = run(capsys, "pending", "--profile", member, "--json")
        assert code == 0, err
        proposals = [each for each in json.loads(out)["proposals"] if len(each["signed"]) >= signed]
        found = [each["sha256"] for each in proposals if member in each["waits_for"]]
        if found:
            (fingerprint,) = found
            return str(fingerprint)
        time.sleep(PAUSE_SECONDS)
    pytest.fail("the proposal did not arrive within a minute")


def test_a_fourth_member_is_admitted_at_three_desks(
    folder: Path, endpoints: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Proposed at one node and signed at two others, it is in force, and the new member joins and is reached."""
    application = prepare(folder / "kgz", "kgz", endpoints["kgz"])
    trust("propose", "admit", application, "--threshold", 3, *at(folder, "kaz"))
    trust("sign", waiting(capsys, "tjk"), *at(folder, "tjk"))
    register = folder / "2.register"
    fingerprint = waiting(capsys, "uzb", signed=2)
    code, out, err = run(capsys, "sign", fingerprint, *at(folder, "uzb"), "-o", register, "--json")
    assert code == 0, err
    told = json.loads(out)
    assert (told["state"], told["newest_root"]["version"]) == ("published", 2)
    config = folder / "kgz/node/node.toml"
    with contextlib.redirect_stdout(io.StringIO()):
        assert run_node(["join", str(register), "--config", str(config), "--yes"]) == 0
    node = NodeProcess("kgz", folder / "kgz/node")
    try:
        node.start()
        until = time.monotonic() + MINUTE_SECONDS
        for member in MEMBERS:
            while newest_root(capsys, folder, member) == 1:
                assert time.monotonic() < until, "the register did not arrive within a minute"
                time.sleep(PAUSE_SECONDS)
        assert node.stop() == 0
    finally:
        node.kill()


def newest_root(capsys: pytest.CaptureFixture[str], folder: Path, member: str) -> int:
    """Return the version of the newest root that a member's node serves."""
    file = folder / f"{member}.register"
    file.unlink(missing_ok=True)
    code, _, err = run(capsys, "export", "--profile", member, "-o", file)
    assert code == 0, err
    return RegisterFile.read(file.read_bytes()).newest
