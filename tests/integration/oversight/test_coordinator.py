"""Coordinators and auditors query their own log and others', and members reconcile."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import create_engine, text

from paiza_node.core.storage.engine import parse_url
from paiza_node.ops.config import load
from tests.integration.client.conftest import Paiza
from tests.integration.oversight.conftest import Command, Scene


def _ago(**spans: float) -> str:
    return (datetime.now(UTC) - timedelta(**spans)).isoformat()


@pytest.fixture(scope="module")
def digests(scene: Scene) -> dict[str, list[bytes]]:
    """Send some messages each way, and one beside."""
    return {
        "kaz-tjk": scene.send("kaz", ["tjk"], 3),
        "tjk-kaz": scene.send("tjk", ["kaz"], 2),
        "kaz-uzb": scene.send("kaz", ["uzb"], 1),
    }


def test_matrix_says_whose_word_each_figure_is(
    scene: Scene, paiza: Paiza, command: Command, digests: dict[str, list[bytes]]
) -> None:
    """The asker sees only its own entries without a grant, and all with one; both sides' figures agree."""
    assert digests
    found = paiza(scene.federation, "kaz-coordinator", "audit", "matrix", "--json").json
    cells = {(cell["from"], cell["to"]): cell for cell in found["cells"]}
    own = cells["kaz", "tjk"]
    assert (own["sent"], own["receipted"], own["received"], own["disputed"], own["overdue"]) == (3, 3, 3, 0, 0)
    assert (cells["tjk", "kaz"]["sent"], cells["tjk", "kaz"]["received"]) == (2, 2)
    assert found["silent"] == []
    assert [reply["only_with_own"] for reply in found["replies"]] == [False, True, True]

    third = paiza(scene.federation, "uzb-coordinator", "audit", "matrix", "--json").json
    assert {(cell["from"], cell["to"]) for cell in third["cells"]} == {("kaz", "uzb")}
    until = (datetime.now(UTC) + timedelta(days=30)).isoformat()
    granted = command(
        "audit", "grant", "uzb", "--events", "RELEASED,RECEIVED", "--until", until, "--config", scene.config("kaz")
    )
    assert granted[0] == 0, granted
    third = paiza(scene.federation, "uzb-coordinator", "audit", "matrix", "--json").json
    cells = {(cell["from"], cell["to"]): cell for cell in third["cells"]}
    # Kaz's word alone: tjk granted nothing, and its word of the same is missing.
    assert (cells["kaz", "tjk"]["sent"], cells["kaz", "tjk"]["received"]) == (3, None)
    assert (cells["tjk", "kaz"]["sent"], cells["tjk", "kaz"]["received"]) == (None, 2)
    assert cells["kaz", "tjk"]["disputed"] is None
    assert command("audit", "withdraw", str(granted[1]["number"]), "--config", scene.config("kaz"))[0] == 0


def test_auditors_see_their_own_log_only(scene: Scene, paiza: Paiza, digests: dict[str, list[bytes]]) -> None:
    """An auditor's matrix is the own member's word; reconciling asks another member, which is for coordinators."""
    assert digests
    found = paiza(scene.federation, "kaz-auditor", "audit", "matrix", "--json").json
    assert [reply["member"] for reply in found["replies"]] == ["kaz"]
    ran = paiza(scene.federation, "kaz-auditor", "audit", "reconcile", "kaz", "tjk", "--json")
    assert (ran.code, '"policy_denied"' in ran.err) == (3, True)
    ran = paiza(scene.federation, "kaz-liaison", "audit", "matrix", "--json")
    assert (ran.code, '"policy_denied"' in ran.err) == (3, True)


def test_what_agrees_is_closed_in_both_logs(scene: Scene, paiza: Paiza, digests: dict[str, list[bytes]]) -> None:
    """Two members that know the same of a period close it once; both nodes and the client computed one digest."""
    arguments = ("audit", "reconcile", "kaz", "tjk", "--since", _ago(hours=1), "--until", _ago(seconds=0), "--json")
    found = paiza(scene.federation, "kaz-coordinator", *arguments).json
    assert found["differences"] == []
    assert found["agreed"] == len(digests["kaz-tjk"]) + len(digests["tjk-kaz"])
    closed = found["closed"]
    assert closed is not None, found
    assert (closed["own"]["member"], closed["own"]["counterpart"], closed["own"]["event"]) == (
        "kaz",
        "tjk",
        "RECONCILED",
    )
    assert (closed["theirs"]["member"], closed["theirs"]["counterpart"]) == ("tjk", "kaz")
    again = paiza(scene.federation, "tjk-coordinator", *arguments).json
    assert again["digest"] == found["digest"]
    assert again["closed"]["own"]["index"] == closed["theirs"]["index"]
    assert again["closed"]["theirs"]["index"] == closed["own"]["index"]


