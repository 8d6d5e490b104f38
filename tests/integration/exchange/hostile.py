"""Another member's node as an attacker would run it: its real keys and certificate, and no scruples.

It keeps a log of its own in memory and can state, prove and deliver anything. A test changes one thing at a time; the
rest is as at an honest node.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from paiza.core.v1 import log_pb2, message_pb2, register_pb2
from paiza.peer.v1 import exchange_pb2, exchange_pb2_grpc
from paiza_register import Register
from paiza_wire import log_entries, receipts
from paiza_wire.identity import keys
from paiza_wire.message import message_digest
from paiza_wire.receipts import VerifiedEntry
from paiza_wire.tlog import checkpoint
from paiza_wire.tlog.checkpoint import Checkpoint, VerifiedCheckpoint
from paiza_wire.tlog.merkle import leaf_hash, node_hash
from paiza_wire.tlog.notes import SignerKey
from tests.federation import NodeProcess
from tests.log_entries import entry_of
from tests.system.minting import Mint


class RefusedError(Exception):
    """The whole call was refused: the gRPC code and the reason."""

    def __init__(self, error: grpc.aio.AioRpcError) -> None:
        self.code = error.code()
        metadata = dict(error.trailing_metadata() or ())
        self.reason = str(metadata.get("paiza-reason", ""))
        self.retry_after_ms = metadata.get("paiza-retry-after-ms")
        super().__init__(f"{self.code.name} {self.reason}: {error.details()}")


class Log:
    """A Merkle log by the recursions of RFC 9162 §2.1, for logs of a few hundred entries."""

    def __init__(self) -> None:
        self.entries: list[bytes] = []

    def root(self, first: int = 0, end: int | None = None) -> bytes:
        """Return MTH of a range."""
        last = len(self.entries) if end is None else end
        if first == last:
            return sha256(b"").digest()
        if last - first == 1:
            return leaf_hash(self.entries[first])
        middle = first + _split(last - first)
        return node_hash(self.root(first, middle), self.root(middle, last))

    def inclusion(self, index: int, size: int, first: int = 0) -> list[bytes]:
        """Return PATH."""
        if size - first == 1:
            return []
        middle = first + _split(size - first)
        if index < middle:
            return [*self.inclusion(index, middle, first), self.root(middle, size)]
        return [*self.inclusion(index, size, middle), self.root(first, middle)]

    def consistency(self, old: int, new: int) -> list[bytes]:
        """Return PROOF; empty from 0."""
        return self._subproof(old, 0, new, whole=True) if old else []

    def _subproof(self, old: int, first: int, last: int, *, whole: bool) -> list[bytes]:
        if old == last:
            return [] if whole else [self.root(first, last)]
        middle = first + _split(last - first)
        if old <= middle:
            return [*self._subproof(old, first, middle, whole=whole), self.root(middle, last)]
        return [*self._subproof(old, middle, last, whole=False), self.root(first, middle)]


@dataclass(frozen=True)
class Answer:
    """The answer to a batch: the response, and its verified checkpoint."""

    response: exchange_pb2.DeliverResponse
    checkpoint: VerifiedCheckpoint

    def entry(self, at: int = 0) -> VerifiedEntry:
        """Return the entry that answers a dispatch, proven."""
        result = self.response.results[at]
        assert result.WhichOneof("result") == "answer", result
        return receipts.verify_entry(result.answer, self.checkpoint)

    def reason(self, at: int = 0) -> tuple[str, str]:
        """Return how a dispatch was answered and why: ("retry", reason) for example."""
        result = self.response.results[at]
        which = result.WhichOneof("result") or "nothing"
        if which == "answer":
            entry = self.entry(at).entry
            return log_pb2.LogEvent.Name(entry.event).removeprefix("LOG_EVENT_").lower(), log_entries.reason(entry)
        return which, str(getattr(result, which).reason)


class HostilePeer:
    """The node of ``member``, calling the node under test."""

    def __init__(self, folder: Path, member: str, target: NodeProcess, register: Register) -> None:
        self.member = member
        self.target = target
        self.register = register
        self.log = Log()
        self.known = 0  # the size of our log that the target knows
        self.certified: dict[bytes, int] = {}  # certificates that the log holds, and where
        private = keys.private_key_from_pem((folder / f"nodes/{member}/keys/log.key").read_bytes())
        self.key = SignerKey.from_ed25519(f"{member}.{register.federation}/log/1", private)  # type: ignore[arg-type]
        self.channel = Mint(folder, register).node(member).channel(target.address, target.member, register)

    def release(self, signed: bytes, **changes: object) -> int:
        """Log the release of a message as an honest node would, but for ``changes`` of the entry; gives its index."""
        message = message_pb2.SignedMessage.FromString(signed)
        header = message_pb2.Header.FromString(message.header)
        roles = {required.id: required.role for required in header.required_signers}
        event: Any = changes.pop("event", log_pb2.LOG_EVENT_RELEASED)
        for one in message.signatures if event == log_pb2.LOG_EVENT_RELEASED else ():
            self.certify(sha256(one.certificate).digest())
        signers = [
            log_pb2.LoggedSigner(
                id=one.signer_id, role=roles[one.signer_id], certificate_sha256=sha256(one.certificate).digest()
            )
            for one in message.signatures
        ]
        name = f"{self.member.upper()}-2026-00001" if header.thread_id == header.message_id else ""
        detail = {"signers": signers, "thread_name": name} if event == log_pb2.LOG_EVENT_RELEASED else {}
        stamp = Timestamp()
        stamp.FromDatetime(datetime.now(UTC))
        entry = entry_of(
            event,
            **{
                "salt": receipts.new_salt(),
                "entry_time": stamp,
                "actor": header.required_signers[0].id,
                "counterpart": self.target.member,
                "message_digest": message_digest(message.header),
                "register_version": self.register.version,
                **detail,
                **changes,
            },
        )
        self.log.entries.append(entry.SerializeToString(deterministic=True))
        return len(self.log.entries) - 1

    def certify(self, digest: bytes) -> None:
        """Log an officer's certificate, unless it is logged already."""
        if digest in self.certified:
            return
        stamp = Timestamp()
        stamp.FromDatetime(datetime.now(UTC))
        entry = log_entries.officer_certified(
            actor="os-user:root", signing_certificate_sha256=digest, authentication_certificate_sha256=digest
        )
        entry.salt, entry.register_version = receipts.new_salt(), self.register.version
        entry.entry_time.CopyFrom(stamp)
        self.log.entries.append(entry.SerializeToString(deterministic=True))
        self.certified[digest] = len(self.log.entries) - 1

    def certificates(self, signed: bytes, size: int | None = None) -> list[log_pb2.ProvenEntry]:
        """Prove the certificates that sign a message, as an honest node does with the first one."""
        end = size or len(self.log.entries)
        signatures = message_pb2.SignedMessage.FromString(signed).signatures
        found = [self.certified.get(sha256(each.certificate).digest(), end) for each in signatures]
        return [self.proven(at, end) for at in sorted({*found}) if at < end]

    def proven(self, at: int, end: int) -> log_pb2.ProvenEntry:
        """Prove an entry to a size of the log."""
        return log_pb2.ProvenEntry(entry=self.log.entries[at], index=at, inclusion_hashes=self.log.inclusion(at, end))

    def dispatch(self, signed: bytes, index: int | None = None, size: int | None = None) -> exchange_pb2.Dispatch:
        """Pack a message with the proof of a release; of its own, logged just now, unless told otherwise."""
        at = self.release(signed) if index is None else index
        end = size or len(self.log.entries)
        release = exchange_pb2.Release(
            message=signed, released=self.proven(at, end), certificates=self.certificates(signed, end)
        )
        return exchange_pb2.Dispatch(release=release)

    def dispatch_all(self, messages: Sequence[bytes]) -> list[exchange_pb2.Dispatch]:
        """Pack several messages, all proven to one size."""
        indices = [self.release(signed) for signed in messages]
        return [self.dispatch(signed, at) for signed, at in zip(messages, indices, strict=True)]

    def note(self, size: int | None = None, *, root: bytes | None = None, key: SignerKey | None = None) -> bytes:
        """Sign a checkpoint of the log, or of what is claimed to be it."""
        end = len(self.log.entries) if size is None else size
        signer = key or self.key
        return checkpoint.sign(Checkpoint(signer.verifier_key.name, end, root or self.log.root(0, end)), signer)

    def consistency_claim(self, size: int | None = None) -> log_pb2.ConsistencyClaim:
        """State the log's growth from what the target knows."""
        end = len(self.log.entries) if size is None else size
        small, large = sorted((self.known, end))
        return log_pb2.ConsistencyClaim(
            checkpoint=self.note(end), from_size=self.known, consistency_hashes=self.log.consistency(small, large)
        )

    async def deliver(
        self,
        *dispatches: exchange_pb2.Dispatch,
        consistency_claim: log_pb2.ConsistencyClaim | None = None,
        register_version: bytes = b"",
    ) -> Answer:
        """Deliver, and verify that the answer's checkpoint is the target's. RefusedError where all was refused."""
        request = exchange_pb2.DeliverRequest(
            consistency_claim=consistency_claim or self.consistency_claim(),
            register_state=register_pb2.RegisterState(register_version=register_version or self.register.version),
            dispatches=dispatches,
        )
        try:
            response = await exchange_pb2_grpc.ExchangeServiceStub(self.channel).Deliver(request, timeout=60)
        except grpc.aio.AioRpcError as error:
            raise RefusedError(error) from error
        target = self.register.member(self.target.member)
        verified = target.checkpoint(response.consistency_claim.checkpoint, target.origin)
        if not response.consistency_mismatch and consistency_claim is None:
            self.known = max(self.known, len(self.log.entries))
        return Answer(response, verified)


def _split(size: int) -> int:
    return 1 << (size - 1).bit_length() - 1
