"""A federation founded as real members do it: three folders that share nothing but the files carried between them."""

import asyncio
import json
import shutil
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from paiza.officer.v1 import officer_pb2, officer_pb2_grpc
from paiza_register import Register, load_set
from paiza_register.register_file import RegisterFile
from paiza_wire.identity import SpiffeId
from tests import attaching
from tests.federation import NodeProcess, free_ports
from tests.officer import Officer
from tests.profiles import FILES, make_requests
from tests.unit.paiza_trust.ceremony import FEDERATION, found, trust

MEMBERS = ("kaz", "tjk", "uzb")


def appoint(folder: Path, member: str, address: str, register: Register) -> Officer:
    """Certify a liaison officer with the member's own CA, list them at the node, and return them."""
    identity = SpiffeId(member, FEDERATION, "officer", "liaison")
    profile = folder / "home" / f"{member}-liaison"
    profile.mkdir(parents=True)
    requests = make_requests(profile, identity)
    (profile / "profile.toml").write_text(
        f'id = "{identity}"\nmember = "{member}"\nnode = "{address}"\n'
        + "".join(f'{name} = "{file}"\n' for name, file in FILES.items())
    )
    own = folder / member / "trust"
    certify = ("ca", "certify", *requests, "--role", "liaison", "--unit", "liaison-bureau")
    told = trust(*certify, "--keys", own, "-o", profile, "--yes", "--json")
    shutil.copy(json.loads(told)["admission"], folder / member / "node/officers.json")
    return Officer(folder, f"{member}-liaison", register)


async def test_three_folders_found_a_federation_and_exchange_a_message(tmp_path: Path) -> None:
    """Founded, joined and started by files alone, the nodes find each other and deliver an officer's message."""
    first = free_ports(len(MEMBERS))
    endpoints = {member: f"127.0.0.1:{first + at}" for at, member in enumerate(MEMBERS)}
    read = RegisterFile.read(found(tmp_path, endpoints).read_bytes())
    register = load_set(read.files, read.first_root, datetime.now(UTC))
    officers = {member: appoint(tmp_path, member, endpoints[member], register) for member in MEMBERS}
    nodes = [NodeProcess(member, tmp_path / member / "node") for member in MEMBERS]
    with ExitStack() as started:
        for node in nodes:
            started.callback(node.kill)
            node.start(wait=False)
        for node in nodes:
            await asyncio.to_thread(node.wait_until_serving)
        async with officers["kaz"].channel() as sender, officers["tjk"].channel() as receiver:
            sent = await attaching.submit(sender, officers["kaz"].compose(["tjk"]))
            assert sent.HasField("released")
            stub: Any = officer_pb2_grpc.OfficerServiceStub(receiver)
            async with asyncio.timeout(60):
                arrived = await stub.Watch(officer_pb2.WatchRequest(after_sequence=0)).read()
            assert arrived.messages
        assert [await asyncio.to_thread(node.stop) for node in nodes] == [0, 0, 0]
