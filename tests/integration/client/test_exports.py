"""Exports and statistics against real nodes: leave is asked first, what is written carries its mark, the log tells."""

import asyncio
import csv
import io
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from paiza.officer.v1 import forwarding_pb2
from paiza_client.data import exports
from paiza_client.data.exports import export
from paiza_client.data.imports.rows import EXPORT_COLUMN
from paiza_client.sdk import Session, connect, open_many
from paiza_client.sdk.exports import Intent
from paiza_officer import profiles
from paiza_officer.errors import NotProven, Unreachable
from tests.federation import Federation
from tests.integration.client.conftest import DRAFT, Paiza
from tests.integration.client.test_commands import arrives

LEAVE = ("--purpose", "investigate", "--reason", "exercise")

NOTICE = """\
kind: seizure-notice
to: [tjk]
urgency: routine
handling: {{tlp: {tlp}, code: {code}, classification: {level}, purposes: [{purposes}]}}
review: 3 years
content:
  notice_id: {number}
  notice_version: 1
  status: initial
  seized_at: 2026-10-20
  reporting_agency: Вымышленная служба
  place: {{country: KAZ, town: "=1+1"}}
  substances:
    - as_named: героин
      drug_group: opioids
      drug_type: heroin
      quantity: 12.5 kg
  route_unknown: true
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the drafts of this module."""
    return tmp_path_factory.mktemp("exports")


def sent(
    paiza: Paiza,
    federation: Federation,
    folder: Path,
    number: str,
    *,
    tlp: str = "GREEN",
    code: str = "H0",
    level: int = 1,
    purposes: str = "",
) -> str:
    """Send a notice from kaz, wait until it is at tjk, and give its id."""
    draft = folder / f"{number}.yaml"
    draft.write_text(NOTICE.format(number=number, tlp=tlp, code=code, level=level, purposes=purposes))
    message_id = str(paiza("kaz-liaison", "send", "seizure-notice", draft, "--json").json["id"])
    asyncio.run(asyncio.wait_for(arrives(federation, "tjk-liaison", message_id), 60))
    return message_id


def test_leave_stands_in_the_log_before_the_file_is_there(
    paiza: Paiza, federation: Federation, folder: Path, tmp_path: Path
) -> None:
    """Seizure rows are written with their mark, formulas disarmed; the trail holds leave and opening, leave first."""
    message_id = sent(paiza, federation, folder, "EX-1")
    file = tmp_path / "rows.csv"
    ran = paiza("tjk-liaison", "export", message_id, "--form", "unodc", *LEAVE, "-o", file)
    assert ran.code == 0, ran.err
    (row,) = csv.DictReader(io.StringIO(file.read_bytes().decode("utf-8-sig")))
    assert (row["COUNTRY"], row["DRUG_NAME"], row["AMOUNT"], row["DRUG_UNIT"]) == (
        "Kazakhstan",
        "Heroin",
        "12.5",
        "Kilogram",
    )
    assert row["PLACE"] == "'=1+1"
    assert row[EXPORT_COLUMN].startswith("TLP:GREEN")
    events = [each["event"] for each in paiza("tjk-liaison", "audit", "trail", message_id, "--json").json["own"]]
    assert events.index("EXPORTED") < events.index("OPENED_TOGETHER")


def test_what_must_not_leave_is_refused_or_left_out(
    paiza: Paiza, federation: Federation, folder: Path, tmp_path: Path
) -> None:
    """Nothing is exported without the originator's grant; --partial exports the permitted part only."""
    allowed = sent(paiza, federation, folder, "EX-2", tlp="CLEAR", level=0)
    kept = sent(paiza, federation, folder, "EX-3", tlp="RED", code="H2")
    file = tmp_path / "customs.xlsx"
    command: tuple[str | Path, ...] = (
        "export",
        allowed,
        kept,
        "--form",
        "customs",
        "--format",
        "xlsx",
        *LEAVE,
        "--for",
        "outside",
    )
    command += ("--whom", "the customs of an invented state", "-o", file)
    refused = paiza("tjk-liaison", *command)
    assert refused.code != 0
    assert f"{kept}: " in refused.err
    assert "TLP RED is not exported without the originator's grant." in refused.err
    assert "No other officer may do it either" in refused.err  # it is of level 1
    assert not file.exists()
    partial = paiza("tjk-liaison", *command, "--partial")
    assert partial.code == 7, partial.err
    assert kept[:18] in partial.err
    assert file.read_bytes()[:2] == b"PK"


