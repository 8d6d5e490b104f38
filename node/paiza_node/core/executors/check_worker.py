"""A worker process: it is sent messages, and answers which of them verify (`paiza_wire.message.verify`).

It holds no key and no other secret of the node: it parses what strangers sent, and knows the certificates of members'
CAs, which are public. It writes nothing and opens nothing. It ends once the node has closed the connection, or is gone.

A request is a letter, the length of what follows (4 bytes, big-endian), and that: members' CAs and revocations in JSON,
or messages, each behind its time (microseconds since 1970, 8 bytes) and its length (4 bytes). The answer to messages is
one byte each. Only bytes come back, so a worker that was taken over can do no more than claim that a message verifies.
"""

import json
import signal
import socket
import struct
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from paiza_wire import message as wire
from paiza_wire.identity import CertificateAuthority, CertificateVerifier, MemberAuthority

READY: Final = b"R"  # sent once, when the worker has started
AUTHORITIES: Final = b"A"
MESSAGES: Final = b"M"
VERIFIED: Final = 1
NOT_VERIFIED: Final = 0  # refused, or the worker failed on it

_HEAD: Final = struct.Struct(">cI")
_MESSAGE: Final = struct.Struct(">qI")
_BEGIN: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

Timed = tuple[bytes, datetime]
"""A serialized message, and the time at which its certificates must be valid."""


def authorities_request(authorities: Mapping[str, MemberAuthority]) -> bytes:
    """Return the request that makes a worker verify with these members' CAs from now on."""
    data = json.dumps(
        [
            {
                "member": each.member,
                "federation": each.federation,
                "node_cas": [_ca_fields(ca) for ca in each.node_cas],
                "officer_cas": [_ca_fields(ca) for ca in each.officer_cas],
                "revoked": sorted(digest.hex() for digest in each.revoked),
            }
            for each in authorities.values()
        ]
    ).encode()
    return _HEAD.pack(AUTHORITIES, len(data)) + data


def messages_request(messages: Iterable[Timed]) -> bytes:
    """Return the request to verify messages."""
    data = b"".join(
        part
        for message, at in messages
        for part in (_MESSAGE.pack((at - _BEGIN) // _MICROSECOND, len(message)), message)
    )
    return _HEAD.pack(MESSAGES, len(data)) + data


def serve(connection: socket.socket) -> None:
    """Answer requests until the other end closes the connection."""
    connection.sendall(READY)
    verifier = CertificateVerifier({})
    with connection.makefile("rb") as requests:
        while len(head := requests.read(_HEAD.size)) == _HEAD.size:
            letter, size = _HEAD.unpack(head)
            data = requests.read(size)
            if len(data) < size:
                return
            if letter == AUTHORITIES:
                verifier = CertificateVerifier({each.member: each for each in map(_authority, json.loads(data))})
            else:
                connection.sendall(bytes([_verifies(verifier, *each) for each in _messages(data)]))


def main() -> None:
    """Serve the node that started this process, over standard input."""
    # Whoever stops the node signals all its processes. It still has checks to do: this one ends with the connection.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with socket.socket(fileno=sys.stdin.fileno()) as connection:
        try:
            serve(connection)
        except OSError:
            return  # the node is gone


def _verifies(verifier: CertificateVerifier, message: bytes, at: datetime) -> int:
    try:
        wire.verify(message, verifier, at=at)
    except Exception:  # noqa: BLE001 - the node checks the message itself, and says what is wrong
        return NOT_VERIFIED
    return VERIFIED


def _messages(data: bytes) -> Iterator[Timed]:
    at = 0
    while at < len(data):
        micros, size = _MESSAGE.unpack_from(data, at)
        at += _MESSAGE.size
        yield data[at : at + size], _BEGIN + micros * _MICROSECOND
        at += size


def _authority(fields: Mapping[str, object]) -> MemberAuthority:
    match fields:
        case {
            "member": str(member),
            "federation": str(federation),
            "node_cas": list(node_cas),
            "officer_cas": list(officer_cas),
            "revoked": list(revoked),
        }:
            return MemberAuthority(
                member,
                federation,
                tuple(map(_ca, node_cas)),
                tuple(map(_ca, officer_cas)),
                frozenset(map(bytes.fromhex, revoked)),
            )
    raise ValueError(fields)


def _ca_fields(ca: CertificateAuthority) -> Sequence[str]:
    return ca.certificate.hex(), ca.begins.isoformat(), ca.ends.isoformat()


def _ca(fields: Sequence[str]) -> CertificateAuthority:
    certificate, begins, ends = fields
    return CertificateAuthority(
        bytes.fromhex(certificate), datetime.fromisoformat(begins), datetime.fromisoformat(ends)
    )


if __name__ == "__main__":
    main()