def test_a_third_member_reconciles_what_both_granted(
    scene: Scene, paiza: Paiza, command: Command, digests: dict[str, list[bytes]]
) -> None:
    """Nothing is reported lost without both grants, and the missing grant is named. With both all is compared."""
    arguments = ("audit", "reconcile", "kaz", "tjk", "--since", _ago(hours=1), "--json")
    until = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    events = "RELEASED,FORWARDED,RECEIVED,REFUSED,DELIVERY_REFUSED,DENIED"
    for member in ("kaz", "tjk"):
        ran = paiza(scene.federation, "uzb-coordinator", *arguments)
        assert (ran.code, '"audit_not_granted"' in ran.err, member in ran.err) == (3, True, True), ran
        config = ("--config", scene.config(member))
        assert command("audit", "grant", "uzb", "--events", events, "--until", until, *config)[0] == 0
    found = paiza(scene.federation, "uzb-coordinator", *arguments).json
    assert (found["agreed"], found["differences"], found["closed"]) == (5, [], None)
    nothing = paiza(scene.federation, "uzb-coordinator", "audit", "trail", "0" * 64)
    assert (nothing.code, "unknown_id" in nothing.err) == (3, True)
    trail = paiza(scene.federation, "uzb-coordinator", "audit", "trail", digests["kaz-tjk"][0].hex(), "--json").json
    assert {each["event"] for each in trail["own"]} <= {"CONSULTED"}
    assert {(each["member"], each["event"]) for each in trail["foreign"]} == {("kaz", "RELEASED"), ("tjk", "RECEIVED")}
    for member in ("kaz", "tjk"):
        config = ("--config", scene.config(member))
        (grant,) = (
            each
            for each in command("audit", "list", *config)[1]["grants"]
            if each["withdrawn_time"] is None and each["member"] == "uzb"
        )
        assert command("audit", "withdraw", str(grant["number"]), *config)[0] == 0
        code, told = command("audit", "withdraw", str(grant["number"]), *config)
        assert (code, told["reason"]) == (3, "unknown_id")
    ran = paiza(scene.federation, "uzb-coordinator", *arguments)
    assert (ran.code, '"audit_not_granted"' in ran.err) == (3, True)


def test_trail_asks_who_took_part(scene: Scene, paiza: Paiza, digests: dict[str, list[bytes]]) -> None:
    """A coordinator's trail holds what the other log says too; both logs say that it was asked for."""
    digest = digests["kaz-tjk"][0].hex()
    found = paiza(scene.federation, "kaz-coordinator", "audit", "trail", digest[:20], "--json").json
    assert ("tjk", "RECEIVED") in {(each["member"], each["event"]) for each in found["foreign"]}
    assert found["silent"] == []
    again = paiza(scene.federation, "kaz-coordinator", "audit", "trail", digest[:20], "--json").json
    asked = [each for each in (*again["own"], *again["foreign"]) if each["event"] == "CONSULTED"]
    for member, counterpart in (("kaz", "tjk"), ("tjk", "kaz")):
        (looked, *_) = [each for each in asked if (each["member"], each["counterpart"]) == (member, counterpart)]
        assert looked["actor"].endswith("kaz.paiza.example/officer/coordinator")
    alone = paiza(scene.federation, "kaz-liaison", "audit", "trail", digest[:20], "--json").json
    assert {each["event"] for each in alone["foreign"]} == {"RECEIVED"}


def test_status_shows_every_log(scene: Scene, paiza: Paiza) -> None:
    """Size and checkpoint of every log that is known, the own one first; nothing speaks against honest ones."""
    states = paiza(scene.federation, "kaz-coordinator", "audit", "status", "--json").json
    assert [state["member"] for state in states] == ["kaz", "tjk", "uzb"]
    assert all(state["size"] and not state["misbehaviour"] for state in states)
    ran = paiza(scene.federation, "kaz-coordinator", "audit", "status", "--lang", "ru")
    assert ran.code == 0
    assert "Замечания" in ran.out


def test_text_is_in_both_languages(scene: Scene, paiza: Paiza) -> None:
    """The printed report names both members, the outcome and the closed period."""
    for lang, word in (("en", "agree"), ("ru", "сходится")):
        ran = paiza(
            scene.federation,
            "kaz-coordinator",
            *("audit", "reconcile", "kaz", "tjk", "--since", _ago(hours=1), "--keep-open", "--lang", lang),
        )
        assert (ran.code, word in ran.out) == (0, True), ran
        ran = paiza(scene.federation, "kaz-coordinator", "audit", "matrix", "--lang", lang)
        assert ran.code == 0
        assert "tjk" in ran.out


def test_grants_and_periods_are_those_of_the_log(
    scene: Scene, paiza: Paiza, command: Command, digests: dict[str, list[bytes]]
) -> None:
    """Every node verifies after grants, queries and closed periods; a changed grant is found.

    This test comes last: it stops a node, and the others take up to ten seconds to reach it again.
    """
    assert digests
    until = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    config = ("--config", scene.config("tjk"))
    for events in ("OPENED", "RELEASED,RECEIVED"):
        assert command("audit", "grant", "uzb", "--events", events, "--until", until, "--headers", *config)[0] == 0
    grants = [each for each in command("audit", "list", *config)[1]["grants"] if each["events"] == ["OPENED"]]
    assert grants[-1]["withdrawn_time"] is not None, "a new grant takes the place of the one before"
    arguments = ("audit", "reconcile", "kaz", "tjk", "--since", _ago(minutes=30), "--until", _ago(seconds=0), "--json")
    assert paiza(scene.federation, "kaz-coordinator", *arguments).json["closed"] is not None
    for member in ("kaz", "tjk", "uzb"):
        code, verified = command("verify", "--config", scene.config(member))
        assert code == 0, verified
    counts = {part["part"]: part["counts"] for part in command("verify", *config)[1]["parts"]}
    assert counts["peer_audit"]["grants"] >= 2
    assert counts["peer_audit"]["periods"] >= 1
    node = scene.federation.node("tjk")
    node.stop()
    _turn_headers(scene, "tjk")
    code, verified = command("verify", *config)
    assert [part["part"] for part in verified["parts"] if not part["passed"]] == ["peer_audit"]
    assert code == 5
    _turn_headers(scene, "tjk")
    assert command("verify", *config)[0] == 0
    node.start()


def _turn_headers(scene: Scene, member: str) -> None:
    """Change in the database of a stopped node what was granted."""
    engine = create_engine(parse_url(load(scene.federation.node(member).config).database))
    with engine.begin() as connection:
        connection.execute(text("UPDATE audit_grant SET headers = NOT headers"))
    engine.dispose()
