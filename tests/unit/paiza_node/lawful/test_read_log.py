"""What is said of a question beside the log."""

from paiza.v1 import lawful_pb2
from paiza_node.lawful import read_log


def test_events_that_there_are_not_are_said_by_their_numbers() -> None:
    """A newer client may ask for what this node does not know; it is no defect of ours."""
    request = lawful_pb2.ReadLogRequest(events=[4, 1000])  # type: ignore[list-item]  # a number from outside
    assert read_log._in_words(request) == "events=RECEIVED,1000"
