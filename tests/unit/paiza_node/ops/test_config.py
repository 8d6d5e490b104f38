"""The configuration file: defaults, and errors that name the line, in templates that are translated."""

import os
import re
from dataclasses import fields
from pathlib import Path

import pytest

from paiza_node.core.errors import NodeStopped
from paiza_node.core.limits import Limits, bounds
from paiza_node.ops.config import DEFAULTS, load
from paiza_register.node_toml import node_toml

GOOD = """member = "kaz"
federation = "paiza.example"
listen = "127.0.0.1:7401"
bootstrap_root = "root.json"
"""


def refused(tmp_path: Path, text: str, environment: dict[str, str] | None = None) -> NodeStopped:
    """Load a text that must be refused."""
    path = tmp_path / "node.toml"
    path.write_text(text)
    with pytest.raises(NodeStopped) as stopped:
        load(path, environment or {})
    assert stopped.value.reason == "bad_configuration"
    assert stopped.value.remedy
    return stopped.value


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ('listen = "nowhere"', 3),
        ('listen = "127.0.0.1:99999"', 3),
        ('member = "KAZ"', 1),
        ("member = 7", 1),
        ('federation = "x y"', 2),
        ('bootstrap_root = ""', 4),
    ],
)
def test_wrong_value_is_named_with_its_line(line: str, number: int, tmp_path: Path) -> None:
    """The file, the line and the setting stand in `where`."""
    lines = GOOD.splitlines()
    lines[number - 1] = line
    error = refused(tmp_path, "\n".join(lines))
    assert f"line {number}: {line.split(maxsplit=1)[0]}" in error.where


@pytest.mark.parametrize(
    "line",
    [
        "delivery_life_hours = 0",
        'delivery_life_hours = "soon"',
        "reflection = 1",
        'log_level = "loud"',
        'colour = "red"',
        "[member_table]",
        f'admin_socket = "{"x" * 120}"',
        'metrics_listen = "9090"',
        "limits = 3",
        "calls_per_peer = 16",
    ],
)
def test_wrong_further_setting_is_named_with_its_line(line: str, tmp_path: Path) -> None:
    """So are settings that have a default, and those that do not exist."""
    assert "line 5" in refused(tmp_path, GOOD + line + "\n").where


@pytest.mark.parametrize("line", ["calls_per_peer = 0", "calls_per_peer = true", "no_such_limit = 1", 'data = "x"'])
def test_wrong_limit_is_named_with_its_line(line: str, tmp_path: Path) -> None:
    """So are limits, whose names stand in a table of their own."""
    assert "line 6" in refused(tmp_path, f"{GOOD}[limits]\n{line}\n").where


def test_limits_have_defaults_and_are_set_in_file_or_environment(tmp_path: Path) -> None:
    """A limit that is not set has its default, which lies within its bounds."""
    path = tmp_path / "node.toml"
    path.write_text(GOOD)
    assert load(path, {}).limits == Limits()
    for limit in fields(Limits):
        least, most = bounds(limit)
        assert least <= getattr(Limits(), limit.name) <= most, limit.name
        assert limit.name not in DEFAULTS, "the environment names both in the same way"
    path.write_text(f"{GOOD}[limits]\ncalls_per_peer = 20\n")
    found = load(path, {"PAIZA_NODE_CALLS_PER_OFFICER": "9"}).limits
    assert found == Limits(calls_per_peer=20, calls_per_officer=9)


def test_missing_setting_and_broken_file_are_told(tmp_path: Path) -> None:
    """A missing setting has no line; invalid TOML names the place where the parser stopped."""
    assert "bootstrap_root" in refused(tmp_path, GOOD.replace('bootstrap_root = "root.json"\n', "")).what
    assert "line 1" in refused(tmp_path, "member = = 1").what
    assert "TOML" in refused(tmp_path, "member = " + "1" * 5000).what
    assert "TOML" in refused(tmp_path, "member = " + "[" * 50_000).what


def test_file_of_any_size_is_refused_for_it(tmp_path: Path) -> None:
    """Nothing beyond the greatest size is read, so that a device, which has no end, is refused too."""
    path = tmp_path / "node.toml"
    path.touch()
    os.truncate(path, 1 << 40)
    with pytest.raises(NodeStopped, match="bad_configuration"):
        load(path, {})


def test_environment_overrides_and_is_named(tmp_path: Path) -> None:
    """A wrong variable is named instead of a line."""
    assert "PAIZA_NODE_LISTEN" in refused(tmp_path, GOOD, {"PAIZA_NODE_LISTEN": "x"}).where
    (tmp_path / "node.toml").write_text(GOOD)
    assert load(tmp_path / "node.toml", {"PAIZA_NODE_LISTEN": "[::1]:1"}).listen == "[::1]:1"


def test_an_officers_variables_are_not_the_nodes(tmp_path: Path) -> None:
    """The file with the passphrase of an officer's key does not replace that of the node's keys."""
    (tmp_path / "node.toml").write_text(GOOD)
    assert load(tmp_path / "node.toml", {"PAIZA_PASSPHRASE_FILE": "officer.passphrase"}).passphrase_file is None


def test_path_with_braces_is_told_as_it_is(tmp_path: Path) -> None:
    """Braces in a path are not places to fill."""
    with pytest.raises(NodeStopped) as stopped:
        load(tmp_path / "{x}.toml", {})
    assert stopped.value.where.endswith("{x}.toml")


def test_sample_names_every_setting_and_loads(tmp_path: Path) -> None:
    """`init` writes a valid configuration that explains every setting."""
    path = tmp_path / "node.toml"
    text = node_toml("kaz", "paiza.example", "0.0.0.0:7401", "data/admin.sock", None)
    path.write_text(text)
    assert load(path, {}).member == "kaz"
    names = [*(name for name in DEFAULTS if name != "limits"), *(limit.name for limit in fields(Limits))]
    assert [name for name in names if f"{name} = " not in text] == []
    commented = r"^# (?=\[limits\]|(connections|commit_seconds|\w+_per_\w+) = )"
    path.write_text(re.sub(commented, "", text, flags=re.MULTILINE))
    assert load(path, {}).limits == Limits(), "the sample shows the defaults"
