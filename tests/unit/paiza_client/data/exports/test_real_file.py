"""The real records of seven states: what is exported of the imported notices is imported again to equal notices."""

import io
from pathlib import Path

import pytest

from paiza.content.v1 import seizure_notice_pb2 as pb
from paiza.core.v1.message_pb2 import Handling
from paiza_client.data.exports import unodc, writing
from paiza_client.data.imports.maps import load_map
from paiza_client.data.imports.plan import plan_import
from paiza_client.data.imports.rows import EXPORT_COLUMN, RowReader
from tests.unit.paiza_client.data.exports.making import NOW, made, record, written

pytestmark = pytest.mark.realdata

IDS = load_map("ids")
MEMBERS = ("aze", "kaz", "kgz", "rus", "tjk", "tkm", "uzb")
NOTICES = 6709 + 1354  # of 8,427 rows: the rest repeats an earlier row, but for one without a unit


def imported(data: bytes) -> dict[bytes, pb.SeizureNotice]:
    """Import a table without sending anything; give the notices by the digest of their row."""
    planned = plan_import(RowReader(io.BytesIO(data), IDS), IDS, MEMBERS, MEMBERS, lambda _: set(), now=NOW)
    return {each.digest: each.notice for each in planned if each.notice is not None}


def test_what_is_exported_is_imported_to_the_same_notices(shared: Path) -> None:
    """Every notice of the file comes back equal, known by the same digest: nothing would be sent twice."""
    original = (shared / "data" / "unodc-ids-caricc-states.csv").read_bytes()
    notices = imported(original)
    assert len(notices) == NOTICES
    mark = Handling(tlp="GREEN", code="H0", purposes=["statistics"])
    table = made(unodc.SHEET, (record("seizure-notice", notice, mark=mark) for notice in notices.values()))
    assert len(table.columns) == 16
    exported = written(writing.as_csv, table)
    header = exported.decode("utf-8-sig").split("\n", 1)[0]
    assert header == original.decode().split("\n", 1)[0].rstrip("\r") + f",{EXPORT_COLUMN}"
    again = imported(exported)
    assert list(again) == list(notices)
    assert again == notices
