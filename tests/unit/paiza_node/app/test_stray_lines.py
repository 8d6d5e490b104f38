"""Lines of the TLS library, the interpreter and others become events: named, bounded, counted."""

import json
import os
import sys
from pathlib import Path

from paiza_node.app import stray_lines
from paiza_node.app.stray_lines import MAX_TEXT, READ_BYTES, Event, StrayLines, as_json

REFUSED = (
    b"I1129 23:42:41.041968    4353 ssl_transport_security.cc:2563] Handshake failed with error SSL_ERROR_SSL: "
    b"error:1000007d:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED: unable to get local issuer certificate\n"
)
LOOKED_AT = REFUSED.replace(b"CERTIFICATE_VERIFY_FAILED", stray_lines.NO_CERTIFICATE.encode())
OTHER = b"E1129 23:44:23.217137    8217 hpack_parser.cc:1048] Error parsing 'te' metadata: invalid value\n"


def test_refused_handshake_is_named_with_its_cause() -> None:
    """The cause is the library's code; that of a node that only looks at the certificate is no warning."""
    lines = StrayLines()
    refused, looked_at = lines.feed(REFUSED + LOOKED_AT, 0.0)
    assert (refused.level, refused.name) == ("warning", "handshake_refused")
    assert refused.values == {
        "cause": "CERTIFICATE_VERIFY_FAILED",
        "detail": "unable to get local issuer certificate",
        "count": 1,
    }
    assert looked_at.level == "info"


def test_of_one_origin_one_event_a_second_is_written_and_all_are_counted() -> None:
    """What comes between two events is held back and counted; none is lost when nothing follows."""
    lines = StrayLines()
    assert lines.feed(REFUSED, 0.0)[0].values["count"] == 1
    assert lines.feed(REFUSED * 50, 0.5) == []
    assert lines.due(0.9) == []
    (held_back,) = lines.due(1.1)
    assert held_back.values["count"] == 50
    assert lines.feed(REFUSED * 2, 1.2) == []
    assert [event.values["count"] for event in lines.feed(REFUSED, 2.2)] == [3]
    assert lines.due(9.0) == []
    assert lines.due(99.0) == []


def test_another_origin_is_not_held_back() -> None:
    """A flood of one kind hides nothing of another."""
    found = StrayLines().feed(REFUSED * 100 + OTHER, 0.0)
    assert [event.name for event in found] == ["handshake_refused", "library_message"]
    assert found[1].values["place"] == "hpack_parser.cc:1048"
    assert found[1].level == "error"


def test_lines_of_others_are_one_event() -> None:
    """What is no line of the library stays together: it is the text of one report, whatever bytes it has."""
    text = "Fatal Python error: Segmentation fault\n\nThread 0x1\n  File here"
    (event,) = StrayLines().feed(text.encode() + b" \xff\n", 0.0)
    assert event == Event("error", "standard_error", {"text": text + " \ufffd", "count": 1})


def test_cut_lines_are_put_together() -> None:
    """A line that arrives in pieces is one line; what has no end is taken at the end."""
    lines = StrayLines()
    assert lines.feed(REFUSED[:40], 0.0) == []
    assert lines.feed(REFUSED[40:], 0.0)[0].name == "handshake_refused"
    assert lines.feed(b"the last words", 5.0) == []
    assert [event.values["text"] for event in lines.rest()] == ["the last words"]
    assert lines.rest() == []


def test_endless_line_is_bounded() -> None:
    """A line without end takes no more memory than a piece that is read, and an event holds the beginning."""
    (event,) = StrayLines().feed(b"x" * (READ_BYTES + 1), 0.0)
    assert len(event.values["text"]) == MAX_TEXT


def test_remark_of_the_library_on_its_level_is_dropped() -> None:
    """The library warns of the level at which it names refused handshakes; that is not news."""
    remark = b"W1129 23:42:37.313645    4281 log.cc:102] Log level INFO is not suitable for production.\n"
    assert StrayLines().feed(remark, 0.0) == []


def test_program_writes_what_its_parent_left(tmp_path: Path) -> None:
    """It waits for the end of the other process, bears its signals, and writes the pipe's content as JSON."""
    left, report, written = tmp_path / "left", tmp_path / "report", tmp_path / "log"
    left.write_bytes(OTHER + b"the last words\n")
    report.write_bytes(b"Fatal Python error\n\nThread 0x1\n")
    with left.open("rb") as pipe, report.open("rb") as fault, written.open("wb") as log:
        ended, life = os.pipe()
        actions = [
            (os.POSIX_SPAWN_DUP2, ended, stray_lines.ENDED),
            (os.POSIX_SPAWN_DUP2, log.fileno(), stray_lines.OWN),
            (os.POSIX_SPAWN_DUP2, pipe.fileno(), stray_lines.PIPE),
            (os.POSIX_SPAWN_DUP2, fault.fileno(), stray_lines.FAULT),
        ]
        command = [sys.executable, "-I", "-S", stray_lines.__file__]
        process = os.posix_spawn(sys.executable, command, {}, file_actions=actions)
        os.close(ended)
        assert written.read_bytes() == b""
        os.close(life)
        assert os.waitpid(process, 0)[1] == 0
    events = [json.loads(line) for line in written.read_text().splitlines()]
    assert [event["event"] for event in events] == ["library_message", "standard_error", "standard_error"]
    assert events[2]["text"] == "Fatal Python error\n\nThread 0x1"
    assert all(event.keys() >= {"level", "timestamp"} for event in events)


def test_event_is_one_line_of_json() -> None:
    """Line breaks in a text do not break the line."""
    line = as_json(Event("error", "standard_error", {"text": "a\nb"}))
    assert "\n" not in line
    assert json.loads(line)["text"] == "a\nb"
