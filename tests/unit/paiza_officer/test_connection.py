"""What happens before a call: the register is renewed, and an officer is told why the node would not admit them."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from paiza_officer import connection, profiles, register_cache
from paiza_officer.errors import NotProven, ProfileProblem
from paiza_register import FetchMissing, RegisterReader, joining
from paiza_trust import dev
from tests.registers import newest, read_register
from tests.unit.paiza_register.conftest import Holder


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


def test_a_register_that_changes_while_it_is_fetched_is_fetched_again(tmp_path: Path) -> None:
    """The node puts another one into force between two files, and lacks the next file of the one before."""
    dev.create(tmp_path / "f", ["kaz", "tjk"], base_port=20_000)
    holder = Holder(tmp_path / "f")
    served, path = [holder.files()], "members/kaz/liaison.json"
    holder.advance().put(path, b"{}")

    def fetch(name: str, _most: int) -> bytes:
        if name.endswith("liaison.json") and len(served) == 1:
            served.append(holder.files())
            raise FetchMissing(name)
        if name not in served[-1]:
            raise FetchMissing(name)
        return served[-1][name]

    reader = RegisterReader(tmp_path / "register", holder.bootstrap)
    assert connection.newest(reader, fetch).reference[path] == b"{}"
    holder.advance().put(path, b"[]")
    served[:] = [holder.files()]
    holder.advance().put(path, b"[1]")
    assert connection.newest(reader, fetch).reference[path] == b"[1]"


def test_a_register_must_contain_the_root_that_the_invitation_names(tmp_path: Path) -> None:
    """An officer's register follows both digests of the invitation; one without its root is refused."""
    dev.create(tmp_path / "f", ["kaz", "tjk"], base_port=20_000)
    profile, carried = profiles.load(tmp_path / "f/home/kaz-liaison"), newest(tmp_path / "f")
    current = register_cache.reader(profile).accept(carried.files, datetime.now(UTC))
    register_cache.check_newest_root(profile, current)
    file = profile.folder / joining.DIGESTS
    digests: dict[str, Any] = joining.digests(carried)
    file.write_text(json.dumps(digests))
    register_cache.check_newest_root(profile, current)
    for reason, changed in (
        ("register_forked", {"version": carried.newest, "sha256": bytes(32).hex()}),
        ("register_rolled_back", {"version": carried.newest + 1, "sha256": bytes(32).hex()}),
    ):
        file.write_text(json.dumps({**digests, "newest_root": changed}))
        with pytest.raises(NotProven, match=reason):
            register_cache.check_newest_root(profile, current)
