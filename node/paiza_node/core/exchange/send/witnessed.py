"""Releases whose time witnesses must prove: a signer was revoked since, or a key of the log abandoned.

The recipient asks with the retry "release_unwitnessed", and the next attempt carries the proof to a cosigned
checkpoint. While no quorum has cosigned one, it is asked for again.
"""

from collections.abc import Callable
from typing import Final

from paiza.core.v1 import log_pb2
from paiza_node.core.storage import ReadConnection

UNWITNESSED: Final = "release_unwitnessed"

Cosigned = Callable[[ReadConnection, log_pb2.LogProof], log_pb2.LogProof | None]
"""Returns the same entry of a log proven to a checkpoint that a quorum cosigned; None if there is none."""


def unless_cosigned(reads: ReadConnection, cosigned: Cosigned | None, proof: log_pb2.LogProof) -> log_pb2.LogProof:
    """Return the cosigned proof of an entry if it is looked for and there is one, else the proof as it is."""
    found = None if cosigned is None or not proof.checkpoint else cosigned(reads, proof)
    return proof if found is None else found
