"""Checks of a restored backup: the largest checkpoints of our logs that others hold, and their consequences."""

import asyncio
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final

from paiza.peer.v1 import recovery_pb2
from paiza_node.core.log.checkpoint_file import read_checkpoint
from paiza_node.core.peers.channels import GrpcChannel
from paiza_node.core.peers.endpoints import Endpoints
from paiza_node.core.peers.register_files import RegisterFiles
from paiza_node.core.peers.rpcs import LIST_HELD_CHECKPOINTS
from paiza_node.core.peers.tls_identity import TlsIdentity
from paiza_node.core.register.fetch import fetcher
from paiza_node.core.register.state import state_of
from paiza_node.ops.config import Config
from paiza_node.ops.data_folder import open_reader
from paiza_node.ops.keys import Keys, load_keys
from paiza_register import Member, Register, RegisterReader
from paiza_wire.errors import PaizaError, Unavailable
from paiza_wire.tlog import fork_proofs
from paiza_wire.tlog.checkpoint import VerifiedCheckpoint

MAX_NOTES: Final = 64  # of one answer; a member has at most 32 logs


@dataclass
class Shown:
    """The largest known checkpoint of each of our logs, and its source; our own checkpoint file is "".

    ``at`` is the time of the restore.
    """

    at: datetime
    largest: dict[str, tuple[VerifiedCheckpoint, str]] = field(default_factory=dict)

    def take(self, own: Member, note: bytes, by: str) -> None:
        """Add a note, if one of our logs signed it.

        The log signed with each key in use, and so every note of an abandoned key alone is smaller than those of later
        keys. A larger one was made by others who hold that key, and does not count beside them.
        """
        try:
            origin = fork_proofs.read_origin(note)
            checkpoint = own.checkpoint(note, origin)
        except PaizaError:  # a log is not ended by a checkpoint that it did not sign
            return
        known = self.largest.get(origin)
        if known is None or self._rank(own, known[0]) < self._rank(own, checkpoint):
            self.largest[origin] = checkpoint, by

    def _rank(self, own: Member, checkpoint: VerifiedCheckpoint) -> tuple[bool, int]:
        return own.abandoned_since(checkpoint.note, checkpoint.origin, self.at) is None, checkpoint.size


@dataclass(frozen=True)
class Compared:
    """The register in force, our keys, and the known checkpoints; ``answered`` are the members that answered."""

    register: Register
    keys: Keys
    shown: Shown
    answered: Collection[str]


def compare(config: Config, without: Collection[str], now: datetime) -> Compared:
    """Fetch the register and ask every other active member's node what it holds of our logs.

    Unavailable("members_unheard") if one does not answer that is not excluded by name.
    """
    return asyncio.run(_compare(config, without, now))


async def _compare(config: Config, without: Collection[str], now: datetime) -> Compared:
    reader = await asyncio.to_thread(open_reader, config)
    register = await _newest(config, reader, now)
    own = register.described_member(config.member)
    keys = load_keys(config, own)
    shown = Shown(now)
    if (note := read_checkpoint(config.data / "checkpoint")) is not None:
        shown.take(own, note, "")
    asked = [each.id for each in register.active_members() if each.id not in {config.member, *without}]
    answers: Mapping[str, list[bytes] | PaizaError] = dict(
        zip(asked, await asyncio.gather(*map(partial(_ask, register, keys, now), asked)), strict=True)
    )
    failures = {member: answer for member, answer in answers.items() if isinstance(answer, PaizaError)}
    for member in sorted(register.unusable.keys() & register.active_ids - {config.member, *without}):
        failures[member] = Unavailable("member_unusable", register.unusable[member])
    if failures:
        told = "; ".join(f"{member}: {error.reason}: {error.detail}" for member, error in failures.items())
        raise Unavailable("members_unheard", told)
    for member, answer in answers.items():
        for note in answer if isinstance(answer, list) else ():
            shown.take(own, note, member)
    return Compared(register, keys, shown, asked)


async def _newest(config: Config, reader: RegisterReader, now: datetime) -> Register:
    """Return the newest register that another active member's node serves, or else the one verified last."""
    last = reader.last
    if last is None:
        raise Unavailable("register_unavailable", "this node has no register yet")
    keys, loop = load_keys(config, last.described_member(config.member)), asyncio.get_running_loop()
    for member in (each.id for each in last.active_members() if each.id != config.member):
        channel = _channel(last, keys, member)
        with suppress(PaizaError):  # the others are asked too
            await asyncio.to_thread(reader.refresh, now, fetcher(RegisterFiles(channel), loop))
        await channel.close()
    newest = await asyncio.to_thread(reader.current, now)
    assert newest is not None, "there was one"
    return newest


def _channel(register: Register, keys: Keys, member: str) -> GrpcChannel:
    return GrpcChannel(member, TlsIdentity(keys.tls), lambda: register, Endpoints())


async def _ask(register: Register, keys: Keys, now: datetime, member: str) -> list[bytes] | PaizaError:
    channel = _channel(register, keys, member)
    try:
        request = recovery_pb2.ListHeldCheckpointsRequest(register_state=state_of(register, now))
        answer = await channel.call_any(LIST_HELD_CHECKPOINTS, request)
    except PaizaError as error:
        return error
    else:
        return list(answer.own_checkpoints[:MAX_NOTES])
    finally:
        await channel.close()


def unpacked(staging: Path, data: Path) -> None:
    """Move registers and attachments of a backup to the node's folders; existing files stay."""
    for path in sorted(staging.rglob("*")):
        target = data / path.relative_to(staging)
        if path.parent == staging or not path.is_file() or target.exists():
            continue
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.rename(target)
