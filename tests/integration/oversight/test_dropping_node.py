"""A node that gives a receipt and drops the message is found by reconciling, with what proves it against that node."""

import io
import json
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from paiza.core.v1 import message_pb2
from paiza_client.__main__ import run
from paiza_client.evidence import container
from paiza_client.reconciliation import file as comparison_file
from paiza_officer.errors import NotProven
from tests.federation import Federation
from tests.integration.client.conftest import Paiza
from tests.integration.oversight.conftest import DROPPING, Scene


@pytest.fixture(params=["lose", "hide"])
def broken(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Scene, str]]:
    """Two members; the node of tjk has the defect asked for."""
    folder = tmp_path_factory.mktemp("dropping") / "f"
    with Federation.create(folder, ["kaz", "tjk"]) as federation:
        federation.node("tjk").program = (sys.executable, str(DROPPING), request.param)
        federation.start()
        yield Scene(federation), request.param


def test_the_finding_is_proven_to_anybody(
    broken: tuple[Scene, str], paiza: Paiza, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One file shows it again without node, network or account; what was changed in it, or left out, does not hold."""
    scene, _defect = broken
    (dropped,) = scene.send("kaz", ["tjk"], 1, urgency=message_pb2.URGENCY_PRIORITY)
    file = tmp_path / "comparison"
    since = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    arguments = ("audit", "reconcile", "kaz", "tjk", "--since", since, "-o", str(file), "--json")
    ran = paiza(scene.federation, "kaz-coordinator", *arguments)
    assert ran.code == 5, ran
    found = json.loads(ran.out)
    scene.federation.stop()
    root = scene.federation.folder / "root.json"
    monkeypatch.setenv("PAIZA_HOME", str(tmp_path / "nobody"))
    with redirect_stdout(io.StringIO()) as out:
        assert run(["audit", "reconcile", "--check", str(file), "--root", str(root), "--json"]) == 5
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()) as err:
        assert run(["audit", "reconcile", "--check", str(file), "--root", str(root), "--lang", "en"]) == 5
    assert "as reported by this officer alone" in " ".join(err.getvalue().split())
    again = json.loads(out.getvalue())
    assert again["differences"] == found["differences"]
    assert [each["digest"] for each in again["differences"]] == [dropped.hex()]
    assert again["officer"].endswith("/officer/coordinator")
    members = container.unpack(file.read_bytes())
    pages = sorted(name for name in members if name.endswith(".page"))
    what = json.loads(members[comparison_file.WHAT])
    for name in pages:
        changed = bytearray(members[name])
        changed[len(changed) // 2] ^= 1
        with pytest.raises(NotProven):
            comparison_file.check(container.pack({**members, name: bytes(changed)}, {}), root.read_bytes())
    last = pages[-1].removesuffix(".page")
    fewer = {name: data for name, data in members.items() if not name.startswith(last)}
    fewer[comparison_file.WHAT] = json.dumps({**what, "members": what["members"][:-1]}).encode()
    with pytest.raises(NotProven, match="proof_missing"):
        comparison_file.check(container.pack(fewer, {}), root.read_bytes())
    for change in ({"officer": what["officer"].replace("coordinator", "liaison")}, {"own": "tjk"}, {"other": "kaz"}):
        bent = {**members, comparison_file.WHAT: json.dumps({**what, **change}).encode()}
        with pytest.raises(NotProven):
            comparison_file.check(container.pack(bent, {}), root.read_bytes())


def test_what_was_dropped_after_the_receipt_is_found(broken: tuple[Scene, str], paiza: Paiza) -> None:
    """The one message is named lost, against the one member; the others agree; the period is not closed."""
    scene, defect = broken
    scene.send("kaz", ["tjk"], 3)
    (dropped,) = scene.send("kaz", ["tjk"], 1, urgency=message_pb2.URGENCY_PRIORITY)
    scene.send("tjk", ["kaz"], 1)
    since = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    for member in ("kaz", "tjk"):  # the broken node's own coordinator finds it too
        arguments = ("audit", "reconcile", "kaz", "tjk", "--since", since, "--json")
        ran = paiza(scene.federation, f"{member}-coordinator", *arguments)
        assert ran.code == 5, ran
        found = json.loads(ran.out)
        (difference,) = found["differences"]
        assert difference["what"] == "lost"
        assert difference["why"] == {"lose": "content_missing", "hide": "receipt_not_shown"}[defect]
        assert (difference["digest"], difference["against"]) == (dropped.hex(), "tjk")
        receipt, consulted = difference["proofs"]
        assert (receipt["event"], receipt["member"]) == ("RECEIVED", "tjk")
        assert (consulted["event"], consulted["member"]) == ("CONSULTED", "tjk")
        assert (found["agreed"], found["closed"]) == (4, None)
    text = paiza(scene.federation, "kaz-coordinator", "audit", "reconcile", "kaz", "tjk", "--since", since)
    assert (text.code, "gave a receipt" in text.out) == (5, True), text
