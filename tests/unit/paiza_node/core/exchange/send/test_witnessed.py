"""Messages whose signers have left carry the witnesses' checkpoint unasked, where nobody asks for it."""

from hashlib import sha256
from types import SimpleNamespace
from typing import Any

from paiza.core.v1 import log_pb2, message_pb2
from paiza_node.core.exchange.send.witnessed import has_left, unless_cosigned

GONE, HERE = b"certificate of one who left", b"certificate of one in service"


def message_of(author: str, *certificates: bytes) -> bytes:
    """Return a message of this member, signed with these certificates."""
    header = message_pb2.Header(author=author).SerializeToString()
    signatures = [message_pb2.Signature(certificate=each) for each in certificates]
    return message_pb2.SignedMessage(header=header, signatures=signatures).SerializeToString()


def register() -> Any:
    """Return a register in which kaz revokes a certificate."""
    authority = SimpleNamespace(revoked=frozenset({sha256(GONE).digest()}))
    return SimpleNamespace(described={"kaz": SimpleNamespace(authority=authority)})


def test_one_signer_who_left_is_enough() -> None:
    """Of any of the messages; what another member revokes, or nobody knows, says nothing."""
    assert has_left(register(), message_of("kaz", HERE, GONE))
    assert has_left(register(), message_of("kaz", HERE), message_of("kaz", GONE))
    assert not has_left(register(), message_of("kaz", HERE), b"")
    assert not has_left(register(), message_of("tjk", GONE))


def test_a_proof_stays_as_it_is_until_one_is_cosigned() -> None:
    """Nothing is looked for unless it was asked for, nor where there is no proof at all."""
    plain, other = log_pb2.LogProof(checkpoint=b"note"), log_pb2.LogProof(checkpoint=b"cosigned note")
    reads: Any = None
    assert unless_cosigned(reads, None, plain) is plain
    assert unless_cosigned(reads, lambda _reads, _proof: None, plain) is plain
    assert unless_cosigned(reads, lambda _reads, _proof: other, plain) is other
    nothing = log_pb2.LogProof()
    assert unless_cosigned(reads, lambda _reads, _proof: other, nothing) is nothing
