"""Shared fixtures of the domain's tests: the compiled catalogue, a fixed time, a header and a notice that are valid."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from paiza.content.v1.common_pb2 import TIME_PRECISION_DAY, PartialTime, Place, Quantity, Substance
from paiza.content.v1.seizure_notice_pb2 import SeizureNotice
from paiza.core.v1.message_pb2 import PART_KIND_MAIN, URGENCY_ROUTINE, Handling, Header, PartDescription, Recipient

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture(scope="session", autouse=True)
def catalogue(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Compile the Russian catalogue if it is newer than what is compiled; swapped in whole, for parallel workers."""
    source = root / "proto/paiza_domain/locale/ru/LC_MESSAGES/paiza_domain.po"
    target = source.with_suffix(".mo")
    if target.exists() and target.stat().st_mtime >= source.stat().st_mtime:
        return
    compiled = target.with_name(f".{tmp_path_factory.getbasetemp().parent.name}-{id(target)}.mo")
    with source.open("rb") as lines, compiled.open("wb") as binary:
        write_mo(binary, read_po(lines, locale="ru"))
    compiled.replace(target)


@pytest.fixture
def now() -> datetime:
    """The time at which everything is judged."""
    return NOW


@pytest.fixture
def header(now: datetime) -> Header:
    """A valid header of a free message."""
    header = Header(
        kind="free-message",
        kind_version=1,
        urgency=URGENCY_ROUTINE,
        handling=Handling(code="H2", tlp="AMBER", classification=1),
        recipients=[Recipient(member="kaz")],
        parts=[PartDescription(kind=PART_KIND_MAIN)],
    )
    header.author_time.FromDatetime(now)
    header.review_time.FromDatetime(now + timedelta(days=365))
    return header


@pytest.fixture
def notice() -> SeizureNotice:
    """A valid seizure notice in the short form."""
    notice = SeizureNotice(
        notice_id="KAZ-2026-000123",
        notice_version=1,
        status="initial",
        seized_at=PartialTime(precision=TIME_PRECISION_DAY),
        reporting_agency="Вымышленная пограничная служба",
        place=Place(country="KAZ"),
        substances=[
            Substance(
                as_named="героин",
                drug_group="opioids",
                drug_type="heroin",
                quantity=Quantity(millionths=12_500_000, unit="kg"),
            )
        ],
        route_unknown=True,
    )
    notice.seized_at.time.FromDatetime(datetime(2026, 11, 22, tzinfo=UTC))
    return notice
