"""A stream that goes on for hours: what was admitted at its beginning is asked again before each answer."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from ssl import PEM_cert_to_DER_cert
from types import SimpleNamespace
from typing import Any

import pytest

from paiza.officer.v1 import officer_pb2
from paiza_node.core.access.model import Officer
from paiza_node.core.api import server
from paiza_node.core.api.authentication import Authenticator
from paiza_node.core.policy import Policy
from paiza_trust import dev
from tests.registers import read_register

WATCH = officer_pb2.DESCRIPTOR.services_by_name["OfficerService"].methods_by_name["Watch"]


class EndedError(Exception):
    """Leave an aborted call as gRPC does."""


class Situation:
    """An officer, their record at the node, and the time."""

    def __init__(self, folder: Path) -> None:
        register = read_register(folder)
        pem = (folder / "home/kaz-liaison/authentication.crt").read_text()
        officer_id = f"spiffe://kaz.{register.federation}/officer/liaison"
        fingerprint = sha256(PEM_cert_to_DER_cert(pem)).digest()
        self.now = datetime.now(UTC)
        self.officer = Officer(officer_id, frozenset({"liaison"}), "exercise", fingerprint, bytes(32))
        self.reason = ""
        register_cache: Any = SimpleNamespace(current=register, policy=Policy(register.agreements))
        self.authenticator = Authenticator(
            "kaz", register_cache, lambda: {self.officer.id: self.officer}, lambda: self.now
        )
        self._pem = pem

    def auth_context(self) -> dict[str, list[bytes]]:
        """Return what TLS found out about the caller."""
        return {"x509_pem_cert": [self._pem.encode()]}

    def set_trailing_metadata(self, metadata: Any) -> None:
        """Keep the reason."""
        self.reason = dict(metadata)["paiza-reason"]

    async def abort(self, *_status: Any) -> None:
        """End the call."""
        raise EndedError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a federation's keys and register."""
    path = tmp_path_factory.mktemp("stream") / "federation"
    dev.create(path, ["kaz", "tjk"], base_port=20_000)
    return path


def suspend(now: Situation) -> None:
    """Suspend the officer."""
    now.officer = replace(now.officer, suspended=True)


def expire(now: Situation) -> None:
    """Expire the caller's certificate."""
    now.now += timedelta(days=4000)


@pytest.mark.parametrize(
    ("change", "reason"), [(suspend, "policy_denied"), (expire, "certificate_expired")], ids=["suspended", "expired"]
)
async def test_stream_ends_when_its_caller_would_not_be_admitted(
    folder: Path, change: Callable[[Situation], None], reason: str
) -> None:
    """An officer who watches gets nothing more once they are suspended or their certificate has expired."""
    situation = Situation(folder)

    async def watch(*_arguments: Any) -> AsyncIterator[officer_pb2.WatchResponse]:
        yield officer_pb2.WatchResponse()
        change(situation)
        yield officer_pb2.WatchResponse()

    async def requests() -> AsyncIterator[bytes]:
        yield b""

    handler: Any = server._guarded(situation.authenticator, WATCH, watch)
    answers = handler.stream_stream(requests(), situation)
    await anext(answers)
    with pytest.raises(EndedError):
        await anext(answers)
    assert situation.reason == reason
