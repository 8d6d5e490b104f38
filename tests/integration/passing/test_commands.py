"""Passing on as an officer does it, what the evidence then proves, and what the operator can ask of the rules."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from paiza.core.v1.message_pb2 import Handling
from paiza_client.__main__ import run as run_paiza
from paiza_node.__main__ import run as run_node
from tests.federation import Federation
from tests.integration.passing.desk import Desk, until
from tests.two_verifiers import agreed, second_verifier


@pytest.fixture(autouse=True)
def _english(federation: Federation, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PAIZA_PROFILE", "PAIZA_LANG", "PAIZA_PASSPHRASE_FILE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANGUAGE", "en")
    monkeypatch.setenv("PAIZA_HOME", str(federation.home))


def paiza(capsys: pytest.CaptureFixture[str], profile: str, *arguments: str) -> tuple[int, str, str]:
    """Call `paiza` in a process of this test."""
    capsys.readouterr()
    code = run_paiza([*arguments, "--profile", profile])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def explained(capsys: pytest.CaptureFixture[str], config: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Ask `paiza-node policy explain`."""
    capsys.readouterr()
    code = run_node(["policy", "explain", "--config", str(config), "--json", *arguments])
    return code, json.loads(capsys.readouterr().out)


async def test_forward_holders_evidence(
    unit_directory: dict[str, Desk], federation: Federation, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """An officer passes on, the new holder opens and keeps evidence that verifies offline and says by whom it came."""
    kaz, tjk, uzb, _kgz = unit_directory.values()
    digest = await kaz.send(["tjk"], Handling(code="H0", tlp="GREEN"))
    await tjk.arrival(digest)
    name = digest.hex()

    def call(profile: str, *arguments: str) -> tuple[int, str, str]:
        return paiza(capsys, profile, *arguments)

    code, out, err = await asyncio.to_thread(
        call, "tjk-liaison", "forward", name, "--to", "uzb", "--reason", "Exercise", "--json"
    )
    assert code == 0, err
    assert [each["state"] for each in json.loads(out)["results"]] == ["forwarded"]
    await uzb.arrival(digest)
    code, _out, err = await asyncio.to_thread(call, "uzb-liaison", "open", name)
    assert code == 0, err
    file = tmp_path / "evidence.zip"
    code, _out, err = await asyncio.to_thread(call, "uzb-auditor", "audit", "evidence", name, "-o", str(file))
    assert code == 0, err
    root = str(federation.folder / "root.json")
    code, out, err = await asyncio.to_thread(
        call, "uzb-auditor", "audit", "verify", str(file), "--root", root, "--json"
    )
    assert code == 0, err
    proven = json.loads(out)
    assert [(each["member"], each["counterpart"]) for each in proven["forwarded"]] == [("tjk", "uzb")]
    assert [(each["event"], each["member"]) for each in proven["answers"]] == [("RECEIVED", "uzb")]
    assert agreed(second_verifier(), file.read_bytes(), (federation.folder / "root.json").read_bytes()) is not None

    async def told() -> bool:
        return "uzb" in await kaz.holders(digest)

    await until(told)
    code, out, err = await asyncio.to_thread(call, "kaz-liaison", "holders", name, "--json")
    assert code == 0, err
    assert [(each["member"], each["passed_on_by"]) for each in json.loads(out)] == [
        ("kaz", ""),
        ("tjk", ""),
        ("uzb", "tjk"),
    ]


async def test_refused_forward_says_what_is_missing(
    unit_directory: dict[str, Desk], capsys: pytest.CaptureFixture[str]
) -> None:
    """The command exits with 3 without the author's consent, and names the reason and the rule."""
    kaz, tjk, *_ = unit_directory.values()
    digest = await kaz.send(["tjk"], Handling(code="H2", tlp="AMBER"))
    await tjk.arrival(digest)
    arguments = ("forward", digest.hex(), "--to", "uzb", "--reason", "Exercise", "--json")
    code, _out, err = await asyncio.to_thread(paiza, capsys, "tjk-liaison", *arguments)
    assert code == 3
    assert "grant_missing" in err
    assert "code-needs-grant" in err


async def test_operator_is_told_why(
    unit_directory: dict[str, Desk], federation: Federation, capsys: pytest.CaptureFixture[str]
) -> None:
    """`policy explain` names the deciding rules while the node runs, and `policy check` lists all that hold."""
    kaz, tjk, *_ = unit_directory.values()
    digest = await kaz.send(["tjk"], Handling(code="H2", tlp="AMBER"))
    await tjk.arrival(digest)
    config = federation.node("tjk").config
    code, found = explained(capsys, config, "liaison", "forward", digest.hex()[:20], "--to", "uzb")
    assert (code, found["allowed"]) == (3, False)
    assert [each["rule"] for each in found["rules"]] == ["code-needs-grant", "tlp-needs-grant"]
    assert all(each["says"] for each in found["rules"])
    code, found = explained(capsys, config, "liaison", "open", digest.hex()[:20])
    assert (code, found["allowed"], [each["rule"] for each in found["rules"]]) == (0, True, ["officer-reads"])
    assert run_node(["policy", "check", "--config", str(config)]) == 0
    assert "marks-never-lowered" in capsys.readouterr().out


def test_a_file_of_rules_is_tried_before_it_is_used(
    federation: Federation, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """`policy check FILE` refuses a file that permits, by the rule's name, and lists one that forbids."""
    config = str(federation.node("tjk").config)
    file = tmp_path / "own.cedar"
    file.write_text('@id("all-of-it") permit (principal, action, resource);')
    assert run_node(["policy", "check", "--config", config, str(file)]) == 3
    assert "all-of-it" in capsys.readouterr().err
    file.write_text('@id("no-export") forbid (principal, action == Paiza::Action::"export", resource);')
    assert run_node(["policy", "check", "--config", config, str(file), "--json"]) == 0
    rules = json.loads(capsys.readouterr().out)["rules"]
    assert {"source": "own.cedar", "rule": "no-export", "effect": "forbid"} in rules


async def test_own_rules_hold_at_the_running_node(unit_directory: dict[str, Desk], federation: Federation) -> None:
    """A node with a file of its own denies what the file forbids; one that permits keeps it from starting."""
    kaz, tjk, *_ = unit_directory.values()
    digest = await kaz.send(["tjk"], Handling(code="H0", tlp="GREEN"))
    await tjk.arrival(digest)
    node = federation.node("tjk")
    node.stop()
    file = node.folder / "own.cedar"
    file.write_text(
        '@id("nothing-to-uzb") forbid (principal, action == Paiza::Action::"forward", resource)'
        ' when { context.recipient == "uzb" };'
    )
    node.configure(policy="own.cedar")
    node.start()
    assert await tjk.forward(digest, "uzb", "kgz") == ["policy_denied", "forwarded"]
    node.stop()
    node.configure(policy=None)
    node.start()
