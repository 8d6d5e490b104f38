"""Controlled deliveries as `paiza cd` prints them."""

from paiza.officer.v1 import workflow_pb2
from paiza_client import language
from paiza_client.cli import board


def test_an_alarm_says_who_has_acknowledged_it() -> None:
    """A stop that all have acknowledged is not read as one that nobody knows of; one that was lifted is left out."""
    language.use("en")
    status = workflow_pb2.WorkflowStatus()
    status.alarms.add(kind="cd-stop", author="kaz", in_force=True, acknowledged_by=["tjk", "uzb"])
    status.alarms.add(kind="cd-stop", author="tjk", in_force=True, acknowledged_by=["kaz"], waiting_for=["uzb"])
    status.alarms.add(kind="cd-control-lost", author="uzb", in_force=True, waiting_for=["kaz"])
    status.alarms.add(kind="cd-stop", author="uzb", acknowledged_by=["tjk"])
    whole, part, none = board._alarms(status)
    assert whole.endswith("(kaz), acknowledged by tjk, uzb")
    assert part.endswith("(tjk), acknowledged by kaz, not yet acknowledged by uzb")
    assert none.endswith("(uzb), not yet acknowledged by kaz")
