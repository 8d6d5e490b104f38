"""The metrics of a running node: everything that expires, clocks, blocks and proposals, under bounded labels."""

import math
import re
import time
from pathlib import Path
from urllib.request import urlopen

from paiza_node.ops.expiries import Kind
from tests.federation import Federation, free_ports

MEMBERS = ("kaz", "tjk", "uzb")
SECONDS = 60.0
SAMPLE = re.compile(r"^(paiza_[a-z_]+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)


def samples(port: int) -> dict[tuple[str, str], float]:
    """Return the node's own metrics by name and labels."""
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=SECONDS) as answer:
        return {(name, labels): float(value) for name, labels, value in SAMPLE.findall(answer.read().decode())}


def test_what_an_operator_would_look_at_after_a_failure_is_a_metric(tmp_path: Path) -> None:
    """One sample of each kind and member; officers count together, so that no label names a person."""
    with Federation.create(tmp_path / "f", MEMBERS) as federation:
        port = free_ports(1)
        federation.node("kaz").configure(metrics_listen=f"127.0.0.1:{port}")
        federation.start("kaz", "tjk")
        deadline = time.monotonic() + SECONDS
        while ("paiza_register_issued_timestamp_seconds", "") not in (found := samples(port)):
            assert time.monotonic() < deadline, found
            time.sleep(0.2)
        while samples(port)["paiza_register_issued_timestamp_seconds", ""] == 0:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        found = samples(port)
    expiries = {labels for name, labels in found if name == "paiza_expiry_timestamp_seconds"}
    shared = {Kind.TIMESTAMP, Kind.SNAPSHOT, Kind.ROOT, Kind.TARGETS, Kind.REFERENCE}
    of_members = {Kind.ROLE, Kind.REVOCATIONS, Kind.NODE_CA, Kind.OFFICER_CA, Kind.ENCRYPTION_KEY}
    assert expiries == {
        *(f'member="",what="{kind.value}"' for kind in shared),
        *(f'member="{member}",what="{kind.value}"' for kind in of_members for member in MEMBERS),
        f'member="kaz",what="{Kind.NODE_CERTIFICATE.value}"',
    }
    assert all(found["paiza_expiry_timestamp_seconds", labels] > time.time() for labels in expiries)
    assert 0 <= time.time() - found["paiza_register_issued_timestamp_seconds", ""] < 3600
    for member in MEMBERS:
        assert found["paiza_member_unusable", f'member="{member}"'] == 0
    for member in ("tjk", "uzb"):
        assert found["paiza_peer_blocked", f'peer="{member}"'] == 0
        assert ("paiza_peer_clock_offset_seconds", f'peer="{member}"') in found
        assert found["paiza_peer_register_timestamp_version", f'peer="{member}"'] >= 0
    for member in MEMBERS:
        assert found["paiza_register_publisher_disqualified", f'member="{member}"'] == 0
    assert sum(value for (name, _labels), value in found.items() if name == "paiza_register_published") == 1
    assert found["paiza_register_timestamp_version", ""] >= 1
    assert found["paiza_register_forked", ""] == 0
    assert found["paiza_proposals_waiting", ""] == 0
    assert found["paiza_clock_sources", ""] <= 1
    offset = found["paiza_clock_offset_seconds", ""]
    assert math.isnan(offset)  # too few peers
