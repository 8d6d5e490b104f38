"""A whole node with sealed keys: it serves with its passphrase, and stops without."""

import os
from pathlib import Path

import pytest

from paiza_wire.identity import sealing
from paiza_wire.identity.key_files import CREDENTIALS_FOLDER
from paiza_wire.identity.sealing import Sealer
from tests.federation import Federation, NodeFailedError, NodeProcess

PASSPHRASE = b"correct horse battery staple"


@pytest.fixture
def node(tmp_path: Path) -> NodeProcess:
    """Return the node of a federation, whose keys are sealed and whose node.toml says nothing of them."""
    federation = Federation.create(tmp_path / "run", ["kaz"])
    node = federation.node("kaz")
    sealer = Sealer(lambda: PASSPHRASE)
    (node.folder / "keys/index.key").unlink()  # the node makes it anew
    for path in [*(node.folder / "keys").glob("*.key"), *(node.folder / "keys").glob("*.seed")]:
        path.write_bytes(sealer.seal(sealer.open(path.read_bytes())))
    node.configure(sealed=None)
    return node


def test_a_node_serves_with_its_credential(node: NodeProcess, tmp_path: Path) -> None:
    """With the service manager's credential the node serves, and what it makes itself is sealed."""
    (tmp_path / "paiza-node.passphrase").write_bytes(PASSPHRASE)
    try:
        node.start(environment={**os.environ, CREDENTIALS_FOLDER: str(tmp_path)})
        assert node.status().member == "kaz"
    finally:
        node.stop()
    assert sealing.is_sealed((node.folder / "keys/index.key").read_bytes())


def test_a_node_stops_without_its_passphrase(node: NodeProcess, tmp_path: Path) -> None:
    """Without a passphrase and with a wrong one the node ends at once, and says why and what to do."""
    with pytest.raises(NodeFailedError, match="passphrase_missing"):
        node.start()
    (tmp_path / "phrase").write_bytes(b"wrong")
    (tmp_path / "phrase").chmod(0o600)
    node.configure(passphrase_file=str(tmp_path / "phrase"))
    with pytest.raises(NodeFailedError, match=r"(?s)bad_passphrase.*tls\.key|tls\.key.*bad_passphrase"):
        node.start()
