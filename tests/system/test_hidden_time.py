"""A message of another unit is refused as fast as one that is not here: the time betrays nothing of use.

The bounds are generous: what would be left is some microseconds, below the noise of any network.
"""

import os
from collections.abc import Callable
from pathlib import Path
from random import Random
from statistics import median
from time import perf_counter
from typing import Any, Final
from unittest.mock import patch

import pytest

from paiza.officer.v1 import audit_pb2, officer_pb2, retention_pb2
from paiza_trust import dev
from paiza_wire.errors import PaizaError
from tests.unit.paiza_node.need_to_know.scene import OFFICER_SERVICE, STRANGER, Scene, Target
from tests.whole_node import WholeNode, refusal_of

CALLS: Final = 150  # of each kind, mixed
MOST: Final = 1.5  # the medians differ by less than this factor, or by less than `SLACK_SECONDS`
SLACK_SECONDS: Final = 0.002

ASKED: Final[dict[str, Callable[[bytes], Any]]] = {
    OFFICER_SERVICE + "OpenMessage": lambda digest: officer_pb2.OpenMessageRequest(message_digest=digest),
    "/paiza.officer.v1.AuditService/GetTrail": lambda digest: audit_pb2.GetTrailRequest(message_digest=digest),
    "/paiza.officer.v1.AuditService/GetEvidence": lambda digest: audit_pb2.GetEvidenceRequest(message_digest=digest),
    "/paiza.officer.v1.RetentionService/PlaceHold": lambda digest: retention_pb2.PlaceHoldRequest(
        message_digest=digest, reason_text="Case 1"
    ),
}


@pytest.mark.asyncio
async def test_hidden_and_absent_are_refused_equally_fast(tmp_path: Path) -> None:
    """The medians of many calls are alike, for every call that names a message."""
    federation = tmp_path / "federation"
    with patch.object(os, "fsync", lambda _handle: None):
        dev.create(federation, ["kaz", "tjk"])
    scene = Scene(federation, tmp_path)
    with WholeNode(federation, "kaz", tmp_path / "data", duty_unit="duty-desk") as node:
        await scene.fill(node, hidden=True)
        for method, request in ASKED.items():
            times: dict[bool, list[float]] = {True: [], False: []}
            # In no order: in turn, each kind may keep step with what else the machine does.
            for hidden in Random(method).sample([True, False] * CALLS, 2 * CALLS):
                digest = scene.hidden["sent"].digest if hidden else Target.absent().digest
                began = perf_counter()
                refused = await refusal_of(node.call(method, node.officer(STRANGER), request(digest)))
                times[hidden].append(perf_counter() - began)
                assert isinstance(refused, PaizaError)
            fast, slow = sorted(map(median, times.values()))
            print(f"{method}: hidden {median(times[True]):.6f} s, absent {median(times[False]):.6f} s")
            assert slow <= max(fast * MOST, fast + SLACK_SECONDS), method
