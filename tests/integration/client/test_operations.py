"""A joint operation between real nodes: opened, reported on within limits, computed, corrected, signed."""

from pathlib import Path

from ruamel.yaml import YAML

from tests.federation import Federation
from tests.integration.client.conftest import Paiza
from tests.integration.client.test_recalls import at

OPERATION = """\
kind: operation
urgency: routine
handling: {tlp: AMBER, code: H0, classification: 1}
content:
  reference: OP-1
  operation_version: 1
  name: The invented canal
  aim: To exercise.
  from: 2020-01-01T00:00Z
  until: 2099-12-31T00:00Z
  coordinator: kaz
  participants:
    - {member: tjk, participation: member}
    - {member: uzb, participation: observer, shares: [result-sheets]}
"""
REPORT = """\
kind: situation-report
urgency: routine
handling: {tlp: AMBER, code: H0, classification: 1}
content:
  report_number: R-1
  report_version: 1
  status: initial
  from: 2026-11-01T00:00Z
  until: 2026-11-02T00:00Z
  situation: Quiet.
  results:
    substances:
      - {drug_group: opioids, drug_type: heroin, quantity: 5 kg}
    detained: 2
"""
NOTICE = """\
kind: seizure-notice
to: [tjk]
urgency: routine
handling: {tlp: AMBER, code: H0, classification: 1}
content:
  notice_id: KAZ-EX-1
  notice_version: 1
  status: initial
  seized_at: 2026-11-01
  reporting_agency: Invented agency
  place: {country: KAZ}
  substances:
    - {as_named: heroin, drug_group: opioids, drug_type: heroin, quantity: 12.5 kg}
  route_unknown: true
"""


def test_an_operation_from_its_opening_to_its_result_sheet(
    paiza: Paiza, federation: Federation, tmp_path: Path
) -> None:
    """Reports go within the participants' limits, figures are computed, corrected with a reason, signed and checked."""
    draft = tmp_path / "operation.yaml"
    draft.write_text(OPERATION)
    opened = paiza("kaz-coordinator", "operation", "new", draft, "--json").json
    at(federation, "tjk-liaison", opened["id"])
    thread = opened["thread"]
    report = tmp_path / "report.yaml"
    report.write_text(REPORT)
    sent = paiza("tjk-liaison", "operation", "report", thread, report, "--json").json
    at(federation, "kaz-coordinator", sent["id"])
    listed = {each["id"]: each for each in paiza("kaz-coordinator", "thread", thread, "--json").json}
    assert [each["member"] for each in listed[sent["id"]]["recipients"]] == ["kaz"]
    report.write_text(REPORT.replace("kind: situation-report", "kind: situation-report\nto: [uzb]"))
    beyond = paiza("tjk-liaison", "operation", "report", thread, report)
    assert (beyond.code, "uzb" in beyond.err) == (3, True)
    computed = paiza("kaz-coordinator", "operation", "results", thread, "--json").json
    assert computed["results"]["detained"] == 2
    assert computed["results"]["substances"][0]["quantity"] == {"amount": "5", "unit": "kg"}
    unexplained = paiza("kaz-coordinator", "operation", "results", thread, "--send", "--let", "detained=1")
    assert (unexplained.code, "say why" in unexplained.err) == (3, True)
    sheet = paiza(
        "kaz-coordinator", "operation", "results", thread, "--send", "--final", "--let", "detained=1",
        "--because", "One was let go.", "--json",
    ).json  # fmt: skip
    at(federation, "tjk-liaison", sheet["id"])
    shown = paiza("tjk-liaison", "operation", "show", thread, "--json").json
    assert [(each["status"], each["agrees"], each["results"]["detained"]) for each in shown["sheets"]] == [
        ("final", True, 1)
    ]
    assert YAML(typ="safe").load(paiza("kaz-liaison", "operation", "report", thread, "--template").out)


def test_the_node_keeps_to_the_limits_of_participants(
    paiza: Paiza, federation: Federation, tmp_path: Path, draft: Path
) -> None:
    """The node refuses and logs, for any client, each step beyond a participant's part."""
    operation = tmp_path / "operation.yaml"
    operation.write_text(OPERATION.replace("OP-1", "OP-3"))
    opened = paiza("kaz-coordinator", "operation", "new", operation, "--json").json
    at(federation, "tjk-liaison", opened["id"])
    refused = paiza("tjk-liaison", "reply", opened["id"], draft, "--to", "kaz,uzb")
    assert (refused.code, "part in the operation: uzb" in refused.err) == (3, True)
    allowed = paiza("tjk-liaison", "reply", opened["id"], draft, "--to", "kaz", "--json")
    assert allowed.json["state"] == "released"


def test_a_notice_is_shared_in_an_operation_and_counted_once(paiza: Paiza, tmp_path: Path) -> None:
    """A notice sent before is shared by its author; sent twice, or in two versions, it counts once."""
    draft = tmp_path / "operation.yaml"
    draft.write_text(OPERATION.replace("OP-1", "OP-2"))
    thread = paiza("kaz-coordinator", "operation", "new", draft, "--json").json["thread"]
    notice = tmp_path / "notice.yaml"
    notice.write_text(NOTICE)
    first = paiza("kaz-liaison", "send", "seizure-notice", notice, "--json").json["id"]
    for _ in range(2):
        assert paiza("kaz-liaison", "operation", "share", thread, first).code == 0
    computed = paiza("kaz-coordinator", "operation", "results", thread, "--json").json
    assert computed["results"]["substances"][0]["quantity"] == {"amount": "12.5", "unit": "kg"}
    assert [each["reason"] for each in computed["not_counted"]] == ["older-version"]
    assert paiza("tjk-liaison", "operation", "share", thread, first).code == 3
