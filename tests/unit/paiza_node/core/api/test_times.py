"""A time that is none is refused with a reason before any verb sees it."""

import pytest
from google.protobuf.message import Message

from paiza.officer.v1 import officer_pb2
from paiza.peer.v1 import peer_audit_pb2
from paiza_node.core.api import requests
from paiza_wire.errors import Rejected


def _within(request: Message) -> Message:
    return requests.parse(type(request), request.SerializeToString())


@pytest.mark.parametrize(
    ("seconds", "nanos"), [(2**63 - 1, 0), (-(2**63), 0), (253_402_300_800, 0), (1, -1), (1, 2**31 - 1)]
)
def test_what_is_no_time_is_malformed(seconds: int, nanos: int) -> None:
    """Whether it stands in the request or in its period; it is no defect of ours."""
    listed, agreed = officer_pb2.ListMessagesRequest(), peer_audit_pb2.AgreePeriodRequest()
    for stamp in (listed.since_time, agreed.period.until_time):
        stamp.seconds, stamp.nanos = seconds, nanos
    for request in (listed, agreed):
        with pytest.raises(Rejected, match="malformed"):
            _within(request)


def test_times_and_none_are_taken() -> None:
    """Unset times are not searched."""
    request = officer_pb2.ListMessagesRequest()
    request.since_time.seconds = 253_402_300_799
    for each in (request, officer_pb2.ListMessagesRequest(), peer_audit_pb2.AgreePeriodRequest()):
        assert _within(each) == each
