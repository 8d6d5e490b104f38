"""What `help()` shows of the SDK is complete."""

import inspect
import re
from dataclasses import fields
from typing import Any

import pytest

from paiza_client.sdk import Session
from paiza_client.sdk.fields import DescribedField
from paiza_client.sdk.model import MessageSummary
from paiza_client.sdk.search import Search
from paiza_domain.terms.query_terms import SEARCHABLE


def rows(of: object) -> list[tuple[str, str]]:
    """Return the table of a docstring: first word, and the rest after two spaces."""
    return re.findall(r"^ *(\w[\w ]*?) {2,}(\S.*)$", inspect.getdoc(of) or "", re.MULTILINE)


def test_a_session_names_its_parts() -> None:
    """Every public part that a session is given is in its table, and no other."""
    source = inspect.getsource(Session.__init__)
    assert {name for name, _ in rows(Session)} == set(re.findall(r"self\.([a-z]\w*) = ", source))


@pytest.mark.parametrize("record", [MessageSummary, DescribedField])
def test_a_record_explains_every_field(record: Any) -> None:
    """The table has a row for every field, in order."""
    assert [name for name, _ in rows(record)] == [each.name for each in fields(record)]


def test_a_search_names_its_fields() -> None:
    """Every field there is to search by is in the table, and no other."""
    named = [re.sub(r" \(.*\)", "", text).split(", ") for _, text in rows(Search.search)]
    assert sorted(name for line in named for name in line) == list(SEARCHABLE)
