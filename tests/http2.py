"""HTTP/2 frames by hand, for callers that send what no gRPC library sends (RFC 9113)."""

import re
import socket
import struct
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, GOAWAY = 0, 1, 3, 4, 7  # §6
UNKNOWN: Final = 0xFA  # of no RFC
END_STREAM, END_HEADERS = 1, 4
FRAME_HEADER: Final = 9
INITIAL_WINDOW_SIZE: Final = 4  # §6.5.2
EMPTY_MESSAGE: Final = b"\0" * 5  # gRPC's prefix of an empty, uncompressed message


def frame(kind: int, flags: int, payload: bytes, stream: int = 1) -> bytes:
    """Return one frame."""
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


NO_WINDOW: Final = frame(SETTINGS, 0, struct.pack(">HI", INITIAL_WINDOW_SIZE, 0), 0)
"""Settings of a caller who takes the headers of answers, and none of their data."""


def headers(
    path: bytes, more: Sequence[tuple[bytes, bytes]] = (), *, flags: int = END_HEADERS, stream: int = 1
) -> bytes:
    """Return the header frame of a call, each field as a literal (RFC 7541 §6.2.2)."""
    fields = [
        (b":method", b"POST"),
        (b":scheme", b"https"),
        (b":path", path),
        (b":authority", b"node"),
        (b"te", b"trailers"),
        (b"content-type", b"application/grpc"),
    ]
    given = {name for name, _ in more}
    chosen = [*(field for field in fields if field[0] not in given), *more]
    return frame(HEADERS, flags, b"".join(_literal(*field) for field in chosen), stream)


def call(
    path: bytes, message: bytes = EMPTY_MESSAGE, more: Sequence[tuple[bytes, bytes]] = (), *, stream: int = 1
) -> bytes:
    """Return a call with one message, with which its requests end."""
    return headers(path, more, stream=stream) + frame(DATA, END_STREAM, message, stream)


def answer(connection: socket.socket, sent: bytes, seconds: float = 60.0) -> tuple[int | None, str]:
    """Send frames on a new connection; return gRPC's status and message, no status if the connection or call ends."""
    connection.settimeout(seconds)
    received = b""
    with suppress(BrokenPipeError, ConnectionResetError):  # it may have said why before
        connection.sendall(PREFACE + frame(SETTINGS, 0, b"", 0) + sent)
    while True:
        try:
            data = connection.recv(65_536)
        except (ConnectionResetError, BrokenPipeError):
            return None, "reset"
        if not data:
            return None, "closed"
        received += data
        kinds, whole = _whole_frames(received)  # half a frame may have the status and not yet its text
        if found := re.search(rb"grpc-status.([0-9]{1,2})(?:.*?grpc-message.([ -~]*))?", whole, re.DOTALL):
            return int(found[1]), (found[2] or b"").decode()
        if RESET in kinds:
            return None, "reset"


def _whole_frames(data: bytes) -> tuple[set[int], bytes]:
    """Return the kinds of the whole frames in these bytes, and the bytes of these frames."""
    kinds, at = set(), 0
    while at + FRAME_HEADER <= len(data):
        length = int.from_bytes(data[at : at + 3], "big")
        if at + FRAME_HEADER + length > len(data):
            break
        kinds.add(data[at + 3])
        at += FRAME_HEADER + length
    return kinds, data[:at]


def _literal(name: bytes, value: bytes) -> bytes:
    """Return a header field without indexing and without Huffman's code."""
    assert max(len(name), len(value)) < 127
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value
