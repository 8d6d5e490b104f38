"""Releases whose time witnesses must prove: a signer was revoked since, or a key of the log abandoned.

The recipient asks with the retry "release_unwitnessed", and the next attempt carries the proof to a cosigned
checkpoint. While no quorum has cosigned one, it is asked for again. Where nothing waits for a next attempt, in a
backfill and a recovery, the proof comes unasked with messages of signers who have left.
"""

from collections.abc import Callable
from typing import Final

from paiza.core.v1 import log_pb2
from paiza_node.core.exchange.send.certificates import signing_certificates
from paiza_node.core.storage import ReadConnection
from paiza_register import Register
from paiza_wire.tlog.checkpoint import VerifiedCheckpoint

UNWITNESSED: Final = "release_unwitnessed"

Cosigned = Callable[[ReadConnection, log_pb2.LogProof], log_pb2.LogProof | None]
"""Returns the same entry of a log proven to a checkpoint that a quorum cosigned; None if there is none."""


def has_left(register: Register, *signed: bytes) -> bool:
    """Return whether the register revokes a certificate that signs one of these messages."""
    described = register.described
    return any(
        author in described and digests & described[author].authority.revoked
        for author, digests in signing_certificates(*signed).items()
    )


def witnessed_release(
    reads: ReadConnection, cosigned: Cosigned, released: log_pb2.ProvenEntry, checkpoint: VerifiedCheckpoint
) -> log_pb2.LogProof | None:
    """Return a release of the own log, proven to a checkpoint of it, as a cosigned proof; None if there is none."""
    return cosigned(reads, log_pb2.LogProof(proven=released, checkpoint=checkpoint.note))


def unless_cosigned(reads: ReadConnection, cosigned: Cosigned | None, proof: log_pb2.LogProof) -> log_pb2.LogProof:
    """Return the cosigned proof of an entry if it is looked for and there is one, else the proof as it is."""
    found = None if cosigned is None or not proof.checkpoint else cosigned(reads, proof)
    return proof if found is None else found
