"""What an officer is told before a call: the reason for which the node would only close the connection."""

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from paiza_officer import connection, profiles
from paiza_officer.errors import ProfileProblem
from paiza_trust import dev
from tests.registers import read_register


def test_an_officer_of_a_suspended_member_is_told_whom_to_call(tmp_path: Path) -> None:
    """The error names the members whose custodians can reinstate their own."""
    dev.create(tmp_path / "f", ["kaz", "tjk", "uzb"], base_port=20_000)
    register = read_register(tmp_path / "f")
    custodians = {member: key for member, key in register.custodians.items() if member != "uzb"}
    suspended = replace(register, suspended_ids=frozenset({"uzb"}), custodians=custodians)
    profile = profiles.load(tmp_path / "f/home/uzb-liaison")
    unused = cast("Any", None)
    with pytest.raises(ProfileProblem, match="own_member_suspended") as caught:
        connection._check_own_certificate(suspended, profile, unused)
    assert (caught.value.where, caught.value.detail) == ("uzb", "kaz, tjk")
