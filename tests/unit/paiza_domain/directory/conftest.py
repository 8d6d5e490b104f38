"""A small directory, as its file says it."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from paiza_domain import directory
from paiza_domain.directory import Directory

FILE: dict[str, Any] = {
    "format": 1,
    "officers": [
        {
            "id": "petrov",
            "name": "Петров Пётр",
            "posted_in": "tur",
            "posting": "Ankara",
            "accredited_to": ["tjk", "uzb"],
            "covers": ["tjk", "uzb"],
            "kinds": ["information-request"],
            "languages": ["ru", "en"],
            "contacts": {"telephone": "+00 000", "email": "petrov@kaz.example"},
            "hours": {"time_zone": "Europe/Istanbul", "days": ["mon", "tue"], "from": "09:00", "until": "18:00"},
            "expires": "2027-12-31",
        },
        {
            "id": "aliyeva",
            "name": "Aliyeva",
            "posted_in": "tjk",
            "covers": ["all"],
            "languages": ["ru"],
            "contacts": {"telephone": "+00 001"},
            "expires": "2026-11-20",
        },
    ],
    "duty": {
        "time_zone": "Asia/Almaty",
        "contacts": {"telephone": "+00 002"},
        "shifts": [
            {"from": "2026-11-30T03:00:00Z", "until": "2026-11-30T15:00:00Z", "officer": "petrov"},
            {"from": "2026-11-30T15:00:00Z", "until": "2026-12-01T03:00:00Z", "name": "дежурный"},
        ],
    },
    "confirmed": [{"member": "uzb", "officer": "karimov", "name": "Каримов Карим"}],
}


def edited(change: Callable[[dict[str, Any]], Any]) -> bytes:
    """Return the file with one change."""
    values = copy.deepcopy(FILE)
    change(values)
    return json.dumps(values).encode()


@pytest.fixture
def own() -> Directory:
    """The directory."""
    return directory.read("kaz", json.dumps(FILE).encode())