def test_pages_to_print_carry_the_mark_in_both_languages(paiza: Paiza, federation: Federation, folder: Path) -> None:
    """The same message as a page in Russian and in English, with its mark at head and foot, its proofs, no script."""
    message_id = sent(paiza, federation, folder, "EX-4")
    for lang, word in (("ru", "Героин"), ("en", "Heroin")):
        page = paiza("kaz-liaison", "export", message_id, "--form", "print", *LEAVE, "--lang", lang).out
        assert page.count('class="mark">TLP:GREEN') == 2
        assert f'<html lang="{lang}">' in page
        assert word in page
        assert "<script" not in page
        assert "spiffe://kaz.paiza.example/officer/liaison" in page


def test_a_form_takes_only_its_kind(paiza: Paiza, federation: Federation, tmp_path: Path) -> None:
    """A free message is no seizure row, and a reason and a purpose are not left out."""
    draft = tmp_path / "draft.yaml"
    draft.write_text(DRAFT)
    message_id = paiza("kaz-liaison", "send", "free", draft, "--json").json["id"]
    assert paiza("kaz-liaison", "export", message_id, "--form", "unodc", *LEAVE).code == 2
    assert paiza("kaz-liaison", "export", message_id, "--reason", "exercise").code == 2
    assert paiza("kaz-liaison", "export", message_id, "--purpose", "investigate").code == 3
    assert paiza("kaz-liaison", "export", message_id, "--form", "print", "--format", "csv", *LEAVE).code == 2
    assert federation.home.exists()


def test_statistics_hide_small_numbers(paiza: Paiza, federation: Federation, folder: Path, tmp_path: Path) -> None:
    """Counts are shown from three notices on; a file has the same figures, and the notices' mark."""
    begun = datetime.now(UTC).isoformat(timespec="seconds")  # a few notices of another test would hide ours too
    for number in range(3):
        sent(paiza, federation, folder, f"EX-1{number}")
    ours = ("--by", "substance", "--from", "kaz", "--since", begun)
    shown = paiza("tjk-liaison", "statistics", *ours, "--json").json
    assert shown["rows"][0]["Substance"] == "Heroin"
    assert shown["rows"][0]["Total"] >= 3
    file = tmp_path / "statistics.csv"
    ran = paiza("tjk-liaison", "statistics", *ours, "--across", "month", "-o", file)
    assert ran.code == 0, ran.err
    lines = list(csv.reader(io.StringIO(file.read_bytes().decode("utf-8-sig"))))
    assert lines[0][-1] == EXPORT_COLUMN
    assert lines[1][0] == "Heroin"


def test_a_limit_of_purposes_holds_for_both(paiza: Paiza, federation: Federation, folder: Path) -> None:
    """What was given for other purposes is neither counted nor exported; result and exit code say so."""
    begun = datetime.now(UTC).isoformat()
    for number in range(3):
        sent(paiza, federation, folder, f"EX-4{number}")
    limited = sent(paiza, federation, folder, "EX-43", purposes="prosecute")
    counted = paiza("tjk-liaison", "statistics", "--since", begun, "--json")
    assert counted.code == 7, counted.err
    told = json.loads(counted.out)
    assert (told["notices"], told["complete"], told["rows"][0]["Total"]) == (3, False, 3)
    assert told["left_out"] == [{"reason": "policy_denied", "detail": "opening-for-other-purpose", "count": 1}]
    assert "1 message left out: Its author gave it for other purposes." in counted.err
    leave = ("--form", "unodc", "--since", begun, "--purpose", "statistics", "--reason", "exercise")
    assert paiza("tjk-liaison", "export", *leave).code == 3
    partial = paiza("tjk-liaison", "export", *leave, "--partial")
    assert partial.code == 7, partial.err
    assert len(partial.out.splitlines()) == 1 + 3
    assert limited[:18] in partial.err


def test_periods_that_meet_are_the_whole(paiza: Paiza, federation: Federation, folder: Path) -> None:
    """`--until` ends a count and an export where `--since` begins the next."""
    begun = datetime.now(UTC).isoformat()
    sent(paiza, federation, folder, "EX-50")
    cut = datetime.now(UTC).isoformat()
    sent(paiza, federation, folder, "EX-51")
    leave = ("--form", "unodc", "--purpose", "statistics", "--reason", "exercise")
    for period, notices in ((("--since", begun, "--until", cut), 1), (("--since", cut), 1), (("--since", begun), 2)):
        assert paiza("kaz-liaison", "statistics", *period, "--json").json["notices"] == notices
        assert len(paiza("kaz-liaison", "export", *leave, *period).out.splitlines()) == 1 + notices


