"""The passphrase of a node's keys, changed while the node runs."""

from pathlib import Path

from paiza_node.__main__ import run
from tests.federation import Federation


def phrase(path: Path, passphrase: str) -> Path:
    """Write a passphrase to a file for its owner alone."""
    path.write_text(f"{passphrase}\n")
    path.chmod(0o600)
    return path


def test_a_running_node_does_not_notice_and_starts_under_the_new_passphrase(tmp_path: Path) -> None:
    """Its keys are sealed while it serves; stopped and started with the new passphrase, it serves again."""
    with Federation.create(tmp_path / "run", ["kaz"]) as federation:
        node = federation.node("kaz")
        federation.start()
        first = phrase(tmp_path / "first", "correct horse battery staple")
        change = ("passphrase", "--config", str(node.config), "--json")
        assert run([*change, "--new-passphrase-file", str(first)]) == 0
        assert node.status().member == "kaz"
        assert node.stop() == 0
        node.configure(sealed=True, passphrase_file=str(first))
        node.start()
        second = phrase(tmp_path / "second", "another horse, another battery")
        assert run([*change, "--new-passphrase-file", str(second)]) == 0
        assert node.status().member == "kaz"
        assert node.stop() == 0
        node.start(wait=False)
        assert node.process is not None
        assert node.process.wait(60) == 3
        assert "bad_passphrase" in node.log_tail()
        second.replace(first)
        node.start()
        assert node.status().member == "kaz"
        assert node.stop() == 0
