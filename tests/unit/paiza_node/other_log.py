"""Another member's log, which can say anything about itself."""

from typing import Final

from paiza.core.v1 import log_pb2
from paiza.peer.v1 import exchange_pb2
from paiza_register import LogKey, Member
from paiza_wire.identity import MemberAuthority
from paiza_wire.tlog import checkpoint as checkpoints
from paiza_wire.tlog import merkle, tiles
from paiza_wire.tlog.checkpoint import Checkpoint
from paiza_wire.tlog.notes import SignerKey

ORIGIN: Final = "tjk.paiza.example/log/1"


def member_of(signer: SignerKey) -> Member:
    """Return the member of tjk as the register describes it."""
    authority = MemberAuthority("tjk", "paiza.example", (), ())
    key = LogKey(ORIGIN, signer.verifier_key.to_vkey(), None, signer.verifier_key)
    return Member("tjk", {}, "active", authority, (), (key,), (), (), 1)


class OtherLog:
    """Another member's log: it can say anything about itself."""

    def __init__(self, signer: SignerKey, name: bytes = b"") -> None:
        self.signer = signer
        self.leaves = [merkle.leaf_hash(name + b"%d" % number) for number in range(40)]
        stored: dict[tuple[int, int], bytes] = {}
        self.tree = tiles.TileTree(0, lambda level, index: stored[level, index])
        batch = self.tree.append(self.leaves)
        stored.update({(level, index): hashes for level, index, hashes in batch.tiles})
        self.tree.commit(batch)

    def note(self, size: int) -> bytes:
        """Sign a checkpoint of this size."""
        return checkpoints.sign(Checkpoint(ORIGIN, size, self.tree.root(size)), self.signer)

    def proof(self, size: int, *known: int) -> exchange_pb2.ProveConsistencyResponse:
        """Answer a question: prove growth from known sizes to this one, saying the roots there."""
        answer = exchange_pb2.ProveConsistencyResponse(checkpoint=self.note(size))
        for each in known:
            answer.proofs.add(
                from_size=each, hashes=self.tree.consistency_proof(each, size), from_root=self.tree.root(each)
            )
        return answer

    def consistency_claim(self, known: int, size: int) -> log_pb2.ConsistencyClaim:
        """Claim growth from a known size."""
        first, second = sorted((known, size))
        hashes = self.tree.consistency_proof(first, second)
        return log_pb2.ConsistencyClaim(checkpoint=self.note(size), from_size=known, consistency_hashes=hashes)
