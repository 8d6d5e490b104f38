"""What pages say: titles with their kind, words instead of codes, and nothing that a role is refused."""

import asyncio
import re
from datetime import date
from html import unescape
from pathlib import Path

import pytest

from paiza_client.data.statistics import DIMENSIONS
from paiza_client.web.pages.statistics import _days_of
from paiza_officer.errors import Misused
from tests.integration.client.conftest import Paiza
from tests.integration.client.test_console_writing import Form, browser, command, surroundings

__all__ = ["surroundings"]

NOTICE = """\
kind: seizure-notice
to: [tjk]
handling: {tlp: AMBER, code: H2, classification: 1}
review: 3 years
content:
  notice_id: EX-READ
  notice_version: 1
  status: initial
  route_unknown: yes
  seized_at: 2019-03-01
  reporting_agency: Invented agency
  place: {country: KAZ}
  substances:
    - {as_named: heroin, drug_group: opioids, drug_type: heroin, quantity: 3 kg}
"""


@pytest.fixture
async def sent(paiza: Paiza, tmp_path: Path) -> str:
    """The id of a seizure notice that was sent."""
    path = tmp_path / "notice.yaml"
    path.write_text(NOTICE)
    return str((await command(paiza, "kaz-liaison", "send", "seizure-notice", path, "--json", "--yes")).json["id"])


async def test_a_role_is_offered_nothing_that_it_is_refused(sent: str) -> None:
    """An auditor sees no button for writing, opening or tasks; looking at a message is not refused and logged."""
    async with browser("kaz-auditor") as console:
        page = await console.get(f"/message/{sent}")
        assert page.status == 200
        assert "Содержание не для вашей роли" in page.text
        for offered in (
            'href="/write"',
            f"/message/{sent}/open",
            f"/message/{sent}/task",
            "/write?reply",
            "/recall/",
            "/pass/",
        ):
            assert offered not in page.text, offered
        trail = Form((await console.get(f"/audit/trail/{sent}")).text).text
        assert "отказано" not in trail
        assert "Статистика не для вашей роли" in (await console.get("/statistics")).text
        assert (
            "Ваша роль задач не имеет" in (await console.get("/tasks")).text
            or "У вашей роли" in (await console.get("/tasks")).text
        )
        assert "no rule permits" not in page.text


async def test_a_row_says_what_it_is_and_by_what_it_was_found(sent: str) -> None:
    """In lists and in search: kind and subject in the title, columns with headings, the field in words."""
    async with browser("kaz-liaison") as console:
        for path in ("/sent", "/search?q=heroin"):
            page = unescape((await console.get(path)).text)
            title = re.search(rf'href="/message/{sent}">([^<]+)<', page)
            assert title is not None
            assert title[1].startswith("Сообщение об изъятии: ")
            assert "row-heads" in page
        assert re.search(r"найдено по: [^<]*вещество", unescape((await console.get("/search?q=heroin")).text))
        logs = (await console.get("/audit")).text
        assert "log/1" not in re.sub(r"<details.*?</details>", "", logs, flags=re.DOTALL)


async def test_statistics_say_what_they_count() -> None:
    """Last year is one choice; where nothing was counted there is a sentence and no table; exercises are named."""
    async with browser("kaz-liaison") as console:
        form = await console.get("/statistics")
        assert 'value="last-year"' in form.text
        assert "Учебные сообщения никогда не учитываются" in form.text
        begun = await console.post("/statistics", {"by": next(iter(DIMENSIONS)), "period": "last-year"})
        page = begun
        for _attempt in range(400):
            page = await console.get(begun.headers["location"])
            if page.status == 303 or "Изъятий не найдено" in page.text:
                break
            await asyncio.sleep(0.3)
        assert "Изъятий не найдено" in page.text
        assert "<table" not in page.text


def test_a_period_has_its_first_and_last_day() -> None:
    """At the turn of the year as well; a period that there is not is refused."""
    january = date(2027, 1, 15)
    assert _days_of("last-month", january) == (date(2026, 12, 1), date(2026, 12, 31))
    assert _days_of("last-year", january) == (date(2026, 1, 1), date(2026, 12, 31))
    assert _days_of("this-year", january) == (date(2027, 1, 1), january)
    assert _days_of("this-month", january) == (date(2027, 1, 1), january)
    with pytest.raises(Misused):
        _days_of("always", january)
