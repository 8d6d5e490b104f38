"""The logs on the stopped nodes' disks, hashed anew and held against all that others keep of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from paiza.core.v1 import log_pb2
from paiza_client.evidence import container
from paiza_client.evidence import members as evidence_members
from paiza_client.verify.model import LogState
from paiza_register import Register
from paiza_wire.tlog import checkpoint
from tests.demo.desk import DemoFailedError
from tests.federation import Federation
from tests.registers import read_register
from tests.system import ledgers


@dataclass(frozen=True)
class Agreement:
    """The number of compared and of equal entries."""

    entries: int
    proofs: int
    checkpoints: int


def compare(federation: Federation, files: Iterable[bytes], known: Iterable[LogState]) -> Agreement:
    """Compare; DemoFailedError names the first thing that does not agree.

    1. Each log hashes to its node's head, and to the last checkpoint its node signed.
    2. Each proof in an evidence file leads to a checkpoint that the log's owner signed; the log on disk has that root
    at that size, and the proven entry at just that index.
    3. Each checkpoint that a node accepted of another is a root that the other's log had at that size.
    """
    register = read_register(federation.folder)
    # 1.
    logs = {member: _own(federation, member, register) for member in federation.nodes}
    # 2.
    proofs = [proof for file in files for proof in _proofs(file)]
    roots: dict[tuple[str, int], bytes] = {}
    for proof in proofs:
        member, signed = _verified(proof.checkpoint, register)
        roots[member, signed.size] = signed.root
        at = proof.proven.index
        if at >= len(logs[member]) or logs[member][at] != proof.proven.entry:
            raise DemoFailedError(f"{member}: entry {at} on disk is not the one that was proven")
    # 3.
    accepted = [state for state in known if not state.own]
    roots_accepted = {(state.member, state.size): state.root for state in accepted}
    for (member, size), root in [*roots.items(), *roots_accepted.items()]:
        if size > len(logs[member]) or ledgers.roots_at(logs[member], {size})[size] != root:
            raise DemoFailedError(f"{member}: a checkpoint of size {size} is known whose root its log does not have")
    return Agreement(sum(map(len, logs.values())), len(proofs), len(roots) + len(accepted))


def _own(federation: Federation, member: str, register: Register) -> Sequence[bytes]:
    try:
        holding = ledgers.read(federation.node(member))
        ledgers.check_own(holding, register)
    except AssertionError as error:
        raise DemoFailedError(f"the log of {member}: {error}") from error
    return holding.entries


def _proofs(file: bytes) -> Sequence[log_pb2.LogProof]:
    proofs = [each.log_proof() for each in evidence_members.entries(container.unpack(file))]
    if not proofs:
        raise DemoFailedError("an evidence file holds no entry")
    return proofs


def _verified(note: bytes, register: Register) -> tuple[str, checkpoint.VerifiedCheckpoint]:
    origin = note.split(b"\n", 1)[0].decode()
    for member in register.members.values():
        if origin in member.origins:
            return member.id, member.checkpoint(note, origin)
    raise DemoFailedError(f"no member has the log {origin}")
