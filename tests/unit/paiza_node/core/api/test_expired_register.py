"""Who is answered while no register is in force, and what a member may fetch that is suspended or expired."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest

from paiza_node.core.api.authentication import Authenticator
from paiza_node.core.peers.rpcs import DELIVER, GET_FILE, HANDSHAKE
from paiza_node.core.policy import Policy
from paiza_register import Register
from paiza_trust import dev
from paiza_wire.errors import Rejected, Unavailable
from tests.registers import read_register
from tests.unit.paiza_node.fixed_officers import FixedOfficers
from tests.unit.paiza_node.tls_properties import tls_properties


class _Expired:
    """A register cache whose register has expired."""

    def __init__(self, register: Register) -> None:
        self.last = register
        self.policy = Policy(register.agreements)

    @property
    def current(self) -> Register:
        """Return no register."""
        raise Unavailable("register_expired", "the grace is over")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a federation's keys and register."""
    path = tmp_path_factory.mktemp("expired") / "federation"
    dev.create(path, ["kaz", "tjk"], base_port=20_000)
    return path


async def _called(folder: Path, register_cache: Any, method: str) -> str:
    """Call at kaz as the node of tjk; return the caller's id."""
    pem = (folder / "nodes/tjk/keys/tls.crt").read_bytes()
    context = SimpleNamespace(auth_context=lambda: tls_properties(pem), add_done_callback=lambda _callback: None)
    authenticator = Authenticator("kaz", register_cache, FixedOfficers(), lambda: datetime.now(UTC))
    async with authenticator.admit(method, context) as call:
        return call.caller.id


@pytest.mark.parametrize("rpc", [GET_FILE, HANDSHAKE])
async def test_register_is_served_when_it_expired(folder: Path, rpc: Any) -> None:
    """Nodes whose registers all expired get a newer one from each other."""
    assert "tjk" in await _called(folder, _Expired(read_register(folder)), rpc.path)


async def test_nothing_else_is_served_then(folder: Path) -> None:
    """Messages wait."""
    with pytest.raises(Unavailable, match="register_expired"):
        await _called(folder, _Expired(read_register(folder)), DELIVER.path)


async def test_suspended_member_gets_files_alone(folder: Path) -> None:
    """It must see that it was suspended, and later that it was reinstated."""
    register = read_register(folder)
    members = {**register.members, "tjk": replace(register.members["tjk"], status="suspended")}
    cache = SimpleNamespace(
        last=replace(register, members=MappingProxyType(members)), policy=Policy(register.agreements)
    )
    cache.current = cache.last
    assert "tjk" in await _called(folder, cache, GET_FILE.path)
    for rpc in (HANDSHAKE, DELIVER):
        with pytest.raises(Rejected, match="member_suspended"):
            await _called(folder, cache, rpc.path)


async def test_member_whose_role_has_expired_gets_files_alone(folder: Path) -> None:
    """It needs the newest register to renew its role."""
    register = read_register(folder)
    members = {each: member for each, member in register.members.items() if each != "tjk"}
    last = replace(
        register,
        members=MappingProxyType(members),
        untimely=MappingProxyType({"tjk": register.members["tjk"]}),
        unusable=MappingProxyType({"tjk": "expired"}),
    )
    cache = SimpleNamespace(last=last, current=last, policy=Policy(register.agreements))
    assert "tjk" in await _called(folder, cache, GET_FILE.path)
    for rpc in (HANDSHAKE, DELIVER):
        with pytest.raises(Rejected, match="member_unusable"):
            await _called(folder, cache, rpc.path)
