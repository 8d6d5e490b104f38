"""The files for operators fit the program: metrics, reason codes, settings, and the unit itself."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY
from ruamel.yaml import YAML

import paiza_node.core.api.metrics  # noqa: F401 - registers the metrics
from paiza_node.ops import config
from paiza_wire.reasons import FINDINGS, REASONS


@pytest.fixture
def alerts(root: Path) -> list[dict[str, Any]]:
    """The alert rules."""
    groups = YAML(typ="safe").load(root / "deploy/monitoring/alerts.yml")["groups"]
    return [rule for group in groups for rule in group["rules"]]


def test_every_alert_asks_for_a_metric_that_exists(alerts: list[dict[str, Any]]) -> None:
    """Every alert rule uses a metric that a node exports."""
    given = {
        sample
        for metric in REGISTRY.collect()
        for sample in (metric.name, f"{metric.name}_total", f"{metric.name}_bucket")
    }
    for rule in alerts:
        asked = set(re.findall(r"\bpaiza_[a-z_]+", rule["expr"]))
        assert asked or 'up{job="paiza"}' in rule["expr"]
        assert asked <= given, rule["alert"]


def test_every_alert_names_reasons_that_exist(alerts: list[dict[str, Any]]) -> None:
    """Reason codes in the rules are those of the registry."""
    named = [
        code
        for rule in alerts
        for codes in re.findall(r'reason=~?"([^"]+)"', rule["expr"])
        for code in codes.split("|")
    ]
    assert named
    assert set(named) <= REASONS.keys() | FINDINGS.keys()


def test_every_alert_says_what_to_do(alerts: list[dict[str, Any]]) -> None:
    """Every alert has a summary and a remedy."""
    assert all(rule["annotations"].keys() == {"summary", "remedy"} for rule in alerts)


def test_settings_in_the_guide_exist(root: Path) -> None:
    """Every `setting = "…"` of the deployment guide is one of node.toml's."""
    named = re.findall(r'`([a-z_]+) = "', (root / "deploy/README.md").read_text())
    assert named
    assert set(named) <= {*config.REQUIRED, *config.DEFAULTS}


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")
@pytest.mark.parametrize("name", ["paiza-node", "paiza-issuer"])
def test_the_unit_is_in_order(root: Path, tmp_path: Path, name: str) -> None:
    """Each unit has no line that systemd does not know; only the program's place is another here."""
    text = (root / f"deploy/systemd/{name}.service").read_text()
    unit = tmp_path / f"{name}.service"
    unit.write_text(text.replace("/opt/paiza/venv/bin/paiza-node", sys.executable))
    ran = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )
    ours = [line for line in ran.stderr.splitlines() if name in line]
    assert ours == []