def test_an_interrupted_export_goes_on(
    paiza: Paiza, federation: Federation, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest is opened and nothing twice; the file appears when it is whole, the same as without an interruption."""
    monkeypatch.setattr(open_many, "MAX_TOGETHER", 2)
    monkeypatch.setattr(export, "MAX_TOGETHER", 2)
    begun = datetime.now(UTC).isoformat()
    ids = [sent(paiza, federation, folder, f"EX-6{number}") for number in range(7)]
    file, command = tmp_path / "rows.csv", ("export", "--form", "unodc", "--since", begun, *LEAVE)
    opening = open_many.open_many
    pages = 0

    async def broken(session: Session, digests: Sequence[bytes], *arguments: Any, **named: Any) -> Any:
        nonlocal pages
        pages += 1
        if pages == 3:
            raise Unreachable("node_unreachable")
        return await opening(session, digests, *arguments, **named)

    monkeypatch.setattr(open_many, "open_many", broken)
    cut = paiza("tjk-liaison", *command, "-o", file)
    assert cut.code == 4, cut.err
    assert f"paiza export --continue -o {file}" in cut.err
    assert not file.exists()
    assert paiza("tjk-liaison", *command, "-o", file).code == 3, "it began anew over what is there"
    # A crash while a line was written.
    with exports.beside(file).open("ab") as journal:
        journal.write(b'{"opened": 2, "pie')
    done = paiza("tjk-liaison", "export", "--continue", "-o", file)
    assert done.code == 0, done.err
    assert not exports.beside(file).exists()
    assert "7 messages written" in done.err
    for each in ids:
        trail = paiza("tjk-liaison", "audit", "trail", each, "--json").json["own"]
        found = [entry["event"] for entry in trail if entry["event"] in ("EXPORTED", "OPENED_TOGETHER")]
        assert found == ["EXPORTED", "OPENED_TOGETHER"]
    again = tmp_path / "again.csv"
    told = paiza("tjk-liaison", *command, "--format", "csv", "-o", again, "--json").json
    assert (told["path"], told["messages"], told["complete"], told["left_out"]) == (str(again), 7, True, [])
    assert again.read_bytes() == file.read_bytes()
    assert paiza("tjk-liaison", "export", "--continue", "-o", tmp_path / "other.csv").code == 3


def test_an_export_gives_json_of_the_whole_message(paiza: Paiza, federation: Federation, folder: Path) -> None:
    """An export without a form contains every opened message, with its proofs."""
    message_id = sent(paiza, federation, folder, "EX-20")
    (whole,) = json.loads(paiza("tjk-liaison", "export", message_id, *LEAVE).out)
    assert whole["content"]["notice_id"] == "EX-20"
    assert whole["verified"]["opened"]["event"] == "OPENED_TOGETHER"


Noted = forwarding_pb2.AuthorizeExportResponse


class LyingStub:
    """Stands for the node's ForwardingService: gives the true answer after a change."""

    def __init__(self, answer: Noted, lie: Callable[[Noted], object]) -> None:
        self.answer = Noted()
        self.answer.CopyFrom(answer)
        lie(self.answer)

    async def AuthorizeExport(self, _request: object, *, timeout: float) -> Noted:  # noqa: N802, ASYNC109 - as gRPC names it
        """Answer."""
        assert timeout > 0
        return self.answer


LIES: list[Callable[[Noted], object]] = [
    lambda answer: answer.results.pop(),
    lambda answer: answer.results.reverse(),
    lambda answer: setattr(answer, "checkpoint", b""),
    lambda answer: setattr(answer.exported[0], "index", answer.exported[0].index + 1),
    lambda answer: setattr(answer.results[0], "exported_at", 1),
    lambda answer: answer.results[0].ClearField("exported_at"),
    lambda answer: answer.results[0].rejection.SetInParent(),
    lambda answer: answer.exported[0].message_digests.pop(),
    lambda answer: answer.exported[0].ClearField("message_digests"),
    lambda answer: answer.exported.pop(),
    lambda answer: answer.exported.append(answer.exported[0]),
]


def test_leave_that_the_log_does_not_hold_is_no_leave(paiza: Paiza, federation: Federation, folder: Path) -> None:
    """No changed answer of a node is accepted as permission unless it is proven for this message."""
    ids = [sent(paiza, federation, folder, f"EX-3{number}") for number in range(2)]

    async def work() -> None:
        async with connect(profiles.load(federation.home / "tjk-liaison")) as session:
            digests = [(await session.list_messages(id_prefix=each)).messages[0].digest for each in ids]
            intent = Intent("own-unit", "the desk", "investigate", "exercise")
            leaves = await session.exports.note(digests, intent)
            assert [(each.digest, each.proof is not None) for each in leaves] == [(each, True) for each in digests]
            request = forwarding_pb2.AuthorizeExportRequest(
                message_digests=digests,
                audience=forwarding_pb2.EXPORT_AUDIENCE_OWN_UNIT,
                recipient_text="the desk",
                purpose="investigate",
                reason_text="exercise",
            )
            answer = await session.exports._stub.AuthorizeExport(request, timeout=60)
            for lie in LIES:
                session.exports._stub = LyingStub(answer, lie)  # type: ignore[assignment]
                with pytest.raises(NotProven):
                    await session.exports.note(digests, intent)

    asyncio.run(asyncio.wait_for(work(), 60))
