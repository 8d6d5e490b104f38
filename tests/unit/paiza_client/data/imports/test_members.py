"""Whose rows a map can tell: a profile of any other member is an error before anything is read."""

import pytest

from paiza_client.data.imports import check_members, load_map
from paiza_client.data.imports.maps import parse_map
from paiza_officer.errors import Misused
from tests.unit.paiza_client.data.imports.test_maps import GOOD


def test_a_member_without_rows_in_the_map_is_an_error() -> None:
    """The Centre reports no seizures in the published table; the error names those who do."""
    check_members(["kaz", "tjk"], load_map("ids"))
    with pytest.raises(Misused) as caught:
        check_members(["kaz", "centre"], load_map("ids"))
    (problem,) = caught.value.problems
    assert problem.what == "the map ids holds no rows of centre; it holds those of: aze, kaz, kgz, rus, tjk, tkm, uzb"


def test_a_constant_member_is_the_only_one() -> None:
    """A map that gives the member as a constant has rows of no other, though its table knows more."""
    text = GOOD.replace('member = "State"\n', "").replace("[constants]", '[constants]\nmember = "Kazakhstan"')
    text = text.replace("[tables.drug]", '"Tajikistan" = { member = "tjk", country = "TJK" }\n[tables.drug]')
    assert parse_map(text.encode(), "m.toml").members() == {"kaz"}
