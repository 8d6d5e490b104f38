"""Limits that are nearly used up are shown: by `status`, and as a warning of `doctor` before anything has to wait."""

import pytest

from paiza.admin.v1 import admin_pb2
from paiza_node.ops.cli.doctor import _limits
from paiza_node.ops.cli.status import limit_text
from paiza_node.ops.doctor.machine import Level

OFFICER = "spiffe://kaz.paiza.example/officer/liaison"


@pytest.mark.parametrize(("used", "level"), [(0, Level.OK), (79, Level.OK), (80, Level.WARN), (100, Level.WARN)])
def test_doctor_warns_before_a_day_is_used_up(used: int, level: Level) -> None:
    """From four fifths on the caller is named; places of calls, which free themselves at once, are no warning."""
    status = admin_pb2.GetStatusResponse(
        limits=[
            admin_pb2.LimitUse(name="calls_officers", used=16, limit=16, caller=OFFICER),
            admin_pb2.LimitUse(name="officer_messages_per_day", used=used, limit=100, caller=OFFICER),
        ]
    )
    (check,) = _limits(status)
    assert check.level is level
    assert level is Level.OK or check.values["caller"] == OFFICER


def test_node_that_does_not_run_has_no_limits_in_use() -> None:
    """Nothing is said of limits then."""
    assert list(_limits(None)) == []
    assert list(_limits(admin_pb2.GetStatusResponse())) == []


def test_status_names_the_caller() -> None:
    """A shared limit has none."""
    assert limit_text(admin_pb2.LimitUse(name="x_per_day", used=3, limit=4, caller="tjk")) == "x_per_day: 3 / 4 (tjk)"
    assert (
        limit_text(admin_pb2.LimitUse(name="calls_officers_shared", used=3, limit=4)) == "calls_officers_shared: 3 / 4"
    )
