"""SIGHUP at a running node: what was changed in its folder is put into force, and what is broken is refused."""

import os
import signal
import ssl
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from paiza_wire.identity import SpiffeId, sealing
from paiza_wire.identity.private_keys import X_WING
from paiza_wire.message import key_wrapping
from tests.federation import Federation, NodeProcess
from tests.registers import read_register
from tests.system.minting import Identity, Mint

SECONDS = 60.0


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """Run one node."""
    with Federation.create(tmp_path_factory.mktemp("reload") / "federation", ["kaz"]) as made:
        made.start()
        yield made


@pytest.fixture
def node(federation: Federation) -> NodeProcess:
    """Return the running node."""
    return federation.node("kaz")


def renewed(federation: Federation, *, begins: datetime | None = None) -> Identity:
    """Return another key of the node, and the certificate that the member's node CA issued for it."""
    mint = Mint(federation.folder, read_register(federation.folder))
    return mint.issue("kaz", "node", SpiffeId("kaz", "paiza.example", "node"), begins=begins)


def reloaded(node: NodeProcess, event: str) -> str:
    """Send SIGHUP; return what the node printed of it once it has this event."""
    before = len(node.log.read_text())
    os.kill(node.pid, signal.SIGHUP)
    return waited(lambda: node.log.read_text()[before:], lambda said: event in said and said.endswith("\n"))


def waited(read: Callable[[], str], is_there: Callable[[str], bool]) -> str:
    """Return what is read once it is there."""
    until = time.monotonic() + SECONDS
    while not is_there(found := read()):
        assert time.monotonic() < until, found
        time.sleep(0.05)
    return found


def shown(node: NodeProcess) -> bytes:
    """Return the certificate (DER) that the node shows to a new connection."""
    host, _, port = node.address.rpartition(":")
    return ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate((host, int(port))))


def write(path: Path, data: bytes) -> None:
    """Write a file of the key folder."""
    path.write_bytes(data)
    path.chmod(0o600)


def test_a_new_certificate_is_shown_to_the_next_connection(federation: Federation, node: NodeProcess) -> None:
    """The node finds the key that the certificate names, beside the former one."""
    new, keys = renewed(federation), node.folder / "keys"
    write(keys / "tls-next.key", new.key_pem)
    assert reloaded(node, '"reloaded"').count('"certificate": false') == 1
    write(keys / "tls.crt", new.certificate_pem)
    assert '"certificate": true' in reloaded(node, '"reloaded"')
    assert shown(node) == new.certificate


@pytest.mark.parametrize("broken", ["of another key", "not yet valid", "garbage", "no configuration", "wrong rules"])
def test_what_is_broken_is_refused_and_the_node_goes_on(federation: Federation, node: NodeProcess, broken: str) -> None:
    """Everything stays as it was, and the log names the file."""
    before, keys = shown(node), node.folder / "keys"
    kept = {path: path.read_bytes() for path in (keys / "tls.crt", keys / "tls-next.key", node.config)}
    new = renewed(federation, begins=datetime.now(UTC) + timedelta(days=1))
    rules = node.folder / "rules.cedar"
    rules.write_text("permit (principal, action, resource);")
    match broken:
        case "of another key":
            write(keys / "tls.crt", new.certificate_pem)
        case "not yet valid":
            write(keys / "tls.crt", new.certificate_pem)
            write(keys / "tls-next.key", new.key_pem)
        case "garbage":
            write(keys / "tls.crt", b"-----BEGIN CERTIFICATE-----\n")
        case "no configuration":
            node.config.write_text("member = \n")
        case _:
            node.configure(policy=str(rules))
    said = reloaded(node, '"not_reloaded"')
    for path, data in kept.items():
        path.write_bytes(data)
    assert '"where"' in said
    assert node.status().member == "kaz"
    assert shown(node) == before
    reloaded(node, '"reloaded"')


def test_rules_level_and_seeds_are_put_into_force(node: NodeProcess) -> None:
    """The configuration is logged, a new seed is known, and a setting that needs a restart is named."""
    seed = key_wrapping.generate_seed()
    write(node.folder / "keys/encryption-2.seed", sealing.unsealed(X_WING.write(seed)))
    rules = node.folder / "rules.cedar"
    rules.write_text('@id("none") forbid (principal, action == Paiza::Action::"export", resource);')
    node.configure(policy=str(rules), log_level="warning", duty_unit="desk")
    size = node.status().checkpoint.splitlines()[1]
    said = reloaded(node, '"reloaded"')
    assert '"config": true' in said
    assert "duty_unit" in said
    assert node.status().checkpoint.splitlines()[1] != size
    (node.folder / "keys/encryption-2.seed").unlink()
    node.configure(log_level="info")
    assert "encryption-2" not in reloaded(node, "not_reloaded")
