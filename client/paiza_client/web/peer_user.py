"""The user at the other end of a connection on this machine.

The kernel is asked for the one socket with these two ends (sock_diag(7)), which takes microseconds however many
connections the machine has. Where it does not answer that, its tables are read; where there are none (other systems),
nobody is refused here.

A socket that no program holds any more (closed, still to be sent out) has no user: the kernel shows it as root's. It is
of nobody, so it is never of this user.
"""

import os
import re
import socket
import struct
import sys
from functools import cache
from pathlib import Path
from typing import Final

Peer = tuple[str, int] | None

_NETLINK: Final = 16  # AF_NETLINK, where `socket` does not name it
_SOCK_DIAG: Final = 4  # NETLINK_SOCK_DIAG
_BY_FAMILY: Final = 20  # SOCK_DIAG_BY_FAMILY
_ERROR: Final = 2  # NLMSG_ERROR
_REQUEST: Final = 1  # NLM_F_REQUEST
_TCP: Final = 6
_ALL_STATES: Final = 0xFFFFFFFF
_NO_COOKIE: Final = 0xFFFFFFFF
_SEQUENCE: Final = 1
_ANSWER_BYTES: Final = 4_096
_HEAD: Final = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
_WANTED: Final = struct.Struct("=BBBxI")  # inet_diag_req_v2: family, protocol, extensions, states
_FOUND: Final = struct.Struct("=4B")  # inet_diag_msg: family, state, timer, retransmissions
_REST: Final = struct.Struct("=5I")  # expiry, queues, user, inode
_ID: Final = 48  # bytes of inet_diag_sockid: ports, addresses of 16 bytes, interface, cookie
_ENDS: Final = 36  # of these the ports and addresses

_TABLES: Final = ("/proc/net/tcp", "/proc/net/tcp6")
_ROW: Final = re.compile(
    r"^\s*\d+: ([0-9A-F]+:[0-9A-F]{4}) ([0-9A-F]+:[0-9A-F]{4}) \S+ \S+ \S+ \S+\s+(\d+)\s+\d+ (\d+)", re.MULTILINE
)  # local and remote end, user, inode


class _NoAnswerError(Exception):
    """The kernel does not answer such questions."""


def is_of_this_user(peer: Peer, port: int) -> bool:
    """Return whether the other end of a connection with a port of 127.0.0.1 is a program of this user.

    Address and port are compared, both ends: another user may connect from a port of this user's at another address.
    """
    if peer is None or not hasattr(os, "getuid"):
        return True
    if _kernel_answers():
        try:
            return _asked(peer[0], peer[1], port) == os.getuid()
        except _NoAnswerError:
            return False
    return _in_tables(peer[0], peer[1], port)


@cache
def _kernel_answers() -> bool:
    """Return whether the kernel finds a connection of our own that is surely there."""
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            with socket.create_connection(("127.0.0.1", port)) as own:
                return _asked("127.0.0.1", own.getsockname()[1], port) == os.getuid()
    except (OSError, _NoAnswerError):
        return False


def _asked(address: str, local: int, remote: int) -> int | None:
    """Return the user of the socket ``address``:``local`` that is connected with 127.0.0.1:``remote``; None if of none.

    Raise `_NoAnswerError` where the kernel answers something else.
    """
    ends = (
        struct.pack("!HH", local, remote)
        + socket.inet_aton(address).ljust(16, b"\0")
        + socket.inet_aton("127.0.0.1").ljust(16, b"\0")
    )
    wanted = _WANTED.pack(socket.AF_INET, _TCP, 0, _ALL_STATES) + ends + struct.pack("=3I", 0, _NO_COOKIE, _NO_COOKIE)
    try:
        with socket.socket(_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _SOCK_DIAG) as kernel:
            kernel.settimeout(1)  # it answers before the request returns
            kernel.sendto(_HEAD.pack(_HEAD.size + len(wanted), _BY_FAMILY, _REQUEST, _SEQUENCE, 0) + wanted, (0, 0))
            answer, sender = kernel.recvfrom(_ANSWER_BYTES)
    except (OSError, AttributeError) as error:
        raise _NoAnswerError from error
    if sender[0] != 0 or len(answer) < _HEAD.size:
        raise _NoAnswerError
    length, kind, _flags, sequence, _port = _HEAD.unpack_from(answer)
    if sequence != _SEQUENCE or length > len(answer):
        raise _NoAnswerError
    if kind == _ERROR:
        return None  # no such socket
    body = answer[_HEAD.size : length]
    if kind != _BY_FAMILY or len(body) < _FOUND.size + _ID + _REST.size:
        raise _NoAnswerError
    family = _FOUND.unpack_from(body)[0]
    if body[_FOUND.size : _FOUND.size + _ENDS] != (ends if family == socket.AF_INET else _mapped(ends)):
        return None  # the kernel also finds what listens on the port
    _expires, _received, _sent, user, inode = _REST.unpack_from(body, _FOUND.size + _ID)
    return int(user) if inode else None


def _mapped(ends: bytes) -> bytes:
    """Return two ends with the addresses of IPv4 written as those of IPv6."""
    own, other = (b"\0" * 10 + b"\xff\xff" + ends[at : at + 4] for at in (4, 20))
    return ends[:4] + own + other


def _in_tables(address: str, local: int, remote: int) -> bool:
    ends = _as_in_tables(address, local), _as_in_tables("127.0.0.1", remote)
    told = False
    for table in _TABLES:
        try:
            rows = _ROW.findall(Path(table).read_text("ascii"))
        except OSError:
            continue
        told = True
        for here, there, user, inode in rows:
            if here in ends[0] and there in ends[1]:
                return int(user) == os.getuid() and inode != "0"
    return not told


def _as_in_tables(address: str, port: int) -> tuple[str, str]:
    """Return an end of a connection as the tables of IPv4 and IPv6 write it: in words of the machine."""
    mapped = socket.inet_pton(socket.AF_INET6, f"::ffff:{address}")
    words = [f"{int.from_bytes(mapped[at : at + 4], sys.byteorder):08X}" for at in range(0, 16, 4)]
    return f"{words[3]}:{port:04X}", f"{''.join(words)}:{port:04X}"
