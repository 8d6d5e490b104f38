"""What `paiza-node init` prints, and on which port the node listens."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from paiza_node.__main__ import run
from paiza_trust.cli.founding import apply


@pytest.mark.parametrize(
    ("options", "listen", "endpoints"),
    [
        (["--endpoint", "node.kaz.example:7433,10.0.0.1:7401"], "0.0.0.0:7433", "node.kaz.example:7433, 10.0.0.1:7401"),
        (["--endpoint", "a.example:7433", "--listen", "10.0.0.1:7401"], "10.0.0.1:7401", "a.example:7433"),
        (["--listen", "10.0.0.1:7402"], "10.0.0.1:7402", ":7402"),
        ([], "0.0.0.0:7401", ":7401"),
    ],
)
def test_the_node_listens_on_the_port_of_its_endpoint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], listen: str, endpoints: str
) -> None:
    """Without --listen it is the port of the first endpoint; what it listens on is printed."""
    phrase = tmp_path / "phrase"
    phrase.write_text("tumar tumar tumar\n")
    phrase.chmod(0o600)
    init = ["init", "--member", "kaz", "--federation", "pilot.example", "--passphrase-file", str(phrase), *options]
    assert run([*init, "--folder", str(tmp_path / "kaz")]) == 0
    out = capsys.readouterr().out
    (line,) = (each for each in out.splitlines() if each.startswith("The node listens on"))
    assert f"The node listens on {listen};" in line
    assert line.endswith(f"{endpoints}.")
    assert tomllib.loads((tmp_path / "kaz/node.toml").read_text())["listen"] == listen
    assert run([*init, "--folder", str(tmp_path / "other"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["listen"] == listen
    # The next command, as printed, names every option that `apply` requires.
    printed = next(each for each in out.splitlines() if "paiza-trust apply" in each)
    required = {each.opts[0] for each in apply.params if each.required and each.param_type_name == "option"}
    assert required <= set(re.findall(r"-[-a-z]+", printed))
